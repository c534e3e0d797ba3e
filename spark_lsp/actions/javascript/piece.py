"""Find the code that a selection means: whole statements of one block, or one expression. Pure."""

from dataclasses import dataclass
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.node_kinds import VALUES, stands_in
from spark_lsp.actions.javascript.scopes import FileScopes, Scope, names_of
from spark_lsp.text.edit import Span
from spark_lsp.text.syntax import Syntax

LANGUAGES: Final = frozenset(("javascript", "typescript", "tsx"))
TYPED: Final = frozenset(("typescript", "tsx"))
_HOLDERS: Final = frozenset(("statement_block", "program", "switch_case", "switch_default"))
EXPRESSIONS: Final = frozenset(
    (
        "array", "arrow_function", "as_expression", "assignment_expression", "augmented_assignment_expression",
        "await_expression", "binary_expression", "call_expression", "class", "false", "function_expression",
        "generator_function", "identifier", "jsx_element", "jsx_self_closing_element", "member_expression",
        "new_expression", "non_null_expression", "null", "number", "object", "parenthesized_expression", "regex",
        "satisfies_expression", "sequence_expression", "string", "subscript_expression", "template_string",
        "ternary_expression", "this", "true", "type_assertion", "unary_expression", "undefined", "update_expression",
        "yield_expression",
    )
)  # fmt: skip


_HEADS: Final = frozenset(("if_statement", "while_statement", "do_statement", "switch_statement", "with_statement"))
"""Statements that include the parentheses of their condition."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Selected code. ``start`` and ``end`` are bytes; ``nodes`` are its statements, or the single expression."""

    syntax: Syntax
    nodes: tuple[Node, ...]
    is_expression: bool

    @property
    def start(self) -> int:
        """The first byte."""
        return self.nodes[0].start_byte

    @property
    def end(self) -> int:
        """The byte after the last."""
        return self.nodes[-1].end_byte

    @property
    def span(self) -> Span:
        """The piece in code points."""
        return Span(self.syntax.wrap(self.nodes[0]).span.start, self.syntax.wrap(self.nodes[-1]).span.end)

    def holds(self, node: Node) -> bool:
        """Whether a node is in the piece."""
        return self.start <= node.start_byte and node.end_byte <= self.end


def piece_at(syntax: Syntax | None, span: Span) -> Piece | None:
    """Return the piece that a selection covers exactly, except white space and a semicolon; None for any other."""
    if syntax is None or syntax.language.name not in LANGUAGES:
        return None
    chosen = span.text(syntax.text)
    if not chosen.strip():
        return None
    start = syntax.bytes_map.to_bytes(span.start + len(chosen) - len(chosen.lstrip()))
    end = syntax.bytes_map.to_bytes(span.start + len(chosen.rstrip()))
    root = syntax.tree.root_node
    node: Node | None = root.descendant_for_byte_range(start, max(start, end - 1)) or root
    while node is not None:
        if node.type in _HOLDERS:
            statements = _statements(node, start, end)
            if statements or (node.start_byte <= start and end <= node.end_byte):
                return Piece(syntax, statements, is_expression=False) if statements else None
        parent = node.parent
        is_exact = node.start_byte == start and node.end_byte == end
        if is_exact and node.type in EXPRESSIONS and _may_be_expression(node):
            whole = parent is not None and parent.type in EXPRESSIONS and parent.end_byte == end
            if not (whole and parent is not None and parent.start_byte == start):
                return Piece(syntax, (node,), is_expression=True)
        if is_exact and node.type.endswith(("_statement", "_declaration")) and _is_lone_body(node):
            return Piece(syntax, (node,), is_expression=False)
        node = parent
    return None


def analysed(piece: Piece) -> tuple[FileScopes, Scope]:
    """Return the names of the file and the function, or program, that contains the piece."""
    names = names_of(piece.syntax.tree.root_node)
    return names, scope_of(names, piece.nodes[0]).body


def scope_of(names: FileScopes, node: Node) -> Scope:
    """Return the scope of a node."""
    parent = node.parent
    while parent is not None:
        if parent.id in names.scopes:
            return names.scopes[parent.id]
        parent = parent.parent
    return names.program


def _statements(holder: Node, start: int, end: int) -> tuple[Node, ...]:
    """Return the children of a block that a selection covers exactly."""
    value = holder.child_by_field_name("value") if holder.type == "switch_case" else None
    children = [child for child in holder.named_children if value is None or child.id != value.id]
    nodes = [child for child in children if start <= child.start_byte and child.end_byte <= end]
    if not nodes or nodes[0].start_byte != start or not any(child.type != "comment" for child in nodes):
        return ()
    between = [child for child in children if child.start_byte < end and child.end_byte > start]
    if len(between) != len(nodes) or nodes[-1].end_byte != end:
        return ()
    return tuple(nodes)


def _is_lone_body(node: Node) -> bool:
    """Whether a statement is the whole body of a loop or branch, without braces."""
    parent = node.parent
    return parent is not None and (
        parent.type == "else_clause" or any(
            (held := parent.child_by_field_name(field)) is not None and held.id == node.id
            for field in ("consequence", "body")
        )
    )  # fmt: skip


def _may_be_expression(node: Node) -> bool:
    """Whether a node is evaluated for its value, and means the same on its own."""
    parent = node.parent
    if parent is None or not stands_in(VALUES, parent, node):
        return False
    if node.type == "parenthesized_expression" and parent.type in _HEADS:
        return False
    if parent.type == "call_expression" and _is(parent, "function", node):
        # It would be called on another object; ``eval`` would no longer see the names around it.
        return node.type not in {"member_expression", "subscript_expression", "import", "super"}
    if parent.type in {"member_expression", "subscript_expression", "call_expression"} and _is_in_chain(node):
        return False
    if parent.type == "unary_expression":
        return not any(child.type in {"delete", "typeof"} for child in parent.children)
    return True


def _is_in_chain(node: Node) -> bool:
    """Whether a node is the head of a longer chain that a ``?.`` in it may cut short."""
    current: Node | None = node
    while current is not None and current.type in {"member_expression", "subscript_expression", "call_expression"}:
        if any(child.type in {"optional_chain", "?."} for child in current.children):
            return True
        current = current.child_by_field_name("object") or current.child_by_field_name("function")
    return False


def _is(parent: Node, field: str, node: Node) -> bool:
    child = parent.child_by_field_name(field)
    return child is not None and child.id == node.id
