"""An entry that is chosen in the editor's completion menu: the hole stands behind it, as if it had been taken.

So a suggestion continues the entry, and every rule holds for the document as it would be. An entry that cannot be
continued leaves a plain question that says why: the editor shows nothing beside its menu that does not continue it.
"""

import re
from dataclasses import replace

from spark_lsp.completion.cursor_context import Entry, Hole

_LINE_END = re.compile(r"[\r\n]")


def behind_entry(hole: Hole, start: int, end: int, text: str) -> Hole:
    """Return the hole behind an entry that would replace what lies from ``start`` to ``end``, in code points."""
    source = hole.snapshot.text
    if not text:
        return ignored_reason(hole, "empty")
    if end < start:
        return ignored_reason(hole, "reversed")
    if not start <= hole.offset <= end:
        return ignored_reason(hole, "outside")
    if _LINE_END.search(source[start:end]):
        return ignored_reason(hole, "other_line")
    entry = Entry(text, source[start : hole.offset], source[hole.offset : end])
    snapshot = replace(hole.snapshot, text=source[:start] + text + source[end:])
    return Hole(snapshot, start + len(text), entry)


def ignored_reason(hole: Hole, why: str) -> Hole:
    """Return the hole of a plain question that is asked while a menu is open."""
    return replace(hole, ignored_reason=why)


def may_be_taken(hole: Hole, chosen: Hole) -> bool:
    """Whether the entry of a hole may still be the one that is chosen in a document as it is now.

    Menus keep an entry while what is typed occurs in it in order, and nothing else has changed.
    """
    entry = chosen.entry
    if entry is None or hole.snapshot.uri != chosen.snapshot.uri:
        return False
    before = chosen.prefix[: -len(entry.text)]
    if not hole.prefix.startswith(before) or hole.suffix != entry.behind + chosen.suffix:
        return False
    letters = iter(entry.text.casefold())
    return all(char in letters for char in hole.prefix[len(before) :].casefold())
