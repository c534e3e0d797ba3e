"""The type of a C expression where it is written down: literals, casts, and what the file itself declares. Pure."""

import re
from typing import Final

from tree_sitter import Node

_COMPARES: Final = frozenset(("==", "!=", "<", ">", "<=", ">=", "&&", "||"))
_WIDE: Final = frozenset(("int", "unsigned", "unsigned int", "long", "unsigned long", "size_t", "double", "long long"))
"""Types that arithmetic leaves as they are when both sides have them."""
_INTEGER: Final = re.compile(r"\d+")
_FLOAT: Final = re.compile(r"\d+\.\d*|\.\d+")


def type_of(node: Node) -> str:  # noqa: PLR0911 - one for each kind
    """Return the type of an expression, empty where the file does not say it plainly."""
    kind, said = node.type, _text(node)
    if kind == "parenthesized_expression":
        return type_of(node.named_children[0]) if node.named_children else ""
    if kind == "number_literal":
        small = _INTEGER.fullmatch(said) and int(said) < 2**31 and (said == "0" or not said.startswith("0"))
        return "int" if small else "double" if _FLOAT.fullmatch(said) else ""
    if kind == "string_literal":
        return "const char *"
    if kind == "sizeof_expression":
        return "size_t"
    if kind == "cast_expression":
        told = node.child_by_field_name("type")
        return _text(told) if told is not None else ""
    if kind == "identifier":
        return _declared(node, said)
    if kind == "call_expression":
        called = node.child_by_field_name("function")
        return _returned(called) if called is not None and called.type == "identifier" else ""
    if kind == "binary_expression":
        return _joined(node)
    if kind == "unary_expression":
        return "int" if said.startswith("!") else ""
    return ""


def _joined(node: Node) -> str:
    """Return the type of two sides joined by an operator."""
    operator = node.child_by_field_name("operator")
    sides = [node.child_by_field_name("left"), node.child_by_field_name("right")]
    if operator is not None and operator.type in _COMPARES:
        return "int"
    found = {type_of(side) for side in sides if side is not None}
    return next(iter(found)) if len(found) == 1 and found <= _WIDE else ""


def _declared(node: Node, name: str) -> str:
    """Return the type of a local or parameter, if the function declares the name once and plainly."""
    function = node
    while function.parent is not None and function.type != "function_definition":
        function = function.parent
    found = []
    stack = [function]
    while stack:
        each = stack.pop()
        if each.type in {"declaration", "parameter_declaration"}:
            found += [_text(told) for child in each.children_by_field_name("declarator")
                      if (told := each.child_by_field_name("type")) is not None and _declares(child, name)]  # fmt: skip
        stack += each.named_children
    own = found[0] if len(found) == 1 else ""
    return own if own in _WIDE else ""


def _declares(declarator: Node, name: str) -> bool:
    """Whether a declarator is a plain name, with a value or without; pointers and arrays have other types."""
    if declarator.type == "init_declarator":
        inner = declarator.child_by_field_name("declarator")
        return inner is not None and _declares(inner, name)
    return _text(declarator) == name if declarator.type == "identifier" else f" {name} " in f" {_text(declarator)} "


def _returned(called: Node) -> str:
    """Return the type that a function of this file returns."""
    root = called
    while root.parent is not None:
        root = root.parent
    for each in root.named_children:
        declarator = (
            each.child_by_field_name("declarator") if each.type in {"function_definition", "declaration"} else None
        )
        if declarator is not None and declarator.type == "function_declarator":
            own = declarator.child_by_field_name("declarator")
            told = each.child_by_field_name("type")
            if own is not None and _text(own) == _text(called) and told is not None and _text(told) != "void":
                return _text(told)
    return ""


def _text(node: Node) -> str:
    return node.text.decode("utf-8", "replace") if node.text else ""
