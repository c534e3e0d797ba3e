"""Whether an expression is the first thing that a statement does, so that it can be evaluated in front of it. Pure."""

from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.flow import BLOCKS
from spark_lsp.actions.javascript.purity import Level, is_steady, level_of
from spark_lsp.actions.javascript.scopes import BODIES, FIELDS, Use

_HEADS: Final = {
    "if_statement": "condition",
    "for_statement": "initializer",
    "for_in_statement": "right",
    "switch_statement": "value",
    "with_statement": "",
    "while_statement": "",
    "do_statement": "",
    "labeled_statement": "",
    "ternary_expression": "condition",
}
"""Where only one part is evaluated first and once; "" where none is."""
_CHAINS: Final = frozenset(("member_expression", "subscript_expression", "call_expression"))


def statement_of(node: Node) -> Node | None:
    """Return the statement, in a block or alone behind a head, or the arrow function's body, that a node is part of."""
    each = node
    while each.parent is not None:
        parent = each.parent
        is_statement = each.type.endswith(("_statement", "_declaration"))
        if is_statement and (parent.type in BLOCKS or parent.type == "else_clause" or _is_lone(parent, each)):
            return each
        if parent.type == "arrow_function" and _is(parent, "body", each):
            return each
        if parent.type in BODIES or parent.type in FIELDS or parent.type == "class_body":
            return None
        each = parent
    return None


def comes_first(node: Node, statement: Node, uses: dict[int, Use], level: Level | None = None) -> bool:
    """Whether a statement evaluates an expression always, once, and before anything that could matter to it.

    ``level`` is that of what will stand in the expression's place, where that is something else.
    """
    level = level_of(node, uses) if level is None else level
    each = node
    while each.id != statement.id:
        parent = each.parent
        if parent is None or not _is_certain(parent, each):
            return False
        for earlier in parent.named_children:
            if earlier.start_byte >= each.start_byte or earlier.type == "comment":
                continue
            if not _may_come_later(parent, earlier, level, uses):
                return False
        each = parent
    return True


def _is_certain(parent: Node, child: Node) -> bool:  # noqa: PLR0911 - a list of places
    """Whether a part is evaluated whenever the whole is, exactly once and at its beginning or in its turn."""
    if parent.type in _HEADS:
        return bool(_HEADS[parent.type]) and _is(parent, _HEADS[parent.type], child)
    if parent.type in BODIES or parent.type in FIELDS or parent.type in {"class_body", "class", "switch_case"}:
        return False
    if parent.type.endswith("pattern") or parent.type in {"formal_parameters", "required_parameter"}:
        return False
    if parent.type == "binary_expression":
        operator = parent.child_by_field_name("operator")
        is_short = operator is not None and operator.type in {"&&", "||", "??"}
        return not is_short or _is(parent, "left", child)
    if parent.type == "augmented_assignment_expression":
        return not any(each.type in {"&&=", "||=", "??="} for each in parent.children)
    if parent.type in _CHAINS:
        is_head = _is(parent, "object", child) or _is(parent, "function", child)
        return is_head or not _has_optional(parent)
    return True


def _may_come_later(parent: Node, earlier: Node, level: Level, uses: dict[int, Use]) -> bool:
    """Whether an expression may be evaluated before a part that stands in front of it."""
    if parent.type in {"variable_declarator", "assignment_expression"} and earlier.type in {
        "identifier", "type_annotation",
    }:  # fmt: skip
        return True  # a name is only written, afterwards
    if earlier.type.endswith("pattern") and parent.type in {"variable_declarator", "assignment_expression"}:
        return level < Level.EFFECT and level_of(earlier, uses) < Level.EFFECT
    own = level_of(earlier, uses)
    if level < Level.EFFECT:
        return own < Level.EFFECT
    return own == Level.FIXED or (parent.type == "call_expression" and _is_plain_callee(earlier, uses))


def _is_plain_callee(node: Node, uses: dict[int, Use]) -> bool:
    """Whether what is called is only looked up, by names that keep their values: ``console.log``, ``items.push``."""
    while node.type == "member_expression":
        inner = node.child_by_field_name("object")
        if inner is None:
            return False
        node = inner
    if node.type == "this":
        return True
    use = uses.get(node.id)
    return node.type == "identifier" and use is not None and (use.binding is None or is_steady(use.binding))


def _has_optional(node: Node) -> bool:
    each: Node | None = node
    while each is not None and each.type in _CHAINS:
        if any(child.type in {"optional_chain", "?."} for child in each.children):
            return True
        each = each.child_by_field_name("object") or each.child_by_field_name("function")
    return False


def _is_lone(parent: Node, child: Node) -> bool:
    return parent.type.endswith("_statement") and (_is(parent, "consequence", child) or _is(parent, "body", child))


def _is(parent: Node, field: str, node: Node) -> bool:
    found = parent.child_by_field_name(field)
    return found is not None and found.id == node.id
