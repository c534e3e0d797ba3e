"""Find the code of a file that runs implicitly: its macros, its operators, its destructors. Pure."""

import re
from functools import lru_cache
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.compiled.nodes import every, root_of, text_of

_TRAITS: Final = frozenset(
    ("Add", "Sub", "Mul", "Div", "Rem", "Neg", "Not", "BitAnd", "BitOr", "BitXor", "Shl", "Shr", "Index", "IndexMut",
     "Deref", "DerefMut", "PartialEq", "PartialOrd")
)  # fmt: skip


def is_in_macro(node: Node) -> bool:
    """Whether an expression is an argument of a macro: the file defines it, or its name is in capitals."""
    defined = _macros(root_of(node))
    current: Node | None = node.parent
    while current is not None:
        called = current.child_by_field_name("function") if current.type == "call_expression" else None
        name = text_of(called) if called is not None else ""
        if name in defined or name in {"assert", "static_assert"} or (name.isupper() and len(name) > 1):
            return True
        current = current.parent
    return False


@lru_cache(maxsize=2)
def _macros(root: Node) -> frozenset[str]:
    """Return the macros with parameters that a file defines."""
    names = (node.child_by_field_name("name") for node in every(root) if node.type == "preproc_function_def")
    return frozenset(text_of(name) for name in names if name is not None)


@lru_cache(maxsize=2)
def own_operators(root: Node) -> frozenset[str]:
    """Return the operators that a file overloads: those of C++ classes, and the operator traits of Rust."""
    return frozenset(
        text_of(node)
        for node in every(root)
        if node.type in {"operator_name", "operator_cast"}
        or (node.type == "impl_item" and _is_operator_trait(node.child_by_field_name("trait")))
    )


def _is_operator_trait(trait: Node | None) -> bool:
    return trait is not None and bool(set(re.findall(r"\w+", text_of(trait).split("<")[0])) & _TRAITS)


def asks_for_lines(node: Node) -> bool:
    """Whether a C or C++ file uses line numbers, which a new line changes."""
    return "__LINE__" in text_of(root_of(node))


def names_bit_field(node: Node) -> bool:
    """Whether a C++ expression names a member that the file declares as a bit-field."""
    field = node.child_by_field_name("field") if node.type == "field_expression" else None
    return field is not None and text_of(field) in _bit_fields(root_of(node))


@lru_cache(maxsize=2)
def _bit_fields(root: Node) -> frozenset[str]:
    return frozenset(
        text_of(name)
        for node in every(root)
        if node.type == "field_declaration" and any(child.type == "bitfield_clause" for child in node.named_children)
        for name in node.children_by_field_name("declarator")
    )


def takes_temporaries(arguments: Node) -> bool:
    """Whether a call passes arguments to a function of the file with ``&&`` parameters, which do not bind to a name."""
    call = arguments.parent
    called = call.child_by_field_name("function") if arguments.type == "argument_list" and call is not None else None
    return called is not None and text_of(called) in _takers(root_of(arguments))


@lru_cache(maxsize=2)
def _takers(root: Node) -> frozenset[str]:
    return frozenset(
        text_of(name)
        for node in every(root)
        if node.type == "function_declarator" and "&&" in text_of(node)
        for name in node.children_by_field_name("declarator")
    )


@lru_cache(maxsize=2)
def _has_destructors(root: Node) -> bool:
    return any(node.type == "impl_item" and text_of(node).startswith("impl Drop") for node in root.named_children)


def drops_later(node: Node) -> bool:
    """Whether a Rust value is dropped at the end of its statement, and dropping it later would be noticed."""
    parent = node.parent
    inner = node.named_children[-1] if node.type == "reference_expression" else node
    is_new = inner.type in {"call_expression", "macro_invocation", "struct_expression"}
    if parent is None or not is_new or not _has_destructors(root_of(node)):
        return False
    pattern = parent.child_by_field_name("pattern") if parent.type == "let_declaration" else None
    is_moved = parent.type in {"arguments", "field_initializer", "return_expression", "try_expression"}
    is_moved = is_moved or (pattern is not None and text_of(pattern) != "_")
    return node.type == "reference_expression" or not is_moved
