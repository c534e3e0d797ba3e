"""``extract.variable`` for Go, Rust, Java, C and C++: declare a variable for the selected expression.

Applies only if the statement always evaluates the expression, once and first, and if a name changes neither its type
nor what it refers to.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.base import Needs, Proposal, Target, Tools, refused
from spark_lsp.actions.compiled.ctypes_of import type_of
from spark_lsp.actions.compiled.file_effects import (
    asks_for_lines,
    drops_later,
    is_in_macro,
    names_bit_field,
    own_operators,
    takes_temporaries,
)
from spark_lsp.actions.compiled.nodes import every, is_field, root_of, text_of
from spark_lsp.actions.compiled.rules import ALL, RULES, GrammarRules
from spark_lsp.actions.layout import indent_of, newline_of, starts_line
from spark_lsp.actions.naming import NameCase, UnnamedEdit, free_name, named, plain_name, words_of
from spark_lsp.actions.refusal import Refusal
from spark_lsp.errors import Reason
from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.syntax import Syntax

_SHORT: Final = frozenset(("&&", "||"))
_STREAMS: Final = frozenset(("<<", ">>"))
_CALLS: Final = frozenset(("call_expression", "method_invocation", "object_creation_expression", "macro_invocation"))
_OWNED: Final = re.compile(r"(?:to_|into_|is_)\w*|clone|len|count|sum|collect|abs|min|max|pow|chars")
_GUARDS: Final = re.compile(r"\.(?:lock|borrow|borrow_mut|read|write|try_lock|get_mut|as_mut|entry)\s*\(")
_PARTS: Final = frozenset(("selector_expression", "field_expression", "index_expression", "slice_expression"))
_HEADS: Final = frozenset(
    ("if_statement", "switch_statement", "for_range_loop", "declaration", "conditional_expression")
)
"""Parts of statement heads that every language evaluates before the other parts."""
_FUNCTIONS: Final = frozenset(
    ("function_declaration", "method_declaration", "constructor_declaration", "function_item", "function_definition")
)
_CLOSURES: Final = frozenset(("func_literal", "closure_expression", "lambda_expression", "reference_declarator"))
_DECLARES: Final = frozenset(
    ("variable_declarator", "init_declarator", "parameter_declaration", "formal_parameter", "let_declaration",
     "parameter", "short_var_declaration", "var_spec", "declaration")
)  # fmt: skip
_MADE: Final = frozenset(("func_literal", "closure_expression"))
"""Nodes of functions, which are only created where they are."""
_OPERATORS: Final = frozenset(
    ("binary_expression", "unary_expression", "subscript_expression", "index_expression", "pointer_expression",
     "field_expression", "cast_expression")
)  # fmt: skip
_JOINS: Final = frozenset(("binary_expression", "unary_expression", "parenthesized_expression", "ternary_expression"))
_MANY: Final = frozenset(("index_expression", "type_assertion_expression", "unary_expression"))
"""Go expressions that give two values where two are expected."""
_CASES: Final[dict[str, NameCase]] = {"go": "camel", "java": "camel", "rust": "snake", "c": "snake", "cpp": "snake"}


@dataclass(frozen=True, slots=True, eq=False)
class ExtractedExpression:
    """An expression, its statement, and the text of the declaration, with ``{name}`` for the name."""

    node: Node
    span: Span
    statement: Span
    head: str
    tail: str


class ExtractVariable:
    """The action."""

    id = "extract.variable"
    kind = "refactor.extract.variable"
    needs: Needs = "fim"

    def applies(self, target: Target) -> str:
        """Offer the action for a selected expression within a statement."""
        return "Extract variable" if expression_at(target.syntax, target.span) is not None else ""

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Check the place, choose a name, and compute the declaration."""
        syntax, node = target.syntax, expression_at(target.syntax, target.span)
        if syntax is None or node is None:
            return Proposal(self.id, (), Reason.EMPTY, "Select one expression.")
        place = await asyncio.to_thread(place_of, syntax, node)
        if isinstance(place, Refusal):
            return refused(self.id, place)
        text, case = target.snapshot.text, _CASES[syntax.language.name]
        taken = words_of(text)
        plain = free_name(plain_name(place.span.text(text), case, "value"), taken)
        name, usage = await named(
            target, tools, UnnamedEdit(edits_of(syntax, place, plain), plain, place.head), case, taken
        )
        return Proposal(self.id, edits_of(syntax, place, name), usage=usage)


