"""Statistics of the local feedback file: suggestions and their outcomes, by language and model.

Skips and counts lines that it cannot read, so a file that somebody edited still gives the rest.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spark_lsp.errors import WorkspaceError

DAY_S = 86_400
END_S = 4e10
"""The year 3237: what says more is no time in seconds, and no day can be made of it."""
ALL = "all"
"""What stands in place of a language in the sum of all rows."""


@dataclass(slots=True)
class _SuggestionHistory:
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
class StatsRow:
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
class FeedbackStatistics:
    """The whole file: a row for each language and model, and for each day how many were accepted and rejected."""

    rows: tuple[StatsRow, ...]
    total: StatsRow
    days: tuple[tuple[int, int, int], ...]
    """Days since the epoch, with how many suggestions were accepted and how many rejected."""
    latencies_ms: tuple[float, ...]
    unreadable_lines: int


def read_statistics(path: Path) -> FeedbackStatistics:
    """Read the file; one that is not there counts as empty.

    Raises:
        WorkspaceError: it cannot be read.
    """
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        lines = []
    except OSError as error:
        raise WorkspaceError(f"{path} cannot be read: {error.strerror}.", fix="Move it out of the way.") from error
    return statistics_of(lines)


def statistics_of(lines: Iterable[str]) -> FeedbackStatistics:
    """Add up the events of a file."""
    histories: dict[str, _SuggestionHistory] = {}
    unreadable = 0
    for number, line in enumerate(lines):
        try:
            event = json.loads(line)
            _take(histories, event, number)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            unreadable += 1
    groups: dict[tuple[str, str], list[_SuggestionHistory]] = {}
    for history in histories.values():
        groups.setdefault((history.language, history.model), []).append(history)
    rows = tuple(_row(language, model, group) for (language, model), group in sorted(groups.items()))
    every = list(histories.values())
    return FeedbackStatistics(rows, _row(ALL, "", every), _days(every), tuple(_latencies(every)), unreadable)


def _take(histories: dict[str, _SuggestionHistory], event: dict[str, Any], number: int) -> None:
    name, at = str(event["event"]), float(event["at"])
    if not 0 <= at < END_S:
        raise ValueError("no time of a suggestion")
    key = str(event.get("suggestion", f"line {number}"))
    history = histories.get(key)
    if history is None:
        history = histories[key] = _SuggestionHistory(
            str(event.get("language", "")), str(event.get("model", "")), int(at // DAY_S)
        )
    history.characters = int(event.get("characters", 0))
    history.latency_ms = float(event.get("latency_ms", 0.0))
    history.accepted_characters = max(history.accepted_characters, int(event.get("accepted_characters", 0)))
    history.shown |= name == "shown"
    history.partly |= name == "partly_accepted"
    history.accepted |= name == "accepted"
    history.rejected |= name == "rejected"
    if name == "kept":
        history.kept_characters[int(event["after_s"])] = int(event["kept_characters"])


def _row(language: str, model: str, histories: Sequence[_SuggestionHistory]) -> StatsRow:
    latencies = _latencies(histories)
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99)).round(1).tolist() if latencies else (0.0, 0.0, 0.0)
    return StatsRow(
        language,
        model,
        suggestions=len(histories),
        shown=sum(history.shown or history.accepted or history.partly for history in histories),
        accepted=sum(history.accepted for history in histories),
        partly_accepted=sum(history.partly and not history.accepted for history in histories),
        rejected=sum(history.rejected for history in histories),
        accepted_characters=sum(history.accepted_characters for history in histories),
        kept_30s=_kept(histories, 30),
        kept_5min=_kept(histories, 300),
        latency_p50_ms=p50,
        latency_p95_ms=p95,
        latency_p99_ms=p99,
    )


def _kept(histories: Iterable[_SuggestionHistory], after_s: int) -> float | None:
    looked_at = [history for history in histories if after_s in history.kept_characters]
    accepted = sum(history.accepted_characters for history in looked_at)
    return round(sum(history.kept_characters[after_s] for history in looked_at) / accepted, 3) if accepted else None


def _days(histories: Iterable[_SuggestionHistory]) -> tuple[tuple[int, int, int], ...]:
    counts: dict[int, list[int]] = {}
    for history in histories:
        day = counts.setdefault(history.day, [0, 0])
        day[0] += history.accepted
        day[1] += history.rejected
    return tuple((day, accepted, rejected) for day, (accepted, rejected) in sorted(counts.items()))


def _latencies(histories: Iterable[_SuggestionHistory]) -> list[float]:
    return sorted(history.latency_ms for history in histories if history.latency_ms > 0)
