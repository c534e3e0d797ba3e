"""Rename follow-up for locals and parameters of Go, Rust, Java, C and C++, by tree-sitter. Pure.

Told apart for certain: the name is declared once in its function, at the place that was renamed, and every place of the
function that says the name is in the block of that declaration.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from tree_sitter import Node

from spark_lsp.edits.python_bindings import Unclear
from spark_lsp.edits.renamed import Renamed
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.language import Language
from spark_lsp.text.syntax import Syntax, parse

_FUNCTIONS: Final[Mapping[str, frozenset[str]]] = {
    "go": frozenset({"function_declaration", "method_declaration"}),
    "rust": frozenset({"function_item"}),
    "java": frozenset({"method_declaration", "constructor_declaration"}),
    "c": frozenset({"function_definition"}),
    "cpp": frozenset({"function_definition"}),
}
_C_DECLARATIONS: Final = frozenset(
    {("parameter_declaration", "declarator"), ("init_declarator", "declarator"), ("declaration", "declarator")}
)
_DECLARATIONS: Final[Mapping[str, frozenset[tuple[str, str]]]] = {
    "go": frozenset({("parameter_declaration", "name"), ("short_var_declaration", "left"), ("var_spec", "name")}),
    "rust": frozenset({("parameter", "pattern"), ("let_declaration", "pattern"), ("for_expression", "pattern")}),
    "java": frozenset(
        {("formal_parameter", "name"), ("variable_declarator", "name"), ("enhanced_for_statement", "name")}
    ),
    "c": _C_DECLARATIONS,
    "cpp": _C_DECLARATIONS,
}
_WRAPPERS: Final = frozenset({"expression_list", "pointer_declarator", "array_declarator", "reference_declarator"})
"""What may stand between a declaration and the name that it declares."""
_PARAMETERS: Final = frozenset({"parameter_declaration", "parameter", "formal_parameter"})
_BLOCKS: Final = frozenset({"block", "compound_statement", "for_statement", "if_statement", "for_expression"})
_BINDERS: Final = frozenset(
    (
        "closure_expression", "lambda_expression", "func_literal", "match_arm", "macro_invocation", "class_body",
        "range_clause", "catch_formal_parameter", "type_parameters", "shorthand_field_initializer", "switch_block",
        "keyed_element",
    )
)  # fmt: skip
"""Within these a name may mean something else, or what it means cannot be seen."""
_SEPARATE: Final[Mapping[str, frozenset[str]]] = {
    "java": frozenset({"field_access", "method_invocation", "labeled_statement", "break_statement"}),
}
"""Nodes of a language in which an identifier may be a member."""


def local_follow_ups(renamed: Renamed, language: Language) -> tuple[Edit, ...] | Unclear:
    """Return the edits of the text before the renaming that it has still to make."""
    syntax = parse(language, renamed.before) if language.name in _FUNCTIONS else None
    if syntax is None or syntax.error_count:
        return Unclear("the document is not read")
    places = _places(syntax, renamed.old, renamed.places[0])
    if isinstance(places, Unclear):
        return places
    spans = [syntax.wrap(node).span for node in places]
    if not set(renamed.places) <= set(spans) or spans[0] not in renamed.places:
        return Unclear("not only one variable was renamed")
    if any(True for _ in _named(_function_of(places[0], language) or places[0], renamed.new)):
        return Unclear(f"{renamed.new} means something there already")
    after = parse(language, apply_edits(renamed.before, [Edit(span, renamed.new) for span in spans]))
    if after is None or after.error_count:
        return Unclear("the renamed text does not parse")
    return tuple(Edit(span, renamed.new) for span in spans if span not in renamed.places)


def _places(syntax: Syntax, name: str, place: Span) -> list[Node] | Unclear:
    """Return every node of a local, its declaration first."""
    language = syntax.language
    start = syntax.to_byte(place.start)
    first = syntax.tree.root_node.descendant_for_byte_range(start, syntax.to_byte(place.end))
    function = _function_of(first, language) if first is not None else None
    if first is None or function is None or first.type != "identifier":
        return Unclear("it is not a local variable")
    named_nodes = list(_named(function, name))
    if language.name == "rust" and f"{{{name}" in (function.text or b"").decode("utf-8", "replace"):
        return Unclear(f"a format string may read {name}")
    if any(
        node.type != "identifier" or _is_member(node, language) or _is_hidden(node, function) for node in named_nodes
    ):
        return Unclear(f"{name} is used where its meaning is not certain")
    declared = [holder for node in named_nodes if (holder := _declaration(node, language)) is not None]
    if len(declared) != 1 or _declaration(named_nodes[0], language) is None:
        return Unclear(f"{name} is not declared once, before its uses")
    block = function if declared[0].type in _PARAMETERS else _block_of(declared[0], function)
    if any(not (block.start_byte <= node.start_byte < block.end_byte) for node in named_nodes):
        return Unclear(f"{name} is used outside of its block")
    return named_nodes


def _named(function: Node, name: str) -> Iterator[Node]:
    """Yield the leaves of a function that say a name, in order."""
    stack = [function]
    while stack:
        node = stack.pop()
        if node.child_count:
            stack.extend(reversed(node.children))
        elif node.text == name.encode() and node.is_named and "comment" not in node.type and "string" not in node.type:
            yield node


def _function_of(node: Node, language: Language) -> Node | None:
    around: Node | None = node
    while around is not None and around.type not in _FUNCTIONS[language.name]:
        around = around.parent
    return around


def _declaration(node: Node, language: Language) -> Node | None:
    """Return the declaration whose name a node is."""
    child, parent = node, node.parent
    while parent is not None and parent.type in _WRAPPERS:
        child, parent = parent, parent.parent
    if parent is None:
        return None
    for kind, field in _DECLARATIONS[language.name]:
        if parent.type == kind and any(held.id == child.id for held in parent.children_by_field_name(field)):
            return parent
    return None


def _block_of(node: Node, function: Node) -> Node:
    around = node.parent
    while around is not None and around.id != function.id and around.type not in _BLOCKS:
        around = around.parent
    return around or function


def _is_member(node: Node, language: Language) -> bool:
    parent = node.parent
    if parent is None or parent.type not in _SEPARATE.get(language.name, frozenset()):
        return False
    holder = parent.child_by_field_name("object")
    return holder is None or holder.id != node.id


def _is_hidden(node: Node, function: Node) -> bool:
    """Whether a node within a function stands in something that may bind names by itself."""
    around = node.parent
    while around is not None and around.id != function.id:
        if around.type in _BINDERS:
            return True
        around = around.parent
    return False