def edits_of(syntax: Syntax, place: ExtractedExpression, name: str) -> tuple[Edit, ...]:
    """Return the edits that declare the name and use it."""
    text = syntax.text
    indent = indent_of(text, place.statement.start)
    declaration = f"{place.head}{name}{place.tail}{newline_of(text)}{indent}"
    if place.span.start == place.statement.start:
        return (Edit(place.span, declaration + name),)
    return Edit(Span(place.statement.start, place.statement.start), declaration), Edit(place.span, name)


def place_of(syntax: Syntax, node: Node) -> ExtractedExpression | Refusal:  # noqa: PLR0911 - a list of reasons
    """Return where to declare a name for an expression, or in one sentence why that cannot be done correctly."""
    language = syntax.language.name
    rules = RULES[language]
    statement = _statement(node, rules)
    if isinstance(statement, Refusal):
        return statement
    if node.has_error or statement.has_error:
        return Refusal("unreadable", "The statement does not parse.")
    if not starts_line(syntax.text, syntax.wrap(statement).span.start):
        return Refusal("placement", "The statement does not begin its line.")
    value = syntax.wrap(node).span.text(syntax.text)
    names = {text_of(descendant) for descendant in every(node) if descendant.type == "identifier"}
    if names & _declared(statement, node.start_byte):
        return Refusal("scope", "The expression uses a name that its own statement declares.")
    problem = _general_problem(node, rules) or _PROBLEMS[language](node, statement, rules, value)
    if problem:
        return problem
    head, tail = _declaration(language, node, rules)
    if not tail:
        return Refusal("type", "The type of the expression is not written in this file.")
    is_plain = node.type == "parenthesized_expression" and node.named_children[0].type != "comma_expression"
    bare = value[1:-1].strip() if is_plain else value
    return ExtractedExpression(
        node, syntax.wrap(node).span, syntax.wrap(statement).span, head, tail.replace("{value}", bare)
    )


def expression_at(syntax: Syntax | None, span: Span) -> Node | None:
    """Return the expression that a selection covers exactly."""
    rules = RULES.get(syntax.language.name) if syntax is not None else None
    chosen = span.text(syntax.text) if syntax is not None else ""
    if syntax is None or rules is None or not chosen.strip():
        return None
    start = syntax.bytes_map.to_bytes(span.start + len(chosen) - len(chosen.lstrip()))
    end = syntax.bytes_map.to_bytes(span.start + len(chosen.rstrip()))
    node: Node | None = syntax.tree.root_node.descendant_for_byte_range(start, max(start, end - 1))
    statement = None
    while node is not None and node.start_byte >= start and node.end_byte <= end:
        is_head = node.type == "parenthesized_expression" and node.parent is not None and _brings_brackets(node.parent)
        if node.start_byte == start and node.end_byte == end and node.type in rules.expressions and not is_head:
            statement = node
        node = node.parent
    return statement if statement is not None and isinstance(_statement(statement, rules), Node) else None


def _brings_brackets(parent: Node) -> bool:
    """Whether the parentheses of a condition belong to the statement."""
    plain = {"return_statement", "expression_statement", "throw_statement"}
    return parent.type == "switch_expression" or (parent.type.endswith("_statement") and parent.type not in plain)


def _statement(node: Node, rules: GrammarRules) -> Node | Refusal:
    """Return the block's statement that contains an expression, if the statement always evaluates it exactly once."""
    current = node
    while current.parent is not None:
        parent = current.parent
        if parent.type in rules.blocks:
            return current if current.id != node.id else Refusal("placement", "The selection is a whole statement.")
        fields = rules.through.get(parent.type)
        is_short = parent.type == "binary_expression" and _operator(parent) in _SHORT
        if fields is None or not (ALL in fields or any(is_field(parent, field, current) for field in fields)):
            return Refusal("paths", "The statement may not evaluate the expression exactly once.")
        is_length = parent.type == "array_expression" and is_field(parent, "length", current)
        if is_length or (is_short and not is_field(parent, "left", current)):
            return Refusal("paths", "The statement may not evaluate the expression exactly once.")
        if _declares_first(parent) or any(
            _may_differ(node, earlier, rules) for earlier in _others(parent, current, rules)
        ):
            return Refusal("order", "The statement evaluates something else before the expression.")
        current = parent
    return Refusal("placement", "There is no statement before which the expression could be evaluated.")


