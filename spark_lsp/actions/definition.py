"""Find the function, method or class around a cursor, by a walk to the root that is cheap enough for every list."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import tree_sitter

from spark_lsp.text.syntax import Node, Syntax, path_to

CALLABLES: Final = frozenset(
    (
        "constructor_declaration", "function_declaration", "function_definition", "function_item",
        "generator_function_declaration", "method_declaration", "method_definition",
    )
)  # fmt: skip
CLASSES: Final = frozenset(
    (
        "abstract_class_declaration", "class_declaration", "class_definition", "class_specifier", "enum_declaration",
        "enum_item", "interface_declaration", "record_declaration", "struct_item", "struct_specifier", "trait_item",
        "type_declaration",
    )
)  # fmt: skip
_VALUES: Final = frozenset(("arrow_function", "function_expression", "generator_function"))
_DECLARATIONS: Final = frozenset(("lexical_declaration", "variable_declaration"))
_BLOCKS: Final = frozenset(("impl_item", "mod_item", "namespace_definition"))
_HOLDERS: Final = frozenset(("decorated_definition", "export_statement", "template_declaration"))


@dataclass(frozen=True, slots=True)
class DefinitionNode:
    """``whole`` includes decorators, ``export`` and ``template``; ``inner`` is the definition with its body."""

    name: str
    whole: Node
    inner: tree_sitter.Node


def definition_at(syntax: Syntax, offset: int, kinds: frozenset[str] = CALLABLES | CLASSES) -> DefinitionNode | None:
    """Return the innermost named definition around an offset, its end included."""
    definition = _around(syntax, offset, kinds)
    at_end = 0 < offset <= len(syntax.text) and not syntax.text[offset - 1].isspace()
    before = _around(syntax, offset - 1, kinds) if at_end else None
    if definition is None or (before is not None and len(before.whole.span) < len(definition.whole.span)):
        return before
    return definition


def same_definition(definition: DefinitionNode, of: Syntax, syntax: Syntax) -> DefinitionNode | None:
    """Return the function of that name in the same classes and functions of another text.

    None if there is none, or if either text has several.
    """
    wanted = (definition.name, _containers(of, definition.whole.raw))
    here = [
        candidate
        for candidate in _callables(of, definition.name)
        if (candidate.name, _containers(of, candidate.whole.raw)) == wanted
    ]
    there = [
        candidate
        for candidate in _callables(syntax, definition.name)
        if (candidate.name, _containers(syntax, candidate.whole.raw)) == wanted
    ]
    return there[0] if len(here) == len(there) == 1 else None


def signature_text(syntax: Syntax, definition: DefinitionNode, *, decorated: bool = True) -> str:
    """Return a function's text up to its body, empty for one without a body."""
    body = definition.inner.child_by_field_name("body")
    start = definition.whole.span.start if decorated else syntax.wrap(definition.inner).span.start
    return syntax.text[start : syntax.wrap(body).span.start] if body is not None else ""


def _callables(syntax: Syntax, name: str) -> Iterator[DefinitionNode]:
    """Yield the functions of a name in the expected place; a walk over the whole text would take longer."""
    seen: set[int] = set()
    for match in re.finditer(rb"(?<!\w)" + re.escape(name.encode("utf-8", "replace")) + rb"(?!\w)", syntax.source):
        raw = syntax.tree.root_node.descendant_for_byte_range(*match.span())
        path = path_to(syntax.tree.root_node, raw) if raw is not None else []
        raw = next((around for around in reversed(path) if around.type in CALLABLES | _DECLARATIONS), None)
        if raw is None or raw.id in seen:
            continue
        seen.add(raw.id)
        held = _held(raw) if raw.type in _DECLARATIONS else raw
        if (raw.type in CALLABLES or held.type in _VALUES) and _name(raw) == name:
            whole = raw
            while whole.parent is not None and whole.parent.type in _HOLDERS:
                whole = whole.parent
            yield DefinitionNode(name, syntax.wrap(whole), held)


def _containers(syntax: Syntax, raw: tree_sitter.Node) -> tuple[str, ...]:
    """Return the names of the definitions around a node, the innermost first."""
    names = []
    for parent in reversed(path_to(syntax.tree.root_node, raw)[:-1]):
        if parent.type in CALLABLES | CLASSES | _BLOCKS:
            named = parent.child_by_field_name("name") or parent.child_by_field_name("type")
            names.append((named.text or b"").decode("utf-8", "replace") if named is not None else "")
    return tuple(names)


def _around(syntax: Syntax, offset: int, kinds: frozenset[str]) -> DefinitionNode | None:
    for node in syntax.ancestors_at(offset):
        raw = _held(node.raw)
        if raw.type in kinds or (raw.type in _VALUES and node.kind.endswith("declaration") and kinds & CALLABLES):
            name = _name(raw if raw.type in kinds else node.raw)
            whole = node.raw
            while whole.parent is not None and whole.parent.type in _HOLDERS:
                whole = whole.parent
            if name:
                return DefinitionNode(name, syntax.wrap(whole), raw)
    return None


def _held(raw: tree_sitter.Node) -> tree_sitter.Node:
    """Return the definition in a wrapper: a decorated function, an exported class, a named arrow function."""
    if raw.type in _HOLDERS:
        inner = raw.child_by_field_name("definition") or raw.child_by_field_name("declaration")
        held = inner or (raw.named_children[-1] if raw.named_children else None)
        return _held(held) if held is not None else raw
    if raw.type in _DECLARATIONS and len(raw.named_children) == 1:
        value = raw.named_children[0].child_by_field_name("value")
        return value if value is not None and value.type in _VALUES else raw
    return raw


def _name(raw: tree_sitter.Node) -> str:
    if raw.type in {*_DECLARATIONS, *_HOLDERS}:
        return next((name for child in raw.named_children if (name := _name(child))), "")
    if raw.type == "type_declaration":
        return next((name for child in raw.named_children if (name := _name(child))), "")
    named = raw.child_by_field_name("name") or raw.child_by_field_name("declarator")
    while named is not None and (inner := named.child_by_field_name("declarator")) is not None:
        named = inner
    return named.text.decode("utf-8", "replace") if named is not None and named.text else ""
