"""Chooses what of a package a sample shows before a hole: signatures, whole files, definitions, recent lines.

Stands in for the packer, without an index: a definition is wanted when its name stands in the missing text or near it.
The blocks have the packer's form and order: the cached prefix (``spark_lsp/prompt/cached_prefix.py``), then the
snippets (``spark_lsp/prompt/sources.py``).
"""

import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from models.training.corpus_file import SourceFile
from models.training.holes import Hole
from spark_lsp.engine.fim import FileBlock

IDENTIFIER = re.compile(r"[A-Za-z_]\w{2,}")
FEW_PLACES = 3  # a name defined in more places than this says nothing about any of them
SNIPPET_SHARE = 0.4
KNOWN_SHARE = 0.85  # how often the packer shows a definition that the next lines need (design: .74 to .99)
NEAR_CHARACTERS = 1200  # around the cursor; whose names the packer looks up
RECENT_LINES = 12
SHEET_SHARE = 0.6  # of cached prefix blocks; the others are whole files
MIN_TWIN_CHARACTERS, MAX_TWINS = 16, 4  # a line says something from here on, and is no boilerplate up to there
TWIN_SHARE = 0.5  # how often a line that stands in another file too is shown there

Place = tuple[int, int, int]
"""A definition: file number, first and last line of its signature."""


@dataclass(frozen=True)
class Library:
    """The corpus by package. Numbers are places in the corpus."""

    files: Sequence[SourceFile]
    packages: Mapping[str, Sequence[int]]
    places: Mapping[str, Mapping[str, Sequence[Place]]]

    @classmethod
    def of(cls, files: Sequence[SourceFile]) -> "Library":
        """Look up once what defines what."""
        packages: dict[str, list[int]] = defaultdict(list)
        places: dict[str, dict[str, list[Place]]] = defaultdict(lambda: defaultdict(list))
        for number, file in enumerate(files):
            packages[file.package].append(number)
            for name, first, last in file.definitions:
                places[file.package][name].append((number, first, last))
        return cls(files, packages, places)

    def wanted(self, file: SourceFile, text: str, *, unless: str = "") -> list[Place]:
        """Return the definitions in other files that a text names and another does not, in order of first mention."""
        pairs_found: dict[Place, None] = {}
        known = set(IDENTIFIER.findall(unless))
        for name in dict.fromkeys(IDENTIFIER.findall(text)):
            if name in known:
                continue
            places = self.places[file.package].get(name, ())
            if 0 < len(places) <= FEW_PLACES:
                pairs_found.update((place, None) for place in places if self.files[place[0]].path != file.path)
        return list(pairs_found)

    @cached_property
    def twins(self) -> Mapping[str, Mapping[str, Sequence[tuple[int, int]]]]:
        """By package: the lines that stand in a few of its files, with (file number, line)."""
        twins: dict[str, dict[str, Sequence[tuple[int, int]]]] = {}
        for package, members in self.packages.items():
            lines: dict[str, list[tuple[int, int]]] = defaultdict(list)
            for number in members:
                for line, text in enumerate(map(str.strip, self.files[number].text.split("\n"))):
                    if len(text) >= MIN_TWIN_CHARACTERS:
                        lines[text].append((number, line))
            twins[package] = {text: places for text, places in lines.items() if 1 < len(places) <= MAX_TWINS}
        return twins


def signature_sheet(file: SourceFile) -> FileBlock | None:
    """Return the lines of a file that hold signatures, or None where there are none."""
    picked = sorted({line for _, first, last in file.definitions for line in range(first, last + 1)})
    if not picked:
        return None
    lines = file.text.split("\n")
    return FileBlock(file.path, "\n".join(lines[line] for line in picked), stable=True)


def whole_file(file: SourceFile) -> FileBlock:
    """Return a file as one block."""
    return FileBlock(file.path, file.text.rstrip("\n"), stable=True)


def definition(file: SourceFile, first: int, last: int) -> FileBlock:
    """Return the signature of one definition as a block of its own."""
    return FileBlock(file.path, "\n".join(file.text.split("\n")[first : last + 1]), stable=False)