def _general_problem(node: Node, rules: GrammarRules) -> Refusal | None:  # noqa: PLR0911 - a list of reasons
    """Return the problem that exists in every language: an expression that names a place instead of a value."""
    parent = node.parent
    if parent is None:
        return Refusal("selection", "There is nothing to name.")
    if parent.type == "expression_statement":
        return Refusal("placement", "The selection is a whole statement.")
    fields = ("function", "left", "name", "type", "macro", "constructor", "declarator", "field")
    if any(is_field(parent, field, node) for field in fields) and parent.type != "binary_expression":
        return Refusal("placement", "The selection is not a complete value.")
    is_address = parent.type in {"pointer_expression", "unary_expression", "reference_expression"} and any(
        child.type in {"&", "&mut", "mutable_specifier"} for child in parent.children
    )
    if is_address and node.type not in _CALLS:
        return Refusal("identity", "The address of the expression is taken, and a variable has another address.")
    if node.type in {"update_expression", "assignment_expression"}:
        return Refusal("changed", "The expression changes something.")
    part = (
        parent.type
        in {"selector_expression", "field_expression", "index_expression", "slice_expression"} | rules.places
    )
    if part and node.type in rules.places and not is_field(parent, "index", node):
        return Refusal("identity", "A part of the value is used, and a variable may be a copy of it.")
    return None


def _go_problem(node: Node, _statement: Node, rules: GrammarRules, value: str) -> Refusal | None:
    parent = node.parent
    if parent is None:
        return None
    only = len(parent.named_children) == 1
    alone = node.type == "call_expression" and (
        (parent.type == "argument_list" and only)
        or (parent.type == "expression_list" and only)
    )  # fmt: skip
    if alone:
        return Refusal("type", "The call may return more than one value.")
    if only and node.type in _MANY and parent.type == "expression_list" and _wants_more(parent):
        return Refusal("type", "The expression has two values here.")
    if _operator(node) in {"<<", ">>"} or value == "nil":
        return Refusal("type", "The type of the expression depends on its surroundings.")
    is_constant = _is_constant(node, rules)
    names = any(descendant.type == "identifier" for descendant in every(node))
    return Refusal("type", "The type of the expression depends on its surroundings.") if is_constant and names else None


def _wants_more(values: Node) -> bool:
    """Whether one expression gives the values of several names."""
    holder = values.parent
    left = holder.child_by_field_name("left") if holder is not None else None
    names = len(left.named_children) if left is not None else 0
    return names > 1 or (holder is not None and len(holder.children_by_field_name("name")) > 1)


def _rust_problem(  # noqa: PLR0911 - a list of reasons
    node: Node, statement: Node, rules: GrammarRules, value: str
) -> Refusal | None:
    parent = node.parent
    if parent is None:
        return None
    if any(child.type == "mutable_specifier" for child in node.children):
        return Refusal("identity", "The expression is a mutable borrow, beside which nothing else may be read.")
    if drops_later(node):
        return Refusal("identity", "The value would live until the end of the block, and the file has a destructor.")
    if _GUARDS.search(value):
        return Refusal("identity", "The value may hold a lock or a borrow until the end of the block.")
    if node.type in rules.places and parent.type not in {"arguments", "let_declaration", "field_initializer"}:
        return Refusal("identity", "The expression is a place, and a variable may move its value.")
    called = node.child_by_field_name("function")
    receiver = called.child_by_field_name("value") if called is not None and called.type == "field_expression" else None
    method = called.child_by_field_name("field") if called is not None and receiver is not None else None
    lends = method is None or not _OWNED.fullmatch(text_of(method))
    if receiver is not None and any(descendant.type in _CALLS for descendant in every(receiver)) and lends:
        return Refusal("identity", "The expression may borrow from a temporary value of this statement.")
    if node.type in rules.literals and parent.type != "arguments":
        return Refusal("type", "The type of the expression depends on its surroundings.")
    if any(descendant.type in {"match_pattern", "closure_expression"} for descendant in every(node)):
        return Refusal("type", "The type of the expression depends on its surroundings.")
    return (
        Refusal("scope", "The condition also binds names.")
        if any(child.type == "let_condition" for child in statement.children)
        else None
    )


