"""How long a list of actions takes on a long file: at random places of one text, and after each of many keys.

Time of the processor counts, so that what else runs on the machine does not.
"""

import random
import statistics
import time
from pathlib import Path
from typing import Final

from scripts.prove_actions.trials import target_in
from spark_lsp.actions.base import Foresees, Target
from spark_lsp.actions.catalog import CATALOG
from spark_lsp.text.document import LineTable
from spark_lsp.text.edit import Span

LINES: Final = 5000
TRIES: Final = 300
PLACES: Final = 12
TYPED: Final = "  # ok"


def measure(sources: Path) -> str:
    """Return median and p95 in milliseconds of processor time, on 5,000 lines of a folder's own sources."""
    found = "".join(path.read_text("utf-8") for path in sorted(sources.rglob("*.py")))
    text = "\n".join(found.split("\n")[:LINES]) + "\n"
    dice = random.Random(1)  # noqa: S311 - chooses places, keeps no secret
    _listed(text, dice)
    same = [_listed(text, dice) for _ in range(TRIES)]
    reasons = [_listed(text, dice, foresee=True) for _ in range(TRIES)]
    after = []
    for _ in range(PLACES):
        table = LineTable.of(text)
        at = dice.choice([end for start, end in zip(table.starts, table.ends, strict=True) if start < end])
        for key in TYPED:
            text = text[:at] + key + text[at:]
            at += 1
            after.append(_listed(text, dice))
    return (
        f"lists on {LINES} lines, {TRIES} places: {_told(same)}\n"
        f"with the reasons of what would be refused: {_told(reasons)}\n"
        f"after each of {len(after)} keys: {_told(after)}\n"
    )


def _listed(text: str, dice: random.Random, *, foresee: bool = False) -> float:
    lines = LineTable.of(text)
    first = dice.randrange(len(lines) - 40)
    last = first + dice.choice((0, 0, 1, 3, 30))
    start = lines.starts[first] if dice.random() < 0.6 else lines.ends[last]
    began = time.process_time()
    target: Target = target_in(text, Span(start, lines.ends[last]))
    for action in CATALOG:
        if action.applies(target) and foresee and isinstance(action, Foresees):
            action.hindrance(target)
    return (time.process_time() - began) * 1000


def _told(times: list[float]) -> str:
    return f"median {statistics.median(times):.1f} ms, p95 {statistics.quantiles(times, n=20)[18]:.1f} ms"
