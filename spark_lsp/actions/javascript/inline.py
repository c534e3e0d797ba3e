"""``inline.variable`` for JavaScript and TypeScript: a variable's value takes its place, and the variable goes.

Right where the value is always the same, or where the one use comes first in the very next statement.
"""

from dataclasses import dataclass
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.flow import BLOCKS
from spark_lsp.actions.javascript.layout import semicolon
from spark_lsp.actions.javascript.order import comes_first
from spark_lsp.actions.javascript.piece import LANGUAGES
from spark_lsp.actions.javascript.purity import EFFECTS, Level, evaluated, level_of, makes_something, uses_by_node
from spark_lsp.actions.javascript.scopes import Binding, Names, Use, names_of, text_of
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
"""Where any expression but a sequence can stand without parentheses."""
_SAYS_TYPE: Final = {"string": "string", "template_string": "string", "number": "number", "true": "boolean",
                     "false": "boolean"}  # fmt: skip
_OWN: Final = frozenset(("this", "super", "await_expression", "yield_expression", "meta_property"))


@dataclass(frozen=True, slots=True, eq=False)
class Inlining:
    """A variable whose value takes the place of its uses."""

    syntax: Syntax
    binding: Binding
    value: Node
    statement: Node


def variable_at(syntax: Syntax | None, offset: int) -> str:
    """Return the name under a cursor if it can be a variable; cheap."""
    if syntax is None or syntax.language.name not in LANGUAGES:
        return ""
    for at in (offset, offset - 1):
        if 0 <= at <= len(syntax.text):
            node = syntax.node_at(at)
            is_name = node.kind in {"identifier", "shorthand_property_identifier"}
            if is_name and node.span.contains(offset):
                return node.span.text(syntax.text)
    return ""


def use_at(syntax: Syntax, names: Names, offset: int) -> Use | None:
    """Return the use of a name under a cursor."""
    byte = syntax.bytes_map.to_bytes(offset)
    around = [use for use in names.uses if use.node.start_byte <= byte <= use.node.end_byte]
    return around[0] if around else None


def inlining_of(syntax: Syntax, offset: int) -> Inlining | Refusal:
    """Return how the variable under a cursor can be inlined, or in one sentence why it cannot be done right."""
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
    found = Inlining(syntax, binding, value, statement)
    problem = _declaration_problem(found, declarator) or _use_problem(found, names)
    return problem or found


def edits_of(inlining: Inlining) -> tuple[Edit, ...]:
    """Return the edits that put the value in place of each use and remove the declaration."""
    syntax, value = inlining.syntax, inlining.value
    text = syntax.text
    said = syntax.wrap(value).span.text(text)
    edits = [
        Edit(syntax.wrap(use.node).span, _written(inlining, use, said))
        for use in inlining.binding.uses
        if use.access != "declare"
    ]
    return (*edits, Edit(_whole_lines(text, syntax.wrap(inlining.statement).span), ""))


def _declaration_problem(inlining: Inlining, declarator: Node) -> Refusal | None:  # noqa: PLR0911 - a list of reasons
    binding, value, statement = inlining.binding, inlining.value, inlining.statement
    name = binding.name
    if not binding.is_constant:
        return Refusal("assignment", f"{name} is assigned to more than once.")
    if len([child for child in statement.named_children if child.type == "variable_declarator"]) > 1:
        return Refusal("assignment", f"{name} is declared together with others.")
    if statement.parent is None or statement.parent.type not in BLOCKS:
        return Refusal("owner", f"{name} is exported, or declared in the head of a loop.")
    if statement.has_error:
        return Refusal("unreadable", "The declaration does not parse.")
    told = declarator.child_by_field_name("type")
    if told is not None and text_of(told).lstrip(": ") != _SAYS_TYPE.get(value.type, ""):
        return Refusal("type", f"The type that {name} is given would be lost.")
    reads = [use for use in binding.uses if use.access != "declare"]
    if not reads:
        return Refusal("paths", f"{name} is never used.")
    if any(_is_within(use.node, value) for use in reads):
        return Refusal("scope", f"{name} is used in its own value.")
    if any(use.node.start_byte < statement.start_byte for use in reads):
        return Refusal("scope", f"{name} is named before its declaration.")
    return None


