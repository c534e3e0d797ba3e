"""Find the types that TypeScript knows only in place: narrowed by a condition or by a function's context.

An extracted piece would lose such types and no longer type-check. The module has no type information, so it refuses
whatever may be narrowed. Pure.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.context_types import is_read_by_the_compiler
from spark_lsp.actions.javascript.flow import ancestors, ends, facts_of
from spark_lsp.actions.javascript.piece import TYPED, Piece
from spark_lsp.actions.javascript.scopes import FUNCTIONS, names_of, text_of
from spark_lsp.actions.refusal import Refusal

_JOINED: Final = frozenset(("&&", "||", "??"))
_TELLS: Final = frozenset(("===", "!==", "==", "!=", "instanceof", "in"))
_ASSERTS: Final = re.compile(r"assert|invariant|ensure|must|check|verify|guard|expect|require", re.IGNORECASE)
_LEAVES: Final = re.compile(r"fail|exit|abort|panic|die|bail|throw|unreachable|never|raise|reject|error", re.IGNORECASE)
_CHAINS: Final = frozenset(("member_expression", "subscript_expression"))


def expression_problem(node: Node) -> Refusal | None:  # noqa: PLR0911 - a list of reasons
    """Return why a TypeScript expression cannot be evaluated on its own, before its statement."""
    if is_read_by_the_compiler(node):
        return Refusal("type", "TypeScript needs the literal here.")
    if _is_part_of_a_constant(node):
        return Refusal("type", "Only a literal can be declared as const.")
    if _is_asserted(node):
        return Refusal("type", "An assertion function narrows the type of the expression in place.")
    if _is_open(node):
        return Refusal("type", "The type of the variable is inferred from later assignments.")
    is_typeof = node.type == "unary_expression" and any(child.type == "typeof" for child in node.children)
    if is_in_condition(node) or (is_typeof and node.parent is not None and node.parent.type == "binary_expression"):
        return Refusal("type", "The condition narrows a type, which it would not do in another place.")
    if any(_lacks_types(maker) for maker in _made(node)):
        return Refusal("type", "The types of the function's parameters are inferred from its place.")
    return None


def type_problem(piece: Piece, body: Node) -> Refusal | None:
    """Return why a piece of TypeScript would not type-check in a function; None if it may."""
    if piece.syntax.language.name not in TYPED:
        return None
    problem = expression_problem(piece.nodes[0]) if piece.is_expression else _statements_problem(piece, body)
    if problem:
        return problem
    moved_text = _plain("\n".join(text_of(node) for node in piece.nodes))
    alone = set(_words(piece.nodes)) if piece.is_expression else set(_written(piece.nodes))
    asserted = [
        arguments for arguments in _asserted((body,), piece.syntax.tree.root_node) if arguments.end_byte <= piece.start
    ]
    for guard in (*_guards(body, piece), *asserted):
        guarded = (*_chains(guard), *(word for word in _words((guard,)) if word in alone))
        chain = next((text for text in guarded if text in moved_text), "")
        if chain:
            return Refusal("type", f"The type of {chain} may be narrowed by a condition around it.")
    for target in _assigned_chains(body):
        if not piece.holds(target) and target.start_byte < piece.start and _plain(text_of(target)) in moved_text:
            return Refusal("type", f"The type of {text_of(target)} may be narrowed by an assignment before it.")
    return None


def _statements_problem(piece: Piece, body: Node) -> Refusal | None:
    """Return which narrowing by statements is lost for the code after them if they become a call."""
    if ends(piece.nodes) and not facts_of(piece.nodes).returns:
        return Refusal("type", "TypeScript would no longer see that the code after it is unreachable.")
    if _may_never_return(piece):
        return Refusal("type", "TypeScript infers unreachable code from a call that never returns.")
    behind = _plain(text_of(body)[piece.end - body.start_byte :] if text_of(body).isascii() else text_of(body))
    for guard in (*_guards_that_leave(piece.nodes), *_asserted(piece.nodes, piece.syntax.tree.root_node)):
        for text in (*_chains(guard), *_words((guard,))):
            if re.search(rf"(?<![\w$.]){re.escape(text)}(?![\w$])", behind):
                return Refusal("type", f"The selection narrows the type of {text}, which is used after it.")
    for target in _assigned_chains_in(piece.nodes):
        if _plain(text_of(target)) in behind:
            return Refusal("type", f"The selection narrows the type of {text_of(target)}, which is used after it.")
    return None


def _is_part_of_a_constant(node: Node) -> bool:
    """Whether an expression is part of an ``as const`` value; a literal keeps its type there."""
    for parent in ancestors(node):
        if parent.type.endswith(("_statement", "_declaration")) or parent.type in FUNCTIONS:
            return False
        if parent.type == "as_expression" and any(child.type == "const" for child in parent.children):
            return True
    return False


def _is_asserted(node: Node) -> bool:
    """Whether an expression is, or is in, an argument of a call statement that may be an assertion."""
    for parent in ancestors(node):
        if parent.type == "arguments":
            statement = parent.parent.parent if parent.parent is not None else None
            root = parent
            while root.parent is not None:
                root = root.parent
            if statement is not None and any(guard.id == parent.id for guard in _asserted((statement,), root)):
                return True
        if parent.type.endswith(("_statement", "_declaration")) or parent.type in FUNCTIONS:
            return False
    return False


def _is_open(node: Node) -> bool:
    """Whether an expression is a variable's first value without a precise type: ``[]``, ``null``."""
    parent = node.parent
    is_empty = node.type in {"null", "undefined"} or (node.type == "array" and not node.named_child_count)
    is_value = parent is not None and parent.type in {"variable_declarator", "public_field_definition"}
    return is_empty and is_value and parent is not None and parent.child_by_field_name("type") is None


