"""Continues the item that is selected in the editor's completion menu, as if it had been accepted.

Every rule then holds for the document as it would be. A request whose item cannot be continued is a plain one with the
reason: the editor shows nothing beside its menu that does not continue the item.
"""

import re
from dataclasses import replace

from spark_lsp.completion.cursor_context import CursorContext, SelectedItem

_LINE_END = re.compile(r"[\r\n]")


def behind_item(cursor: CursorContext, start: int, end: int, text: str) -> CursorContext:
    """Return the cursor after an item that would replace the text from ``start`` to ``end``, in code points."""
    source = cursor.snapshot.text
    if not text:
        return ignored_reason(cursor, "empty")
    if end < start:
        return ignored_reason(cursor, "reversed")
    if not start <= cursor.offset <= end:
        return ignored_reason(cursor, "outside")
    if _LINE_END.search(source[start:end]):
        return ignored_reason(cursor, "other_line")
    selected = SelectedItem(text, source[start : cursor.offset], source[cursor.offset : end])
    snapshot = replace(cursor.snapshot, text=source[:start] + text + source[end:])
    return CursorContext(snapshot, start + len(text), selected)


def ignored_reason(cursor: CursorContext, why: str) -> CursorContext:
    """Return the cursor of a plain request that is sent while a menu is open."""
    return replace(cursor, ignored_reason=why)


def may_be_taken(cursor: CursorContext, chosen: CursorContext) -> bool:
    """Whether the item of a cursor may still be the one that is chosen in a document as it is now.

    Menus keep an item while what is typed occurs in it in order, and nothing else has changed.
    """
    selected = chosen.selected
    if selected is None or cursor.snapshot.uri != chosen.snapshot.uri:
        return False
    before = chosen.prefix[: -len(selected.text)]
    if not cursor.prefix.startswith(before) or cursor.suffix != selected.behind + chosen.suffix:
        return False
    letters = iter(selected.text.casefold())
    return all(char in letters for char in cursor.prefix[len(before) :].casefold())
