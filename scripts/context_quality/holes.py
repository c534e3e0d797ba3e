"""Choose holes in the files of a package: the next text to write, and whether it needs a name of another file. Pure.

A hole in a line is the rest of the line; a hole in a block is a few whole lines. The cursor is between two words, or
for some holes in lines, which are counted separately, a few letters into a name.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tree_sitter import Node, QueryCursor

from spark_lsp.index.storage.view import FileEntry, IndexView
from spark_lsp.text.language import LANGUAGES, query
from spark_lsp.text.snapshot import LineTable
from spark_lsp.text.syntax import parse

Shape = Literal["line", "block"]
Need = Literal["novel", "file", "local"]

MAX_PLACES = 3  # a name with more definitions says little about which one is meant
MIN_CHARACTERS, MAX_CHARACTERS = 3, 80
MIN_BLOCK_LINES, MAX_BLOCK_LINES = 2, 10
MAX_BLOCK_CHARACTERS = 600
AT_NAME = 0.5  # share of the cursors right before the needed name; the others are earlier in its line
NEAR_BEFORE_LINES, NEAR_AFTER_LINES = 15, 4
"""Lines that a window certainly shows; the class of a hole depends on the measured window."""
TRIES = 400
_WORD = re.compile(r"[^\W\d]\w*")
_PASSES_ON = re.compile("import|use_declaration|package|export_clause|export_specifier")
_BARE = re.compile(r"\s*([\"'#*]|//)")
_TEST = re.compile(
    r"(^|/)(tests?|testing|examples?|__tests__|testdata)(/|$)|(^|/)(__init__\.py|index\.ts|mod\.rs|lib\.rs)$|(_test|\.test|\.spec|Test)\.|/test_",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Hole:
    """The missing text of a file: offsets into its text, and the names in it that only other files define."""

    package: str
    language: str
    path: str
    start: int
    end: int
    shape: Shape
    needed: tuple[str, ...]
    mid_word: bool = False

    @property
    def key(self) -> str:
        """Names the hole."""
        return f"{self.package}:{self.path}:{self.start}-{self.end}"


def need_of(hole: Hole, text: str, shown: str) -> Need:
    """Return the class of a hole whose window shows a part of the file.

    novel: a needed name occurs nowhere else in the file; file: a needed name occurs in the file, as in its imports,
    but not in the window; local: nothing is missing.
    """
    outside = set(_WORD.findall(text[: hole.start])) | set(_WORD.findall(text[hole.end :]))
    if any(name not in outside for name in hole.needed):
        return "novel"
    seen = set(_WORD.findall(shown))
    return "file" if any(name not in seen for name in hole.needed) else "local"


class Chooser:
    """Chooses holes in one package, by a seed."""

    def __init__(self, view: IndexView, package: str, language: str, seed: int) -> None:
        self._view = view
        self._package, self._language = package, language
        self._chance = random.Random(f"{seed}:{package}")  # noqa: S311 - chooses cursors
        entries = [view.files[path] for path in sorted(view.files) if not _TEST.search(path)]
        self._entries = [entry for entry in entries if entry.language == language and entry.text.isascii()]
        self._words: dict[str, list[tuple[int, int, str]]] = {}

    def choose(self, shape: Shape, count: int, *, needs: bool, mid_word: bool = False) -> Iterator[Hole]:
        """Yield up to ``count`` holes that do, or do not, need a name of another file; at most two per file."""
        weights = [entry.size for entry in self._entries]
        used: dict[str, int] = {}
        for _ in range(TRIES * count if self._entries else 0):
            (entry,) = self._chance.choices(self._entries, weights)
            if used.get(entry.path, 0) >= 2:
                continue
            hole = self._one(entry, shape, needs=needs, mid_word=mid_word)
            if hole is not None:
                used[entry.path] = used.get(entry.path, 0) + 1
                yield hole
            if sum(used.values()) >= count:
                return

    def _one(self, entry: FileEntry, shape: Shape, *, needs: bool, mid_word: bool) -> Hole | None:
        words, text = self._references(entry), entry.text
        if not words:
            return None
        at, end, name = self._chance.choice(words)
        if needs and not self._is_needed(entry, name):
            return None
        lines = LineTable.of(text)
        line = lines.line_of(at)
        content = text[lines.starts[line] : lines.ends[line]]
        if _BARE.match(content):
            return None
        first = lines.starts[line] + len(content) - len(content.lstrip())
        if shape == "block":
            start, stop = first, _block_end(text, lines, line)
        else:
            start, stop = at, lines.ends[line]
            if mid_word:
                start += min(3, (end - at) // 2)
            elif self._chance.random() > AT_NAME:
                before = [word_start for word_start, _, _ in words if first < word_start <= at]
                start = self._chance.choice([first, *before])
        expected = text[start:stop].rstrip()
        longest = MAX_CHARACTERS if shape == "line" else MAX_BLOCK_CHARACTERS
        if not MIN_CHARACTERS <= len(expected) <= longest or (shape == "block" and stop == lines.ends[line]):
            return None
        inside = dict.fromkeys(word for begin, _, word in words if start <= begin < stop)
        needed = tuple(word for word in inside if self._is_needed(entry, word))
        hole = Hole(self._package, self._language, entry.path, start, stop, shape, needed, mid_word)
        near = text[lines.starts[max(0, line - NEAR_BEFORE_LINES)] : start]
        near += text[stop : lines.ends[min(len(lines) - 1, line + NEAR_AFTER_LINES)]]
        return hole if needs == (need_of(hole, text, near) != "local") else None

    def _is_needed(self, entry: FileEntry, name: str) -> bool:
        """Whether only another file of the package defines a name that is specific enough."""
        places = self._view.definitions.get(name, ())
        if not 0 < len(places) <= MAX_PLACES or any(path == entry.path for path, _ in places):
            return False
        if re.search(rf"\b{name}\s*(:=|=[^=]|:[^:])", entry.text):  # a name that its own file defines, or a key
            return False
        return "_" in name.strip("_") or re.search(r"[a-z][A-Z]", name) is not None

    def _references(self, entry: FileEntry) -> list[tuple[int, int, str]]:
        """Return the identifiers that a file uses, with their offsets; the text is ASCII, so bytes are characters."""
        if entry.path not in self._words:
            language = LANGUAGES[entry.language]
            references, syntax = query(language, "references"), parse(language, entry.text)
            words: set[tuple[int, int, str]] = set()
            if references is not None and syntax is not None:
                nodes = QueryCursor(references).captures(syntax.tree.root_node).get("reference", ())
                code = [node for node in nodes if not _is_imported(node)]
                words = {(node.start_byte, node.end_byte, (node.text or b"").decode()) for node in code}
            self._words[entry.path] = sorted(words)
        return self._words[entry.path]


def _is_imported(node: Node | None) -> bool:
    """Whether a node is in an import or an export list, where nobody needs help from a model."""
    while node is not None:
        if _PASSES_ON.search(node.type):
            return True
        node = node.parent
    return False


def _block_end(text: str, lines: LineTable, line: int) -> int:
    """Return the end of the lines from one on with its indentation or more."""

    def depth(number: int) -> int:
        content = text[lines.starts[number] : lines.ends[number]]
        return len(content) - len(content.lstrip()) if content.strip() else 10_000

    last = line
    while last + 1 < len(lines) and last + 1 - line < MAX_BLOCK_LINES and depth(last + 1) >= depth(line):
        last += 1
    while last > line and not text[lines.starts[last] : lines.ends[last]].strip():
        last -= 1
    return lines.ends[last] if last - line + 1 >= MIN_BLOCK_LINES else lines.ends[line]
