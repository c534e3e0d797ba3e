"""``extract.function`` for JavaScript and TypeScript: selected statements, or an expression, become a function.

The first choice is a function of the file, or a method, with parameters. If a value cannot be passed correctly, or its
type is not written down, the result is an arrow function before the statement, which sees the same variables.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tree_sitter import Node

from spark_lsp.actions.javascript.context_types import results_of
from spark_lsp.actions.javascript.dataflow import InputsAndOutputs, given, taken
from spark_lsp.actions.javascript.file_uses import every, file_uses, property_of
from spark_lsp.actions.javascript.flow import BLOCKS, Facts, ancestors, ends, facts_of, is_tail
from spark_lsp.actions.javascript.function_types import closure_problem, result_problem
from spark_lsp.actions.javascript.narrowing import narrowed_names, type_problem
from spark_lsp.actions.javascript.piece import TYPED, Piece, analysed, scope_of
from spark_lsp.actions.javascript.pitfalls import (
    constructor_problem,
    function_problem,
    hidden_member,
    order_problem,
    selection_problem,
    takes_this,
)
from spark_lsp.actions.javascript.scopes import CLASSES, HOISTED, Binding, FileScopes, Scope, Use, text_of
from spark_lsp.actions.javascript.statement_layout import continues, indent_at, is_closed, moved, semicolon
from spark_lsp.actions.javascript.types import type_of
from spark_lsp.actions.layout import indent_unit
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit, Span

Form = Literal["function", "method", "arrow"]


_AT_THE_TOP = frozenset(
    ("import_statement", "export_statement", "import_alias", "internal_module", "module", "ambient_declaration")
)


@dataclass(frozen=True, slots=True, eq=False)
class ExtractionPlan:
    """How to extract a piece: its form, its place, its parameters and its results."""

    piece: Piece
    names: FileScopes
    facts: Facts
    form: Form
    anchor: Node
    """The function goes after this node; an arrow function before it."""
    taken: InputsAndOutputs
    types: tuple[str, ...]
    """Type annotations of the parameters, with the colon; empty if none is needed."""
    declared: tuple[Binding, ...]
    leaves: bool
    """Whether the piece ends the function around it."""
    is_static: bool = False


def plan_of(piece: Piece) -> ExtractionPlan | Refusal:
    """Return how to extract a piece, or in one sentence why that cannot be done correctly."""
    names, body = analysed(piece)
    facts = facts_of(piece.nodes)
    out = given(piece, list(_bindings(names.uses)), body)
    is_leaving = facts.returns and (ends(piece.nodes) or is_tail(piece.nodes[-1], body.node))
    problem = out.problem or _general_problem(piece, names, facts, body, leaves=is_leaving, gives=bool(out.declared))
    problem = problem or selection_problem(piece, names) or function_problem(piece, names)
    if not problem and facts.awaits:
        problem = order_problem(body.node, names)
    problem = problem or type_problem(piece, body.node)
    if not problem and piece.syntax.language.name in TYPED:
        problem = constructor_problem(piece, body.node)
        problem = problem or result_problem(piece, body.node, file_uses(names), out.declared, returns=is_leaving)
    if problem:
        return problem
    used = [binding for binding in _bindings(names.uses) if any(piece.holds(use.node) for use in binding.uses)]
    used = [binding for binding in used if not piece.holds(binding.scope.node)]
    outer = _outer_plan(piece, names, facts, body, used, out.declared, leaves=is_leaving)
    if isinstance(outer, ExtractionPlan):
        return outer
    inner = _arrow_plan(piece, names, facts, body, used, out.declared, leaves=is_leaving)
    return inner if isinstance(inner, ExtractionPlan) else Refusal(outer.code, f"{outer.message} {inner.message}")


def edits_of(plan: ExtractionPlan, name: str) -> tuple[Edit, ...]:
    """Return the edits that create the function and call it."""
    piece, syntax = plan.piece, plan.piece.syntax
    newline = "\r\n" if "\r\n" in syntax.text else "\n"
    call = Edit(piece.span, _call(plan, name))
    anchor = syntax.wrap(plan.anchor).span
    if plan.form == "arrow":
        indent = indent_at(syntax, plan.anchor)
        edit = Edit(Span(anchor.start, anchor.start), _definition(plan, name, indent) + "\n" + indent)
        edits = (
            (edit, call) if edit.span.start != call.span.start else (Edit(call.span, edit.new_text + call.new_text),)
        )
    else:
        indent = indent_at(syntax, plan.anchor)
        end = anchor.end + (syntax.text[anchor.end : anchor.end + 1] == ";")
        edits = (call, Edit(Span(end, end), f"\n\n{indent}{_definition(plan, name, indent)}"))
    return tuple(Edit(edit.span, edit.new_text.replace("\r\n", "\n").replace("\n", newline)) for edit in edits)


def _bindings(uses: Iterable[Use]) -> Iterable[Binding]:
    return {id(use.binding): use.binding for use in uses if use.binding is not None}.values()


def _general_problem(  # noqa: PLR0911 - a list of reasons
    piece: Piece, names: FileScopes, facts: Facts, body: Scope, *, leaves: bool, gives: bool
) -> Refusal | None:
    """Return why a piece can never become a function."""
    if any(node.has_error for node in piece.nodes):
        return Refusal("unreadable", "The selection does not parse.")
    if any(ancestor.type == "with_statement" for ancestor in ancestors(piece.nodes[0])) or facts.has_eval:
        return Refusal("scope", "The code uses eval or with, so names may mean anything.")
    if any(descendant.type in _AT_THE_TOP for node in piece.nodes for descendant in every(node)):
        return Refusal("placement", "Imports, exports and namespaces are only allowed at the top level of a file.")
    if facts.jumps_out:
        return Refusal("jump", "A break or continue in the selection jumps out of it.")
    if facts.returns and not leaves:
        return Refusal("jump", "Some paths through the selection return and others continue.")
    if facts.returns and facts.awaits and _is_caught(piece, body) and not _returns_values(piece):
        return Refusal("jump", "The selection returns a promise in a try, which would then wait for it.")
    if facts.returns and gives:
        return Refusal("jump", "The selection returns, and declares names that are used after it.")
    if any(node.type in {"formal_parameters", "decorator"} for node in _up_to(piece.nodes[0], body.node)):
        return Refusal("placement", "A parameter's default value is evaluated before the function's body.")
    if not piece.is_expression and body is names.program and _is_script(names):
        return Refusal("owner", "FileScopes at the top of a script belong to all scripts of the page.")
    lost = [use.name for use in names.uses if use.binding is None and use.name in _block_functions(piece)]
    return Refusal("scope", f"{lost[0]} is declared in a block of the selection and used outside it.") if lost else None


def _outer_plan(  # noqa: PLR0911 - a list of reasons
    piece: Piece, names: FileScopes, facts: Facts, body: Scope, used: Sequence[Binding],
    declared: tuple[Binding, ...], *, leaves: bool,
) -> ExtractionPlan | Refusal:  # fmt: skip
    """Plan a function of the file, or a method if the piece uses ``this``."""
    form: Form = "function"
    home, anchor, is_static = names.program, _top(piece.nodes[-1]), False
    if facts.fixed:
        return Refusal("scope", f"The selection uses {', '.join(sorted(facts.fixed))}.")
    if facts.this or facts.has_private_names:
        method = _method_around(body)
        if method is None or method.parent is None or method.parent.parent is None:
            return Refusal("scope", "The selection uses this, which may not be an instance of the class here.")
        borrowed = _method_problem(method, names)
        if borrowed:
            return borrowed
        form, anchor = "method", method
        is_static = any(child.type == "static" for child in method.children)
        home = names.scopes[method.parent.parent.id]
    if facts.yields and _is_async(body.node):
        return Refusal("jump", "An async generator cannot be split, because the timing of its values would change.")
    if any(node.type == "expression_statement" and _is_directive(node) for node in _first_statements(body)):
        return Refusal("placement", "The function has a directive of its own.")
    into = taken(piece, used, body, home)
    problem = into.problem or _outer_problem(piece, into, declared, leaves=leaves)
    if problem:
        return problem
    types = _parameter_types(piece, names, into, body, form)
    if isinstance(types, Refusal):
        return types
    return ExtractionPlan(piece, names, facts, form, anchor, into, types, declared, leaves, is_static)


def _parameter_types(
    piece: Piece, names: FileScopes, into: InputsAndOutputs, body: Scope, form: Form
) -> tuple[str, ...] | Refusal:
    """Return the annotations of the parameters, none in JavaScript; or why TypeScript would reject the function."""
    if piece.syntax.language.name not in TYPED:
        return ()
    hidden = hidden_member(piece, names) if form == "function" else ""
    if hidden:
        return Refusal("scope", f"{hidden} is private to its class.")
    types = tuple(type_of(binding, names.program, piece) for binding in into.parameters)
    if not all(types) or into.fresh:
        missing = next((b.name for b, t in zip(into.parameters, types, strict=True) if not t), "")
        return Refusal("type", f"The type of {missing or into.fresh[0].name} is not written in the code.")
    narrowed = narrowed_names(body.node, piece)
    name = next((binding.name for binding in into.parameters if binding.name in narrowed), "")
    return Refusal("type", f"The type of {name} may be narrowed at the selection.") if name else types


def _outer_problem(
    piece: Piece, into: InputsAndOutputs, declared: tuple[Binding, ...], *, leaves: bool
) -> Refusal | None:
    if into.changed and piece.is_expression:
        return Refusal("changed", f"The expression changes {into.changed[0].name}.")
    if into.changed and leaves:
        return Refusal("jump", f"The selection returns, and changes {into.changed[0].name}.")
    is_typed = piece.syntax.language.name in TYPED
    kept = any(use.scope.body is not binding.scope.body for binding in declared for use in binding.uses)
    if into.changed and declared and (is_typed or kept or any(binding.kind == "var" for binding in declared)):
        return Refusal("changed", f"The selection changes {into.changed[0].name} and declares {declared[0].name}.")
    return _mixed(declared)


def _arrow_plan(
    piece: Piece, names: FileScopes, facts: Facts, body: Scope, used: Sequence[Binding],
    declared: tuple[Binding, ...], *, leaves: bool,
) -> ExtractionPlan | Refusal:  # fmt: skip
    """Plan an arrow function before the statement, which sees every variable that the piece saw."""
    if facts.yields:
        return Refusal("jump", "A yield cannot stand in an arrow function.")
    anchor = next(
        (
            node
            for node in (piece.nodes[0], *ancestors(piece.nodes[0]))
            if node.parent
            and node.parent.type in BLOCKS
            and node.type.endswith(("statement", "declaration", "comment"))
        ),
        None,
    )
    if anchor is None or anchor.type == "import_statement":
        return Refusal("placement", "There is no place for an arrow function before the statement.")
    place = scope_of(names, anchor)
    reachable = set(map(id, place.around()))
    if place.body is not body:
        return Refusal("placement", "Its function has no statement before which an arrow function could be declared.")
    hidden = [binding.name for binding in used if id(binding.scope) not in reachable]
    if hidden:
        return Refusal("scope", f"{hidden[0]} is not available before the statement.")
    if not piece.is_expression and anchor.id != piece.nodes[0].id and declared:
        return Refusal("scope", f"{declared[0].name} is declared here and used outside.")
    problem = closure_problem(piece, used) if piece.syntax.language.name in TYPED else None
    return (
        problem
        or _mixed(declared)
        or ExtractionPlan(piece, names, facts, "arrow", anchor, InputsAndOutputs(), (), declared, leaves)
    )


def _mixed(declared: tuple[Binding, ...]) -> Refusal | None:
    kinds = {binding.kind for binding in declared}
    return Refusal("placement", "The selection declares names with var and with let that are used after it.") if (
        "var" in kinds and len(kinds) > 1
    ) else None  # fmt: skip


def _call(plan: ExtractionPlan, name: str) -> str:  # noqa: PLR0911 - one for each thing a piece can give
    """Return the text that replaces the piece."""
    called = f"this.{name}" if plan.form == "method" else name
    call = f"{called}({', '.join(binding.name for binding in plan.taken.parameters)})"
    if plan.facts.awaits:
        call = f"await {call}"
    elif plan.facts.yields:
        call = f"yield* {call}"
    if plan.piece.is_expression:
        return f"({call})" if call.startswith(("await", "yield")) else call
    end = semicolon(plan.piece.syntax, plan.piece.span.end)
    if plan.leaves:
        return f"return {call}{end}"
    if plan.declared and plan.taken.changed:
        both = (*plan.taken.changed, *plan.declared)
        early = f"let {', '.join(binding.name for binding in plan.declared)};"
        early += f"\n{indent_at(plan.piece.syntax, plan.piece.nodes[0])}"
        return f"{early}({_together(both, '{ ', ' }')} = {call}){end}"
    if plan.declared:
        kinds = {binding.kind for binding in plan.declared}
        kind = "const" if kinds == {"const"} else "var" if kinds == {"var"} else "let"
        target = _together(plan.declared, "{ ", " }")
        typed = _annotation(plan) if len(plan.declared) == 1 else ""
        return f"{kind} {target}{typed} = {call}{end}"
    if len(plan.taken.changed) == 1:
        return f"{plan.taken.changed[0].name} = {call}{end}"
    if plan.taken.changed:
        opening = "" if _is_apart(plan.piece.nodes[0]) else ";"
        return f"{opening}({_together(plan.taken.changed, '{ ', ' }')} = {call}){end}"
    return f"{call}{end}"


def _annotation(plan: ExtractionPlan) -> str:
    """Return the written type of the single declared name, with its colon."""
    declarator = plan.declared[0].declarations[0].node.parent
    annotation = declarator.child_by_field_name("type") if declarator is not None else None
    return annotation.text.decode("utf-8", "replace") if annotation is not None and annotation.text else ""


def _definition(plan: ExtractionPlan, name: str, indent: str) -> str:
    """Return the function, its first line without indentation."""
    piece, facts = plan.piece, plan.facts
    syntax = piece.syntax
    inner = indent + indent_unit(syntax.text, syntax.language.name)
    end = semicolon(syntax, len(syntax.text))
    given_names = ", ".join(
        binding.name + kind
        for binding, kind in zip(plan.taken.parameters, plan.types or ("",) * len(plan.taken.parameters), strict=True)
    )
    star = "*" if facts.yields else ""
    wait = "async " if facts.awaits else ""
    if plan.form == "arrow":
        head = f"const {name} = {wait}({given_names}) => {{"
    elif plan.form == "method":
        private = "private " if syntax.language.name in TYPED else ""
        head = f"{private}{'static ' if plan.is_static else ''}{wait}{star}{name}({given_names}) {{"
    else:
        head = f"{wait}function{star} {name}({given_names}) {{"
    lines = [f"{inner}let {', '.join(binding.name for binding in plan.taken.fresh)};"] if plan.taken.fresh else []
    lines += [_body(plan, inner, end)]
    back = (*plan.taken.changed, *plan.declared)
    if back:
        lines.append(f"{inner}return {_together(back, '{ ', ' }')}{end}")
    follows = syntax.text[syntax.wrap(plan.anchor).span.start :][:2]
    is_open = plan.form == "arrow" and plan.anchor.id != piece.nodes[0].id and continues(follows)
    return "\n".join([head, *lines, f"{indent}}}" + ((end or ";" * is_open) if plan.form == "arrow" else "")])


def _body(plan: ExtractionPlan, indent: str, end: str) -> str:
    text = moved(plan.piece, indent)
    if not plan.piece.is_expression:
        # A line end is no statement end if the next line could continue the statement, and this text is moved.
        is_open = plan.piece.nodes[-1].type.endswith(("expression_statement", "_declaration")) and not text.endswith(
            (";", "}")
        )
        return text + (end if is_open else "")
    content = text[len(indent) :]
    return f"{indent}return ({content}){end}" if "\n" in content else f"{indent}return {content}{end}"


def _together(bindings: Sequence[Binding], opening: str, closing: str) -> str:
    names = ", ".join(binding.name for binding in bindings)
    return names if len(bindings) == 1 else f"{opening}{names}{closing}"


def _up_to(node: Node, body: Node) -> Iterable[Node]:
    for ancestor in ancestors(node):
        if ancestor.id == body.id:
            return
        yield ancestor


def _top(node: Node) -> Node:
    """Return the top-level statement that a node belongs to."""
    for parent in ancestors(node):
        if parent.parent is None:
            return node
        node = parent
    return node


def _method_around(body: Scope) -> Node | None:
    """Return the method whose ``this`` a piece sees, through arrow functions; None if it is not an instance method."""
    for scope in body.around():
        if scope.body is not scope or scope.node.type == "arrow_function":
            continue
        node, parent = scope.node, scope.node.parent
        if node.type != "method_definition" or parent is None or parent.type != "class_body" or parent.parent is None:
            return None
        own = node.child_by_field_name("name")
        is_derived = any(child.type == "class_heritage" for child in parent.parent.children)
        if takes_this(node) or (own is not None and own.text == b"constructor" and is_derived):
            return None
        return node if parent.parent.type in CLASSES else None
    return None


def _is_apart(statement: Node) -> bool:
    """Whether nothing before a statement could continue with it, so that it may begin with a parenthesis."""
    before = statement.prev_named_sibling
    while before is not None and before.type == "comment":
        before = before.prev_named_sibling
    is_first = before is None or (statement.parent is not None and before.parent is None)
    return is_first or before is None or is_closed(before)


def _is_caught(piece: Piece, body: Scope) -> bool:
    """Whether a piece is within a ``try`` of the same function."""
    return any(node.type == "try_statement" for node in _up_to(piece.nodes[0], body.node))


def _returns_values(piece: Piece) -> bool:
    """Whether the piece's return values are certainly no promises, or are awaited."""
    plain = {"await_expression", "string", "number", "true", "false", "null", "template_string", "object", "array"}
    results = [result for node in piece.nodes for result in results_of(node)]
    return all(result.type in plain for result in results)


