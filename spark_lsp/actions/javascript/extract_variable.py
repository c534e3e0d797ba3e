"""``extract.variable`` for JavaScript and TypeScript: declare a variable for an expression before its statement.

Equal expressions are replaced too if they certainly have the same value.
"""

from dataclasses import dataclass

from tree_sitter import Node

from spark_lsp.actions.javascript.context_types import PRIMITIVES, is_expected, is_module_name, keeps_type
from spark_lsp.actions.javascript.file_uses import FileUses, file_uses
from spark_lsp.actions.javascript.flow import BLOCKS, ancestors
from spark_lsp.actions.javascript.narrowing import expression_problem
from spark_lsp.actions.javascript.node_kinds import VALUES, stands_in
from spark_lsp.actions.javascript.order import comes_first, statement_of
from spark_lsp.actions.javascript.piece import TYPED, Piece, analysed, scope_of
from spark_lsp.actions.javascript.pitfalls import gives_its_name, selection_problem
from spark_lsp.actions.javascript.purity import Level, acts, bindings_in, evaluated, level_of, makes_something
from spark_lsp.actions.javascript.scopes import FUNCTIONS, FileScopes
from spark_lsp.actions.javascript.statement_layout import continues, indent_at, semicolon
from spark_lsp.actions.layout import indent_unit
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit, Span

_ALONE = frozenset(("identifier", "this", "undefined", "spread_element", "assignment_expression", "yield_expression"))


@dataclass(frozen=True, slots=True, eq=False)
class Naming:
    """The expressions to replace, in order, and the statement before which the variable is declared."""

    piece: Piece
    names: FileScopes
    places: tuple[Node, ...]
    statement: Node


def naming_of(piece: Piece) -> Naming | Refusal:  # noqa: PLR0911 - a list of reasons
    """Return how to name an expression, or in one sentence why that cannot be done correctly."""
    node = piece.nodes[0]
    if node.has_error:
        return Refusal("unreadable", "The selection does not parse.")
    if node.type in _ALONE:
        return (
            Refusal("selection", "The selection is already a name.")
            if node.type == "identifier"
            else Refusal("order", "The expression cannot be evaluated earlier.")
        )
    names, _body = analysed(piece)
    uses = file_uses(names)
    is_typed = piece.syntax.language.name in TYPED
    problem = selection_problem(piece, names) or _name_problem(node, uses)
    problem = problem or (_type_problem(node, uses) if is_typed else None)
    if problem:
        return problem
    level = level_of(node, uses)
    statement = statement_of(node)
    if level == Level.FIXED and not makes_something(node) and (not is_typed or node.type in PRIMITIVES):
        everywhere = _everywhere(piece, names, uses, is_alone=is_typed)
        if everywhere is not None:
            return everywhere
    if statement is None:
        return Refusal("placement", "There is no statement before which the expression could be evaluated.")
    problem = _problem(node, statement, names, uses)
    if problem:
        return problem
    places: tuple[Node, ...] = (node,)
    if level == Level.QUIET and not makes_something(node):
        places = _until_something_happens(node, statement, uses)
    return Naming(piece, names, places, statement)


def _name_problem(node: Node, uses: FileUses) -> Refusal | None:
    """Return why a function or class would get another name from its variable; None if nothing reads the name."""
    parent = node.parent
    if parent is None or not gives_its_name(node):
        return None
    if uses.asks_for_names:
        return Refusal("name", "The function gets its name from its place, and the file reads such names.")
    is_named_already = parent.type in {"variable_declarator", "assignment_expression"}
    return Refusal("name", "The function gets its name from its place.") if is_named_already else None


def _type_problem(node: Node, uses: FileUses) -> Refusal | None:
    """Return why a TypeScript expression would have another type as a variable; None if it keeps its type."""
    problem = expression_problem(node)
    if problem is not None or not is_expected(node) or keeps_type(node, uses):
        return problem
    return Refusal("type", "The type of the expression depends on its place.")


def edits_of(naming: Naming, name: str) -> tuple[Edit, ...]:
    """Return the edits that declare the variable and use it."""
    syntax, statement = naming.piece.syntax, naming.statement
    text = syntax.text
    newline = "\r\n" if "\r\n" in text else "\n"
    node = naming.piece.nodes[0]
    value = syntax.wrap(node).span.text(text)
    end = semicolon(syntax, len(text))
    unit = indent_unit(text, syntax.language.name)
    indent = indent_at(syntax, statement)
    where = syntax.wrap(statement).span
    edits = [Edit(syntax.wrap(place).span, name) for place in naming.places]
    declaration = f"const {name} = {_unwrapped(node, value)}"
    parent = statement.parent
    if parent is not None and parent.type == "arrow_function":
        inner = indent + unit
        edits.append(
            Edit(Span(where.start, where.start), f"{{{newline}{inner}{declaration}{end}{newline}{inner}return ")
        )
        edits.append(Edit(Span(where.end, where.end), f"{end}{newline}{indent}}}"))
    elif parent is not None and parent.type not in BLOCKS:
        inner = indent + unit
        edits.append(Edit(Span(where.start, where.start), f"{{{newline}{inner}{declaration}{end}{newline}{inner}"))
        edits.append(Edit(Span(where.end, where.end), f"{newline}{indent}}}"))
    else:
        end = end or (";" if continues(_first_text(naming, name, text)) else "")
        edits.append(Edit(Span(where.start, where.start), f"{declaration}{end}{newline}{indent}"))
    return _merged(edits)


