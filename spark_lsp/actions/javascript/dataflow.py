"""Compute the inputs and outputs of JavaScript code that becomes a function. Pure.

Each question is answered with the result, or with a sentence why there is none: a variable of a closure changes, a
name is not initialised yet, an exception would leave a value half changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tree_sitter import Node

from spark_lsp.actions.javascript.flow import ancestors, loops_around
from spark_lsp.actions.javascript.piece import Piece
from spark_lsp.actions.javascript.scopes import HOISTED, Binding, Scope, Use, is_within
from spark_lsp.actions.refusal import Refusal


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """Names that the piece declares and later code uses, in order; or the refusal."""

    declared: tuple[Binding, ...] = ()
    problem: Refusal | None = None


@dataclass(frozen=True, slots=True, eq=False)
class InputsAndOutputs:
    """What a function outside the piece's own needs: parameters, local names, and what it changes; or the refusal.

    ``fresh`` are variables whose earlier value is never read.
    """

    parameters: tuple[Binding, ...] = ()
    fresh: tuple[Binding, ...] = ()
    changed: tuple[Binding, ...] = ()
    problem: Refusal | None = None


def given(piece: Piece, bindings: Sequence[Binding], body: Scope) -> Given:
    """Return the piece's declarations that later code uses."""
    names = []
    for binding in bindings:
        inside = [use for use in binding.declarations if piece.holds(use.node)]
        if not inside or piece.holds(binding.scope.node):
            continue
        problem = _declaration_problem(piece, binding, body)
        if problem:
            return Given(problem=problem)
        if any(not piece.holds(use.node) for use in binding.uses):
            names.append(binding)
    return Given(tuple(sorted(names, key=lambda binding: binding.declarations[0].node.start_byte)))


def _declaration_problem(piece: Piece, binding: Binding, body: Scope) -> Refusal | None:  # noqa: PLR0911 - a list of reasons
    """Return why a name that the piece declares cannot be returned; None if it can."""
    name = binding.name
    outside = [use for use in binding.uses if not piece.holds(use.node)]
    if any(use.access == "declare" for use in outside):
        return Refusal("scope", f"{name} is declared both in the selection and outside.")
    if binding.kind == "var" and loops_around(piece.nodes[0], body.node) and not _is_set_first(piece, binding):
        return Refusal("changed", f"{name} is a var that keeps its value from one iteration of the loop to the next.")
    if not outside:
        return None
    if binding.kind not in {"var", "let", "const"}:
        return Refusal("scope", f"{name} is declared in the selection and used outside.")
    if any(use.node.start_byte < piece.start for use in outside):
        return Refusal("scope", f"{name} is declared in the selection and used before it.")
    if any(_is_hoisted(use, binding.scope) for use in outside):
        return Refusal("closure", f"{name} is used by a function that the selection may call before it ends.")
    is_captured = any(use.scope.body is not binding.scope.body for use in binding.uses)
    if is_captured and not binding.is_constant:
        return Refusal("closure", f"{name} is declared in the selection, changed, and seen by a closure.")
    return None


def taken(piece: Piece, used: Sequence[Binding], body: Scope, home: Scope) -> InputsAndOutputs:
    """Return what a function in another scope, ``home``, needs to do what the piece does."""
    reachable = set(map(id, home.around()))
    parameters: list[Binding] = []
    fresh: list[Binding] = []
    changed: list[Binding] = []
    for binding in used:
        if id(binding.scope) in reachable or any(
            use.access == "declare" and piece.holds(use.node) for use in binding.uses
        ):
            continue
        problem = _passing_problem(piece, binding, body)
        if problem:
            return InputsAndOutputs(problem=problem)
        inside = [use for use in binding.uses if piece.holds(use.node)]
        is_set_first = any(use.writes for use in inside) and _is_set_first(piece, binding)
        (fresh if is_set_first else parameters).append(binding)
        if any(use.writes for use in inside) and _is_read_later(piece, binding, body):
            if _is_in_try(piece, body):
                message = f"{binding.name} is changed in a try, and may be read after an error."
                return InputsAndOutputs(problem=Refusal("changed", message))
            changed.append(binding)
    return InputsAndOutputs(tuple(parameters), tuple(fresh), tuple(changed))


