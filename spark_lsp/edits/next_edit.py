"""A next edit, or the reason why there is none: the values that sources return and the gate checks. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from spark_lsp.index.storage.view import EMPTY_VIEW, IndexView
from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.language import Language

EditSource = Literal["rename", "signature", "import", "repeat", "diagnostic"]
Certainty = Literal["computed", "likely"]


@dataclass(frozen=True, slots=True)
class NextEdit:
    """Replace ``span`` of a file, which holds ``old_text``, by ``new_text``.

    ``path`` is relative to the workspace with ``/``, or the document's URI outside of one. ``text`` is the whole text
    that the span was computed for. ``title`` says in a few words what the edit does.
    """

    path: str
    text: str
    span: Span
    new_text: str
    source: EditSource
    certainty: Certainty
    title: str

    @property
    def old_text(self) -> str:
        """The text that the edit replaces."""
        return self.span.text(self.text)

    @property
    def text_after(self) -> str:
        """The file after the edit."""
        return self.text[: self.span.start] + self.new_text + self.text[self.span.end :]


@dataclass(frozen=True, slots=True)
class Silence:
    """Why there is no next edit: a name of the table in docs/protocol.md."""

    name: str


NOTHING: Final = Silence("nothing")
"""Nothing follows from the last edits."""


@dataclass(frozen=True, slots=True)
class Fix:
    """A quick fix of the editor's for a diagnostic: edits of the text now, at least one, and what they do."""

    title: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Situation:
    """A document at the moment of a request, with what it was before its last edits.

    ``texts_before`` holds the texts before the last bursts, the newest first. ``read`` returns the current text of
    another file, an open document's before that on disk. ``changed_since_ns`` is when the document began to
    change, by the clock of the files. ``fixes`` are what the editor would fix, the nearest diagnostic first.
    """

    path: str
    language: Language
    text: str
    texts_before: tuple[str, ...]
    view: IndexView = EMPTY_VIEW
    is_whole: bool = True
    read: Callable[[str], str] = lambda _path: ""
    uri: str = ""
    file: Path | None = None
    changed_since_ns: int = 0
    fixes: tuple[Fix, ...] = ()


def with_open_texts(view: IndexView, opened: Mapping[str, str]) -> Callable[[str], str]:
    """Return what reads a file: an open document's text, else that of the index; empty where there is none."""

    def read(path: str) -> str:
        if path in opened:
            return opened[path]
        entry = view.files.get(path)
        return entry.text if entry is not None else ""

    return read
