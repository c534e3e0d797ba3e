"""Decide whether a statement evaluates an expression first, so that the expression can move before it. Pure."""

from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.file_uses import FileUses, property_of
from spark_lsp.actions.javascript.flow import BLOCKS, ancestors
from spark_lsp.actions.javascript.node_kinds import IN_ORDER, stands_in
from spark_lsp.actions.javascript.purity import Level, bindings_in, keeps_its_value, level_of
from spark_lsp.actions.javascript.scopes import BODIES, FIELDS, FUNCTIONS, Binding

_CHAINS: Final = frozenset(("member_expression", "subscript_expression", "call_expression"))


def statement_of(node: Node) -> Node | None:
    """Return the statement that a node is part of, in a block or alone after a head, or an arrow function's body."""
    current = node
    while current.parent is not None:
        parent = current.parent
        is_statement = current.type.endswith(("_statement", "_declaration"))
        if is_statement and (parent.type in BLOCKS or parent.type == "else_clause" or _is_lone(parent, current)):
            return current
        if parent.type == "arrow_function" and _is(parent, "body", current):
            return current
        if parent.type in BODIES or parent.type in FIELDS or parent.type == "class_body":
            return None
        current = parent
    return None


def comes_first(node: Node, statement: Node, uses: FileUses, level: Level | None = None) -> bool:
    """Whether a statement always evaluates an expression, once, and before anything that could affect it.

    ``level`` is that of the expression that replaces it, if that is another one.
    """
    level = level_of(node, uses) if level is None else level
    current = node
    while current.id != statement.id:
        parent = current.parent
        if parent is None or not _is_certain(parent, current):
            return False
        for earlier in parent.named_children:
            if earlier.start_byte >= current.start_byte or earlier.type == "comment":
                continue
            if not _may_come_later(parent, earlier, level, uses) or _gives_value(earlier, node, uses):
                return False
        current = parent
    return True


def _is_certain(parent: Node, child: Node) -> bool:
    """Whether a part is always evaluated with the whole, exactly once, first or in order."""
    if not stands_in(IN_ORDER, parent, child):
        return False
    operator = parent.child_by_field_name("operator")
    if parent.type == "binary_expression" and operator is not None and operator.type in {"&&", "||", "??"}:
        return _is(parent, "left", child)
    if parent.type == "augmented_assignment_expression":
        return not any(node.type in {"&&=", "||=", "??="} for node in parent.children)
    if parent.type in _CHAINS:
        is_head = _is(parent, "object", child) or _is(parent, "function", child)
        return is_head or not _has_optional(parent)
    return True


def _may_come_later(parent: Node, earlier: Node, level: Level, uses: FileUses) -> bool:
    """Whether an expression may be evaluated before a part that precedes it."""
    if parent.type in {"variable_declarator", "assignment_expression"} and earlier.type in {
        "identifier", "type_annotation",
    }:  # fmt: skip
        return True  # a name is only assigned, afterwards
    if earlier.type.endswith("pattern") and parent.type in {"variable_declarator", "assignment_expression"}:
        return level < Level.EFFECT and level_of(earlier, uses) < Level.EFFECT
    if parent.type == "labeled_statement" or earlier.type in {"type_arguments", "property_identifier"}:
        return True
    own = level_of(earlier, uses)
    if level < Level.EFFECT:
        return own < Level.EFFECT
    return own == Level.FIXED or (
        parent.type in {"call_expression", "new_expression"} and _is_plain_callee(earlier, uses)
    )


def _gives_value(earlier: Node, node: Node, uses: FileUses) -> bool:
    """Whether an earlier declarator gives a value to a ``var`` that an expression reads."""
    if earlier.type != "variable_declarator":
        return False
    read = {id(binding) for binding in bindings_in(node, uses)}
    return any(id(binding) in read for binding in bindings_in(earlier, uses) if binding.kind == "var")


def _is_plain_callee(node: Node, uses: FileUses) -> bool:
    """Whether the callee is only looked up, and does not change: ``console.log``, ``items.push``, ``this.add``."""
    while node.type == "member_expression":
        inner = node.child_by_field_name("object")
        if inner is None or not uses.keeps(property_of(node), inner):
            return False
        node = inner
    if node.type in {"this", "super"}:
        return True
    use = uses.get(node.id)
    if node.type != "identifier" or use is None:
        return False
    if use.binding is None:
        return use.name not in uses.written_globals
    return keeps_its_value(use.binding) or _is_required_once(use.binding, node, uses)


def _is_required_once(binding: Binding, read: Node, uses: FileUses) -> bool:
    """Whether a name is one ``var f = require(…)`` of a CommonJS module, which no code can run during a plain call.

    The module's body goes on only after a function that waits (``async``) or pauses (a generator).
    """
    if binding.kind != "var" or not binding.is_constant or not uses.is_module(read):
        return False
    if binding.scope.node.type != "program" or binding.name in uses.rebound or uses.rebinds_any:
        return False
    return not any(_may_pause(around) for around in ancestors(read)) and not _has_eval(uses)


def _may_pause(function: Node) -> bool:
    """Whether a function is ``async`` or a generator."""
    return function.type in FUNCTIONS and any(child.type in {"async", "*"} for child in function.children)


def _has_eval(uses: FileUses) -> bool:
    return any(use.name == "eval" for use in uses.by_node.values())


def _has_optional(node: Node) -> bool:
    current: Node | None = node
    while current is not None and current.type in _CHAINS:
        if any(child.type in {"optional_chain", "?."} for child in current.children):
            return True
        current = current.child_by_field_name("object") or current.child_by_field_name("function")
    return False


def _is_lone(parent: Node, child: Node) -> bool:
    is_branch = parent.type.endswith("_statement") and parent.type != "labeled_statement"
    return is_branch and (_is(parent, "consequence", child) or _is(parent, "body", child))


def _is(parent: Node, field: str, node: Node) -> bool:
    child = parent.child_by_field_name(field)
    return child is not None and child.id == node.id
