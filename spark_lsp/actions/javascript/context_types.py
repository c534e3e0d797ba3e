"""Decide whether a TypeScript expression keeps its type when it leaves its context.

The type of a literal, an array or a generic call depends on its surroundings. The module has no type information, so
an expression that may change its type is refused. Pure.
"""

from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.file_uses import QUIET_METHODS, FileUses, property_of
from spark_lsp.actions.javascript.flow import ancestors
from spark_lsp.actions.javascript.scopes import FUNCTIONS, text_of

PRIMITIVES: Final = frozenset(("string", "number", "true", "false"))
_KEPT: Final = frozenset(
    ("as_expression", "class", "identifier", "jsx_element", "jsx_self_closing_element", "member_expression",
     "non_null_expression", "null", "regex", "satisfies_expression", "subscript_expression", "template_string", "this",
     "type_assertion", "unary_expression", "undefined", "update_expression")
)  # fmt: skip
"""Expressions whose type does not depend on an expected type."""
_PASSES_ON: Final = frozenset(
    ("parenthesized_expression", "array", "pair", "object", "spread_element", "arguments", "await_expression",
     "as_expression", "sequence_expression")
)  # fmt: skip
_FREE: Final = frozenset(
    ("expression_statement", "template_substitution", "throw_statement", "unary_expression", "if_statement",
     "while_statement", "do_statement", "switch_statement", "for_statement", "for_in_statement", "member_expression",
     "subscript_expression", "update_expression")
)  # fmt: skip
"""Places without an expected type."""
_NOT_GENERIC: Final = frozenset(
    [
        "BigInt",
        "Boolean",
        "Date",
        "Error",
        "EvalError",
        "Number",
        "RangeError",
        "ReferenceError",
        "RegExp",
        "String",
        "SyntaxError",
        "TypeError",
        "URIError",
        "URL",
        "URLSearchParams",
        "decodeURIComponent",
        "encodeURIComponent",
        "isFinite",
        "isNaN",
        "parseFloat",
        "parseInt",
        "require",
    ]
)
_NOT_GENERIC_HOLDERS: Final = frozenset(("JSON", "Math", "Number", "String", "console", "process"))
_INFERRING_METHODS: Final = frozenset(("concat", "filter", "find", "flatMap", "map", "reduce", "reduceRight"))


def is_expected(node: Node) -> bool:  # noqa: PLR0911 - one for each kind
    """Whether the surroundings of an expression may expect a type."""
    child = node
    for parent in ancestors(node):
        if parent.type in _FREE:
            return False
        if parent.type == "variable_declarator":
            return parent.child_by_field_name("type") is not None
        operator = parent.child_by_field_name("operator") if parent.type == "binary_expression" else None
        if operator is not None and operator.type not in {"&&", "||", "??"}:
            return False
        if parent.type == "ternary_expression" and _is(parent, "condition", child):
            return False
        if parent.type == "call_expression" and _is(parent, "function", child):
            return False
        if parent.type not in _PASSES_ON and parent.type not in {"binary_expression", "ternary_expression"}:
            return True
        child = parent
    return True


def keeps_type(node: Node, uses: FileUses, *, is_inner: bool = False) -> bool:  # noqa: PLR0911 - one for each kind
    """Whether an expression has the same type everywhere; ``is_inner`` for a part in which a literal would widen."""
    kind = node.type
    if kind in PRIMITIVES:
        return not is_inner
    if kind == "identifier":
        return not (is_inner and _is_literal_const(node, uses))
    if kind in _KEPT:
        return True
    if kind == "binary_expression":
        operator = node.child_by_field_name("operator")
        is_joined = operator is not None and operator.type in {"&&", "||", "??"}
        return not is_joined or all(_side(node, field, uses, is_inner=is_inner) for field in ("left", "right"))
    if kind == "ternary_expression":
        return all(_side(node, field, uses, is_inner=is_inner) for field in ("consequence", "alternative"))
    if kind in {"parenthesized_expression", "await_expression", "spread_element"}:
        return all(keeps_type(child, uses, is_inner=is_inner) for child in node.named_children)
    if kind in {"call_expression", "new_expression"}:
        return _call_keeps(node, uses)
    if kind == "object":
        return all(_member_keeps(child, uses) for child in node.named_children)
    if kind in FUNCTIONS:
        return _function_keeps(node, uses)
    return False


def is_module_name(parent: Node) -> bool:
    """Whether tools read a string there before the program runs: ``import("x")``, ``require("x")``."""
    call = parent.parent if parent.type == "arguments" else None
    called = call.child_by_field_name("function") if call is not None else None
    return called is not None and called.text in {b"import", b"require"}


def is_read_by_the_compiler(node: Node) -> bool:
    """Whether TypeScript uses a literal to narrow types, or to resolve a module."""
    parent = node.parent
    if parent is None or node.type not in PRIMITIVES:
        return False
    if parent.type == "binary_expression":
        return any(child.type == "unary_expression" for child in parent.named_children) or any(
            child.type == "in" for child in parent.children
        )
    holder = parent.parent
    is_loop = holder is not None and holder.type in {"while_statement", "do_statement"}
    is_condition = parent.type == "parenthesized_expression" and is_loop
    return is_condition or parent.type == "for_statement" or is_module_name(parent)