def _method_problem(method: Node, names: FileScopes) -> Refusal | None:
    """Return why a new method of this class may be missing when the method around runs; None if it is there."""
    own = method.child_by_field_name("name")
    holder = method.parent.parent if method.parent is not None else None
    if own is None or holder is None:
        return Refusal("scope", "The method has no name.")
    name = text_of(own).strip("\"'")
    heritage = [text_of(child) for node in holder.children if node.type == "class_heritage" for child in every(node)]
    known = {key for key, binding in names.program.names.items() if binding.kind == "class"}
    if heritage and not known & set(heritage):
        return Refusal("owner", "The class may inherit a method of the same name.")
    if any(child.type in {"get", "set"} for child in method.children):
        return None
    if any(_borrows(node, name) for node in every(names.program.node)):
        return Refusal("owner", f"{name} may be called on an object that has no other method of the class.")
    return None


def _borrows(node: Node, name: str) -> bool:
    """Whether a node takes a method without calling it, or copies all methods of a class."""
    if node.type == "shorthand_property_identifier_pattern":
        return text_of(node) == name
    if node.type == "pair_pattern":
        key = node.child_by_field_name("key")
        return key is not None and text_of(key) == name
    if node.type not in {"member_expression", "subscript_expression"}:
        return False
    parent = node.parent
    called = parent.child_by_field_name("function") if parent is not None and parent.type == "call_expression" else None
    if property_of(node) == "prototype":
        return parent is None or parent.type not in {"member_expression", "subscript_expression"}
    return property_of(node) == name and (called is None or called.id != node.id)


def _is_async(function: Node) -> bool:
    return any(child.type == "async" for child in function.children)


def _first_statements(body: Scope) -> Sequence[Node]:
    block = body.node.child_by_field_name("body")
    return block.named_children[:1] if block is not None else ()


def _is_directive(statement: Node) -> bool:
    only = statement.named_children
    return len(only) == 1 and only[0].type == "string"


def _is_script(names: FileScopes) -> bool:
    """Whether a file shares its top-level names with other files: it neither imports nor exports."""
    words = {child.type for child in names.program.node.named_children}
    is_common = any(use.name in {"require", "module", "exports"} and use.binding is None for use in names.uses)
    return not is_common and not words & {"import_statement", "export_statement"}


def _block_functions(piece: Piece) -> set[str]:
    """Return the functions in inner blocks, which sloppy scripts hoist out of them."""
    names: set[str] = set()
    stack = list(piece.nodes)
    while stack:
        node = stack.pop()
        own = node.child_by_field_name("name") if node.type in HOISTED else None
        if own is not None and own.text is not None:
            names.add(own.text.decode("utf-8", "replace"))
        stack += node.named_children
    return names
