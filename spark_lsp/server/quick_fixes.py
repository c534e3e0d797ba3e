"""The quick fixes that an editor sends with a question for the next edit: taken from the message, of any shape."""

from typing import Any, Final

from spark_lsp.edits.next_edit import Fix
from spark_lsp.server.convert import Encoding, range_in, to_span
from spark_lsp.server.guard import as_dict
from spark_lsp.text.edit import Edit
from spark_lsp.text.snapshot import Snapshot

MAX_FIXES: Final = 3
MAX_EDITS: Final = 16
MAX_CHARACTERS: Final = 2_000
MAX_TITLE_CHARACTERS: Final = 80


def fixes_in(value: Any, snapshot: Snapshot, encoding: Encoding) -> tuple[Fix, ...]:
    """Return the fixes of a message as edits of a document; those that are not whole are left out."""
    values = value if isinstance(value, list | tuple) else ()
    fixes = (_fix(as_dict(fix), snapshot, encoding) for fix in values[:MAX_FIXES])
    return tuple(fix for fix in fixes if fix is not None)


def _fix(value: dict[str, Any], snapshot: Snapshot, encoding: Encoding) -> Fix | None:
    values = value.get("edits")
    if not isinstance(values, list | tuple) or not 0 < len(values) <= MAX_EDITS:
        return None
    edits = [_edit(as_dict(edit), snapshot, encoding) for edit in values]
    whole = tuple(edit for edit in edits if edit is not None)
    if len(whole) < len(edits) or sum(len(edit.new_text) for edit in whole) > MAX_CHARACTERS:
        return None
    title = " ".join(str(value.get("title", "")).split())[:MAX_TITLE_CHARACTERS]
    return Fix(title, whole) if title else None


def _edit(value: dict[str, Any], snapshot: Snapshot, encoding: Encoding) -> Edit | None:
    place, new_text = range_in(value), value.get("newText")
    if place is None or not isinstance(new_text, str):
        return None
    return Edit(to_span(snapshot, place, encoding), new_text)
