"""Compute the edits that adapt one call to its function's new parameters, or why that is uncertain. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import tree_sitter

from spark_lsp.actions.python.call_updates.argument_binding import (
    Argument,
    BoundArguments,
    bind,
    by_place,
    in_order,
    remap,
)
from spark_lsp.actions.python.call_updates.signature_diff import Difference, Parameters
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.syntax import Syntax

_ATOMS: Final = frozenset({"ellipsis", "false", "float", "integer", "none", "true"})
_HOLDERS: Final = frozenset({"concatenated_string", "list", "parenthesized_expression", "tuple", "unary_operator"})
_STARS: Final = frozenset({"dictionary_splat", "list_splat"})
_NEEDS_BRACKETS: Final = frozenset({"generator_expression", "named_expression", "yield"})
NO_PLACE: Final = Refusal("calls", "The arguments of the call are not known.")
NO_FIT: Final = Refusal("calls", "The call does not fit the old signature.")
STARS: Final = Refusal("calls", "The call passes arguments with * or **.")
EITHER: Final = Refusal("calls", "The call was written after the signature began to change, and fits both signatures.")
EFFECT: Final = Refusal("order", "The argument to remove may have an effect.")
NO_ORDER: Final = Refusal("order", "The arguments cannot be passed in their evaluation order.")
COMMENTS: Final = Refusal("placement", "There are comments between the arguments.")
NO_BRACKETS: Final = Refusal("placement", "A keyword argument would need parentheses.")


@dataclass(frozen=True, slots=True)
class Change:
    """The parameters of a function before and after, and the difference."""

    old: Parameters
    new: Parameters
    difference: Difference


@dataclass(frozen=True, slots=True)
class _Slot:
    """One argument as it is written; ``value`` is the text after its keyword."""

    node: tree_sitter.Node
    value: tree_sitter.Node
    name: str


def rewrite_call(syntax: Syntax, call: Span, change: Change, *, is_uncertain: bool) -> tuple[Edit, ...] | Refusal:
    """Return the edits of one call, none if it fits already, or why it cannot be adapted.

    A call ``is_uncertain`` if it may have been written for either signature.
    """
    raw = _call_at(syntax, call)
    listed = raw.child_by_field_name("arguments") if raw is not None else None
    slots = _slots(listed) if listed is not None and not listed.has_error else None
    if listed is None or slots is None:
        return NO_PLACE
    if any(slot.node.type in _STARS for slot in slots):
        return STARS
    arguments = [Argument(number, slot.name) for number, slot in enumerate(slots)]
    was, now = bind(arguments, change.old), bind(arguments, change.new)
    if was is None:
        return () if now is not None else NO_FIT
    wanted = remap(was, change.difference)
    if now == wanted:
        return ()
    if now is not None and is_uncertain:
        return EITHER
    rewritten = _arguments(slots, arguments, wanted, change.new)
    return rewritten if isinstance(rewritten, Refusal) else _edits(syntax, listed, slots, rewritten)


def _arguments(
    slots: Sequence[_Slot], arguments: Sequence[Argument], wanted: BoundArguments, parameters: Parameters
) -> list[Argument] | Refusal:
    """Return the new arguments, or why none are certain."""
    handed = {number for _, number in (*wanted.named, *wanted.named_rest)} | set(wanted.rest)
    dropped = [slot for number, slot in enumerate(slots) if number not in handed]
    if any(not _is_plain(slot.value, names=True) for slot in dropped):
        return EFFECT
    remapped = by_place(arguments, wanted, parameters)
    if remapped is None or not _may_swap([slots[argument.number] for argument in remapped], remapped):
        remapped = in_order(arguments, wanted, parameters)
    return remapped if remapped is not None else NO_ORDER


def _call_at(syntax: Syntax, span: Span) -> tree_sitter.Node | None:
    byte = syntax.bytes_map.to_bytes
    start, end = byte(span.start), byte(span.end)
    raw = syntax.tree.root_node.descendant_for_byte_range(start, end)
    while raw is not None and raw.type != "call" and (raw.start_byte, raw.end_byte) == (start, end):
        raw = raw.parent
    return raw if raw is not None and (raw.type, raw.start_byte, raw.end_byte) == ("call", start, end) else None


def _slots(listed: tree_sitter.Node) -> list[_Slot]:
    nodes = [listed] if listed.type == "generator_expression" else listed.named_children
    return [_slot(node) for node in nodes if node.type != "comment"]


def _slot(node: tree_sitter.Node) -> _Slot:
    name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
    if node.type != "keyword_argument" or name is None or value is None:
        return _Slot(node, node, "")
    return _Slot(node, value, (name.text or b"").decode("utf-8", "replace"))


def _is_plain(node: tree_sitter.Node, *, names: bool) -> bool:
    """Whether an expression only gives a value; ``names`` allows reading a variable."""
    if node.type == "identifier":
        return names
    if node.type == "string":
        return not any(child.type == "interpolation" for child in node.named_children)
    if node.type == "unary_operator":
        return all(child.type in {"float", "integer"} for child in node.named_children)
    return node.type in _ATOMS or (
        node.type in _HOLDERS and all(_is_plain(child, names=names) for child in node.named_children)
    )


def _may_swap(slots: Sequence[_Slot], remapped: Sequence[Argument]) -> bool:
    """Whether arguments may be evaluated in this order: it is unchanged, or nothing can notice."""
    numbers = [argument.number for argument in remapped]
    if numbers == sorted(numbers) or all(_is_plain(slot.value, names=True) for slot in slots):
        return True
    return sum(not _is_plain(slot.value, names=False) for slot in slots) <= 1


def _edits(
    syntax: Syntax, listed: tree_sitter.Node, slots: Sequence[_Slot], remapped: Sequence[Argument]
) -> tuple[Edit, ...] | Refusal:
    """Insert arguments among those that stay, in order, and remove the others."""
    places = sorted(argument.number for argument in remapped)
    moves = [argument for argument, place in zip(remapped, places, strict=True) if argument.number != place]
    if (moves or len(places) < len(slots)) and any(child.type == "comment" for child in listed.children):
        return COMMENTS
    edits: list[Edit] = []
    for argument, place in zip(remapped, places, strict=True):
        source = slots[argument.number]
        if argument.name and source.name != argument.name and source.value.type in _NEEDS_BRACKETS:
            return NO_BRACKETS
        lead = f"{argument.name}=" if argument.name else ""
        if argument.number != place:
            edits.append(Edit(syntax.wrap(slots[place].node).span, lead + _said(syntax, source.value)))
        elif argument.name != source.name:
            start = syntax.wrap(source.node).span.start
            edits.append(Edit(Span(start, syntax.wrap(source.value).span.start), lead))
    edits = [edit for edit in edits if edit.new_text != edit.span.text(syntax.text)]
    return (*edits, *_removals(syntax, listed, slots, places))


def _removals(syntax: Syntax, listed: tree_sitter.Node, slots: Sequence[_Slot], places: Sequence[int]) -> list[Edit]:
    """Remove the arguments at no position, each group with its comma."""
    if len(places) == len(slots):
        return []
    spans = [syntax.wrap(slot.node).span for slot in slots]
    if not places:
        inside = syntax.wrap(listed).span
        return [Edit(Span(inside.start + 1, inside.end - 1), "")]
    edits = [
        Edit(Span(spans[before + 1].start, spans[place].start), "")
        for before, place in zip((-1, *places), places, strict=False)
        if place > before + 1
    ]
    if places[-1] < len(slots) - 1:
        edits.append(Edit(Span(spans[places[-1]].end, spans[-1].end), ""))
    return edits


def _said(syntax: Syntax, node: tree_sitter.Node) -> str:
    return syntax.wrap(node).span.text(syntax.text)