def _java_problem(node: Node, statement: Node, rules: GrammarRules, value: str) -> Refusal | None:
    parent = node.parent
    if statement.type == "explicit_constructor_invocation":
        return Refusal("placement", "No statement may precede a call of this() or super().")
    if any(part.type == "instanceof_expression" and _binds(part) for part in every(node)):
        return Refusal("scope", "The condition also binds names.")
    if "<>" in value:
        return Refusal("type", "The type of the expression depends on its surroundings.")
    takes_type = parent is not None and parent.type in {
        "variable_declarator",
        "assignment_expression",
        "return_statement",
    }
    if (takes_type and _is_constant(node, rules)) or _is_in_constant(node, rules):
        return Refusal("type", "A constant fits into a smaller type, and a variable does not.")
    is_generic = any(
        descendant.type == "method_invocation" and _takes_nothing(descendant) for descendant in every(node)
    )
    if is_generic and (takes_type or (parent is not None and parent.type == "argument_list")):
        return Refusal("type", "The type of the expression may depend on its surroundings.")
    return None


def _binds(check: Node) -> bool:
    return check.child_by_field_name("name") is not None or check.child_by_field_name("pattern") is not None


def _is_in_constant(node: Node, rules: GrammarRules) -> bool:
    """Whether an expression is part of one that may be a constant, which Java narrows to a smaller type."""
    whole = node
    while whole.parent is not None and whole.parent.type in _JOINS:
        whole = whole.parent
    holder = whole.parent
    if whole.id == node.id or holder is None or not _is_constant(whole, rules, names=True):
        return False
    declared = holder.parent.child_by_field_name("type") if holder.parent is not None else None
    if holder.type == "variable_declarator":
        return declared is None or text_of(declared) not in {"int", "long", "double", "float", "boolean", "String"}
    return holder.type in {"assignment_expression", "return_statement", "array_initializer"}


def _c_problem(node: Node, statement: Node, _rules: GrammarRules, value: str) -> Refusal | None:
    declarator = node.parent.child_by_field_name("declarator") if node.parent is not None else None
    if declarator is not None and declarator.type == "array_declarator":
        return Refusal("type", "The expression initialises an array.")
    if asks_for_lines(node):
        return Refusal("placement", "The file uses its line numbers.")
    if is_in_macro(node):
        return Refusal("paths", "A macro may evaluate the expression more than once, or not at all.")
    is_static = any(child.type == "storage_class_specifier" for child in statement.children)
    if statement.type == "case_statement" or "#" in value or is_static:
        return Refusal("placement", "There is no place for a declaration before the statement.")
    return None


def _cpp_problem(node: Node, statement: Node, rules: GrammarRules, value: str) -> Refusal | None:  # noqa: PLR0911 - a list of reasons
    problem = _c_problem(node, statement, rules, value)
    parent = node.parent
    if problem or parent is None:
        return problem
    if _operator(node) in _STREAMS or any(
        descendant.type in {"lambda_expression", "initializer_list"} for descendant in every(node)
    ):
        return Refusal("type", "The type of the expression depends on its surroundings.")
    if node.type in rules.places and any(part.type in _CALLS for part in every(node)):
        return Refusal("identity", "The expression may refer to a temporary value of this statement.")
    if names_bit_field(node) or takes_temporaries(parent):
        return Refusal("type", "No reference can replace the expression here.")
    called = node.child_by_field_name("function")
    receiver = (
        called.child_by_field_name("argument") if called is not None and called.type == "field_expression" else None
    )
    if receiver is not None and any(descendant.type in _CALLS for descendant in every(receiver)):
        return Refusal("identity", "The expression may refer to a temporary value of this statement.")
    if parent.type == "field_expression":
        return Refusal("identity", "The value would live until the end of the block.")
    is_joined = parent.type in {"binary_expression", "unary_expression", "condition_clause", "parenthesized_expression"}
    if node.type == "call_expression" and not is_joined:
        return Refusal("identity", "The temporary value may be moved from, and a variable may not.")
    return None


_PROBLEMS = {"go": _go_problem, "rust": _rust_problem, "java": _java_problem, "c": _c_problem, "cpp": _cpp_problem}


def _declaration(language: str, node: Node, rules: GrammarRules) -> tuple[str, str]:
    """Return the text before and after the name in its declaration."""
    if language == "go":
        return ("const ", " = {value}") if _is_constant(node, rules) else ("", " := {value}")
    if language == "rust":
        return "let ", " = {value};"
    if language == "java":
        return "var ", " = {value};"
    if language == "cpp":
        is_place = node.type in rules.places and not any(child.type == "&" for child in node.children)
        place = "auto&& " if node.type == "subscript_expression" else "auto& "  # a subscript may return a proxy
        kind = place if is_place else "auto&& " if node.type == "call_expression" else "const auto "
        return kind, " = {value};"
    known_type = type_of(node)
    space = "" if known_type.endswith("*") else " "
    return (f"{known_type}{space}", " = {value};") if known_type else ("", "")


