"""How many everyday selections of real modules are applied, and why the others are refused.

``python -m scripts.prove_actions.everyday --count 400 --seed 2`` takes them from the standard library,
``--packages FOLDER`` from the Python packages that are unpacked there, ``--scripts FOLDER`` from npm packages: 2 to 4
statements that control does not leave, an argument or operand, a variable that is assigned once and read once soon
after, and a local. Nothing is run.
"""

import argparse
import ast
import random
import re
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from scripts.prove_actions import everyday_scripts
from scripts.prove_actions.trials import ACTIONS, target_in
from spark_lsp.actions.assumption import Assumed, graded
from spark_lsp.actions.check import failure
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.snapshot import LineTable

Function = ast.FunctionDef | ast.AsyncFunctionDef
LEAVES = (ast.Return, ast.Break, ast.Continue, ast.Yield, ast.YieldFrom)
MAX_LINES_APART = 3
MAX_CHARACTERS = 200_000
NAMES_IN_REASONS = re.compile(r"\b[a-z_]\w*(?= (?:is|may|has|are|means)\b)|(?<=of )\w+(?=,? )")


def main() -> None:
    """Try the selections and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400, help="selections in all, a quarter for each action")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--packages", type=Path, help="take Python files of this folder, not the standard library's")
    parser.add_argument("--scripts", type=Path, help="take JavaScript and TypeScript files of this folder")
    options = parser.parse_args()
    dice = random.Random(options.seed)  # noqa: S311 - chooses places, keeps no secret
    proved: Counter[str] = Counter()
    assuming: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    for action in ACTIONS:
        count = options.count // len(ACTIONS)
        for refusal, assumed in outcomes(action, count, dice, options.packages, options.scripts):
            tried[action] += 1
            proved[action] += not refusal and not assumed
            assuming[action] += not refusal and bool(assumed)
            if refusal or assumed:
                reason = refusal or f"(assumes {', '.join(sorted(assumed))})"
                reasons[action, NAMES_IN_REASONS.sub("…", reason)] += 1
    lines = [
        f"{action}: {proved[action]} proved, {assuming[action]} assuming, of {tried[action]}" for action in ACTIONS
    ]
    lines.append(
        f"proved: {proved.total() / tried.total():.0%}, applied: {(proved + assuming).total() / tried.total():.0%}"
    )
    lines += [f"{number:4} {action}: {reason}" for (action, reason), number in reasons.most_common()]
    sys.stdout.write("\n".join([*lines, ""]))


def outcomes(
    action: str, count: int, dice: random.Random, packages: Path | None, scripts: Path | None
) -> Iterator[tuple[str, Assumed]]:
    """Yield why each selection is refused, empty where it is not, and what the edit rests on."""
    if scripts is not None:
        for refusal in everyday_scripts.outcomes(action, count, dice, scripts):
            yield refusal, frozenset()
        return
    for text, span in selections(action, count, dice, packages):
        outcome, assumed = graded(partial(_edits, action, text, span), is_accepted=True)
        yield outcome.message if isinstance(outcome, Refusal) else "", assumed


def _edits(action: str, text: str, span: Span, assumed: Assumed) -> tuple[Edit, ...] | Refusal:
    """Return an action's edits, with the check that every edit has to pass."""
    edits = ACTIONS[action](text, span, assumed=assumed)
    if isinstance(edits, Refusal):
        return edits
    problem = failure(text, target_in(text, span).syntax, edits)
    return Refusal("unfaithful", f"check: {problem}") if problem else edits


def selections(
    action: str, count: int, dice: random.Random, packages: Path | None = None
) -> Iterator[tuple[str, Span]]:
    """Yield that many selections that suit an action, each of another function."""
    standard = Path(sysconfig.get_paths()["stdlib"]).glob("*.py")
    modules = sorted(packages.rglob("*.py") if packages is not None else standard)
    dice.shuffle(modules)
    while count > 0:
        functions = _functions(text := dice.choice(modules).read_text("utf-8", "replace"))
        spans = list(SPANS[action](LineTable.of(text), dice.choice(functions), dice)) if functions else []
        if spans:
            count -= 1
            yield text, dice.choice(spans)


def _functions(text: str) -> list[Function]:
    """Return the functions of a module; none of one that is not ASCII, is very long, or does not compile."""
    if not text.isascii() or len(text) > MAX_CHARACTERS:
        return []
    try:
        return [node for node in ast.walk(ast.parse(text)) if isinstance(node, Function)]
    except SyntaxError:
        return []


def statements(lines: LineTable, function: Function, dice: random.Random) -> Iterator[Span]:
    """Yield 2 to 4 statements in the middle of a block that control does not leave."""
    for node in ast.walk(function):
        block = getattr(node, "body", None)
        if not isinstance(block, list) or len(block) < MAX_LINES_APART:
            continue
        first = dice.randrange(1, len(block) - 1)
        chosen = block[first : first + dice.randint(2, 4)]
        if len(chosen) > 1 and not any(
            isinstance(descendant, LEAVES) for part in chosen for descendant in ast.walk(part)
        ):
            start = min(
                [chosen[0].lineno, *(decorator.lineno for decorator in getattr(chosen[0], "decorator_list", []))]
            )
            yield Span(lines.starts[start - 1], lines.ends[chosen[-1].end_lineno - 1])


def operands(lines: LineTable, function: Function, _dice: random.Random) -> Iterator[Span]:
    """Yield arguments and operands that are more than a name or a constant."""
    for node in ast.walk(function):
        parts = (
            node.args if isinstance(node, ast.Call) else [node.left, node.right] if isinstance(node, ast.BinOp) else []
        )
        for part in parts:
            if not isinstance(part, ast.Name | ast.Constant | ast.Starred):
                yield _span(lines, part)


def short_lived(lines: LineTable, function: Function, _dice: random.Random) -> Iterator[Span]:
    """Yield variables that a statement assigns and that are read once, within three lines."""
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    for node in ast.walk(function):
        target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
        if isinstance(target, ast.Name):
            others = [name for name in names if name.id == target.id and name is not target]
            if len(others) == 1 and 0 < others[0].lineno - target.lineno <= MAX_LINES_APART:
                yield _span(lines, target, is_cursor=True)


def local_names(lines: LineTable, function: Function, _dice: random.Random) -> Iterator[Span]:
    """Yield locals where a statement assigns them; a parameter is none."""
    given = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    for node in ast.walk(function):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.For) else None
        if isinstance(target, ast.Name) and target.id not in given:
            yield _span(lines, target, is_cursor=True)


def _span(lines: LineTable, node: ast.expr, *, is_cursor: bool = False) -> Span:
    start = lines.starts[node.lineno - 1] + node.col_offset
    assert node.end_lineno is not None, "ast.parse places every node"
    assert node.end_col_offset is not None, "ast.parse places every node"
    return Span(start, start if is_cursor else lines.starts[node.end_lineno - 1] + node.end_col_offset)


SPANS: dict[str, Callable[[LineTable, Function, random.Random], Iterator[Span]]] = {
    "extract.function": statements,
    "extract.variable": operands,
    "inline.variable": short_lived,
    "rename.suggest": local_names,
}

if __name__ == "__main__":
    main()
