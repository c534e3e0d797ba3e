"""Future-definition recall: the share of names from other files in the next lines that a prompt shows.

A case is a cursor in a project whose next three lines are cut out. A name counts when those lines use it, one to three
places in other files define it, and its own file does not; it is found when a line that defines it is shown. A novel
name stands nowhere else in its file, so that a model cannot copy it from there. Names that are nothing but fields are
counted apart: by name alone they cannot be told from locals and keys. Deterministic for a seed.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tree_sitter import QueryCursor

from spark_lsp.index.parse.symbols import Definition
from spark_lsp.index.storage.view import FileEntry, IndexView
from spark_lsp.prompt.segment import Segment
from spark_lsp.text.edit import Span
from spark_lsp.text.language import LANGUAGES, query
from spark_lsp.text.snapshot import LineTable, Snapshot
from spark_lsp.text.syntax import parse

HOLE_LINES = 3
MAX_PLACES = 3
GROUPS = ("all", "novel", "fields")
TRIES_PER_CASE = 40  # cursors whose next lines need nothing of another file say nothing

ShownDefinitions = frozenset[tuple[str, str]]
"""What a prompt shows of other files: pairs of a path and a line, its blanks at both ends left out."""


@dataclass(frozen=True, slots=True)
class RecallCase:
    """A cursor, the text around the hole, and for each needed name the lines that define it."""

    path: str
    language: str
    text: str
    offset: int
    hole: str
    needed: Mapping[str, ShownDefinitions]
    novel: frozenset[str]
    fields: frozenset[str]

    @property
    def snapshot(self) -> Snapshot:
        """The document as the user would have it: without what is still to be written."""
        return Snapshot(f"file:///{self.path}", None, 0, self.language, self.text)


@dataclass(slots=True)
class RecallCounts:
    """Names found and names needed."""

    covered: Counter[str] = field(default_factory=Counter)
    needed: Counter[str] = field(default_factory=Counter)

    def add(self, case: RecallCase, shown: ShownDefinitions) -> None:
        """Count one case, both for all of its names and for the novel ones, fields apart."""
        for name, lines in case.needed.items():
            groups = ["fields"] if name in case.fields else ["all", "novel"] if name in case.novel else ["all"]
            for group in groups:
                self.needed[group] += 1
                self.covered[group] += not lines.isdisjoint(shown)

    def join(self, counts: "RecallCounts") -> None:
        """Add what another one counted."""
        self.covered.update(counts.covered)
        self.needed.update(counts.needed)

    def share(self, group: str) -> float:
        """Return the share found, to three places; 0.0 of nothing."""
        return round(self.covered[group] / self.needed[group], 3) if self.needed[group] else 0.0


def choose_cases(view: IndexView, count: int, seed: int) -> list[RecallCase]:
    """Choose cursors at random: each file as likely as it is long, only those that need something."""
    chance = random.Random(seed)  # noqa: S311 - chooses cursors
    paths = [path for path in sorted(view.files) if view.files[path].language in LANGUAGES]
    weights = [view.files[path].size for path in paths]
    cases: list[RecallCase] = []
    for _ in range(count * TRIES_PER_CASE if paths else 0):
        entry = view.files[chance.choices(paths, weights)[0]]
        case = _case(view, entry, chance)
        if case is not None:
            cases.append(case)
        if len(cases) == count:
            break
    return cases


def _case(view: IndexView, entry: FileEntry, chance: random.Random) -> RecallCase | None:
    text = entry.text
    lines = LineTable.of(text)
    first = chance.randrange(max(1, len(lines) - HOLE_LINES))
    last = min(len(lines), first + HOLE_LINES) - 1
    start, end = lines.starts[first], lines.ends[last]
    inside, outside = _names_inside_and_outside(entry, text, Span(start, end))
    own = {definition.name for definition in entry.symbols.definitions}
    needed: dict[str, ShownDefinitions] = {}
    fields: set[str] = set()
    for name in inside:
        places = view.definitions.get(name, ())
        if name not in own and 0 < len(places) <= MAX_PLACES:
            needed[name] = frozenset(defining_line(view.files[path], definition) for path, definition in places)
            if all(definition.kind == "field" for _, definition in places):
                fields.add(name)
    if not needed.keys() - fields:
        return None
    novel = frozenset(needed.keys() - outside)
    bare = text[:start] + text[end:]
    return RecallCase(entry.path, entry.language, bare, start, text[start:end], needed, novel, frozenset(fields))


def _names_inside_and_outside(entry: FileEntry, text: str, hole: Span) -> tuple[list[str], set[str]]:
    """Return the identifiers that the hole uses, in order, and those that stand elsewhere in the file."""
    language = LANGUAGES[entry.language]
    references, syntax = query(language, "references"), parse(language, text)
    inside: dict[str, None] = {}
    outside: set[str] = set()
    if references is None or syntax is None:
        return [], outside
    start, end = (len(text[:offset].encode("utf-8", "replace")) for offset in (hole.start, hole.end))
    for node in QueryCursor(references).captures(syntax.tree.root_node).get("reference", ()):
        name = (node.text or b"").decode("utf-8", "replace")
        if start <= node.start_byte < end:
            inside[name] = None
        else:
            outside.add(name)
    return list(inside), outside


def defining_line(entry: FileEntry, definition: Definition) -> tuple[str, str]:
    """Return the line of a definition on which its name stands, with its path."""
    text = entry.text
    head = definition.signature_span
    at = text.find(definition.name, head.start, head.end)
    at = head.start if at < 0 else at
    start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    return entry.path, text[start : end if end >= 0 else len(text)].strip()


def lines_of(segments: Iterable[Segment]) -> ShownDefinitions:
    """Return what segments of other files show."""
    return frozenset(
        (segment.path, line.strip())
        for segment in segments
        if segment.kind not in {"prefix", "suffix", "header"}
        for line in segment.text.splitlines()
    )


def table(
    counts_by_packer: Mapping[str, Mapping[int, RecallCounts]], budgets: Sequence[int]
) -> Iterator[dict[str, object]]:
    """Yield a row for each packer and group of names, a column for each budget."""
    for group in GROUPS:
        for packer, by_budget in counts_by_packer.items():
            shares = {str(budget): by_budget[budget].share(group) for budget in budgets}
            yield {"names": group, "count": by_budget[budgets[0]].needed[group], "packer": packer} | shares
