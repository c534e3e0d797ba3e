"""Choose the lines to rewrite: the whole lines of the selection, or the function around the cursor. Pure."""

from spark_lsp.actions.base import Target
from spark_lsp.actions.definition import CALLABLES, definition_at
from spark_lsp.actions.layout import line_end, line_start
from spark_lsp.text.edit import Span
from spark_lsp.text.syntax import Syntax

MAX_FUNCTION_LINES = 80
"""Lines; a longer function is not rewritten for a single diagnostic."""


def selected_lines(text: str, span: Span) -> Span | None:
    """Return the whole lines of a selection, without empty lines at its ends and without the last line end."""
    chosen = span.text(text)
    if not chosen.strip():
        return None
    start = span.start + len(chosen) - len(chosen.lstrip())
    end = span.start + len(chosen.rstrip())
    return Span(line_start(text, start), line_end(text, end))


def function_lines(syntax: Syntax, offset: int) -> Span | None:
    """Return the whole lines of the innermost function or method around an offset."""
    text = syntax.text
    line = text[line_start(text, offset) : line_end(text, offset)]
    inside = offset + len(line) - len(line.lstrip()) if not text[line_start(text, offset) : offset].strip() else offset
    definition = definition_at(syntax, max(offset, min(inside, line_end(text, offset))), CALLABLES)
    if definition is None:
        return None
    return Span(line_start(text, definition.whole.span.start), line_end(text, definition.whole.span.end))


def lines_to_rewrite(target: Target) -> Span | None:
    """Return the lines that a rewrite of a target covers; None if there are none."""
    chosen = selected_lines(target.snapshot.text, target.span)
    if chosen is not None or target.syntax is None:
        return chosen
    return function_lines(target.syntax, target.span.start)


def lines_to_fix(target: Target, place: Span) -> Span | None:
    """Return the lines in which to fix a place: its function unless that is long, otherwise its statement."""
    text, syntax = target.snapshot.text, target.syntax
    place = Span(min(place.start, len(text)), min(place.end, len(text)))
    own = Span(line_start(text, place.start), line_end(text, max(place.start, place.end - 1)))
    if syntax is None:
        return own if own.text(text).strip() else None
    function = function_lines(syntax, place.start)
    if function and function.contains(place.end) and function.text(text).count("\n") < MAX_FUNCTION_LINES:
        return function
    return statement_lines(syntax, place)


def head_of(target: Target, region: Span) -> str:
    """Return the beginning of a Python function up to the end of its docstring; empty if the lines are no function.

    The line end after it is included, so that the answer begins on a new line.
    """
    text, syntax = target.snapshot.text, target.syntax
    if syntax is None or syntax.language.name != "python" or function_lines(syntax, region.start) != region:
        return ""
    definition = definition_at(syntax, line_end(text, region.start), CALLABLES)
    body = definition.inner.child_by_field_name("body") if definition is not None else None
    if body is None or not body.named_children:
        return ""
    first = body.named_children[0]
    is_text = first.type == "expression_statement" and first.named_children[0].type == "string"
    at = syntax.wrap(first).span.end if is_text else line_start(text, syntax.wrap(first).span.start) - 1
    end = text.find("\n", max(at, region.start))
    return text[region.start : end + 1].replace("\r\n", "\n") if region.start < end < region.end else ""


def regions_to_fix(target: Target, place: Span) -> list[Span]:
    """Return the regions to try for a fix, in order: the statement, then the function."""
    whole = lines_to_fix(target, place)
    if whole is None or target.syntax is None:
        return [] if whole is None else [whole]
    place = Span(min(place.start, len(target.snapshot.text)), min(place.end, len(target.snapshot.text)))
    statement = statement_lines(target.syntax, place)
    is_less = statement is not None and whole.start <= statement.start and statement.end <= whole.end
    return [whole] if statement is None or not is_less or statement == whole else [statement, whole]


def statement_lines(syntax: Syntax, place: Span) -> Span | None:
    """Return the lines of the statement around a place, or the place's own line if the statement is long."""
    text = syntax.text
    own = Span(line_start(text, place.start), line_end(text, max(place.start, place.end - 1)))
    nodes = list(syntax.ancestors_at(place.start))
    for depth, node in enumerate(nodes):
        is_top = depth >= len(nodes) - 2  # the root, or a child of it
        if node.span.end >= place.end and (is_top or _holds_statements(nodes[depth + 1].kind)):
            whole = Span(line_start(text, node.span.start), line_end(text, node.span.end))
            is_short = whole.text(text).count("\n") < MAX_FUNCTION_LINES
            return whole if is_short and depth < len(nodes) - 1 else own
    return own if own.text(text).strip() else None


def _holds_statements(kind: str) -> bool:
    return "block" in kind or kind in {"statement_list", "compound_statement", "switch_case", "switch_default"}
