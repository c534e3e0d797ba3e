"""Decide how far an expression may move without changing a program's behaviour. Pure.

JavaScript runs code almost anywhere (getters, ``valueOf``), so the levels are coarse: a fixed expression may move
anywhere its names are known, a quiet one only if nothing happens in between, and any other keeps its order.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.file_uses import FileUses, is_imported_live
from spark_lsp.actions.javascript.node_kinds import EFFECTS, QUIET, UNEVALUATED
from spark_lsp.actions.javascript.scopes import BODIES, FUNCTIONS, Binding

_LITERALS: Final = frozenset(("string", "number", "true", "false", "null", "undefined", "this"))
_MAKERS: Final = frozenset(
    ("array", "object", "regex", "class", "arrow_function", "function_expression", "generator_function", "jsx_element",
     "jsx_self_closing_element", "new_expression", "call_expression", "template_string")
)  # fmt: skip
_FIXED_OPERATORS: Final = frozenset(("===", "!==", "&&", "||", "??"))


class Level(IntEnum):
    """What the evaluation of an expression may depend on and do."""

    FIXED = 0
    """Always the same while its names exist; cannot fail."""
    QUIET = 1
    """Changes nothing, but may fail, and depends on values that may change."""
    EFFECT = 2


def level_of(node: Node, uses: FileUses) -> Level:
    """Return the level of an expression. A node type in no table counts as an effect."""
    if any(acts(descendant, uses) for descendant in evaluated(node)):
        return Level.EFFECT
    return Level.FIXED if _is_fixed(node, uses) else Level.QUIET


def acts(node: Node, uses: FileUses) -> bool:
    """Whether a node by itself, without its parts, may run other code or change something."""
    is_known = node.type in QUIET and node.type not in EFFECTS
    return not is_known or _is_delete(node) or _is_tagged(node) or uses.runs_code(node)


def makes_something(node: Node) -> bool:
    """Whether each evaluation creates a new object, so that two results are not identical."""
    return any(descendant.type in _MAKERS - {"template_string"} for descendant in evaluated(node))


def evaluated(node: Node) -> Iterator[Node]:
    """Yield the nodes that run when a node is evaluated; nested functions are only created."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        if current.type not in FUNCTIONS:
            stack += [child for child in current.named_children if child.type not in UNEVALUATED]


def bindings_in(node: Node, uses: FileUses) -> list[Binding]:
    """Return the bindings of the names in an expression, nested functions included, without its own declarations."""
    bindings: dict[int, Binding] = {}
    stack = [node]
    while stack:
        current = stack.pop()
        use = uses.get(current.id)
        if use is not None and use.binding is not None and not _holds(node, use.binding.scope.node):
            bindings[id(use.binding)] = use.binding
        stack += current.named_children
    return list(bindings.values())


def is_steady(binding: Binding) -> bool:
    """Whether a variable keeps one value from its declaration on."""
    if binding.kind == "var":
        return False  # undefined before, and assigned again in each iteration of a loop
    if binding.kind == "import":
        return False  # an import is live: it changes with the variable of the other file
    return binding.is_constant and (binding.kind != "let" or all(use.has_value for use in binding.declarations))


def keeps_its_value(binding: Binding) -> bool:
    """Whether a callee stays the same: as ``is_steady``, but packages are assumed to keep their exports."""
    return is_steady(binding) or (binding.kind == "import" and not is_imported_live(binding))


def _is_fixed(node: Node, uses: FileUses) -> bool:  # noqa: PLR0911 - one for each kind
    kind = node.type
    if kind in _LITERALS:
        return not any(child.type == "template_substitution" for child in node.named_children)
    if kind == "identifier":
        use = uses.get(node.id)
        return use is not None and use.binding is not None and is_steady(use.binding)
    if kind in {"arrow_function", "function_expression"}:
        return True
    if kind == "template_string":
        return not any(child.type == "template_substitution" for child in node.named_children)
    if kind == "unary_expression":
        is_plain = any(child.type in {"!", "typeof", "void"} for child in node.children)
        argument = node.child_by_field_name("argument")
        is_number = argument is not None and argument.type == "number"
        return argument is not None and (is_plain or is_number) and _is_fixed(argument, uses)
    if kind == "binary_expression":
        operator = node.child_by_field_name("operator")
        sides = [node.child_by_field_name("left"), node.child_by_field_name("right")]
        is_plain = operator is not None and operator.type in _FIXED_OPERATORS
        are_numbers = all(side is not None and side.type in {"number", "string"} for side in sides)
        return (is_plain or are_numbers) and all(side is not None and _is_fixed(side, uses) for side in sides)
    if kind in {"parenthesized_expression", "ternary_expression", "as_expression", "non_null_expression"}:
        parts = node.named_children[:1] if kind == "as_expression" else node.named_children
        return all(_is_fixed(child, uses) for child in parts)
    return False


def _is_delete(node: Node) -> bool:
    return node.type == "unary_expression" and any(child.type == "delete" for child in node.children)


def _is_tagged(node: Node) -> bool:
    return node.type == "template_string" and node.parent is not None and node.parent.type == "call_expression"


def _holds(node: Node, scope: Node) -> bool:
    return scope.type in BODIES and node.start_byte <= scope.start_byte and scope.end_byte <= node.end_byte
