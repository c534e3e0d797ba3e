"""``inline.variable`` for JavaScript and TypeScript: replace a variable by its value and delete it.

Correct if the value is always the same, or if the only use comes first in the next statement.
"""

from dataclasses import dataclass, replace
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.context_types import PRIMITIVES, is_expected
from spark_lsp.actions.javascript.file_uses import FileUses, file_uses
from spark_lsp.actions.javascript.flow import BLOCKS
from spark_lsp.actions.javascript.narrowing import is_in_condition
from spark_lsp.actions.javascript.order import comes_first
from spark_lsp.actions.javascript.piece import LANGUAGES, TYPED
from spark_lsp.actions.javascript.pitfalls import becomes_directive, binding_problem
from spark_lsp.actions.javascript.purity import Level, acts, bindings_in, evaluated, level_of, makes_something
from spark_lsp.actions.javascript.scopes import FUNCTIONS, Binding, FileScopes, Use, is_within, names_of, text_of
from spark_lsp.actions.javascript.statement_layout import continues, is_closed
from spark_lsp.actions.layout import line_end, line_start
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.syntax import Syntax

_ATOMS: Final = frozenset(
    ("identifier", "string", "number", "true", "false", "null", "undefined", "this", "array", "template_string",
     "parenthesized_expression", "member_expression", "subscript_expression", "call_expression", "regex")
)  # fmt: skip
_ROOMY: Final = frozenset(
    ("arguments", "array", "variable_declarator", "return_statement", "pair", "template_substitution",
     "parenthesized_expression", "jsx_expression", "throw_statement")
)  # fmt: skip
"""Places where any expression except a sequence needs no parentheses."""
_DECLARES: Final = ("{", "function", "class", "async function", "let [")
"""Text that begins a statement if it is the first of a line, where an expression is meant."""
_DECLARATIONS: Final = frozenset(("lexical_declaration", "variable_declaration", "variable_declarator"))
_LEXICAL: Final = frozenset(("const", "let", "class"))
"""Kinds of bindings that may not be read before their declaration."""
_COMPARES: Final = frozenset(("===", "!==", "==", "!="))
_SAYS_TYPE: Final = {"string": "string", "template_string": "string", "number": "number", "true": "boolean",
                     "false": "boolean"}  # fmt: skip
_OWN: Final = frozenset(("this", "super", "await_expression", "yield_expression", "meta_property"))


@dataclass(frozen=True, slots=True, eq=False)
class Inlining:
    """A variable whose value replaces its uses; its ``declarator`` may stand beside others in the ``statement``."""

    syntax: Syntax
    binding: Binding
    value: Node
    declarator: Node
    statement: Node

    @property
    def beside(self) -> tuple[list[Node], list[Node]]:
        """The declarators before and after it in the statement."""
        every = [child for child in self.statement.named_children if child.type == "variable_declarator"]
        at = next(number for number, child in enumerate(every) if child.id == self.declarator.id)
        return every[:at], every[at + 1 :]


def variable_at(syntax: Syntax | None, offset: int) -> str:
    """Return the name under a cursor if it may be a variable; cheap."""
    if syntax is None or syntax.language.name not in LANGUAGES:
        return ""
    for at in (offset, offset - 1):
        if 0 <= at <= len(syntax.text):
            node = syntax.node_at(at)
            is_name = node.kind in {"identifier", "shorthand_property_identifier"}
            if is_name and node.span.contains(offset):
                return node.span.text(syntax.text)
    return ""


def use_at(syntax: Syntax, names: FileScopes, offset: int) -> Use | None:
    """Return the use of a name under a cursor."""
    byte = syntax.bytes_map.to_bytes(offset)
    around = [use for use in names.uses if use.node.start_byte <= byte <= use.node.end_byte]
    return around[0] if around else None


def inlining_of(syntax: Syntax, offset: int) -> Inlining | Refusal:
    """Return how to inline the variable under a cursor, or in one sentence why that cannot be done correctly."""
    names = names_of(syntax.tree.root_node)
    use = use_at(syntax, names, offset)
    binding = use.binding if use is not None else None
    if binding is None:
        return Refusal("selection", "There is no variable of this file here.")
    name = binding.name
    declared = binding.declarations
    declarator = declared[0].node.parent if len(declared) == 1 else None
    is_plain = declarator is not None and declarator.type == "variable_declarator"
    value = declarator.child_by_field_name("value") if declarator is not None and is_plain else None
    statement = declarator.parent if declarator is not None else None
    if declarator is None or value is None or statement is None or binding.kind not in {"const", "let", "var"}:
        return Refusal("selection", f"{name} is not declared with one value.")
    inlining = Inlining(syntax, binding, value, declarator, statement)
    problem = binding_problem(binding, names) or _declaration_problem(inlining) or _use_problem(inlining, names)
    return problem or inlining


