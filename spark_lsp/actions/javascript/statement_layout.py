"""Lay out extracted JavaScript: indent its lines, and use semicolons as the file does. Pure."""

import re
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.piece import Piece
from spark_lsp.actions.layout import indent_of, line_start
from spark_lsp.text.syntax import Syntax

_FIXED: Final = frozenset(("template_string", "string"))
_CONTINUES: Final = frozenset("([`+-/*.,?:<")
_ENDED = re.compile(r";[ \t]*$", re.MULTILINE)
_BARE = re.compile(r"[\w)\]'\"`][ \t]*$", re.MULTILINE)


def moved(piece: Piece, indent: str) -> str:
    """Return a piece's lines with another indentation; the content of multi-line strings stays as it is."""
    syntax, span = piece.syntax, piece.span
    text = syntax.text
    base = indent_of(text, span.start)
    fixed = _starts_in_strings(syntax, piece)
    lines, at = [], span.start
    for number, line in enumerate(text[span.start : span.end].split("\n")):
        if number == 0:
            lines.append(indent + line)
        elif at in fixed:
            lines.append(line)
        elif not line.strip():
            lines.append(line.strip(" \t"))
        else:
            rest = line[len(base) :] if line.startswith(base) else line.lstrip(" \t")
            lines.append(indent + rest)
        at += len(line) + 1
    return "\n".join(lines)


def semicolon(syntax: Syntax, following: int) -> str:
    """Return the statement end of this file; in any style a semicolon if the next line could continue the statement."""
    text = syntax.text
    rest = text[following:].lstrip()
    if rest[:1] in _CONTINUES and not rest.startswith(("//", "/*")):
        return ";"
    sample = text[:20_000]
    return ";" if len(_ENDED.findall(sample)) * 4 >= len(_BARE.findall(sample)) else ""


def continues(text: str) -> bool:
    """Whether a statement would continue the line above if nothing ended that line."""
    return text[:1] in _CONTINUES and bool(text) and not text.startswith(("//", "/*", "++", "--"))


def is_closed(statement: Node) -> bool:
    """Whether a statement is closed whatever the next line is: by a semicolon, or a block's brace."""
    last = statement
    while last.child_count:
        last = last.children[-1]
    if last.type == "}" and last.parent is not None:
        block = last.parent
        holder = block.parent
        return (
            block.type in {"statement_block", "class_body", "switch_body", "enum_body", "interface_body"}
            and (
                holder is not None and not holder.type.endswith(("_expression", "_function")) and holder.type != "class"
            )
            and holder.type not in {"method_definition", "generator_function"}
        )
    return last.type == ";" and bool(last.end_byte - last.start_byte)


def indent_at(syntax: Syntax, node: Node) -> str:
    """Return the indentation of a node's first line."""
    text, start = syntax.text, syntax.wrap(node).span.start
    line = text[line_start(text, start) : start]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _starts_in_strings(syntax: Syntax, piece: Piece) -> set[int]:
    """Return the offsets of line starts within multi-line strings and templates."""
    numbers: set[int] = set()
    stack = list(piece.nodes)
    while stack:
        node = stack.pop()
        if node.type in _FIXED and node.start_point.row != node.end_point.row:
            span = syntax.wrap(node).span
            inner = syntax.text[span.start : span.end]
            numbers |= {span.start + match.end() for match in re.finditer("\n", inner)}
        stack += node.named_children if node.type != "template_string" else []
    return numbers