def _use_problem(inlining: Inlining, names: Names) -> Refusal | None:
    binding, value = inlining.binding, inlining.value
    name, uses = binding.name, uses_by_node(names)
    reads = [use for use in binding.uses if use.access != "declare"]
    problem = next((told for use in reads if (told := _place_problem(inlining, use, uses))), None)
    if problem:
        return problem
    level = level_of(value, uses)
    own = any(use.scope.body is not binding.scope.body for use in reads)
    if level == Level.FIXED and not makes_something(value) and binding.kind != "var":
        is_bound = any(node.type in _OWN for node in _every(value))
        return (
            Refusal("scope", f"{name} is used in another function, which has its own this.")
            if own and is_bound
            else None
        )
    following = inlining.statement.next_named_sibling
    while following is not None and following.type == "comment":
        following = following.next_named_sibling
    nodes = sorted((use.node for use in reads), key=lambda node: node.start_byte)
    if len(nodes) > 1 and (level == Level.EFFECT or makes_something(value) or following is None or _acts(following)):
        return Refusal("identity", f"{name} is used {len(nodes)} times, and its value may not be the same each time.")
    is_next = following is not None and all(_is_within(node, following) for node in nodes)
    if own or following is None or not is_next or not comes_first(nodes[0], following, uses, level):
        return Refusal("order", f"Something may happen between the declaration of {name} and its use.")
    return None


def _place_problem(inlining: Inlining, use: Use, uses: dict[int, Use]) -> Refusal | None:
    """Return why the value cannot stand in the place of one use; None when it can."""
    name, value, parent = inlining.binding.name, inlining.value, use.node.parent
    if parent is None or parent.type.startswith(("jsx_opening", "jsx_closing", "jsx_self")):
        return Refusal("placement", f"{name} names an element.")
    if parent.type in {"export_specifier", "type_query", "nested_type_identifier", "nested_identifier"}:
        return Refusal("type", f"{name} is exported, or used in a type.")
    if value.type in {"member_expression", "subscript_expression"} and _is_called(parent, use.node):
        return Refusal("placement", f"{name} is called, and as a method it would be called on another object.")
    if parent.type == "unary_expression" and any(child.type == "delete" for child in parent.children):
        return Refusal("placement", f"{name} is deleted.")
    hidden = _hidden(inlining, use, uses)
    return Refusal("scope", f"{hidden} means something else where {name} is used.") if hidden else None


def _acts(statement: Node) -> bool:
    return any(each.type in EFFECTS for each in evaluated(statement))


def _hidden(inlining: Inlining, use: Use, uses: dict[int, Use]) -> str:
    """Return a name of the value that means something else at a use; empty when there is none."""
    value = inlining.value
    for node in _every(value):
        found = uses.get(node.id)
        if found is None or (found.binding is not None and _is_within(found.binding.scope.node, value)):
            continue
        there = next((s.names[found.name] for s in use.scope.around() if found.name in s.names), None)
        if there is not found.binding:
            return found.name
    return ""


def _written(inlining: Inlining, use: Use, said: str) -> str:
    """Return the value as it must be written in the place of a use."""
    value, node = inlining.value, use.node
    parent = node.parent
    assert parent is not None, "a name is never the whole file"
    if node.type == "shorthand_property_identifier":
        return f"{use.name}: {f'({said})' if value.type == 'sequence_expression' else said}"
    is_atom = value.type in _ATOMS and not any(child.type in {"optional_chain", "?."} for child in _every(value))
    is_object = parent.type == "member_expression" and value.type == "number"
    constructor = parent.child_by_field_name("constructor") if parent.type == "new_expression" else None
    is_made = constructor is not None and constructor.id == node.id
    calls = any(child.type == "call_expression" for child in _every(value))
    is_roomy = parent.type in _ROOMY and value.type != "sequence_expression"
    if not (is_roomy or (is_atom and not is_object and not (is_made and calls))):
        said = f"({said})"
    statement = parent
    while statement.parent is not None and statement.start_byte == node.start_byte and statement.type not in BLOCKS:
        if statement.type == "expression_statement":
            is_open = said[:1] in "([`/+-" and not semicolon(inlining.syntax, len(inlining.syntax.text))
            return f";{said}" if is_open else said
        statement = statement.parent
    return said


def _is_called(parent: Node, node: Node) -> bool:
    called = parent.child_by_field_name("function") if parent.type == "call_expression" else None
    return called is not None and called.id == node.id


def _is_within(node: Node, around: Node) -> bool:
    return around.start_byte <= node.start_byte and node.end_byte <= around.end_byte


def _every(node: Node) -> list[Node]:
    found, stack = [], [node]
    while stack:
        each = stack.pop()
        found.append(each)
        stack += each.children
    return found


def _whole_lines(text: str, span: Span) -> Span:
    """Return a statement with its line and line end, where it has them for itself."""
    start, end = line_start(text, span.start), line_end(text, span.end)
    if text[start : span.start].strip() or text[span.end : end].strip(" \t;"):
        return span
    following = text.find("\n", end)
    return Span(start, following + 1) if following >= 0 else Span(start, len(text))
