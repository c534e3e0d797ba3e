"""Print results: shares, similarity and nats by mode and class of hole, and paired differences with intervals."""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROUNDS = 2000
MEASURES = ("exact", "similarity", "name_known", "nats")
Row = dict[str, Any]
Answers = dict[str, Row]
"""The rows of one hole, by mode."""


def _line(*needs: str) -> Callable[[Row], bool]:
    return lambda row: row["shape"] == "line" and not row["mid_word"] and row["need"] in needs


GROUPS: tuple[tuple[str, Callable[[Row], bool]], ...] = (
    ("Lines that need a name of another file", _line("novel", "file")),
    ("Of these, the name stands nowhere in the file", _line("novel")),
    ("Of these, the file has the name, the window has not", _line("file")),
    ("Lines that need none", _line("local")),
    ("Blocks that need a name of another file", lambda row: row["shape"] == "block"),
    ("Lines from inside a name", lambda row: bool(row["mid_word"])),
)
HEADER = (
    "  exact   simil   names   known   shown     nats  of name  tokens",
    "  exact over {0:<14}  known over {0:<14}  nats over {0}",
)


def read(paths: Sequence[Path]) -> list[Row]:
    """Read results; for one hole and mode the last result counts, and an incomplete line is ignored."""
    rows: dict[tuple[str, str], Row] = {}
    for path in paths:
        for line in path.read_text("utf-8").splitlines():
            if line.endswith("}"):
                row = json.loads(line)
                rows[row["hole"], row["mode"]] = row
    return list(rows.values())


def interval(differences: Sequence[float], seed: int = 1) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean of paired differences."""
    chance = random.Random(seed)  # noqa: S311 - draws samples
    count = len(differences)
    means = sorted(sum(chance.choices(differences, k=count)) / count for _ in range(ROUNDS))
    return means[int(ROUNDS * 0.025)], means[int(ROUNDS * 0.975)]


def table(rows: Sequence[Row], base: str, best: str, modes: Sequence[str] = ()) -> Iterator[str]:
    """Yield lines; each group has the holes that all modes were run on, so that its rows are about the same ones."""
    modes = modes or list(dict.fromkeys(row["mode"] for row in rows))
    by_hole: dict[str, Answers] = defaultdict(dict)
    for row in rows:
        by_hole[row["hole"]][row["mode"]] = row
    asked = [answers for answers in by_hole.values() if all(mode in answers for mode in modes)]
    for title, belongs in GROUPS:
        group = [answers for answers in asked if belongs(answers[modes[0]])]
        if not group:
            continue
        yield f"{title}: {len(group)} holes"
        yield f"{'mode':<26}{HEADER[0]}{HEADER[1].format(base)}"
        for mode in modes:
            yield _row(group, mode, base)
        for mode in modes if best else ():
            if mode != best:
                yield _against(group, best, mode)
        yield ""


def _row(group: Sequence[Answers], mode: str, base: str) -> str:
    members = [answers[mode] for answers in group]
    shares = [_share(members, what) for what in ("exact", "similarity", "names", "name_known", "shown")]
    nats, tokens = (_mean([row[what] for row in members]) for what in ("nats", "prompt_tokens"))
    of_names = _mean([row["name_nats"] for row in members if "name_nats" in row])
    words = f"{mode:<26} {'  '.join(shares)}  {nats:7.2f}  {of_names:6.2f}  {tokens:6.0f}"
    if mode == base:
        return words
    return "  ".join([words, *(difference(group, mode, base, what) for what in ("exact", "name_known", "nats"))])


def _against(group: Sequence[Answers], best: str, baseline: str) -> str:
    words = [f"{what} {difference(group, best, baseline, what)}" for what in MEASURES]
    return f"  {best} over {baseline:<24} {'  '.join(words)}"


def difference(group: Sequence[Answers], mode: str, baseline: str, what: str) -> str:
    """Return the difference of two modes on the same holes, with its interval."""
    both = [
        answers for answers in group if answers[mode].get(what) is not None and answers[baseline].get(what) is not None
    ]
    differences = [float(answers[mode][what]) - float(answers[baseline][what]) for answers in both]
    if not differences:
        return "-"
    low, high = interval(differences)
    return f"{_mean(differences):+.3f} [{low:+.3f}, {high:+.3f}]"


def _share(members: Sequence[Row], what: str) -> str:
    values = [row[what] for row in members if row.get(what) is not None]
    return f"{_mean(values):6.3f}" if values else f"{'-':>6}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
