"""Compute the text that an edit of an empty body replaces, and the white space around the new body. Pure.

Docstrings and comments stay. A one-line body is split into lines; a comment behind the placeholder moves up.
"""

from dataclasses import dataclass

from spark_lsp.actions.empty_function import EmptyFunction
from spark_lsp.actions.layout import (
    columns,
    indent_of,
    indent_unit,
    line_end,
    line_start,
    newline_of,
    starts_line,
)
from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.language import Language


@dataclass(frozen=True, slots=True)
class BodyEdit:
    """``head`` + the body's text + ``tail`` replaces ``span``; ``indent`` starts each line of the body."""

    span: Span
    head: str
    tail: str
    indent: str
    unit: str
    newline: str

    def edit(self, body: str) -> Edit:
        """Return the edit that inserts a text there."""
        return Edit(self.span, self.head + body + self.tail)


def body_edit_of(text: str, language: Language, function: EmptyFunction) -> BodyEdit:
    """Return the edit of an empty body."""
    newline, unit = newline_of(text), indent_unit(text, language.name)
    outer = _outer_indent(text, function)
    inner = _inner_indent(text, function) or outer + unit
    if function.placeholder is None:
        span, head, tail = _after_what_is_kept(text, function, newline, inner, outer)
    else:
        span, head, tail = _in_place_of(text, language, function, newline, inner, outer)
    return BodyEdit(span, head, tail, inner, unit, newline)


def _outer_indent(text: str, function: EmptyFunction) -> str:
    """Return the indentation of the function's first line, or of its opening brace's line if that is less."""
    first = text[line_start(text, function.node.span.start) : function.node.span.start]
    lines = [first[: len(first) - len(first.lstrip(" \t"))]]
    if function.in_braces:
        lines.append(indent_of(text, function.interior.start))
    return min(lines, key=columns)


def _inner_indent(text: str, function: EmptyFunction) -> str:
    """Return the indentation of code that is on a line of its own in the body; empty if there is none."""
    standing = [*function.kept, *([function.placeholder] if function.placeholder else [])]
    own = [span for span in sorted(standing) if starts_line(text, span.start) and span.start > function.interior.start]
    return indent_of(text, own[0].start) if own else ""


def _in_place_of(
    text: str, language: Language, function: EmptyFunction, newline: str, inner: str, outer: str
) -> tuple[Span, str, str]:
    placeholder = function.placeholder
    assert placeholder is not None, "the caller has looked"
    begins = starts_line(text, placeholder.start)
    start = placeholder.start if begins else len(text[: placeholder.start].rstrip(" \t"))
    head = "" if begins else newline + inner
    end = line_end(text, placeholder.end)
    closes = function.in_braces and function.interior.end <= end
    rest = text[placeholder.end : function.interior.end if closes else end]
    note = rest.strip(" \t;")
    is_comment = note.startswith(language.line_comment) or (note.startswith("/*") and note.endswith("*/"))
    if note and not is_comment:
        return Span(start, placeholder.end), head, ""
    head += note + newline + inner if note else ""
    if closes:
        return Span(start, function.interior.end), head, newline + outer
    return Span(start, placeholder.end + len(rest.rstrip())), head, ""


def _after_what_is_kept(
    text: str, function: EmptyFunction, newline: str, inner: str, outer: str
) -> tuple[Span, str, str]:
    start = max([function.interior.start, *(span.end for span in function.kept)])
    head = newline + inner
    if function.in_braces:
        rest = text[start : function.interior.end]
        last = rest.rfind("\n")
        tail = newline + (rest[last + 1 :] if last >= 0 else outer)
        return Span(start, function.interior.end), head, tail
    if function.has_docstring and not starts_line(text, function.kept[0].start):
        body_text = text[function.interior.start : start].strip()
        return Span(function.interior.start, start), head + body_text + newline + inner, ""
    return Span(start, start), head, ""
