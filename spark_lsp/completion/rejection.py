"""A rejected text and its place, so that it is not offered there again, however much of it was typed since.

Pure. Ignores white space, since editors indent what is typed; recognises the place by the lines above it.
"""

from dataclasses import dataclass
from typing import Final

from spark_lsp.completion.cursor_context import CursorContext

ABOVE_CHARACTERS: Final = 400  # enough to tell one place from another, few enough that edits farther up change nothing
LONGEST: Final = 1_000
"""Characters typed since, after which the place is left behind."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """``above`` ends where the cursor's line began; ``words`` is the line, or lines, that the text would have made."""

    uri: str
    above: str
    words: str

    @staticmethod
    def of(uri: str, prefix: str, text: str) -> "Rejection":
        """Return the rejection of a text after a prefix."""
        line_start = prefix.rfind("\n") + 1
        above = prefix[max(0, line_start - ABOVE_CHARACTERS) : line_start]
        return Rejection(uri, above, _words(prefix[line_start:] + text))

    def covers(self, cursor: CursorContext, text: str, *, exactly: bool = False) -> bool:
        """Whether a text at a cursor is the rejected one, or the rest of it.

        Unless ``exactly``, also what begins it, as a text that is still being written does, and what goes on from it.
        Never once the user has typed past it.
        """
        typed = self._typed_since(cursor)
        if typed is None:
            return False
        words, before = _words(typed + text), _words(typed)
        if not self.words.startswith(before) or len(before) >= len(self.words):
            return False
        return words == self.words or (not exactly and (self.words.startswith(words) or words.startswith(self.words)))

    def _typed_since(self, cursor: CursorContext) -> str | None:
        """Return what stands between the lines above and the cursor; None where those lines are not above."""
        if cursor.snapshot.uri != self.uri:
            return None
        if len(self.above) < ABOVE_CHARACTERS:  # the document begins with it
            is_here = cursor.prefix.startswith(self.above) and cursor.offset - len(self.above) <= LONGEST
            return cursor.prefix[len(self.above) :] if is_here else None
        start = cursor.prefix.rfind(self.above, max(0, cursor.offset - LONGEST - ABOVE_CHARACTERS))
        return cursor.prefix[start + ABOVE_CHARACTERS :] if start >= 0 else None


def _words(text: str) -> str:
    return " ".join(text.split())
