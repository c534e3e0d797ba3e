"""What is left of a suggestion once its start was typed. Pure: keeps nothing and asks nobody."""

from spark_lsp.completion.brackets import growth_behind
from spark_lsp.completion.cursor_context import CursorContext


def typed_through(prefix: str, suffix: str, text: str, replaced: int, cursor: CursorContext) -> tuple[str, int]:
    """Return the rest of a suggestion whose start was typed since, and how much after the cursor that replaces.

    The rest is empty when they typed something else. White space at the start may differ: editors re-indent the line
    while it is typed. Then the lines below follow it. They also close brackets; then the rest replaces what they put.
    """
    base = prefix.rstrip(" \t")
    if cursor.prefix.startswith(prefix):
        typed = cursor.prefix[len(prefix) :]
    elif base.endswith("\n") and cursor.prefix.startswith(base):
        typed = cursor.prefix[len(base) :].lstrip(" \t")
        text = _indented(text, prefix[len(base) :], cursor.prefix[len(base) : len(cursor.prefix) - len(typed)])
    else:
        return "", 0
    rest = text[len(typed) :] if text.startswith(typed) else ""
    grown = growth_behind(typed, suffix, cursor.suffix, cursor.quotes) if rest and replaced <= len(suffix) else None
    if grown is None or replaced + grown < 0:
        return "", 0
    letters = iter(rest)
    if grown and not all(char in letters for char in cursor.suffix[: replaced + grown]):
        return "", 0  # it does not close what was closed for it
    return rest, replaced + grown


def _indented(text: str, was: str, indent: str) -> str:
    """Return a text whose lines below the first one follow it to another indentation."""
    head, *rest = text.split("\n")
    moved = (indent + line.removeprefix(was) if line.strip() and line.startswith(was) else line for line in rest)
    return "\n".join([head, *moved])