def choose_blocks(
    chance: random.Random, library: Library, file: SourceFile, hole: Hole, prefix: str, suffix: str, characters: int
) -> tuple[FileBlock, ...]:
    """Return blocks of other files of the package within a number of characters: cached prefix first, best last."""
    others = [number for number in library.packages[file.package] if library.files[number].path != file.path]
    if not others or characters <= 0:
        return ()
    near = prefix[-NEAR_CHARACTERS:] + suffix[: NEAR_CHARACTERS // 2]
    needed = [place for place in library.wanted(file, hole.of(file.text)) if chance.random() < KNOWN_SHARE]
    related = library.wanted(file, near)
    twin = _twin(chance, library, file, hole)
    snippets = _snippets(chance, library, others, twin, needed, related, int(characters * SNIPPET_SHARE))
    left = characters - sum(map(_size, snippets))
    named = [number for number, _, _ in [*needed, *related]]
    return (*_cached_prefix(chance, library, others, named, left), *snippets)


def _snippets(
    chance: random.Random,
    library: Library,
    others: Sequence[int],
    twin: Sequence[FileBlock],
    needed: Sequence[Place],
    related: Sequence[Place],
    characters: int,
) -> list[FileBlock]:
    """Choose definitions, the needed ones among others, and sometimes lines that look recently edited."""
    candidates = [*needed, *chance.sample(related, min(len(related), chance.randint(0, 8)))]
    for number in chance.sample(others, min(len(others), chance.randint(0, 3))):
        if library.files[number].definitions:
            _, first, last = chance.choice(library.files[number].definitions)
            candidates.append((number, first, last))
    blocks = [definition(library.files[number], first, last) for number, first, last in dict.fromkeys(candidates)]
    blocks = [*twin, *blocks]
    if chance.random() < 0.15:
        blocks.append(_recent(chance, library.files[chance.choice(others)]))
    chosen, used = [], 0
    for block in blocks:
        if block.text.strip() and used + _size(block) <= characters:
            chosen.append(block)
            used += _size(block)
    chance.shuffle(chosen)
    return chosen


def _twin(chance: random.Random, library: Library, file: SourceFile, hole: Hole) -> list[FileBlock]:
    """Return the lines around the hole's first line in another file that has it too, as a recent edit shows them."""
    start = file.text.rfind("\n", 0, hole.start) + 1
    line = file.text[start : hole.end].split("\n", 1)[0].strip()
    places = library.twins[file.package].get(line, ())
    elsewhere = [place for place in places if library.files[place[0]].path != file.path]
    if not elsewhere or chance.random() >= TWIN_SHARE:
        return []
    number, at = chance.choice(elsewhere)
    return [_recent_from(library.files[number], max(0, at - chance.randrange(RECENT_LINES)))]


def _recent(chance: random.Random, file: SourceFile) -> FileBlock:
    lines = file.text.count("\n") + 1
    return _recent_from(file, chance.randrange(max(1, lines - RECENT_LINES)))


def _recent_from(file: SourceFile, first: int) -> FileBlock:
    lines = file.text.split("\n")
    return FileBlock(file.path, "\n".join(lines[first : first + RECENT_LINES]), stable=False)


def _cached_prefix(
    chance: random.Random, library: Library, others: Sequence[int], named: Sequence[int], characters: int
) -> list[FileBlock]:
    """Choose sheets, then whole files, those that are named near the hole more often than others."""
    order = list(dict.fromkeys(named))[:6] + chance.sample(others, min(len(others), 12))
    sheets: list[FileBlock] = []
    wholes: list[FileBlock] = []
    used = 0
    for number in dict.fromkeys(order):
        is_sheet = chance.random() < SHEET_SHARE
        block = signature_sheet(library.files[number]) if is_sheet else whole_file(library.files[number])
        if block and used + _size(block) <= characters:
            (sheets if is_sheet else wholes).append(block)
            used += _size(block)
    chance.shuffle(sheets)
    chance.shuffle(wholes)
    return [*sheets, *wholes]


def _size(block: FileBlock) -> int:
    return len(block.path) + len(block.text) + 4
