"""Find the type of a C expression from literals, casts and the file's own declarations. Pure."""

import re
from typing import Final

from tree_sitter import Node

_COMPARES: Final = frozenset(("==", "!=", "<", ">", "<=", ">=", "&&", "||"))
_WIDE: Final = frozenset(("int", "unsigned", "unsigned int", "long", "unsigned long", "size_t", "double", "long long"))
"""Types that arithmetic does not promote if both operands have them."""
_INTEGER: Final = re.compile(r"\d+")
_FLOAT: Final = re.compile(r"\d+\.\d*|\.\d+")


def type_of(node: Node) -> str:  # noqa: PLR0911 - one for each kind
    """Return the type of an expression, empty if the file does not state it."""
    kind, content = node.type, _text(node)
    if kind == "parenthesized_expression":
        return type_of(node.named_children[0]) if node.named_children else ""
    if kind == "number_literal":
        small = _INTEGER.fullmatch(content) and int(content) < 2**31 and (content == "0" or not content.startswith("0"))
        return "int" if small else "double" if _FLOAT.fullmatch(content) else ""
    if kind == "string_literal":
        return "const char *"
    if kind == "sizeof_expression":
        return "size_t"
    if kind == "cast_expression":
        annotation = node.child_by_field_name("type")
        return _text(annotation) if annotation is not None else ""
    if kind == "identifier":
        return _declared(node, content)
    if kind == "call_expression":
        called = node.child_by_field_name("function")
        return _returned(called) if called is not None and called.type == "identifier" else ""
    if kind == "binary_expression":
        return _joined(node)
    if kind == "unary_expression":
        return "int" if content.startswith("!") else ""
    return ""


def _joined(node: Node) -> str:
    """Return the type of two operands joined by an operator."""
    operator = node.child_by_field_name("operator")
    sides = [node.child_by_field_name("left"), node.child_by_field_name("right")]
    if operator is not None and operator.type in _COMPARES:
        return "int"
    types = {type_of(side) for side in sides if side is not None}
    return next(iter(types)) if len(types) == 1 and types <= _WIDE else ""


def _declared(node: Node, name: str) -> str:
    """Return the type of a local or parameter, if the function declares the name exactly once."""
    function = node
    while function.parent is not None and function.type != "function_definition":
        function = function.parent
    types = []
    stack = [function]
    while stack:
        current = stack.pop()
        if current.type in {"declaration", "parameter_declaration"}:
            annotation = current.child_by_field_name("type")
            if annotation is not None:
                declarators = current.children_by_field_name("declarator")
                types += [_text(annotation) for declarator in declarators if _declares(declarator, name)]
        stack += current.named_children
    own = types[0] if len(types) == 1 else ""
    return own if own in _WIDE else ""


def _declares(declarator: Node, name: str) -> bool:
    """Whether a declarator is a plain name, with or without a value; pointers and arrays have other types."""
    if declarator.type == "init_declarator":
        inner = declarator.child_by_field_name("declarator")
        return inner is not None and _declares(inner, name)
    return _text(declarator) == name if declarator.type == "identifier" else f" {name} " in f" {_text(declarator)} "


def _returned(called: Node) -> str:
    """Return the type that a function of this file returns."""
    root = called
    while root.parent is not None:
        root = root.parent
    for child in root.named_children:
        declarator = (
            child.child_by_field_name("declarator") if child.type in {"function_definition", "declaration"} else None
        )
        if declarator is not None and declarator.type == "function_declarator":
            own = declarator.child_by_field_name("declarator")
            annotation = child.child_by_field_name("type")
            if (
                own is not None
                and _text(own) == _text(called)
                and annotation is not None
                and _text(annotation) != "void"
            ):
                return _text(annotation)
    return ""


def _text(node: Node) -> str:
    return node.text.decode("utf-8", "replace") if node.text else ""
