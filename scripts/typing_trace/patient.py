"""Simulate a patient typist: each key waits for the answer to the previous one.

shown: keys with a suggestion; right: suggestions that equal the typed text; flicker: a suggestion that was being
typed and did not stay; accepted: suggestions that a second typist takes, who takes one exactly if it is what follows;
``thresholds``: what other settings of ``completion.minConfidence`` would have shown.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Final

from scripts.typing_trace.functions import Function, keys_of
from scripts.typing_trace.sight import percentile, repeats, unbalances
from spark_lsp.completion.answer import CompletionAnswer
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.postprocess.pipeline import postprocess
from spark_lsp.completion.recording import Recording
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.workspace import Workspace

THRESHOLDS: Final = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(slots=True)
class Report:
    """What the typist saw."""

    functions: int = 0
    keys: int = 0
    shown: int = 0
    right: int = 0
    characters_right: int = 0
    continued: int = 0
    """Keys that typed the next character of what was shown."""
    flicker: int = 0
    duplicated_suffix: int = 0
    unbalanced: int = 0
    accepted: int = 0
    characters_accepted: int = 0
    keys_saved: int = 0
    """Keys that the typist who accepts did not press; each acceptance is a key."""
    model_requests: int = 0
    prepared_requests: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    typed_through_ms: list[float] = field(default_factory=list)
    fresh_ms: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, object]:
        """Return the figures."""
        plain = {name: value for name, value in asdict(self).items() if not name.endswith("_ms")}
        return plain | {
            "reasons": dict(self.reasons.most_common()),
            "stable": self.continued - self.flicker,
            "requests_per_100_keys": round(100 * self.model_requests / max(1, self.keys), 1),
            "typed_through_p50_ms": percentile(self.typed_through_ms, 0.5),
            "typed_through_p95_ms": percentile(self.typed_through_ms, 0.95),
            "fresh_p50_ms": percentile(self.fresh_ms, 0.5),
            "fresh_p95_ms": percentile(self.fresh_ms, 0.95),
        }

    def accept(self, body: str, shown: Mapping[int, str]) -> None:
        """Type a body again and take what was shown at an offset exactly if it follows; its end is a key's as well."""
        at = len(next(keys_of(body), ""))
        while at < len(body):
            text = shown.get(at, "")
            if text and body.startswith(text, at):
                self.accepted += 1
                self.characters_accepted += len(text)
                self.keys_saved += sum(1 for _ in keys_of(text)) - 1
                at += len(text)
            else:
                at += len(next(keys_of(body[at:])))


def total(reports: Iterable[Report]) -> Report:
    """Add reports up."""
    whole = Report()
    for report in reports:
        for count in fields(Report):
            setattr(whole, count.name, getattr(whole, count.name) + getattr(report, count.name))
    return whole


class Typist:
    """Types into one workspace and keeps the account."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.report = Report()
        self.recordings: list[tuple[Recording, str]] = []
        self._coming = ""
        workspace.completer.writer.record_with(self._record)

    def _record(self, recording: Recording) -> str:
        is_next = recording.request.priority > 0
        self.report.prepared_requests += is_next
        self.report.model_requests += not is_next
        if not is_next:
            self.recordings.append((recording, self._coming))
        return ""

    async def type(self, function: Function) -> None:
        """Type one function."""
        self.report.functions += 1
        typed, shown = "", ""
        shown_at: dict[int, str] = {}
        for version, key in enumerate(keys_of(function.body), 1):
            typed += key
            text = function.before + typed + function.after
            cursor = CursorContext(
                Snapshot(function.path.as_uri(), function.path, version, function.language, text),
                len(function.before + typed),
            )
            self._coming = function.body[len(typed) :]
            self.workspace.completer.changed(cursor)
            answer = await self.workspace.completer.complete(cursor, manual=False)
            new = answer.suggestion.text if answer.suggestion else ""
            self._note(cursor, answer, new)
            if shown.startswith(key) and len(shown) > len(key):
                self.report.continued += 1
                if not new.startswith(shown[len(key) :]):
                    self.report.flicker += 1
                    sys.stderr.write(f"flicker {function.path.name} {shown!r} {key!r} {new!r} {answer.reason}\n")
            shown = shown_at[len(typed)] = new
        self.report.accept(function.body, shown_at)
        self.workspace.completer.forget(function.path.as_uri())

    def _note(self, cursor: CursorContext, answer: CompletionAnswer, new: str) -> None:
        report = self.report
        report.keys += 1
        report.reasons[answer.reason] += 1
        record = answer.record
        assert record is not None, "every answer has its record"
        if record.facts.get("reuse") == "typed_through_or_same":
            report.typed_through_ms.append(record.total_ms)
        elif "first_token_ms" in record.facts:
            report.fresh_ms.append(record.total_ms)
        if not answer.suggestion:
            return
        report.shown += 1
        if self._coming.startswith(new):
            report.right += 1
            report.characters_right += len(new)
        report.unbalanced += unbalances(cursor, new, answer.suggestion.replaced)
        report.duplicated_suffix += repeats(cursor, new, answer.suggestion.replaced)


def thresholds(recordings: Sequence[tuple[Recording, str]]) -> list[dict[str, float]]:
    """Judge every answer of the model with other thresholds."""
    rows = []
    for threshold in THRESHOLDS:
        shown = right = characters = wrong_characters = 0
        for recording, coming in recordings:
            terms = replace(recording.terms, confidence=threshold)
            text = postprocess(recording.cursor, recording.raw, recording.scores, terms, finished=True).text
            shown += bool(text)
            right += bool(text) and coming.startswith(text)
            common = next(
                (at for at, (typed, expected) in enumerate(zip(text, coming, strict=False)) if typed != expected),
                min(len(text), len(coming)),
            )
            characters += common
            wrong_characters += len(text) - common
        rows.append(
            {"threshold": threshold, "answers": len(recordings), "shown": shown, "right": right,
             "share_right": round(right / max(1, shown), 3), "characters_right": characters,
             "characters_wrong": wrong_characters}
        )  # fmt: skip
    return rows
