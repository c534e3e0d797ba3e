"""The text around the cursor, computed once per request. Frozen; every later stage reads it."""

import asyncio
import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

from spark_lsp.completion.brackets import brackets_of, imbalance, unclosed
from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.language import Language, language_of_id, language_of_path
from spark_lsp.text.quotes import NEVER, Closer, Quotes, closer_at, quotes_of
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.text.syntax import Syntax, parse_in_steps, path_to
from spark_lsp.text.syntax_cache import SYNTAX_CACHE

_BALANCE_LINES = 60  # a bracket left open farther up belongs to a block, which the indentation rules look after
MAX_PARSED_CHARACTERS = 100_000
"""Each edit of more would hold up the event loop for some milliseconds; larger documents are judged by lines."""
SMALL_CHARACTERS = 8_000
"""A first parse of as much takes some 3 ms, which may be done at once."""
_INDENT_CHARACTERS = 20_000

_FENCED_LANGUAGES = frozenset({"markdown", "mdx", "quarto", "rmd"})
_FENCED_SUFFIXES = frozenset({".md", ".markdown", ".mdx", ".qmd", ".Rmd"})
_STRING_TYPES = ("string", "heredoc", "template")
_IN_NAME = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class SelectedItem:
    """An item that is selected in the editor's completion menu, and the text that it replaces around the cursor."""

    text: str
    typed: str
    behind: str