def edits_of(inlining: Inlining) -> tuple[Edit, ...]:
    """Return the edits that replace each use by the value and remove the declaration."""
    syntax = inlining.syntax
    content = syntax.wrap(inlining.value).span.text(syntax.text)
    removed = Edit(_removed(inlining), "")
    edits = [
        Edit(syntax.wrap(use.node).span, _written(inlining, use, content))
        for use in inlining.binding.uses
        if use.access != "declare"
    ]
    return (*_separated(inlining, edits), removed)


def _removed(inlining: Inlining) -> Span:
    """Return the span of the declaration: its lines, or the declarator with one comma."""
    syntax = inlining.syntax
    before, after = inlining.beside
    own = syntax.wrap(inlining.declarator).span
    if before:
        return Span(syntax.wrap(before[-1]).span.end, own.end)
    if after:
        return Span(own.start, syntax.wrap(after[0]).span.start)
    return _whole_lines(syntax.text, syntax.wrap(inlining.statement).span)


def _separated(inlining: Inlining, edits: list[Edit]) -> list[Edit]:
    """Insert a semicolon before a statement that would otherwise continue the line above."""
    statements = [
        statement for statement in _statements_from(inlining.statement) if statement.id != inlining.statement.id
    ]
    before = inlining.statement if any(inlining.beside) else inlining.statement.prev_named_sibling
    while before is not None and before.type == "comment":
        before = before.prev_named_sibling
    for statement in statements:
        start = inlining.syntax.wrap(statement).span.start
        first = next((number for number, edit in enumerate(edits) if edit.span.start == start), None)
        opening = edits[first].new_text if first is not None else inlining.syntax.text[start : start + 1]
        if before is not None and continues(opening) and not is_closed(before):
            if first is None:
                edits.append(Edit(Span(start, start), ";"))
            elif not opening.startswith(";"):
                edits[first] = replace(edits[first], new_text=f";{opening}")
        before = statement
    return edits


def _statements_from(statement: Node) -> list[Node]:
    """Return a statement and those after it in its block."""
    statements: list[Node] = []
    current: Node | None = statement
    while current is not None:
        if current.type != "comment":
            statements.append(current)
        current = current.next_named_sibling
    return statements


def _declaration_problem(inlining: Inlining) -> Refusal | None:  # noqa: PLR0911 - a list of reasons
    binding, value, statement = inlining.binding, inlining.value, inlining.statement
    name, is_alone = binding.name, not any(inlining.beside)
    if not binding.is_constant:
        return Refusal("assignment", f"{name} is assigned to more than once.")
    if not is_alone and any(child.type == "comment" for child in statement.named_children):
        return Refusal("placement", f"{name} is declared together with others, and a comment stands between them.")
    if statement.parent is None or statement.parent.type not in BLOCKS:
        return Refusal("owner", f"{name} is exported, or declared in the head of a loop.")
    if statement.has_error:
        return Refusal("unreadable", "The declaration does not parse.")
    annotation = inlining.declarator.child_by_field_name("type")
    if annotation is not None and text_of(annotation).lstrip(": ") != _SAYS_TYPE.get(value.type, ""):
        return Refusal("type", f"The annotated type of {name} would be lost.")
    if is_alone and becomes_directive(statement):
        return Refusal("placement", "The string after the declaration would become a directive.")
    reads = [use for use in binding.uses if use.access != "declare"]
    if not reads:
        return Refusal("paths", f"{name} is never used.")
    if any(is_within(use.node, value) for use in reads):
        return Refusal("scope", f"{name} is used in its own value.")
    if any(use.node.start_byte < inlining.declarator.start_byte for use in reads):
        return Refusal("scope", f"{name} is used before its declaration.")
    return None


