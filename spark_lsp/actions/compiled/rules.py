"""One row per language: which nodes are expressions, where statements are, and the order of evaluation.

A node that no row names ends the search, so an unknown construct is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from spark_lsp.actions.compiled.node_kinds import QUIET

ALL: Final = "*"


@dataclass(frozen=True, slots=True, eq=False)
class GrammarRules:
    """``through`` maps a parent of an expression to the fields that it always evaluates exactly once."""

    expressions: frozenset[str]
    blocks: frozenset[str]
    through: Mapping[str, tuple[str, ...]]
    quiet: frozenset[str]
    """Node types without an effect of their own; any other may run code or change something."""
    places: frozenset[str]
    """Expressions that name a place in memory, which is not the same as its value."""
    literals: frozenset[str]


def _through(*whole: str, **fields: str) -> dict[str, tuple[str, ...]]:
    return {**dict.fromkeys(whole, (ALL,)), **{name: tuple(field.split()) for name, field in fields.items()}}


_GO = GrammarRules(
    expressions=frozenset(
        ("binary_expression", "call_expression", "composite_literal", "float_literal", "index_expression",
         "int_literal", "interpreted_string_literal", "parenthesized_expression", "raw_string_literal", "rune_literal",
         "selector_expression", "slice_expression", "type_assertion_expression", "unary_expression")
    ),
    blocks=frozenset(("statement_list", "block")),
    through=_through(
        "argument_list", "binary_expression", "call_expression", "composite_literal", "expression_list",
        "expression_statement", "index_expression", "keyed_element", "literal_element", "literal_value",
        "parenthesized_expression", "return_statement", "send_statement", "slice_expression", "unary_expression",
        "var_declaration", "type_assertion_expression",
        selector_expression="operand", short_var_declaration="right", var_spec="value", assignment_statement="right",
        if_statement="condition", expression_switch_statement="value",
    ),
    quiet=QUIET["go"],
    places=frozenset(("selector_expression", "index_expression", "slice_expression")),
    literals=frozenset(
        ("int_literal", "float_literal", "rune_literal", "interpreted_string_literal", "raw_string_literal",
         "imaginary_literal")
    ),
)  # fmt: skip

_RUST = GrammarRules(
    expressions=frozenset(
        ("await_expression", "binary_expression", "call_expression", "field_expression", "float_literal",
         "if_expression", "index_expression", "integer_literal", "match_expression", "parenthesized_expression",
         "reference_expression", "string_literal", "struct_expression", "try_expression", "tuple_expression",
         "type_cast_expression", "unary_expression", "macro_invocation", "array_expression")
    ),
    blocks=frozenset(("block",)),
    through=_through(
        "arguments", "array_expression", "await_expression", "binary_expression", "call_expression",
        "expression_statement", "field_expression", "field_initializer_list", "index_expression",
        "parenthesized_expression", "reference_expression", "return_expression", "struct_expression", "try_expression",
        "tuple_expression", "type_cast_expression", "unary_expression",
        let_declaration="value", field_initializer="value", assignment_expression="right",
        if_expression="condition", match_expression="value",
    ),
    quiet=QUIET["rust"],
    places=frozenset(("field_expression", "index_expression")),
    literals=frozenset(("integer_literal", "float_literal", "string_literal", "char_literal", "boolean_literal")),
)  # fmt: skip

_JAVA = GrammarRules(
    expressions=frozenset(
        ("array_access", "binary_expression", "cast_expression", "character_literal", "decimal_integer_literal",
         "decimal_floating_point_literal", "field_access", "instanceof_expression", "method_invocation",
         "object_creation_expression", "parenthesized_expression", "string_literal", "ternary_expression",
         "unary_expression")
    ),
    blocks=frozenset(("block", "constructor_body", "switch_block_statement_group")),
    through=_through(
        "argument_list", "array_access", "binary_expression", "cast_expression", "expression_statement", "field_access",
        "instanceof_expression", "method_invocation", "object_creation_expression", "parenthesized_expression",
        "return_statement", "throw_statement", "unary_expression", "local_variable_declaration",
        ternary_expression="condition", variable_declarator="value", assignment_expression="right",
        if_statement="condition", switch_expression="condition", enhanced_for_statement="value",
        synchronized_statement="",
    ),
    quiet=QUIET["java"],
    places=frozenset(),
    literals=frozenset(
        ("decimal_integer_literal", "decimal_floating_point_literal", "character_literal", "string_literal",
         "hex_integer_literal", "true", "false")
    ),
)  # fmt: skip

_C = GrammarRules(
    expressions=frozenset(
        ("binary_expression", "call_expression", "cast_expression", "char_literal", "conditional_expression",
         "field_expression", "number_literal", "parenthesized_expression", "pointer_expression", "sizeof_expression",
         "string_literal", "subscript_expression", "unary_expression")
    ),
    blocks=frozenset(("compound_statement",)),
    through=_through(
        "argument_list", "binary_expression", "call_expression", "cast_expression", "declaration",
        "expression_statement", "field_expression", "parenthesized_expression", "pointer_expression",
        "return_statement", "subscript_argument_list", "subscript_expression", "unary_expression", "condition_clause",
        conditional_expression="condition", init_declarator="value", assignment_expression="right",
        if_statement="condition", switch_statement="condition", for_range_loop="right",
    ),
    quiet=QUIET["c"],
    places=frozenset(("field_expression", "subscript_expression", "pointer_expression")),
    literals=frozenset(("number_literal", "char_literal", "string_literal", "true", "false", "concatenated_string")),
)  # fmt: skip

_CPP = replace(_C, quiet=QUIET["cpp"])

RULES: Final[Mapping[str, GrammarRules]] = {"go": _GO, "rust": _RUST, "java": _JAVA, "c": _C, "cpp": _CPP}
