"""The remaining edits after one change, in steps: when one is accepted, the others move along. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from spark_lsp.edits.next_edit import NextEdit
from spark_lsp.text.edit import Span


@dataclass(frozen=True, slots=True)
class Chain:
    """Edits in no order. ``more`` finds those of other files, None once it has.

    ``path`` and ``text`` are the file whose change they follow from, as it is by now.
    """

    edits: tuple[NextEdit, ...] = ()
    more: Callable[[], tuple[NextEdit, ...]] | None = None
    path: str = ""
    text: str = ""

    def changed(self, path: str, text: str) -> "Chain":
        """Return the remaining edits after a file became ``text``.

        An edit that leads there was accepted; any other change drops the file's edits, which were not computed for it.
        """
        is_origin = path == self.path
        accepted = self.step_to(path, text)
        others = tuple(edit for edit in self.edits if edit.path != path)
        if accepted is None:
            kept = tuple(edit for edit in self.edits if edit.path == path and edit.text == text)
            is_lost = is_origin and text != self.text
            return replace(self, edits=others + kept, more=None if is_lost else self.more)
        rest = tuple(_moved(edit, accepted, text) for edit in self.edits if edit.path == path and edit is not accepted)
        return replace(self, edits=rest + others, text=text if is_origin else self.text)

    def step_to(self, path: str, text: str) -> NextEdit | None:
        """Return the edit that makes a file say ``text``."""
        return next((edit for edit in self.edits if edit.path == path and edit.text_after == text), None)

    def with_files(self, edits: tuple[NextEdit, ...]) -> "Chain":
        """Return the chain with the edits that ``more`` found."""
        return replace(self, edits=self.edits + edits, more=None)

    def in_order(self, path: str, offset: int) -> list[NextEdit]:
        """Return the edits as steps: those of a file by their distance in lines, then those of the others."""

        def key(edit: NextEdit) -> tuple[bool, str, int, int]:
            if edit.path != path:
                return True, edit.path, edit.span.start, 0
            return False, "", lines_between(edit.text, offset, edit.span.start), edit.span.start

        return sorted(self.edits, key=key)


def lines_between(text: str, first: int, second: int) -> int:
    """Return how many line ends stand between two offsets."""
    return text.count("\n", min(first, second), max(first, second))


def _moved(edit: NextEdit, accepted: NextEdit, text: str) -> NextEdit:
    growth = len(accepted.new_text) - len(accepted.span) if edit.span.start >= accepted.span.end else 0
    return replace(edit, text=text, span=Span(edit.span.start + growth, edit.span.end + growth))
