"""Locate the expressions in f-strings: ``ast`` reports wrong places before Python 3.12, tree-sitter does not. Pure."""

import ast
from collections.abc import Callable, Iterator
from typing import Final

import tree_sitter

from spark_lsp.text.edit import Span
from spark_lsp.text.snapshot import LineTable
from spark_lsp.text.syntax import Syntax

NOWHERE: Final = Span(0, 0)
"""The position of an expression that could not be located; it matches no selection."""


def find_fstring_spans(
    tree: ast.AST, span_of: Callable[[ast.AST], Span], syntax: Syntax, places: dict[int, Span]
) -> None:
    """Add the positions of all nodes in f-strings to ``places``, by the node's ``id``."""
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inner = {id(child) for node in strings for child in ast.walk(node) if child is not node}
    for node in strings:
        if id(node) not in inner:
            _mend_string(node, span_of(node), syntax, places)


def _mend_string(node: ast.JoinedStr, span: Span, syntax: Syntax, places: dict[int, Span]) -> None:
    for child in ast.walk(node):
        places[id(child)] = NOWHERE
    places[id(node)] = span
    byte = syntax.bytes_map.to_bytes
    raw = syntax.tree.root_node.descendant_for_byte_range(byte(span.start), byte(span.end))
    fields = list(_replacement_fields(raw)) if raw is not None else []
    values = list(_values(node))
    if len(fields) == len(values):
        for field, value in zip(fields, values, strict=True):
            expression = field.child_by_field_name("expression")
            if expression is not None:
                _place(value.value, syntax.wrap(expression).span, syntax, places)


def _replacement_fields(raw: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """Yield a string's replacement fields, each before those of its format; none of strings within an expression."""
    for child in raw.children:
        if child.type in {"interpolation", "format_expression"}:
            yield child
            for part in child.children:
                if part.type == "format_specifier":
                    yield from _replacement_fields(part)
        else:
            yield from _replacement_fields(child)


def _values(node: ast.JoinedStr) -> Iterator[ast.FormattedValue]:
    for value in node.values:
        if isinstance(value, ast.FormattedValue):
            yield value
            if isinstance(value.format_spec, ast.JoinedStr):
                yield from _values(value.format_spec)


def _place(node: ast.expr, span: Span, syntax: Syntax, places: dict[int, Span]) -> None:
    """Parse the expression's own text again, and take the positions from there."""
    text = f"({span.text(syntax.text)}\n)"
    try:
        again = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return
    if ast.dump(again) != ast.dump(node):
        return
    lines = LineTable.of(text)

    def offset(line: int, column: int) -> int:
        content = text[lines.starts[line - 1] : lines.ends[line - 1]].encode("utf-8", "replace")
        return span.start - 1 + lines.starts[line - 1] + len(content[:column].decode("utf-8", "replace"))

    def put(old: ast.AST, new: ast.AST) -> None:
        if isinstance(new, ast.expr | ast.keyword | ast.arg):
            end = (new.end_lineno or new.lineno, new.end_col_offset or new.col_offset)
            places[id(old)] = Span(offset(new.lineno, new.col_offset), offset(*end))
        if isinstance(old, ast.JoinedStr):
            _mend_string(old, places[id(old)], syntax, places)
            return
        for before, after in zip(ast.iter_child_nodes(old), ast.iter_child_nodes(new), strict=True):
            put(before, after)

    put(node, again)