def _first_text(naming: Naming, name: str, text: str) -> str:
    """Return the beginning of the statement after the replacement."""
    syntax = naming.piece.syntax
    start = syntax.wrap(naming.statement).span.start
    return name if any(syntax.wrap(place).span.start == start for place in naming.places) else text[start : start + 2]


def _merged(edits: list[Edit]) -> tuple[Edit, ...]:
    """Join an insertion with a replacement that starts or ends at the same place."""
    ordered = sorted(edits, key=lambda edit: (edit.span.start, edit.span.end))
    merged: list[Edit] = []
    for edit in ordered:
        last = merged[-1] if merged else None
        if last is not None and last.span.end == edit.span.start and (not len(last.span) or not len(edit.span)):
            merged[-1] = Edit(Span(last.span.start, edit.span.end), last.new_text + edit.new_text)
        else:
            merged.append(edit)
    return tuple(merged)


def _unwrapped(node: Node, value: str) -> str:
    """Return an expression as a declaration's value, without parentheses, except around a comma."""
    only = node.named_children
    if node.type == "parenthesized_expression" and len(only) == 1 and only[0].type != "sequence_expression":
        return value.strip()[1:-1].strip()
    return f"({value})" if node.type == "sequence_expression" else value


def _problem(node: Node, statement: Node, names: FileScopes, uses: FileUses) -> Refusal | None:
    """Return why an expression cannot be evaluated before its statement; None if it can."""
    if not comes_first(node, statement, uses):
        return Refusal("order", "The statement may not evaluate the expression first and exactly once.")
    return _unknown_at(node, statement, names, uses)


def _unknown_at(node: Node, statement: Node, names: FileScopes, uses: FileUses) -> Refusal | None:
    """Return why the names of an expression differ in meaning before a statement; empty if they do not."""
    reachable = set(map(id, scope_of(names, statement).around()))
    for binding in bindings_in(node, uses):
        first = min((use.node.start_byte for use in binding.declarations), default=0)
        is_late = binding.kind in {"let", "const", "class"} and first >= statement.start_byte
        if id(binding.scope) not in reachable or is_late or binding.scope.node.type == "switch_body":
            return Refusal("scope", f"{binding.name} is not available before the statement.")
    return None


def _everywhere(piece: Piece, names: FileScopes, uses: FileUses, *, is_alone: bool) -> Naming | None:
    """Return all equal expressions of the function if the value never changes; None if that fails."""
    node = piece.nodes[0]
    own = scope_of(names, node).body
    equal = [
        equal
        for equal in _equal(own.node, node, uses)
        if not any(parent.type in FUNCTIONS and parent.id != own.node.id for parent in _up_to(equal, own.node))
    ]
    for places in ((node,),) if is_alone else (tuple(equal), (node,)):
        statement = _common_statement(places)
        if statement is not None and not _unknown_at(node, statement, names, uses):
            return Naming(piece, names, places, statement)
    return None


def _common_statement(places: tuple[Node, ...]) -> Node | None:
    """Return the statement of the innermost block around all places that contains the first of them."""
    if not places:
        return None
    last = places[-1]
    statement: Node | None = places[0]
    while statement is not None:
        parent = statement.parent
        if parent is None or parent.type in FUNCTIONS:
            return None
        is_statement = statement.type.endswith(("_statement", "_declaration"))
        if is_statement and parent.type in BLOCKS and last.end_byte <= parent.end_byte:
            return statement
        statement = parent
    return None


def _until_something_happens(node: Node, statement: Node, uses: FileUses) -> tuple[Node, ...]:
    """Return the expression and equal ones after it in its statement, if the statement changes nothing."""
    if any(acts(descendant, uses) for descendant in evaluated(statement)):
        return (node,)
    inside = [
        equal
        for equal in _equal(statement, node, uses)
        if equal.start_byte >= node.start_byte
        and not any(parent.type in FUNCTIONS for parent in _up_to(equal, statement))
    ]
    return tuple(inside) or (node,)


def _equal(around: Node, node: Node, uses: FileUses) -> list[Node]:
    """Return equal expressions around it whose names have the same meaning."""
    nodes, stack = [], [around]
    wanted = _said(node, uses)
    while stack:
        current = stack.pop()
        if current.type == node.type and _said(current, uses) == wanted and not _is_left(current):
            nodes.append(current)
        else:
            stack += reversed(current.named_children)
    return nodes


def _said(node: Node, uses: FileUses) -> tuple[object, ...]:
    """Return the tokens of an expression, with names replaced by their bindings."""
    if not node.child_count:
        use = uses.get(node.id)
        return (node.type, id(use.binding) if use and use.binding else node.text)
    return tuple(part for child in node.children if child.type != "comment" for part in _said(child, uses))


def _is_left(node: Node) -> bool:
    """Whether an equal expression stays: it is no value there, or is called, assigned or deleted."""
    parent = node.parent
    if parent is None or not stands_in(VALUES, parent, node) or (node.type == "string" and is_module_name(parent)):
        return True
    if parent.type == "unary_expression":
        return any(child.type in {"delete", "typeof"} for child in parent.children)
    called = parent.child_by_field_name("function") if parent.type == "call_expression" else None
    is_called = called is not None and called.id == node.id
    return is_called and node.type in {"member_expression", "subscript_expression"}


def _up_to(node: Node, around: Node) -> list[Node]:
    names = []
    for ancestor in ancestors(node):
        if ancestor.id == around.id:
            break
        names.append(ancestor)
    return names
