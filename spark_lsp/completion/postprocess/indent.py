"""Gives a suggestion the document's indentation: tabs or spaces, its width, and the first line indented once.

Pure, line by line from the top: a longer text never changes the result for a shorter one.
"""

from spark_lsp.completion.brackets import unclosed
from spark_lsp.completion.cursor_context import CursorContext, columns
from spark_lsp.text.quotes import lines_in_string

_JUDGED_LINES = 500
_USUAL_UNIT = 4


def fix_indentation(cursor: CursorContext, text: str) -> str:
    """Return the text as the document would indent it; what is within a string stays as it is."""
    head, *rest = text.split("\n")
    if cursor.string_closer is None:
        head = _once(cursor, head)
    if not rest:
        return head
    language = cursor.language.name if cursor.language else ""
    is_quoted = lines_in_string(language, text, cursor.string_closer)[1:]
    fixed = _scaled(cursor, head, rest)
    if uses_tabs(cursor):
        fixed = [_with_tabs(line) for line in fixed]
    lines = (before if quoted else after for before, after, quoted in zip(rest, fixed, is_quoted, strict=True))
    return "\n".join([head, *lines])


def uses_tabs(cursor: CursorContext) -> bool:
    """Whether the document indents with tabs."""
    lines = cursor.snapshot.text[: _JUDGED_LINES * 80].splitlines()[:_JUDGED_LINES]
    return sum(line.startswith("\t") for line in lines) > sum(line.startswith("  ") for line in lines)


def _once(cursor: CursorContext, head: str) -> str:
    """Drop what the cursor's line is indented by already; what completes a half-typed indentation stays."""
    if not cursor.line_prefix or cursor.line_prefix.strip():
        return head
    typed, brought = columns(cursor.line_prefix), columns(head)
    unit = cursor.indent_unit or _USUAL_UNIT
    is_completed = typed % unit and (typed + brought) % unit == 0
    return head if is_completed else head.lstrip(" \t")


def _scaled(cursor: CursorContext, head: str, rest: list[str]) -> list[str]:
    """Give deeper lines the document's step, and put odd ones on it; what is in brackets is aligned by hand."""
    base, unit = cursor.indent_columns, cursor.indent_unit
    if not unit:
        return rest
    step, done, trimmed = 0, [], head
    for line in rest:
        deeper, body = columns(line) - base, line.lstrip(" \t")
        if body and deeper > 0 and not unclosed(trimmed, cursor.quotes):
            step = step or deeper
            is_narrow = unit % step == 0 and deeper % step == 0
            levels = deeper // step if is_narrow else max(1, round(deeper / unit))
            line = " " * (base + levels * unit) + body  # noqa: PLW2901 - the line as it should be
        done.append(line)
        trimmed += "\n" + line
    return done


def _with_tabs(line: str) -> str:
    body = line.lstrip(" ")
    spaces = len(line) - len(body)
    return "\t" * (spaces // 4) + " " * (spaces % 4) + body if spaces >= 4 else line
