"""Apply every mechanical action at every place of a program, and judge each edit by running the program.

The edited programs of one run share a process, because starting Python takes longer than most of them.
"""

import ast
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scripts.prove_actions.trials import ACTIONS
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.snapshot import LineTable

FOLDER = Path(__file__).parent / "attack"
MAX_STATEMENTS = 3
_PROGRAM = re.compile(r"^=== (.+)\n", re.MULTILINE)


@dataclass
class AttackCounts:
    """The outcomes of the edits; ``wrong`` describes each that changed a program's behaviour."""

    right: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def outcomes(texts: list[str], folder: Path) -> list[list[str]]:
    """Run programs one after another in a separate process; return what each prints, and its error."""
    command = [sys.executable, "-B", str(Path(__file__).with_name("attack_runner.py")), str(folder)]
    ran = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=True)
    answers: list[list[str]] = json.loads(ran.stdout)
    return answers


def programs() -> dict[str, str]:
    """Return the programs by name."""
    texts: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*.txt")):
        pieces = _PROGRAM.split(path.read_text("utf-8"))
        texts |= {f"{path.stem}: {name}": text for name, text in zip(pieces[1::2], pieces[2::2], strict=True)}
    return texts


def attack(name: str, text: str, folder: Path, counts: AttackCounts, *, one_in: int = 1) -> None:
    """Make every edit of a program, or a fraction of them, and run the results."""
    edited: list[tuple[str, str, str]] = []
    for action, span in list(places(text))[::one_in]:
        edits: tuple[Edit, ...] | Refusal = ACTIONS[action](text, span)
        if isinstance(edits, Refusal):
            counts.refused[action] += 1
        else:
            edited.append((action, span.text(text), apply_edits(text, edits)))
    before, *others = outcomes([text, *(after for _action, _selected, after in edited)], folder)
    assert before[1] == "", f"{name} fails by itself: {before}"
    for (action, selected, after), outcome in zip(edited, others, strict=True):
        if outcome == before:
            counts.right[action] += 1
        else:
            counts.wrong.append(f"{name}: {action} at {selected!r}\n{after}\n{before} -> {outcome}")


def places(text: str) -> Iterator[tuple[str, Span]]:
    """Yield each action with each of its places."""
    tree = ast.parse(text)
    lines = LineTable.of(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and not isinstance(node, ast.Starred | ast.Slice):
            span = _span(lines, node, node)
            if isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Store):
                    yield from (("inline.variable", span), ("rename.suggest", span))
            elif not isinstance(node, ast.Constant) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
                yield from (("extract.variable", span), ("extract.function", span))
        for block in ("body", "orelse", "finalbody"):
            statements = getattr(node, block, None)
            if isinstance(statements, list):
                yield from (("extract.function", span) for span in _runs(lines, statements))


def _runs(lines: LineTable, statements: list[ast.stmt]) -> Iterator[Span]:
    """Yield the spans of consecutive statements."""
    for first in range(len(statements)):
        for last in range(first, min(first + MAX_STATEMENTS, len(statements))):
            yield _span(lines, statements[first], statements[last])


def _span(lines: LineTable, first: ast.stmt | ast.expr, last: ast.stmt | ast.expr) -> Span:
    start = min([first, *getattr(first, "decorator_list", [])], key=lambda node: node.lineno)
    assert last.end_lineno is not None
    assert last.end_col_offset is not None
    begin = lines.starts[start.lineno - 1] + start.col_offset - (start is not first)
    return Span(begin, lines.starts[last.end_lineno - 1] + last.end_col_offset)


def main() -> int:
    """Edit every place of every program, or of those whose names begin with the argument; print the counts."""
    counts = AttackCounts()
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        for name, text in programs().items():
            if name.startswith(sys.argv[1] if len(sys.argv) > 1 else ""):
                attack(name, text, Path(folder), counts)
    for action in ACTIONS:
        sys.stdout.write(f"{action}: right {counts.right[action]}, refused {counts.refused[action]}\n")
    sys.stdout.writelines(f"WRONG {description}\n" for description in counts.wrong)
    sys.stdout.write(f"wrong: {len(counts.wrong)}\n")
    return 1 if counts.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