def _may_never_return(piece: Piece) -> bool:
    """Whether the last statement is a call that may never return, which narrows types after the branch."""
    last = piece.nodes[-1]
    holder = last.parent
    only = last.named_children[0] if last.type == "expression_statement" and last.named_children else None
    called = only.child_by_field_name("function") if only is not None and only.type == "call_expression" else None
    if called is None or holder is None:
        return False
    words = text_of(called).rsplit(".", 1)[-1]
    is_branch = holder.type != "program" and (holder.parent is None or holder.parent.type not in FUNCTIONS)
    root = piece.syntax.tree.root_node
    binding = names_of(root).program.names.get(text_of(called)) if called.type == "identifier" else None
    holders = [use.node.parent for use in binding.declarations] if binding is not None else []
    says = any(owner is not None and "never" in text_of(owner) for owner in holders)
    return says or (is_branch and _LEAVES.search(words) is not None)


def narrowed_names(body: Node, piece: Piece) -> set[str]:
    """Return the names whose types may be narrowed by conditions, assertions or assignments around a piece."""
    guarded = {word for guard in _guards(body, piece) for word in _words((guard,))}
    guarded |= {word for call in _asserted((body,), piece.syntax.tree.root_node) for word in _words((call,))}
    return guarded | set(_written((body,)))


def _guards_that_leave(nodes: Sequence[Node]) -> Iterator[Node]:
    """Yield the conditions of statements that leave the block, which narrow types after them."""
    for node in _every(nodes):
        condition = node.child_by_field_name("condition")
        if condition is not None and node.type in {"if_statement", "while_statement", "for_statement"}:
            yield condition


def _asserted(nodes: Sequence[Node], program: Node) -> Iterator[Node]:
    """Yield the arguments of call statements that may be assertions."""
    for node in _every(nodes):
        only = node.named_children[0] if node.type == "expression_statement" and node.named_children else None
        if only is None or only.type != "call_expression":
            continue
        arguments, called = only.child_by_field_name("arguments"), only.child_by_field_name("function")
        if arguments is not None and called is not None and _may_assert(called, program):
            yield arguments


def _may_assert(called: Node, program: Node) -> bool:
    """Whether a function may be declared with ``asserts``: it is in this file, or its name suggests it."""
    if called.type == "identifier":
        binding = names_of(program).program.names.get(text_of(called))
        holders = [use.node.parent for use in binding.declarations] if binding is not None else []
        if binding is not None and binding.kind != "import":
            return any(holder is not None and "asserts" in text_of(holder) for holder in holders)
    return bool(_ASSERTS.search(text_of(called)))


def _assigned_chains(body: Node) -> Iterator[Node]:
    yield from _assigned_chains_in((body,))


def _assigned_chains_in(nodes: Sequence[Node]) -> Iterator[Node]:
    """Yield the members that nodes assign to, which narrows their types."""
    for node in _every(nodes):
        left = node.child_by_field_name("left") if node.type == "assignment_expression" else None
        if left is not None and left.type in _CHAINS:
            yield left


def _every(nodes: Sequence[Node]) -> Iterator[Node]:
    stack = list(nodes)
    while stack:
        node = stack.pop()
        yield node
        stack += node.named_children


def _guards(body: Node, piece: Piece) -> Iterator[Node]:
    """Yield the conditions of a function that may narrow a type in a piece, and the values of variables in them."""
    conditions = [held for node in _every((body,)) for held in _conditions(node) if _reaches(node, held, piece)]
    words = set(_words(conditions))
    yield from conditions
    declared = [node for node in _every((body,)) if node.type == "variable_declarator"]
    while declared:
        holders = [node for node in declared if words & set(_words(node.children_by_field_name("name")))]
        values = [value for node in holders for value in node.children_by_field_name("value")]
        yield from values
        words = set(_words(values))  # the value of a variable may depend on another variable
        declared = [node for node in declared if node not in holders] if holders else []