def _passing_problem(piece: Piece, binding: Binding, body: Scope) -> Refusal | None:  # noqa: PLR0911 - a list of reasons
    """Return why a variable cannot be passed by value; None if it can."""
    name, is_constant = binding.name, binding.is_constant
    if binding.kind in {"type", "module"}:
        return Refusal("type", f"The type {name} exists only in its function.")
    first = min((use.node.start_byte for use in binding.declarations), default=0)
    needs_order = binding.kind in {"let", "const", "class"}
    if needs_order and (first >= piece.start or binding.scope.node.type == "switch_body"):
        return Refusal("unbound", f"{name} may not have its value yet where the selection begins.")
    if binding.scope.body is not body:
        if not is_constant or binding.kind == "var":
            return Refusal("changed", f"{name} belongs to an outer function and may change meanwhile.")
        between = _functions_up_to(body, binding.scope)
        if needs_order and (first >= between[-1].start_byte or any(node.type in HOISTED for node in between)):
            return Refusal("unbound", f"{name} may not have its value yet where the selection begins.")
        return None
    is_captured = any(use.scope.body is not body for use in binding.uses)
    is_kept = any(use.scope.body is not body and piece.holds(use.node) for use in binding.uses)
    if is_captured and (not is_constant or (is_kept and binding.kind == "var")):
        return Refusal("closure", f"{name} changes and is seen by a closure.")
    if binding.kind == "const" and any(use.writes for use in binding.uses):
        return Refusal("assignment", f"{name} is a const that is assigned to.")
    return None


def _functions_up_to(body: Scope, scope: Scope) -> list[Node]:
    """Return the functions between a scope and the code of an inner function, innermost first."""
    names = []
    for outer in body.around():
        if outer is scope:
            break
        if outer.body is outer:
            names.append(outer.node)
    return names


def _is_hoisted(use: Use, scope: Scope) -> bool:
    """Whether a use is in a function declaration, which may run before its own line is reached."""
    for outer in use.scope.around():
        if outer is scope:
            return False
        if outer.node.type in HOISTED:
            return True
    return False


def _is_read_later(piece: Piece, binding: Binding, body: Scope) -> bool:
    """Whether a variable may be read after the piece: further down, or in the next iteration of a loop around both."""
    loops = loops_around(piece.nodes[0], body.node)
    outside = [use for use in binding.uses if use.reads and not piece.holds(use.node)]
    inside = [use for use in binding.uses if use.reads and piece.holds(use.node)]
    if any(_starts_inside(binding.scope.node, loop) for loop in loops):
        loops = [loop for loop in loops if not _starts_inside(binding.scope.node, loop)]
    again = any(is_within(use.node, loop) for loop in loops for use in (*outside, *inside))
    return again or any(use.node.start_byte >= piece.end for use in outside)


def _starts_inside(scope: Node, loop: Node) -> bool:
    """Whether each iteration of a loop creates a scope again."""
    return loop.start_byte < scope.start_byte and scope.end_byte <= loop.end_byte


def _is_in_try(piece: Piece, body: Scope) -> bool:
    for ancestor in ancestors(piece.nodes[0]):
        if ancestor.id == body.node.id:
            return False
        if ancestor.type == "try_statement":
            return True
    return False


def _is_set_first(piece: Piece, binding: Binding) -> bool:
    """Whether the piece assigns a variable before anything in it can read it."""
    inside = sorted((use for use in binding.uses if piece.holds(use.node)), key=lambda use: use.node.start_byte)
    if piece.is_expression or not inside:
        return False
    first = inside[0]
    target = first.node.parent
    if first.access == "declare" and target is not None and target.type == "variable_declarator":
        own, statement = target, target.parent
        is_first = first.has_value
    elif first.access == "write" and target is not None and target.type == "assignment_expression":
        own, statement = target, target.parent
        is_first = True
    else:
        return False
    value = own.child_by_field_name("value") or own.child_by_field_name("right")
    if not is_first or statement is None or all(statement.id != node.id for node in piece.nodes):
        return False
    return value is not None and not any(is_within(use.node, value) for use in inside)
