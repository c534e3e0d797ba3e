"""Cleaning the final text: what was trimmed is made fit to stand in the document. Pure, named steps in order.

Never adds text of its own beyond indentation; what it cannot mend it cuts or drops, with the rule's name.
"""

from dataclasses import dataclass

from spark_lsp.completion.hole import Hole, unopened
from spark_lsp.text.syntax import parse

LARGEST_PARSED_CHARACTERS = 100_000  # two parses of more would take over 5 ms


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The text to insert, how many characters right of the cursor it replaces, and the rule that emptied it."""

    text: str
    replaced: int
    rule: str


def clean(hole: Hole, text: str) -> Cleaned:
    """Return what may be shown; an empty text names its rule."""
    text = _fix_indentation(hole, text).rstrip()
    if not text.strip():
        return Cleaned("", 0, "blank")
    if _repeats_neighbour(hole, text):
        return Cleaned("", 0, "duplicate")
    text, replaced = _fit_rest_of_line(hole, text)
    if not text.strip():
        return Cleaned("", 0, "suffix")
    text = _cut_until_it_parses(hole, text, replaced)
    return Cleaned(text, replaced, "") if text.strip() else Cleaned("", 0, "syntax")


def _fix_indentation(hole: Hole, text: str) -> str:
    """Use the document's tabs, and do not indent again what the cursor already indented."""
    if hole.line_prefix and not hole.line_prefix.strip():
        text = text.lstrip(" \t")
    head, *rest = text.split("\n")
    if rest and _uses_tabs(hole):
        rest = [_with_tabs(line) for line in rest]
    return "\n".join([head, *rest])


def _uses_tabs(hole: Hole) -> bool:
    lines = hole.snapshot.text.splitlines()[:500]
    return sum(line.startswith("\t") for line in lines) > sum(line.startswith("  ") for line in lines)


def _with_tabs(line: str) -> str:
    body = line.lstrip(" ")
    spaces = len(line) - len(body)
    return "\t" * (spaces // 4) + " " * (spaces % 4) + body if spaces >= 4 else line


def _repeats_neighbour(hole: Hole, text: str) -> bool:
    """Whether the first line says again what the next or the previous line says."""
    first = (hole.line_prefix + text.split("\n", 1)[0]).strip()
    is_telling = sum(char.isalnum() for char in first) >= 3
    return is_telling and first in (hole.next_line.strip(), hole.previous_line.strip())


def _fit_rest_of_line(hole: Hole, text: str) -> tuple[str, int]:
    """Leave out what the line already has after the cursor, or replace the closers that the text brings itself.

    ``foo(|)`` with ``a, b)`` replaces the ``)``; ``foo(|):`` with ``a):`` replaces ``):``.
    """
    rest = hole.line_suffix.rstrip()
    if not rest.strip():
        return text, 0
    first_line = text.split("\n", 1)[0]
    if first_line.endswith(rest):
        return text, len(rest)
    closers = unopened(first_line)
    replaced = 0
    for char in rest:
        if char.isspace() or (closers and char == closers[0]):
            closers = closers if char.isspace() else closers[1:]
            replaced += 1
        else:
            break
    return text, replaced if rest[:replaced].strip() else 0


def _cut_until_it_parses(hole: Hole, text: str, replaced: int) -> str:
    """Cut whole lines from the end until the document parses no worse than before."""
    if "\n" not in text or len(hole.snapshot.text) > LARGEST_PARSED_CHARACTERS:
        return text
    before = parse(hole.language, hole.snapshot.text)
    if before is None:
        return text
    lines = text.split("\n")
    while len(lines) > 1:
        candidate = "\n".join(lines)
        after = parse(hole.language, hole.prefix + candidate + hole.suffix[replaced:])
        if after is None or after.error_count <= before.error_count:
            return candidate.rstrip()
        lines.pop()
    return lines[0]