def _use_problem(inlining: Inlining, names: FileScopes) -> Refusal | None:
    binding, value = inlining.binding, inlining.value
    name, uses = binding.name, file_uses(names)
    reads = [use for use in binding.uses if use.access != "declare"]
    problem = next((refusal for use in reads if (refusal := _place_problem(inlining, use, uses))), None)
    if problem:
        return problem
    early = _read_too_early(inlining, uses)
    if early:
        return Refusal("scope", f"{name} reads {early} before its declaration, which is an error.")
    level = level_of(value, uses)
    own = any(use.scope.body is not binding.scope.body for use in reads)
    if level == Level.FIXED and not makes_something(value) and binding.kind != "var":
        is_bound = any(node.type in _OWN for node in _every(value))
        return (
            Refusal("scope", f"{name} is used in another function, which has its own this.")
            if own and is_bound
            else None
        )
    nodes = sorted((use.node for use in reads), key=lambda node: node.start_byte)
    following = _first_use(inlining, nodes, level, uses)
    is_acting = following is None or _acts(following, uses)
    if len(nodes) > 1 and (level == Level.EFFECT or makes_something(value) or is_acting):
        return Refusal("identity", f"{name} is used {len(nodes)} times, and its value may not be the same each time.")
    is_next = following is not None and all(is_within(node, following) for node in nodes)
    if own or following is None or not is_next or not comes_first(nodes[0], following, uses, level):
        return Refusal("order", f"Code between the declaration of {name} and its use may have an effect.")
    return None


def _first_use(inlining: Inlining, nodes: list[Node], level: Level, uses: FileUses) -> Node | None:
    """Return the declarator or statement with the first use, if none before it affects a value of that level."""
    needed = {id(binding) for binding in bindings_in(inlining.value, uses)}
    for step in [*inlining.beside[1], *_statements_from(inlining.statement)[1:]]:
        if is_within(nodes[0], step):
            return step
        is_quiet = step.type in _DECLARATIONS and (
            level_of(step, uses) < Level.EFFECT if level < Level.EFFECT else _is_fixed(step, uses)
        )
        if not is_quiet or any(id(binding) in needed for binding in bindings_in(step, uses) if _is_var(binding)):
            return None
        if _sets_any(step, {binding.name for binding in bindings_in(inlining.value, uses)}, uses):
            return None  # a var of a parameter's name, among others
    return None


def _read_too_early(inlining: Inlining, uses: FileUses) -> str:
    """Return a name in the value that is declared further down and is read at once; empty if there is none."""
    for node in evaluated(inlining.value):
        use = uses.get(node.id)
        binding = use.binding if use is not None else None
        if binding is None or binding.kind not in _LEXICAL or binding.scope.body is not inlining.binding.scope.body:
            continue
        if all(declared.node.start_byte > inlining.value.start_byte for declared in binding.declarations):
            return binding.name
    return ""


def _sets_any(step: Node, names: set[str], uses: FileUses) -> bool:
    """Whether a step declares or assigns a name."""
    own = (uses.get(node.id) for node in _every(step))
    return any(use.access != "read" and use.name in names for use in own if use is not None)


def _is_fixed(declaration: Node, uses: FileUses) -> bool:
    """Whether a declaration only gives fixed values to plain names: a pattern may run a getter or an iterator."""
    held = [child for child in (declaration, *declaration.named_children) if child.type == "variable_declarator"]
    names = [child.child_by_field_name("name") for child in held]
    values = [child.child_by_field_name("value") for child in held]
    return all(name is not None and name.type == "identifier" for name in names) and all(
        value is None or level_of(value, uses) == Level.FIXED for value in values
    )


def _is_var(binding: Binding) -> bool:
    return binding.kind == "var"


def _place_problem(  # noqa: PLR0911 - a list of reasons
    inlining: Inlining, use: Use, uses: FileUses
) -> Refusal | None:
    """Return why the value cannot replace a use; None if it can."""
    name, value, parent = inlining.binding.name, inlining.value, use.node.parent
    if parent is None or parent.type.startswith(("jsx_opening", "jsx_closing", "jsx_self")):
        return Refusal("placement", f"{name} is the name of a JSX element.")
    if parent.type in {"export_specifier", "type_query", "nested_type_identifier", "nested_identifier"}:
        return Refusal("type", f"{name} is exported, or used in a type.")
    if _is_called(parent, use.node):
        called = _unwrapped(value)
        if called.type in {"member_expression", "subscript_expression"}:
            return Refusal("placement", f"{name} is called, and as a method it would have another this.")
        if text_of(called) == "eval":
            return Refusal("scope", f"{name} is called, and a direct eval can see the names around it.")
    if parent.type == "unary_expression" and any(child.type == "delete" for child in parent.children):
        return Refusal("placement", f"{name} is deleted.")
    if inlining.syntax.language.name in TYPED:
        problem = _type_problem(inlining, use)
        if problem:
            return problem
    is_maker = value.type in FUNCTIONS or value.type == "class"
    if is_maker and value.child_by_field_name("name") is None and uses.asks_for_names:
        return Refusal("name", f"{name} names its function, and the file reads function names.")
    hidden = _hidden(inlining, use, uses)
    return Refusal("scope", f"{hidden} means something else where {name} is used.") if hidden else None


