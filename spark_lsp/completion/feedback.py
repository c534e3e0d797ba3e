"""Count the outcomes of suggestions: shown, partly accepted, accepted, kept, rejected.

Counts in memory and, if allowed, in a local file of one JSON object a line. Never writes the suggested text to disk and
never sends anything: the file is for the user to read, plot and delete.
"""

import asyncio
import json
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from spark_lsp.private_file import open_private
from spark_lsp.text.syntax import common_length

REMEMBERED_SUGGESTIONS: Final = 500
FILE_LIMIT_BYTES: Final = 5_000_000
"""Some 20,000 lines; then the older half goes."""
KEPT_AFTER_S: Final = (30, 300)
"""When to look at what is kept of an accepted text: right after it was read again, and when work has moved on."""
MIN_KEPT: Final = 3  # fewer characters in a row are found in any text
LOOKED_AT: Final = 2_000  # characters around its place in which an accepted text is searched


@dataclass(slots=True)
class _SuggestionOutcome:
    language: str
    characters: int
    model: str = ""
    latency_ms: float = 0.0
    hidden: bool = False
    shown: bool = False
    ended: bool = False
    accepted_characters: int = 0


@dataclass(slots=True)
class _Watched:
    """An accepted text and where it stands in the document as it was last seen."""

    uri: str
    offset: int
    text: str
    document: str


@dataclass(slots=True)
class Feedback:
    """Counts of this session. ``path`` None keeps nothing on disk."""

    path: Path | None = None
    shown_count: int = 0
    accepted_count: int = 0
    rejected_count: int = 0
    _outcomes: OrderedDict[int, _SuggestionOutcome] = field(default_factory=OrderedDict)
    _watched: dict[int, _Watched] = field(default_factory=dict)
    _session: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    """Not a time: two windows may begin within a second, and a clock may be put back."""

    def keep_in(self, path: Path | None) -> None:
        """Write events to another file from now on, or to none: the user has changed the setting."""
        self.path = path

    def offered(
        self,
        suggestion_id: int,
        language: str,
        characters: int,
        model: str = "",
        latency_ms: float = 0.0,
        *,
        is_hidden: bool = False,
    ) -> None:
        """Remember a suggestion that went to the editor, and when the first of it did.

        It may grow, and its rest, once a part is typed, is the same suggestion. ``is_hidden``: the editor does not
        show it beside its menu, whatever is told of it.
        """
        known = self._outcomes.get(suggestion_id)
        if known:
            known.characters = max(known.characters, characters)
            known.hidden &= is_hidden
            return
        self._outcomes[suggestion_id] = _SuggestionOutcome(language, characters, model, round(latency_ms, 1), is_hidden)
        while len(self._outcomes) > REMEMBERED_SUGGESTIONS:
            self._outcomes.popitem(last=False)

    def shown(self, suggestion_id: int) -> None:
        """Note that the editor has shown it."""
        outcome = self._outcomes.get(suggestion_id)
        if outcome and not (outcome.shown or outcome.hidden):
            outcome.shown = True
            self.shown_count += 1
            self._write("shown", suggestion_id, outcome)

    def partly_accepted(self, suggestion_id: int, characters: int) -> None:
        """Note how much of it was taken so far."""
        outcome = self._outcomes.get(suggestion_id)
        if outcome and not outcome.ended:
            outcome.accepted_characters = max(outcome.accepted_characters, characters)
            self._write("partly_accepted", suggestion_id, outcome)

    def accepted(self, suggestion_id: int) -> None:
        """Note that it was taken whole."""
        outcome = self._outcomes.get(suggestion_id)
        if outcome and not outcome.ended:
            outcome.ended = True
            outcome.accepted_characters = outcome.characters
            self.accepted_count += 1
            self._write("accepted", suggestion_id, outcome)

    def rejected(self, suggestion_id: int, seen_ms: float) -> bool:
        """Note that the user typed something else or took it away, and after how long; whether that is news."""
        outcome = self._outcomes.get(suggestion_id)
        if outcome is None or outcome.ended:
            return False
        outcome.ended = True
        self.rejected_count += 1
        self._write("rejected", suggestion_id, outcome, seen_ms=round(seen_ms))
        return True

    # -- what is kept ------------------------------------------------------------------------------------------------

    def watch(self, suggestion_id: int, uri: str, offset: int, text: str, document: str) -> None:
        """Look again later at an accepted text that stands at an offset of a document."""
        self._watched[suggestion_id] = _Watched(uri, offset, text, document)
        loop = asyncio.get_running_loop()
        for after_s in KEPT_AFTER_S:
            loop.call_later(after_s, self.look, suggestion_id, after_s)

    def edited(self, uri: str, document: str) -> None:
        """Follow the accepted texts of a document through an edit."""
        for watched in self._watched.values():
            if watched.uri != uri or watched.document == document:
                continue
            begun = common_length(watched.document, document)
            if begun < watched.offset:
                watched.offset = max(begun, watched.offset + len(document) - len(watched.document))
            watched.document = document

    def look(self, suggestion_id: int, after_s: int) -> None:
        """Note how much of an accepted text is still there."""
        watched, outcome = self._watched.get(suggestion_id), self._outcomes.get(suggestion_id)
        if watched is None or outcome is None:
            return
        kept = kept_characters(watched.text, watched.document, watched.offset)
        self._write("kept", suggestion_id, outcome, after_s=after_s, kept_characters=kept)
        if after_s == KEPT_AFTER_S[-1]:
            del self._watched[suggestion_id]

    def closed(self, uri: str) -> None:
        """Forget the watched suggestions of a closed document, whose outcomes nobody reports any more."""
        self._watched = {number: watched for number, watched in self._watched.items() if watched.uri != uri}

    def _write(self, event: str, suggestion_id: int, outcome: _SuggestionOutcome, **more: Any) -> None:
        if self.path is None:
            return
        line = {
            "at": round(time.time(), 1),
            "event": event,
            "suggestion": f"{self._session}-{suggestion_id}",
            "language": outcome.language,
            "model": outcome.model,
            "characters": outcome.characters,
            "accepted_characters": outcome.accepted_characters,
            "latency_ms": outcome.latency_ms,
            **more,
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and self.path.stat().st_size > FILE_LIMIT_BYTES:
                lines = self.path.read_text("utf-8", "replace").splitlines(keepends=True)
                with open_private(self.path) as file:
                    file.writelines(lines[len(lines) // 2 :])
            with open_private(self.path, "a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError:
            self.path = None  # a full or read-only disk costs the statistics, never the completion


def kept_characters(text: str, document: str, offset: int) -> int:
    """Return how many characters of an accepted text are found about its place, in runs that are no accident."""
    around = document[max(0, offset - LOOKED_AT // 10) : offset + len(text) + LOOKED_AT]
    if text in around:
        return len(text)
    alignment = fuzz.partial_ratio_alignment(text, around)
    if alignment is None or not around:
        return 0
    blocks = Levenshtein.opcodes(text, around[alignment.dest_start : alignment.dest_end]).as_matching_blocks()
    return sum(block.size for block in blocks if block.size >= min(MIN_KEPT, len(text)))
