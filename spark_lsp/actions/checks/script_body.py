"""Check a body that a model wrote for a JavaScript or TypeScript function. Pure.

No check knows what a function should do; each finds a body that is certainly not meant.
"""

import re
from collections.abc import Iterator
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.scopes import FUNCTIONS, text_of
from spark_lsp.text.syntax import Syntax

_NO_VALUE: Final = re.compile(r":\s*(?:Promise<)?(?:void|undefined|any|unknown|never|this|asserts\b.*)>?$")
_NOT_YET: Final = re.compile(r"not (?:yet )?implemented|unimplemented|\btodo\b", re.IGNORECASE)
_NOTHING: Final = frozenset(("", "null", "undefined", "{}", "void 0"))
_MIN_STATEMENTS: Final = 2
"""Statements of a body that is a copy if another function has it too."""


def script_body_problem(syntax: Syntax, name: str, offset: int) -> str:
    """Say in one sentence why the body of the function around an offset is refused; empty if it is accepted."""
    node = function_around(syntax, offset)
    body = node.child_by_field_name("body") if node is not None else None
    if node is None or body is None or body.type != "statement_block":
        return ""
    statements = [child for child in body.named_children if child.type != "comment"]
    checks = (
        f"The body of {name} does nothing." if all(map(_is_idle, statements)) else "",
        _unused(node, body, name),
        _without_value(node, body, name),
        _endless(statements, name),
        _copied(syntax.tree.root_node, node, statements, name),
    )
    return next((check for check in checks if check), "")


def function_around(syntax: Syntax, offset: int) -> Node | None:
    """Return the innermost function around an offset."""
    at = syntax.to_byte(offset)
    node = syntax.tree.root_node.descendant_for_byte_range(at, at)
    while node is not None and node.type not in FUNCTIONS:
        node = node.parent
    return node


def parameters_at(syntax: Syntax, offset: int) -> list[str]:
    """Return the parameters that a body of the function around an offset has to use."""
    function = function_around(syntax, offset)
    return [name for name in parameter_names(function) if not name.startswith("_")] if function is not None else []


def parameter_names(function: Node) -> list[str]:
    """Return the names that the parameters of a function bind, without ``this``."""
    parameters = function.child_by_field_name("parameters") or function.child_by_field_name("parameter")
    if parameters is None:
        return []
    nodes = [parameters] if parameters.type == "identifier" else parameters.named_children
    return [name for node in nodes for name in _bound(node)]


def _bound(node: Node) -> Iterator[str]:
    """Yield the names that a parameter binds; neither types nor default values bind any."""
    if node.type in {"identifier", "shorthand_property_identifier_pattern"}:
        yield text_of(node)
        return
    skipped = {"key"} if node.type == "pair_pattern" else {"type", "value", "right", "decorator"}
    for number, child in enumerate(node.children):
        if node.field_name_for_child(number) not in skipped:
            yield from _bound(child)


def inside(root: Node, *, functions: bool = True) -> Iterator[Node]:
    """Yield a node and all nodes in it; those of inner functions only if wanted."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [child for child in reversed(node.named_children) if functions or child.type not in FUNCTIONS]


def _is_idle(statement: Node) -> bool:
    text = text_of(statement).rstrip(";").strip()
    if statement.type == "return_statement":
        return text.removeprefix("return").strip() in _NOTHING
    if statement.type == "throw_statement":
        return _NOT_YET.search(text) is not None
    return statement.type == "empty_statement"


def _unused(function: Node, body: Node, name: str) -> str:
    names = {text_of(node) for node in inside(body) if node.type in {"identifier", "shorthand_property_identifier"}}
    ignored = [given for given in parameter_names(function) if given not in names and not given.startswith("_")]
    is_all = "arguments" in names or any(node.type == "super" for node in inside(body))
    return f"The body of {name} does not use {', '.join(ignored)}." if ignored and not is_all else ""


def _without_value(function: Node, body: Node, name: str) -> str:
    """Refuse a body that never returns although a result is declared."""
    declared = function.child_by_field_name("return_type")
    words = {child.type for child in function.children}
    if declared is None or "*" in words or function.type.startswith("generator") or _NO_VALUE.search(text_of(declared)):
        return ""
    own = list(inside(body, functions=False))
    gives = any(node.type == "return_statement" and node.named_children for node in own)
    throws = any(node.type == "throw_statement" for node in own)
    return "" if gives or throws else f"{name} returns nothing, but a result is declared."


def _endless(statements: list[Node], name: str) -> str:
    """Refuse a body whose first step is to call its own function."""
    first = statements[0] if statements else None
    if first is None or first.type not in {"return_statement", "expression_statement", "lexical_declaration"}:
        return ""
    guarded = {"ternary_expression", "binary_expression", "call_expression"}
    for node in inside(first, functions=False):
        target = node.child_by_field_name("function") if node.type == "call_expression" else None
        if target is not None and text_of(target) in {name, f"this.{name}"}:
            return f"The body of {name} always calls {name} again."
        if node is not first and node.type in guarded:
            return ""
    return ""


def _copied(root: Node, function: Node, statements: list[Node], name: str) -> str:
    """Refuse a body that another function of the file has."""
    if len(statements) < _MIN_STATEMENTS:
        return ""
    own = [" ".join(text_of(statement).split()) for statement in statements]
    for node in inside(root):
        body = node.child_by_field_name("body") if node.type in FUNCTIONS and node != function else None
        if body is None or body.start_byte <= function.start_byte <= body.end_byte:
            continue
        others = [" ".join(text_of(child).split()) for child in body.named_children if child.type != "comment"]
        if others == own:
            named = node.child_by_field_name("name")
            return f"The body of {name} is that of {text_of(named) if named is not None else 'another function'}."
    return ""