@dataclass(frozen=True)
class CursorContext:
    """A cursor in a snapshot. ``offset`` is the cursor in code points.

    With an ``selected`` both are as if that had been taken, and the cursor stands behind it; see ``selected_item.py``.
    """

    snapshot: Snapshot
    offset: int
    selected: SelectedItem | None = None
    ignored_reason: str = ""
    """Why the selected menu item is not continued; the editor hides the suggestion behind it."""

    @cached_property
    def document(self) -> Snapshot:
        """The document as it is, without the item."""
        if self.selected is None:
            return self.snapshot
        before = self.prefix[: -len(self.selected.text)]
        return replace(self.snapshot, text=before + self.selected.typed + self.selected.behind + self.suffix)

    def edit(self, text: str, replaced: int) -> Edit:
        """Return what accepting a suggestion does to the document as it is: it brings the item along."""
        if self.selected is None:
            return Edit(Span(self.offset, self.offset + replaced), text)
        start = self.offset - len(self.selected.text)
        covered = len(self.selected.typed) + len(self.selected.behind)
        return Edit(Span(start, start + covered + replaced), self.selected.text + text)

    def renames(self, text: str) -> bool:
        """Whether a text at the cursor would make another name of the item."""
        return self.selected is not None and bool(_IN_NAME.match(self.selected.text[-1]) and _IN_NAME.match(text))

    @cached_property
    def language(self) -> Language | None:
        """The row of the document's language, or None for plain text."""
        named = language_of_id(self.snapshot.language)
        return named or (language_of_path(self.snapshot.path) if self.snapshot.path else None)

    @cached_property
    def quotes(self) -> Quotes:
        """How the document's language quotes."""
        return quotes_of(self.language.name if self.language else self.snapshot.language)

    @cached_property
    def line_end(self) -> str:
        """What ends the cursor's line, or, on the last line, the one before."""
        lines, text = self.snapshot.lines, self.snapshot.text
        here = lines.line_of(self.offset)
        here = here if here + 1 < len(lines) else here - 1
        return text[lines.ends[here] : lines.starts[here + 1]] if here >= 0 else "\n"

    @cached_property
    def string_closer(self) -> Closer | None:
        """What closes the string of several lines that the cursor stands in; None in code."""
        if self.tree is None or self.language is None:
            return None
        byte = self.tree.bytes_map.to_bytes(self.offset)
        node = self.tree.tree.root_node.descendant_for_byte_range(max(0, byte - 1), byte)
        path = path_to(self.tree.tree.root_node, node) if node is not None else []
        string = next((around for around in path if any(part in around.type for part in _STRING_TYPES)), None)
        if string is None or not string.start_byte < byte < string.end_byte:
            return None
        start = self.tree.bytes_map.to_offset(string.start_byte)
        return closer_at(self.language.name, self.snapshot.text, start) or NEVER

    @property
    def has_fences(self) -> bool:
        """Whether the document is of a kind that holds fenced code."""
        path = self.snapshot.path
        return self.snapshot.language in _FENCED_LANGUAGES or (path is not None and path.suffix in _FENCED_SUFFIXES)

    @property
    def prefix(self) -> str:
        """All text before the cursor."""
        return self.snapshot.text[: self.offset]

    @property
    def suffix(self) -> str:
        """All text after the cursor."""
        return self.snapshot.text[self.offset :]

    @cached_property
    def line_prefix(self) -> str:
        """The cursor's line up to the cursor."""
        lines = self.snapshot.lines
        return self.snapshot.text[lines.starts[lines.line_of(self.offset)] : self.offset]

    @cached_property
    def line_suffix(self) -> str:
        """The rest of the cursor's line."""
        lines = self.snapshot.lines
        return self.snapshot.text[self.offset : lines.ends[lines.line_of(self.offset)]]

    @cached_property
    def next_line(self) -> str:
        """The next line below the cursor's that is not blank; empty when there is none."""
        return next((line for line in self._lines_around(1) if line.strip()), "")

    @cached_property
    def previous_line(self) -> str:
        """The next line above the cursor's that is not blank; empty when there is none."""
        return next((line for line in self._lines_around(-1) if line.strip()), "")

    def _lines_around(self, step: int) -> "list[str]":
        lines = self.snapshot.lines
        here = lines.line_of(self.offset)
        numbers = range(here + step, len(lines) if step > 0 else -1, step)[:50]
        return [lines.span(number).text(self.snapshot.text) for number in numbers]

    @cached_property
    def indent_columns(self) -> int:
        """Indentation of the cursor's line, a tab counted as four columns."""
        return columns(self.line_prefix if self.line_prefix.strip() else self.line_prefix + self.line_suffix)

    @cached_property
    def opens_block(self) -> bool:
        """Whether what stands before the cursor invites a block: the line ends with an opener."""
        return self._opens(self.line_prefix) and not self.in_comment

    @cached_property
    def after_opener(self) -> bool:
        """Whether the cursor stands on a blank line right below a line that ends with an opener."""
        mark = self.language.line_comment if self.language else ""
        is_comment = bool(mark) and self.previous_line.lstrip().startswith(mark)
        return not self.line_prefix.strip() and self._opens(self.previous_line) and not is_comment

    def _opens(self, line: str) -> bool:
        openers = self.language.block_openers if self.language else "{([:"
        if line.rstrip().endswith(":") and self.open_brackets[-1:] in ("(", "["):
            return False  # an annotation, a slice or a lambda
        return line.rstrip().endswith(tuple(openers))

    @cached_property
    def in_comment(self) -> bool:
        """Whether the cursor stands in a comment that began on its line, as the syntax tree says: it opens no block."""
        if self.tree is None:
            return False
        end = self.tree.to_byte(self.offset - len(self.line_prefix) + len(self.line_prefix.rstrip()))
        node = self.tree.tree.root_node.descendant_for_byte_range(max(0, end - 1), end)
        return node is not None and "comment" in node.type and b"\n" not in self.tree.source[node.start_byte : end]

    @cached_property
    def _is_body(self) -> bool:
        """Whether the cursor's blank line is all that stands between a head and what follows its block."""
        here = self.indent_columns
        is_alone = columns(self.previous_line) < here and columns(self.next_line) < here
        return not self.line_prefix.strip() and bool(self.previous_line) and is_alone

    @cached_property
    def multi_line(self) -> bool:
        """Whether a block is wanted, rather than the rest of a line."""
        return not self.line_suffix.strip() and (self.opens_block or not self.line_prefix.strip())

    @property
    def wants_body(self) -> bool:
        """Whether the body of a definition or a block is still to be written, all of it."""
        return self.opens_block or self.after_opener or self._is_body

    @cached_property
    def indent_unit(self) -> int:
        """The document's columns per level: the most common step to a deeper line; 0 if unknown."""
        steps: Counter[int] = Counter()
        last = 0
        for line in self.snapshot.text[:_INDENT_CHARACTERS].splitlines():
            if line.strip():
                width = columns(line)
                steps[width - last] += width > last
                last = width
        step, count = max(steps.items(), key=lambda item: item[1], default=(0, 0))
        return step if count and 2 <= step <= 8 else 0

    @cached_property
    def around(self) -> tuple[str, str]:
        """The lines before and after the cursor over which brackets are counted."""
        lines = self.snapshot.lines
        here = lines.line_of(self.offset)
        first, last = max(0, here - _BALANCE_LINES), min(len(lines) - 1, here + _BALANCE_LINES)
        text = self.snapshot.text
        return text[lines.starts[first] : self.offset], text[self.offset : lines.ends[last]]

    def imbalance_with(self, text: str = "", replaced: int = 0) -> tuple[int, int]:
        """Return how many brackets stay open, and how many close nothing, with a text at the cursor.

        Only the cursor's line is looked through again: a quote ends with its line at the latest.
        """
        before, after = self._brackets_around
        line = self.line_prefix + text + self.line_suffix[replaced:]
        return imbalance(before + brackets_of(line, self.quotes) + after, self.quotes)

    @cached_property
    def _brackets_around(self) -> tuple[str, str]:
        before, after = self.around
        above, below = before[: len(before) - len(self.line_prefix)], after[len(self.line_suffix) :]
        return brackets_of(above, self.quotes), brackets_of(below, self.quotes)

    @cached_property
    def tree(self) -> Syntax | None:
        """The document's syntax tree; None for plain text and for documents that are too large."""
        if len(self.snapshot.text) > MAX_PARSED_CHARACTERS:
            return None
        return SYNTAX_CACHE.of(self.language, self.snapshot.text, self.snapshot.uri)

    async def grow(self) -> None:
        """Parse a large document beside the event loop, the first time that it is met; later its tree only grows."""
        uri, text = self.snapshot.uri, self.snapshot.text
        if self.language is None or not SMALL_CHARACTERS < len(text) <= MAX_PARSED_CHARACTERS:
            return
        if not SYNTAX_CACHE.has(self.language, uri):
            SYNTAX_CACHE.keep(uri, await asyncio.to_thread(parse_in_steps, self.language, text))

    @cached_property
    def open_brackets(self) -> str:
        """Brackets left open before the cursor, outermost first, counted over the last lines."""
        return unclosed(self.around[0], self.quotes)


def columns(line: str) -> int:
    """Return the width of a line's indentation, a tab counted as four columns."""
    blank = line[: len(line) - len(line.lstrip(" \t"))]
    return len(blank.replace("\t", "    "))