def _is_constant(node: Node, rules: GrammarRules, *, names: bool = False) -> bool:
    """Whether an expression consists of literals and operators, and with ``names`` of names too."""
    return all(
        descendant.type in rules.literals
        or (names and descendant.type in {"identifier", "field_access", "ternary_expression"})
        or descendant.type in {"binary_expression", "unary_expression", "parenthesized_expression"}
        or "content" in descendant.type or "fragment" in descendant.type or "escape" in descendant.type
        for descendant in every(node)
    )  # fmt: skip


def _others(parent: Node, child: Node, rules: GrammarRules) -> list[Node]:
    """Return the parts that may be evaluated before one: those before it, and in C and Go those after it."""
    others = [node for node in parent.named_children if node.id != child.id and node.type != "comment"]
    if rules in {RULES["c"], RULES["cpp"], RULES["go"]} and parent.type not in _HEADS:
        return others
    return [node for node in others if node.start_byte < child.start_byte]


def _may_differ(node: Node, earlier: Node, rules: GrammarRules) -> bool:
    """Whether the order of an expression and of another part of its statement may matter."""
    if _acts(earlier, rules):
        return True
    if not _acts(node, rules) or _is_callee(earlier):
        return False
    parts = every(earlier)
    written = {
        text_of(name)
        for change in every(node)
        if change.type in {"assignment_expression", "update_expression", "compound_assignment_expr"}
        for name in every(change)
        if name.type == "identifier"
    }
    if any(part.type == "identifier" and text_of(part) in written for part in parts):
        return True
    if any(part.type in rules.places or part.type in {"field_access", "array_access"} for part in parts):
        return True
    return any(not _is_safe_local(text_of(part), earlier) for part in parts if part.type == "identifier")


def _is_callee(node: Node) -> bool:
    """Whether a part is only a callee, the type of a declaration, or the declared name."""
    parent = node.parent
    fields = ("function", "object", "type", "name", "declarator", "pattern", "macro")
    is_given = parent is not None and parent.type == "short_var_declaration" and is_field(parent, "left", node)
    return is_given or (parent is not None and any(is_field(parent, field, node) for field in fields))


def _is_safe_local(name: str, node: Node) -> bool:
    """Whether a name is a local of its function that only the function's own statements can change."""
    function = node
    while function.parent is not None and function.type not in _FUNCTIONS:
        function = function.parent
    is_lent = re.search(rf"&\s*(?:mut\s+)?{re.escape(name)}\b", text_of(function)) is not None
    return (
        not is_lent
        and name in _declared(function)
        and not any(descendant.type in _CLOSURES for descendant in every(function))
    )


def _declared(node: Node, before: int | None = None) -> set[str]:
    """Return the names declared in a node, up to a byte."""
    return {
        text_of(descendant)
        for declared in every(node)
        if declared.type in _DECLARES and (before is None or declared.start_byte < before)
        for field in ("name", "declarator", "pattern", "left")
        for held in declared.children_by_field_name(field)
        for descendant in every(held)
        if descendant.type == "identifier" and (before is None or descendant.end_byte <= before)
    }


def _acts(node: Node, rules: GrammarRules) -> bool:
    """Whether a part may have an effect, so that nothing may move across it."""
    own, stack = own_operators(root_of(node)), [node]
    while stack:
        current = stack.pop()
        if current.type not in rules.quiet or _operates(current, own):
            return True
        if current.type not in _MADE:
            stack += current.named_children
    return False


def _operates(node: Node, own: frozenset[str]) -> bool:
    """Whether an operator runs code or changes something: of a stream, a channel, or one that the file defines."""
    if node.type == "binary_expression" and _operator(node) in _STREAMS:
        return True
    if node.type == "unary_expression" and any(child.type in {"<-", "++", "--"} for child in node.children):
        return True
    return bool(own) and node.type in _OPERATORS


def _declares_first(parent: Node) -> bool:
    """Whether a statement head declares something before its condition."""
    return parent.child_by_field_name("initializer") is not None or parent.child_by_field_name("resources") is not None


def _takes_nothing(call: Node) -> bool:
    arguments = call.child_by_field_name("arguments")
    return arguments is not None and not arguments.named_children


def _operator(node: Node) -> str:
    operator = node.child_by_field_name("operator") if node.type == "binary_expression" else None
    return operator.type if operator is not None else ""
