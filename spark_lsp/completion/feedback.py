"""What became of suggestions: shown, partly accepted, accepted. Counted in memory and, if allowed, in a local file.

Never holds the suggested text, and nothing is ever sent: the file is for the user to read and delete.
"""

import json
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

REMEMBERED_SUGGESTIONS = 500
FILE_LIMIT_BYTES = 5_000_000  # some 40,000 suggestions; then the file starts anew


@dataclass(slots=True)
class _Fate:
    language: str
    characters: int
    shown: bool = False
    accepted_characters: int = 0


@dataclass(slots=True)
class Feedback:
    """Counts of this session. ``path`` None keeps nothing on disk."""

    path: Path | None = None
    shown_count: int = 0
    accepted_count: int = 0
    _fates: OrderedDict[int, _Fate] = field(default_factory=OrderedDict)

    def offered(self, suggestion_id: int, language: str, characters: int) -> None:
        """Remember a suggestion that went to the editor."""
        self._fates[suggestion_id] = _Fate(language, characters)
        while len(self._fates) > REMEMBERED_SUGGESTIONS:
            self._fates.popitem(last=False)

    def shown(self, suggestion_id: int) -> None:
        """Note that the editor has shown it."""
        fate = self._fates.get(suggestion_id)
        if fate and not fate.shown:
            fate.shown = True
            self.shown_count += 1
            self._write("shown", fate)

    def partly_accepted(self, suggestion_id: int, characters: int) -> None:
        """Note how much of it was taken so far."""
        fate = self._fates.get(suggestion_id)
        if fate:
            fate.accepted_characters = max(fate.accepted_characters, characters)
            self._write("partly_accepted", fate)

    def accepted(self, suggestion_id: int) -> None:
        """Note that it was taken whole."""
        fate = self._fates.pop(suggestion_id, None)
        if fate:
            fate.accepted_characters = fate.characters
            self.accepted_count += 1
            self._write("accepted", fate)

    def _write(self, event: str, fate: _Fate) -> None:
        if self.path is None:
            return
        line = {
            "at": round(time.time(), 1),
            "event": event,
            "language": fate.language,
            "characters": fate.characters,
            "accepted_characters": fate.accepted_characters,
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            is_full = self.path.exists() and self.path.stat().st_size > FILE_LIMIT_BYTES
            with self.path.open("w" if is_full else "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError:
            self.path = None  # a full or read-only disk costs the statistics, never the completion
