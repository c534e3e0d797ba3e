"""What the local feedback file says: suggestions and their fate, by language and model. Pure but for reading the file.

A line that cannot be read is skipped and counted, so a file that somebody edited still tells the rest.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

DAY_S = 86_400
END_S = 4e10
"""The year 3237: what says more is no time in seconds, and no day can be made of it."""
ALL = "all"
"""What stands in place of a language in the sum of all rows."""


@dataclass(slots=True)
class _Life:
    """One suggestion, as its events told."""

    language: str
    model: str
    day: int
    characters: int = 0
    latency_ms: float = 0.0
    shown: bool = False
    partly: bool = False
    accepted: bool = False
    rejected: bool = False
    accepted_characters: int = 0
    kept_characters: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """What became of the suggestions of one language and model.

    Shares are of the accepted characters; None while nothing is known.
    """

    language: str
    model: str
    suggestions: int
    shown: int
    accepted: int
    partly_accepted: int
    rejected: int
    accepted_characters: int
    kept_30s: float | None
    """Share of the accepted characters that are still there after 30 s."""
    kept_5min: float | None
    latency_p50_ms: float
    latency_p95_ms: float
    latency_p99_ms: float


@dataclass(frozen=True, slots=True)
class Tally:
    """The whole file: a row for each language and model, and for each day how many were accepted and rejected."""

    rows: tuple[Row, ...]
    total: Row
    days: tuple[tuple[int, int, int], ...]
    """Days since the epoch, with how many suggestions were accepted and how many rejected."""
    latencies_ms: tuple[float, ...]
    unreadable_lines: int


def read_tally(path: Path) -> Tally:
    """Read the file; one that is not there is an empty one."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        lines = []
    return tally_of(lines)


def tally_of(lines: Iterable[str]) -> Tally:
    """Add up the events of a file."""
    lives: dict[str, _Life] = {}
    unreadable = 0
    for number, line in enumerate(lines):
        try:
            event = json.loads(line)
            _take(lives, event, number)
        except (ValueError, TypeError, KeyError, AttributeError):
            unreadable += 1
    groups: dict[tuple[str, str], list[_Life]] = {}
    for life in lives.values():
        groups.setdefault((life.language, life.model), []).append(life)
    rows = tuple(_row(language, model, group) for (language, model), group in sorted(groups.items()))
    every = list(lives.values())
    return Tally(rows, _row(ALL, "", every), _days(every), tuple(_latencies(every)), unreadable)


def _take(lives: dict[str, _Life], event: dict[str, Any], number: int) -> None:
    name, at = str(event["event"]), float(event["at"])
    if not 0 <= at < END_S:
        raise ValueError("no time of a suggestion")
    key = str(event.get("suggestion", f"line {number}"))
    life = lives.get(key)
    if life is None:
        life = lives[key] = _Life(str(event.get("language", "")), str(event.get("model", "")), int(at // DAY_S))
    life.characters = int(event.get("characters", 0))
    life.latency_ms = float(event.get("latency_ms", 0.0))
    life.accepted_characters = max(life.accepted_characters, int(event.get("accepted_characters", 0)))
    life.shown |= name == "shown"
    life.partly |= name == "partly_accepted"
    life.accepted |= name == "accepted"
    life.rejected |= name == "rejected"
    if name == "kept":
        life.kept_characters[int(event["after_s"])] = int(event["kept_characters"])


def _row(language: str, model: str, lives: Sequence[_Life]) -> Row:
    latencies = _latencies(lives)
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99)).round(1).tolist() if latencies else (0.0, 0.0, 0.0)
    return Row(
        language,
        model,
        suggestions=len(lives),
        shown=sum(life.shown or life.accepted or life.partly for life in lives),
        accepted=sum(life.accepted for life in lives),
        partly_accepted=sum(life.partly and not life.accepted for life in lives),
        rejected=sum(life.rejected for life in lives),
        accepted_characters=sum(life.accepted_characters for life in lives),
        kept_30s=_kept(lives, 30),
        kept_5min=_kept(lives, 300),
        latency_p50_ms=p50,
        latency_p95_ms=p95,
        latency_p99_ms=p99,
    )


def _kept(lives: Iterable[_Life], after_s: int) -> float | None:
    looked_at = [life for life in lives if after_s in life.kept_characters]
    accepted = sum(life.accepted_characters for life in looked_at)
    return round(sum(life.kept_characters[after_s] for life in looked_at) / accepted, 3) if accepted else None


def _days(lives: Iterable[_Life]) -> tuple[tuple[int, int, int], ...]:
    counts: dict[int, list[int]] = {}
    for life in lives:
        day = counts.setdefault(life.day, [0, 0])
        day[0] += life.accepted
        day[1] += life.rejected
    return tuple((day, accepted, rejected) for day, (accepted, rejected) in sorted(counts.items()))


def _latencies(lives: Iterable[_Life]) -> list[float]:
    return sorted(life.latency_ms for life in lives if life.latency_ms > 0)