def _conditions(node: Node) -> Iterator[Node]:
    """Yield the conditions by which a node decides, if they may narrow a type."""
    held = node.child_by_field_name("condition")
    if held is None and node.type == "binary_expression" and _operator(node) in _JOINED:
        held = node.child_by_field_name("left")
    if held is None and node.type == "switch_statement":
        held = node.child_by_field_name("value")
        yield from (child for child in _every((node,)) if child.type == "switch_case")
    if held is not None and _narrows(held):
        yield held


def _reaches(owner: Node, held: Node, piece: Piece) -> bool:
    """Whether a condition still narrows at a piece: it is around the piece, or before it and leaves the block."""
    if piece.holds(held):
        return False
    if owner.start_byte <= piece.start and piece.end <= owner.end_byte:
        return True
    leaves = {"return_statement", "throw_statement", "break_statement", "continue_statement", "call_expression"}
    is_left = owner.type in {"if_statement", "switch_statement"} and any(
        node.type in leaves for node in _every((owner,))
    )
    is_loop = owner.type in {"while_statement", "do_statement", "for_statement"}
    return owner.end_byte <= piece.start and (is_left or is_loop)


def _chains(guard: Node) -> Iterator[str]:
    """Yield the member chains in a condition; a plain name keeps its type in an arrow function."""
    stack = [guard]
    while stack:
        node = stack.pop()
        if node.type in _CHAINS:
            yield _plain(text_of(node))
        stack += node.named_children


def _plain(text: str) -> str:
    """Return a chain without ``?.`` and ``!``: TypeScript narrows ``a?.b`` and ``a.b`` alike."""
    return re.sub(r"!(?=[.\[)])", "", text.replace("?.[", "[").replace("?.", "."))


def _words(nodes: Sequence[Node]) -> Iterator[str]:
    """Yield the plain names in nodes."""
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if node.type in {"identifier", "shorthand_property_identifier_pattern"}:
            yield text_of(node)
        stack += node.named_children


def _written(nodes: Sequence[Node]) -> Iterator[str]:
    """Yield the plain names that nodes assign."""
    stack = list(nodes)
    while stack:
        node = stack.pop()
        left = node.child_by_field_name("left") if "assignment" in node.type else None
        if left is not None:
            yield from _words((left,))
        stack += node.named_children


def is_in_condition(node: Node) -> bool:
    """Whether an expression is part of a condition that may narrow a type."""
    child = node
    for parent in ancestors(node):
        if parent.type in FUNCTIONS or parent.type == "statement_block":
            return False
        condition = parent.child_by_field_name("condition")
        is_left = parent.type == "binary_expression" and _operator(parent) in _JOINED and _is(parent, "left", child)
        is_value = parent.type == "switch_statement" and _is(parent, "value", child)
        if ((condition is not None and condition.id == child.id) or is_left or is_value) and _narrows(child):
            return True
        child = parent
    return False


def _narrows(node: Node) -> bool:
    """Whether a condition may narrow a type; a comparison of sizes does not."""
    if node.type == "binary_expression":
        operator = _operator(node)
        sides = (node.child_by_field_name("left"), node.child_by_field_name("right"))
        return operator in _TELLS or (
            operator in _JOINED and any(side is not None and _narrows(side) for side in sides)
        )
    if node.type in {"parenthesized_expression", "unary_expression"}:
        return any(_narrows(child) for child in node.named_children)
    return node.type in {"identifier", "call_expression", "assignment_expression", *_CHAINS}


def _made(node: Node) -> Iterator[Node]:
    """Yield the functions that an expression is or contains, except those passed to a call in it."""
    stack = [node]
    while stack:
        current = stack.pop()
        if current.type in FUNCTIONS:
            yield current
        elif current.type != "arguments":
            stack += current.named_children


def _lacks_types(function: Node) -> bool:
    if function.child_by_field_name("parameter") is not None:
        return True
    parameters = function.child_by_field_name("parameters")
    held = parameters.named_children if parameters is not None else ()
    return any(node.child_by_field_name("type") is None and node.child_by_field_name("value") is None for node in held)


def _operator(node: Node) -> str:
    operator = node.child_by_field_name("operator")
    return operator.type if operator is not None else ""


def _is(parent: Node, field: str, node: Node) -> bool:
    child = parent.child_by_field_name(field)
    return child is not None and child.id == node.id