def _type_problem(inlining: Inlining, use: Use) -> Refusal | None:
    """Return why TypeScript would infer another type for the inlined value; None if it infers the same."""
    value, node, name = inlining.value, use.node, inlining.binding.name
    parent = node.parent
    inner = _unwrapped(value)
    operator = parent.child_by_field_name("operator") if parent is not None else None
    is_compared = operator is not None and operator.type in _COMPARES
    is_chosen = parent is not None and parent.parent is not None and parent.parent.type == "switch_statement"
    if inner.type in PRIMITIVES and (is_compared or is_chosen or parent is None or parent.type == "switch_case"):
        return Refusal("type", f"{name} is compared, and TypeScript would compare the literals.")
    if inner.type in {"object", "array"} and is_expected(node):
        return Refusal("type", f"The type of the value of {name} would depend on its use.")
    is_plain = inner.type in {"identifier", "this", *PRIMITIVES}
    others = [
        other_use for other_use in inlining.binding.uses if other_use.access != "declare" and other_use is not use
    ]
    if others and not is_plain and is_in_condition(node):
        return Refusal("type", f"A condition narrows the type of {name}, which it would not do for its value.")
    return None


def _unwrapped(node: Node) -> Node:
    """Return an expression without parentheses and type syntax."""
    wraps = {"parenthesized_expression", "non_null_expression", "as_expression", "satisfies_expression"}
    while node.type in {*wraps, "type_assertion"} and node.named_children:
        node = node.named_children[-1 if node.type == "type_assertion" else 0]
    return node


def _acts(statement: Node, uses: FileUses) -> bool:
    return any(acts(node, uses) for node in evaluated(statement))


def _hidden(inlining: Inlining, use: Use, uses: FileUses) -> str:
    """Return a name in the value that has another meaning at a use; empty if there is none."""
    value = inlining.value
    for node in _every(value):
        target = uses.get(node.id)
        if target is None or (target.binding is not None and is_within(target.binding.scope.node, value)):
            continue
        there = next((s.names[target.name] for s in use.scope.around() if target.name in s.names), None)
        if there is not target.binding:
            return target.name
    return ""


def _written(inlining: Inlining, use: Use, content: str) -> str:
    """Return the text of the value in place of a use."""
    value, node = inlining.value, use.node
    parent = node.parent
    assert parent is not None, "a name is never the whole file"
    if node.type == "shorthand_property_identifier":
        return f"{use.name}: {f'({content})' if value.type == 'sequence_expression' else content}"
    is_atom = value.type in _ATOMS and not any(child.type in {"optional_chain", "?."} for child in _every(value))
    is_object = parent.type == "member_expression" and value.type == "number"
    constructor = parent.child_by_field_name("constructor") if parent.type == "new_expression" else None
    is_made = constructor is not None and constructor.id == node.id
    calls = any(child.type == "call_expression" for child in _every(value))
    has_in = any(child.type == "in" for child in _every(value))
    is_roomy = parent.type in _ROOMY and value.type != "sequence_expression" and not has_in
    if not (is_roomy or (is_atom and not is_object and not (is_made and calls))):
        content = f"({content})"
    statement = parent
    while statement.parent is not None and statement.start_byte == node.start_byte and statement.type not in BLOCKS:
        if statement.type == "expression_statement":
            return f"({content})" if content.startswith(_DECLARES) else content
        statement = statement.parent
    return content


def _is_called(parent: Node, node: Node) -> bool:
    called = parent.child_by_field_name("function") if parent.type == "call_expression" else None
    return called is not None and called.id == node.id


def _every(node: Node) -> list[Node]:
    nodes, stack = [], [node]
    while stack:
        current = stack.pop()
        nodes.append(current)
        stack += current.children
    return nodes


def _whole_lines(text: str, span: Span) -> Span:
    """Return a statement with its whole lines, if it has them to itself."""
    start, end = line_start(text, span.start), line_end(text, span.end)
    if text[start : span.start].strip() or text[span.end : end].strip(" \t;"):
        return span
    following = text.find("\n", end)
    return Span(start, following + 1) if following >= 0 else Span(start, len(text))
