"""Classify a selection by tree-sitter's tree, which is cheap enough for every list of actions. Pure."""

import re
from itertools import pairwise
from typing import Final

import tree_sitter

from spark_lsp.actions.base import Target
from spark_lsp.actions.python.analysis.selection import trimmed
from spark_lsp.text.edit import Span
from spark_lsp.text.syntax import path_to

_EXPRESSIONS: Final = frozenset(
    {
        *("attribute", "await", "binary_operator", "boolean_operator", "call", "comparison_operator"),
        *("concatenated_string", "conditional_expression", "dictionary", "dictionary_comprehension", "expression_list"),
        *("false", "float", "generator_expression", "identifier", "integer", "lambda", "list", "list_comprehension"),
        *("named_expression", "none", "not_operator", "set", "set_comprehension", "string", "subscript", "true"),
        *("tuple", "unary_operator"),
    }
)
_BINDERS: Final = frozenset(
    {"assignment", "augmented_assignment", "for_statement", "named_expression", "as_pattern_target"}
)
_COMMENT_LINES = re.compile(r"(?:[ \t]*#[^\n]*\n\s*)*")


def is_python(target: Target) -> bool:
    """Whether the document is Python and has a tree."""
    return target.syntax is not None and target.syntax.language.name == "python"


def selected_statements(target: Target) -> bool:
    """Whether the selection seems to consist of whole statements."""
    chosen = trimmed(target.snapshot.text, target.span)
    if target.syntax is None or chosen.start == chosen.end:
        return False
    content = chosen.text(target.snapshot.text)
    lead = _COMMENT_LINES.match(content)
    start = chosen.start + (lead.end() if lead else 0)
    raw = _around(target, Span(start, max(start, chosen.end)))
    path = path_to(target.syntax.tree.root_node, raw) if raw is not None else []
    raw = next((around for around in reversed(path) if around.type in {"block", "module"}), None)
    byte = target.syntax.bytes_map.to_bytes
    low, high = byte(start), byte(chosen.end)
    is_any = False
    for child in raw.children if raw is not None else ():
        if child.start_byte >= high:
            break
        if child.end_byte <= low or child.type == "comment":
            continue
        if child.start_byte < low or child.end_byte > high or child.type in {"ERROR", "expression_list"}:
            return False
        is_any = True
    return is_any


def selected_expression(target: Target) -> tree_sitter.Node | None:
    """Return the selected expression, with or without parentheses around it; None for anything else."""
    text = target.snapshot.text
    chosen = trimmed(text, target.span)
    if target.syntax is None or chosen.start == chosen.end:
        return None
    byte = target.syntax.bytes_map.to_bytes
    raw = _around(target, chosen)
    if raw is None or (raw.start_byte, raw.end_byte) != (byte(chosen.start), byte(chosen.end)):
        return None
    while raw.type == "parenthesized_expression" and raw.named_children:
        raw = raw.named_children[0]
    return raw if raw.type in _EXPRESSIONS and not _is_target(raw) else None


def identifier_at(target: Target) -> tree_sitter.Node | None:
    """Return the name at the cursor or in the selection; None for the name of an attribute or a keyword."""
    if target.syntax is None:
        return None
    byte = target.syntax.bytes_map.to_bytes
    for offset in (target.span.start, max(0, target.span.start - 1)):
        at = byte(offset)
        raw = target.syntax.tree.root_node.descendant_for_byte_range(at, at)
        if raw is None or raw.type != "identifier" or raw.end_byte < byte(target.span.end):
            continue
        return None if _has_role(raw, {"attribute": "attribute", "keyword_argument": "name"}) else raw
    return None


def function_around(target: Target, node: tree_sitter.Node) -> tree_sitter.Node | None:
    """Return the definition whose body contains a node; None for code of the module or of a class."""
    assert target.syntax is not None, "the node is of its tree"
    path = path_to(target.syntax.tree.root_node, node)
    for parent, child in reversed(list(pairwise(path))):
        if parent.type == "function_definition" and parent.child_by_field_name("body") == child:
            return parent
        if parent.type == "class_definition":
            return None
    return None


def _around(target: Target, span: Span) -> tree_sitter.Node | None:
    assert target.syntax is not None, "the caller has looked"
    byte = target.syntax.bytes_map.to_bytes
    return target.syntax.tree.root_node.descendant_for_byte_range(byte(span.start), byte(span.end))


def _is_target(raw: tree_sitter.Node) -> bool:
    """Whether an expression is assigned to, is a keyword name, or is part of a definition's signature."""
    parent = raw.parent
    if parent is None:
        return False
    if parent.type in {"parameters", "pattern_list", "aliased_import", "dotted_name", "type", "case_pattern"}:
        return True
    names = {"assignment": "left", "augmented_assignment": "left", "for_statement": "left", "for_in_clause": "left"}
    return _has_role(raw, {**names, "keyword_argument": "name", "function_definition": "name"})


def _has_role(raw: tree_sitter.Node, roles: dict[str, str]) -> bool:
    """Whether a node has the named role in its parent, for a parent of one of these kinds."""
    parent = raw.parent
    return parent is not None and parent.type in roles and parent.child_by_field_name(roles[parent.type]) == raw


def assigned_name_at(target: Target) -> str:
    """Return the name at the cursor if a statement of its function assigns it; empty otherwise."""
    raw = identifier_at(target) if is_python(target) else None
    function = function_around(target, raw) if raw is not None else None
    if raw is None or function is None or raw.text is None:
        return ""
    return raw.text.decode() if is_assigned(function, raw.text) else ""


def is_assigned(function: tree_sitter.Node, name: bytes) -> bool:
    """Whether a statement of a function assigns a name, alone or with others."""
    stack = [function.child_by_field_name("body")]
    while stack:
        node = stack.pop()
        if node is None or node.type in {"function_definition", "class_definition", "lambda"}:
            continue
        if node.type in {
            "assignment",
            "augmented_assignment",
            "for_statement",
            "named_expression",
            "as_pattern_target",
        }:
            left = node.child_by_field_name("left") or node.child_by_field_name("name") or node
            if left.text is not None and left.text == name:
                return True
        if node.type not in {"call", "argument_list", "string", "comparison_operator"}:
            stack.extend(node.named_children)
    return False
