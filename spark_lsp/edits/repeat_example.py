"""Examples of what the user may do again: each place of the last edits as a node of before and one of after. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Final

from tree_sitter import Node

from spark_lsp.edits.journal import JournalEdit, difference
from spark_lsp.text.edit import Span
from spark_lsp.text.syntax import Syntax, common_length, path_to, reparse

MAX_NODE_BYTES: Final = 400
"""A larger node says more about its surroundings than about the edit."""
MAX_NODE_LINES: Final = 6
MAX_LEVELS: Final = 6
MAX_CHANGED_LINES: Final = 400
MAX_EXAMPLES: Final = 8


@dataclass(frozen=True, slots=True)
class NodePair:
    """A node of the text without one change, and the node of the text now that took its place."""

    before: Node
    after: Node


@dataclass(frozen=True, slots=True)
class ChangeExample:
    """One change: ``span`` is what it left in the text now; ``levels`` are the nodes around it, the smallest first.

    ``source`` is the text without this change, as bytes.
    """

    span: Span
    removed: str
    inserted: str
    source: bytes
    levels: tuple[NodePair, ...]


def examples(before: str, syntax: Syntax) -> list[ChangeExample]:
    """Return the changes between an earlier text and the text now, line by line; empty for too many of them."""
    changes = []
    for span, removed in _changes(before, syntax.text):
        example = _example(span, removed, syntax)
        if example is not None:
            changes.append(example)
        if len(changes) > MAX_EXAMPLES:
            return []
    return changes


def _changes(before: str, now: str) -> Iterator[tuple[Span, str]]:
    """Yield the spans of the text now that changed, each with the text that stood there."""
    start = before.rfind("\n", 0, common_length(before, now)) + 1
    rest = min(len(before), len(now)) - start
    end = common_length(before[::-1][:rest], now[::-1][:rest])
    old = before[start : len(before) - end].splitlines(keepends=True)
    new = now[start : len(now) - end].splitlines(keepends=True)
    if max(len(old), len(new)) > MAX_CHANGED_LINES:
        return
    starts = [start]
    for line in new:
        starts.append(starts[-1] + len(line))
    for tag, first, last, begin, stop in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        if last - first == stop - begin:
            for old_line, new_line in zip(range(first, last), range(begin, stop), strict=True):
                if old[old_line] != new[new_line]:
                    yield Span(starts[new_line], starts[new_line + 1]), old[old_line]
        else:
            yield Span(starts[begin], starts[stop]), "".join(old[first:last])


def _example(lines: Span, removed_lines: str, syntax: Syntax) -> ChangeExample | None:
    """Return a change as an example; None where no small node holds all of it."""
    now = syntax.text
    without = now[: lines.start] + removed_lines + now[lines.end :]
    change = _whole_words(without, difference(without, now, 0.0))
    if change.removed.split() == change.inserted.split():
        return None
    before = reparse(syntax, without)
    if before is None:
        return None
    levels = tuple(_levels(before, syntax, change.start, len(change.removed), len(change.inserted)))
    span = Span(change.start, change.start + len(change.inserted))
    return ChangeExample(span, change.removed, change.inserted, before.source, levels) if levels else None


def _whole_words(before: str, change: JournalEdit) -> JournalEdit:
    """Return a change of parts of words as one of whole words."""
    start, end = change.start, change.start + len(change.removed)
    first, last = {change.removed[:1], change.inserted[:1]}, {change.removed[-1:], change.inserted[-1:]}
    while start and any(map(_is_word, first)) and _is_word(before[start - 1]):
        start -= 1
    while end < len(before) and any(map(_is_word, last)) and _is_word(before[end]):
        end += 1
    head, tail = before[start : change.start], before[change.start + len(change.removed) : end]
    return replace(change, start=start, removed=before[start:end], inserted=f"{head}{change.inserted}{tail}")


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _levels(before: Syntax, after: Syntax, start: int, removed: int, inserted: int) -> Iterator[NodePair]:
    """Yield pairs of nodes around a change that begin and end at the same places, from the smallest on."""
    old, new = _around(before, start, start + removed), _around(after, start, start + inserted)
    growth = len(after.source) - len(before.source)
    count = 0
    by_place = {(node.start_byte, node.end_byte): node for node in new if node.is_named}  # the innermost of a place
    seen: set[tuple[int, int]] = set()
    for node in reversed(old):
        place = (node.start_byte, node.end_byte)
        lines = node.end_point.row - node.start_point.row + 1
        is_large = node.end_byte - node.start_byte > MAX_NODE_BYTES or lines > MAX_NODE_LINES
        if is_large or count == MAX_LEVELS or node.parent is None:
            return
        partner = by_place.get((node.start_byte, node.end_byte + growth))
        if partner is None or place in seen or not node.is_named:
            continue
        if node.has_error or partner.has_error:
            return
        seen.add(place)
        count += 1
        yield NodePair(node, partner)


def _around(syntax: Syntax, start: int, end: int) -> list[Node]:
    root = syntax.tree.root_node
    first, last = syntax.to_byte(start), syntax.to_byte(end)
    node = root.descendant_for_byte_range(first, last)
    return path_to(root, node) if node is not None else []