def tells_a_type(node: Node) -> bool:
    """Whether an expression distinguishes types: ``typeof``, ``instanceof``, ``in``, a comparison."""
    stack = [node]
    while stack:
        current = stack.pop()
        if current.type in {"binary_expression", "unary_expression"} and any(
            child.type in {"typeof", "instanceof", "in", "===", "!==", "==", "!="} for child in current.children
        ):
            return True
        if current.type == "identifier" and current.id != node.id:
            return True  # it may hold the result of a type check
        if current.type in {"binary_expression", "unary_expression", "parenthesized_expression", "ternary_expression"}:
            operator = current.child_by_field_name("operator")
            if current.type == "binary_expression" and (operator is None or operator.type not in {"&&", "||", "??"}):
                continue
            condition = current.child_by_field_name("condition")
            stack += [child for child in current.named_children if condition is None or child.id != condition.id]
    return False


def results_of(function: Node) -> list[Node]:
    """Return the expressions that a function, or a list of statements, returns."""
    body = function.child_by_field_name("body")
    if function.type == "arrow_function" and body is not None and body.type != "statement_block":
        return [body]
    return [return_.named_children[0] for return_ in _returns(body or function) if return_.named_children]


def _returns(node: Node) -> list[Node]:
    returns, stack = [], [node]
    while stack:
        current = stack.pop()
        if current.type == "return_statement":
            returns.append(current)
        if current.id == node.id or current.type not in FUNCTIONS:
            stack += current.named_children
    return returns


def _side(node: Node, field: str, uses: FileUses, *, is_inner: bool) -> bool:
    side = node.child_by_field_name(field)
    return side is not None and keeps_type(side, uses, is_inner=is_inner)


def _member_keeps(member: Node, uses: FileUses) -> bool:
    if member.type == "pair":
        value = member.child_by_field_name("value")
        return value is not None and keeps_type(value, uses, is_inner=True)
    if member.type == "shorthand_property_identifier":
        return not _is_literal_const(member, uses)
    if member.type == "spread_element":
        return all(keeps_type(child, uses, is_inner=True) for child in member.named_children)
    return member.type == "comment" or (
        member.type == "method_definition" and member.child_by_field_name("return_type") is not None
    )


def _function_keeps(function: Node, uses: FileUses) -> bool:
    if function.child_by_field_name("return_type") is not None:
        return True
    return all(keeps_type(result, uses, is_inner=True) for result in results_of(function))


def _call_keeps(call: Node, uses: FileUses) -> bool:  # noqa: PLR0911 - one for each kind
    """Whether the result type of a call cannot be inferred from an expected type."""
    called = call.child_by_field_name("function") or call.child_by_field_name("constructor")
    arguments = call.child_by_field_name("arguments")
    if called is None or arguments is None or call.child_by_field_name("type_arguments") is not None:
        return called is not None and arguments is not None
    given = [child for child in arguments.named_children if child.type != "comment"]
    if called.type == "identifier":
        use = uses.get(called.id)
        if use is None or use.binding is None:
            return use is not None and use.name in _NOT_GENERIC
        declared = [declaration.node.parent for declaration in use.binding.declarations]
        if use.binding.kind in {"function", "class", "const"} and declared:
            return all(node is not None and not _is_generic(node) for node in declared)
    is_plain = all(
        keeps_type(argument, uses, is_inner=True) and argument.type not in {"null", "undefined"} for argument in given
    )
    if call.type == "new_expression":
        return False
    if called.type == "member_expression":
        holder, name = called.child_by_field_name("object"), property_of(called)
        if name in _INFERRING_METHODS:
            return all(keeps_type(argument, uses) for argument in given)
        if name in QUIET_METHODS:
            return True
        if holder is not None and holder.type == "identifier" and text_of(holder) in _NOT_GENERIC_HOLDERS:
            return True
    return is_plain


def _is_generic(declaration: Node) -> bool:
    value = declaration.child_by_field_name("value") if declaration.type == "variable_declarator" else declaration
    known = value is not None and (value.type in FUNCTIONS or value.type.startswith(("class", "abstract_class")))
    return not known or value is None or value.child_by_field_name("type_parameters") is not None


def _is_literal_const(node: Node, uses: FileUses) -> bool:
    """Whether a name is a constant with a literal type, which widens where the name becomes a part."""
    use = uses.get(node.id)
    if use is None or use.binding is None or use.binding.kind != "const":
        return False
    holder = use.binding.declarations[0].node.parent if use.binding.declarations else None
    if holder is None or holder.type != "variable_declarator" or holder.child_by_field_name("type") is not None:
        return False
    value = holder.child_by_field_name("value")
    return value is not None and has_literal(value)


def has_literal(value: Node) -> bool:
    """Whether a value is a literal, or one of several."""
    if value.type in PRIMITIVES:
        return True
    if value.type in {"ternary_expression", "parenthesized_expression", "binary_expression"}:
        operator = value.child_by_field_name("operator")
        if operator is not None and operator.type not in {"&&", "||", "??"}:
            return False
        condition = value.child_by_field_name("condition")
        return any(
            has_literal(child) for child in value.named_children if condition is None or child.id != condition.id
        )
    return False


def _is(parent: Node, field: str, node: Node) -> bool:
    child = parent.child_by_field_name(field)
    return child is not None and child.id == node.id
