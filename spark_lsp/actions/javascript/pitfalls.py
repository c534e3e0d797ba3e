"""Find what no edit can move: ambiguous names, directives, callees, names that depend on their place. Pure.

Each function returns a refusal, or None if the construct is absent.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.file_uses import every
from spark_lsp.actions.javascript.flow import ancestors
from spark_lsp.actions.javascript.piece import Piece
from spark_lsp.actions.javascript.scopes import (
    BODIES,
    CLASSES,
    FIELDS,
    FUNCTIONS,
    HOISTED,
    Binding,
    FileScopes,
    text_of,
)
from spark_lsp.actions.refusal import Refusal

_WRAPS: Final = frozenset(
    ("parenthesized_expression", "non_null_expression", "as_expression", "satisfies_expression", "type_assertion",
     "instantiation_expression")
)  # fmt: skip
_MEMBERS: Final = frozenset(("member_expression", "subscript_expression"))
_GIVES_NAMES: Final = frozenset(
    ("variable_declarator", "pair", "assignment_expression", "augmented_assignment_expression", "field_definition",
     "public_field_definition", "assignment_pattern", "object_assignment_pattern", "required_parameter",
     "optional_parameter")
)  # fmt: skip
_FACTORIES: Final = frozenset(("React", "Fragment", "F", "h", "createElement", "jsx", "jsxs"))
_PLAIN_PARAMETERS: Final = frozenset(("identifier", "required_parameter", "optional_parameter", "comment"))


def selection_problem(piece: Piece, names: FileScopes) -> Refusal | None:  # noqa: PLR0911 - a list of reasons
    """Return why a selection cannot move at all; None if it may."""
    if has_with(names):
        return Refusal("scope", "The file uses with, so names may mean anything.")
    if any(_is_misread(node) for top in piece.nodes for node in (top, *ancestors(top), *every(top))):
        return Refusal("unreadable", "The parser may read the await before parentheses as a call.")
    unclear = next((text_of(node) for top in piece.nodes for node in _names_in(top) if is_unclear(node, names)), "")
    if unclear:
        return Refusal("scope", f"{unclear} stands for two variables here.")
    if any(parent.type == "ambient_declaration" for parent in ancestors(piece.nodes[0])):
        return Refusal("placement", "An ambient declaration contains no statements.")
    if any(is_directive(node) for node in piece.nodes):
        return Refusal("placement", "A directive applies only to its own function.")
    if piece.is_expression and _is_called_as_method(piece.nodes[0]):
        return Refusal("placement", "The expression is called, and as a method it would have another this.")
    return None


def function_problem(piece: Piece, names: FileScopes) -> Refusal | None:
    """Return why a selection cannot become a function; call ``selection_problem`` first."""
    node = piece.nodes[0]
    if piece.is_expression and any(_is_constructor(child, parent) for child, parent in _upwards(node)):
        return Refusal("placement", "The expression is the constructor in a new expression.")
    if piece.is_expression and gives_its_name(node):
        return Refusal("name", "The function gets its name from its place.")
    if any(text_of(name) == "eval" for top in piece.nodes for name in _names_in(top)):
        return Refusal("scope", "A direct eval can see the names around it.")
    if _shares_arguments(piece):
        return Refusal("changed", "The selection changes a parameter that arguments also shows.")
    if _hides_a_factory(piece, names):
        return Refusal("scope", "JSX may call a function that the selection declares.")
    return _unready_class(piece)


def order_problem(body: Node, names: FileScopes) -> Refusal | None:
    """Return why awaiting in a new function would be noticed; None if nothing else is pending.

    A call of an async function takes one more turn of the microtask queue, in which other tasks run.
    """
    makers = {
        name
        for scope in names.scopes.values()
        for name, binding in scope.names.items()
        for use in binding.declarations
        if _is_async_maker(use.node)
    }
    if any(_starts_a_task(node, makers) for node in every(body)):
        return Refusal("order", "Another task may be pending here, and would run before the selection continues.")
    return None


def constructor_problem(piece: Piece, body: Node) -> Refusal | None:
    """Return why TypeScript would no longer see that a constructor initialises its object; None elsewhere."""
    own = body.child_by_field_name("name") if body.type == "method_definition" else None
    if own is None or text_of(own) != "constructor":
        return None
    for node in (node for top in piece.nodes for node in every(top)):
        target = node.child_by_field_name("left") if node.type == "assignment_expression" else None
        if node.type == "super" or (target is not None and text_of(target).startswith("this.")):
            return Refusal("type", "TypeScript would not see that the constructor sets the properties.")
    return None


def hidden_member(piece: Piece, names: FileScopes) -> str:
    """Return a private member that a selection reads, which TypeScript allows only in its class; empty for none."""
    hidden = {
        text_of(name)
        for node in every(names.program.node)
        if any(child.type == "accessibility_modifier" and text_of(child) != "public" for child in node.named_children)
        for name in (node.child_by_field_name("name") or node.child_by_field_name("pattern"),)
        if name is not None
    }
    read = (node.child_by_field_name("property") for top in piece.nodes for node in every(top))
    return next((text_of(name) for name in read if name is not None and text_of(name) in hidden), "")


def takes_this(function: Node) -> bool:
    """Whether a function declares the type of its ``this``."""
    parameters = function.child_by_field_name("parameters")
    first = parameters.named_children[0] if parameters is not None and parameters.named_children else None
    pattern = first.child_by_field_name("pattern") if first is not None else None
    return pattern is not None and text_of(pattern) == "this"


def gives_its_name(node: Node) -> bool:
    """Whether an anonymous function or class is in a place that gives it a name."""
    parent = node.parent
    is_maker = (node.type in FUNCTIONS or node.type == "class") and node.child_by_field_name("name") is None
    return is_maker and parent is not None and parent.type in _GIVES_NAMES


def is_unclear(node: Node, names: FileScopes) -> bool:
    """Whether a name stands for one of two variables, depending on place and time."""
    return text_of(node) in unclear_names(names)


@lru_cache(maxsize=2)
def unclear_names(names: FileScopes) -> frozenset[str]:
    """Return the names for which a file may have two variables although it seems to have one.

    A function that a sloppy script declares in a block is also a variable of the outer function; the default
    value of a parameter does not see a declaration of the same name in the body.
    """
    unclear: set[str] = set()
    for scope in names.scopes.values():
        is_block = scope.node.type not in {*BODIES, "program", "internal_module", "module"}
        if is_block and not is_strict(scope.node, names):
            unclear |= {
                name
                for name, binding in scope.names.items()
                if any(use.node.parent is not None and use.node.parent.type in HOISTED for use in binding.declarations)
            }
    for use in names.uses:
        for parameters in _parameters_around(use.node):
            function = parameters.parent
            inner = names.scopes.get(function.id) if function is not None else None
            binding = inner.names.get(use.name) if inner is not None else None
            if binding is not None and any(use.node.start_byte > parameters.end_byte for use in binding.declarations):
                unclear.add(use.name)
    return frozenset(unclear)


@lru_cache(maxsize=2)
def has_with(names: FileScopes) -> bool:
    """Whether a file has a ``with`` statement, in which any name may be a property."""
    return any(node.type == "with_statement" for node in every(names.program.node))


def is_strict(node: Node, names: FileScopes) -> bool:
    """Whether code is strict: in a module, in a class, or by a directive."""
    if any(child.type in {"import_statement", "export_statement"} for child in names.program.node.named_children):
        return True
    return any(
        parent.type == "class_body" or any(is_directive(child) for child in parent.named_children[:3])
        for parent in (node, *ancestors(node))
        if parent.type in {"class_body", "statement_block", "program"}
    )


def is_directive(statement: Node) -> bool:
    """Whether a statement is a directive such as ``"use strict"``: a string at the start of a function or file."""
    parent = statement.parent
    only = statement.named_children
    if statement.type != "expression_statement" or len(only) != 1 or only[0].type != "string" or parent is None:
        return False
    is_body = parent.type == "program" or (parent.parent is not None and parent.parent.type in FUNCTIONS)
    before = [child for child in parent.named_children if child.start_byte < statement.start_byte]
    return is_body and all(
        child.type == "comment" or [part.type for part in child.named_children] == ["string"] for child in before
    )


def becomes_directive(removed: Node) -> bool:
    """Whether a string after a statement would become a directive if the statement were removed."""
    following = removed.next_named_sibling
    while following is not None and following.type == "comment":
        following = following.next_named_sibling
    only = following.named_children if following is not None and following.type == "expression_statement" else ()
    return len(only) == 1 and only[0].type == "string"


def binding_problem(binding: Binding, names: FileScopes) -> Refusal | None:
    """Return why not all places of a name can be known; None if they can."""
    if has_with(names):
        return Refusal("scope", "The file uses with, so names may mean anything.")
    if binding.name in unclear_names(names):
        return Refusal("scope", f"{binding.name} stands for two variables here.")
    return None


def _names_in(node: Node) -> Iterator[Node]:
    return (part for part in every(node) if part.type in {"identifier", "shorthand_property_identifier"})


def _upwards(node: Node) -> Iterator[tuple[Node, Node]]:
    """Yield a node and each enclosing expression with its parent, up to the statement."""
    for parent in ancestors(node):
        if parent.type.endswith(("_statement", "_declaration")) or parent.type in BODIES:
            return
        yield node, parent
        node = parent


def _is_constructor(node: Node, parent: Node) -> bool:
    held = parent.child_by_field_name("constructor") if parent.type == "new_expression" else None
    return held is not None and held.id == node.id


def _is_misread(node: Node) -> bool:
    """Whether the grammar parsed ``await (…)`` as a call of a function of that name."""
    called = node.child_by_field_name("function") if node.type == "call_expression" else None
    is_misread = called is not None and called.type == "identifier" and text_of(called) in {"await", "yield"}
    return is_misread or (node.type == "identifier" and text_of(node) in {"await", "yield"})


def _is_called_as_method(node: Node) -> bool:
    """Whether an expression, with or without parentheses, is the callee of a method call."""
    inner = node
    while inner.type in _WRAPS and inner.named_children:
        inner = inner.named_children[-1 if inner.type == "type_assertion" else 0]
    outer = node
    while outer.parent is not None and outer.parent.type in _WRAPS:
        outer = outer.parent
    call = outer.parent
    called = call.child_by_field_name("function") if call is not None and call.type == "call_expression" else None
    return called is not None and called.id == outer.id and inner.type in _MEMBERS


def _hides_a_factory(piece: Piece, names: FileScopes) -> bool:
    """Whether a selection declares a name that compiled JSX may call, such as ``h`` or ``React``."""
    if not any(node.type.startswith("jsx_") for node in every(names.program.node)):
        return False
    declared = {text_of(use.node) for use in names.uses if use.access == "declare" and piece.holds(use.node)}
    return bool(declared & _FACTORIES)


def _is_async_maker(name: Node) -> bool:
    """Whether a declared name stands for an async function of the file."""
    holder = name.parent
    if holder is None:
        return False
    value = holder.child_by_field_name("value") if holder.type == "variable_declarator" else holder
    return value is not None and value.type in FUNCTIONS and any(child.type == "async" for child in value.children)


def _starts_a_task(node: Node, makers: set[str]) -> bool:
    """Whether a call returns a promise that is not awaited within its own expression."""
    called = node.child_by_field_name("function") or node.child_by_field_name("constructor")
    if node.type not in {"call_expression", "new_expression"} or called is None:
        return False
    name = text_of(called)
    if name not in makers and name != "Promise" and not name.startswith("Promise."):
        return False
    child = node
    for parent in ancestors(node):
        if parent.type in {"await_expression", "return_statement"}:
            return False
        is_result = parent.type == "arrow_function" and parent.child_by_field_name("body") == child
        if is_result or parent.type.endswith(("_statement", "_declaration", "_declarator")):
            return not is_result
        child = parent
    return True


def _shares_arguments(piece: Piece) -> bool:
    """Whether a piece changes a parameter of a sloppy function that also reads ``arguments``."""
    function = next(
        (parent for parent in ancestors(piece.nodes[0]) if parent.type in FUNCTIONS - {"arrow_function"}), None
    )
    parameters = function.child_by_field_name("parameters") if function is not None else None
    if function is None or parameters is None:
        return False
    if not any(text_of(name) == "arguments" for name in _names_in(function)):
        return False
    own = {text_of(held) for held in parameters.named_children if held.type in _PLAIN_PARAMETERS}
    return any(
        text_of(name) in own
        for top in piece.nodes
        for change in every(top)
        if change.type in {"assignment_expression", "augmented_assignment_expression", "update_expression",
                         "for_in_statement"}
        for target in (change.child_by_field_name("left") or change.child_by_field_name("argument"),)
        if target is not None
        for name in every(target)
    )  # fmt: skip


def _unready_class(piece: Piece) -> Refusal | None:
    """Return why a function outside of a class could not use the class: it may run while the class is created."""
    words = {text_of(name) for top in piece.nodes for name in _names_in(top)}
    for holder in ancestors(piece.nodes[0]):
        own = holder.child_by_field_name("name") if holder.type in CLASSES else None
        if own is None or text_of(own) not in words or not _runs_when_made(holder):
            continue
        return Refusal("unbound", f"{text_of(own)} may not be initialised when the selection runs.")
    return None


def _runs_when_made(holder: Node) -> bool:
    """Whether creating a class runs code of it: static values, static blocks, computed names, decorators."""
    body = holder.child_by_field_name("body")
    members = body.named_children if body is not None else []
    return any(
        member.type in {"class_static_block", "decorator"}
        or (member.type in FIELDS and any(child.type == "static" for child in member.children) and _acts(member))
        for member in members
    )


def _acts(member: Node) -> bool:
    value = member.child_by_field_name("value")
    quiet = {"string", "number", "true", "false", "null", "undefined", "arrow_function", "function_expression", "regex"}
    return value is not None and value.type not in quiet


def _parameters_around(node: Node) -> Iterator[Node]:
    """Yield the parameter lists around a node, innermost first."""
    for parent in ancestors(node):
        if parent.type == "formal_parameters":
            yield parent
