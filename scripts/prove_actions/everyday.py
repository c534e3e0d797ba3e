"""Count how many everyday selections of the standard library are applied, and why the others are refused.

``python -m scripts.prove_actions.everyday --count 400 --seed 2``: 2 to 4 statements that control does not leave, an
argument or operand, a variable that is assigned once and read once soon after, and a local. Nothing is run.
"""

import argparse
import ast
import random
import re
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.prove_actions.trials import ACTIONS, attempt
from spark_lsp.text.edit import Span
from spark_lsp.text.snapshot import LineTable

Function = ast.FunctionDef | ast.AsyncFunctionDef
LEAVES = (ast.Return, ast.Break, ast.Continue, ast.Yield, ast.YieldFrom)
MAX_LINES_APART = 3
NAMES_IN_REASONS = re.compile(r"\b[a-z_]\w*(?= (?:is|may|has|are|means)\b)|(?<=of )\w+(?=,? )")


def main() -> None:
    """Try the selections and print the outcomes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400, help="selections in all, a quarter for each action")
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    dice = random.Random(options.seed)  # noqa: S311 - chooses places, keeps no secret
    applied: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    for action in ACTIONS:
        for text, span in selections(action, options.count // len(ACTIONS), dice):
            outcome = attempt(action, text, span)
            tried[action] += 1
            applied[action] += outcome.text is not None
            if outcome.text is None:
                reasons[action, NAMES_IN_REASONS.sub("…", outcome.message)] += 1
    lines = [f"{action}: {applied[action]} of {tried[action]}" for action in ACTIONS]
    lines.append(f"applied: {sum(applied.values()) / sum(tried.values()):.0%}")
    lines += [f"{number:4} {action}: {reason}" for (action, reason), number in reasons.most_common()]
    sys.stdout.write("\n".join([*lines, ""]))


def selections(action: str, count: int, dice: random.Random) -> Iterator[tuple[str, Span]]:
    """Yield that many selections that suit an action, each from another function."""
    modules = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    dice.shuffle(modules)
    while count > 0:
        text = dice.choice(modules).read_text("utf-8", "replace")
        functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, Function)] if text.isascii() else []
        spans = list(SPANS[action](LineTable.of(text), dice.choice(functions), dice)) if functions else []
        if spans:
            count -= 1
            yield text, dice.choice(spans)


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
    """Yield locals at their assignments; a parameter is none."""
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
