"""Layouts that were tried beside the product's own: other choices and other cuts of the ranking's results."""

from collections.abc import Sequence
from dataclasses import replace

from scripts.context_quality.case import Case
from scripts.context_quality.modes import Select, jaccard, packer, within
from spark_lsp.engine.fim import FimFamily
from spark_lsp.index.parse.symbols import Definition
from spark_lsp.index.ranking.rank import RankedDefinition, rank_definitions
from spark_lsp.index.storage.view import FileEntry
from spark_lsp.prompt.segment import Segment
from spark_lsp.prompt.similar_lines import similar_lines
from spark_lsp.text.snapshot import LineTable

CLASS_LIKE = frozenset({"class", "interface", "enum", "type"})
SHORT_BODY_LINES = 12


def ranked(case: Case, limit: int = 60) -> list[RankedDefinition]:
    """Return the product's ranking for the cursor."""
    cursor = case.cursor
    return rank_definitions(
        case.view, path=cursor.path, text=cursor.snapshot.text, offset=cursor.offset,
        language=cursor.snapshot.language, limit=limit,
    )  # fmt: skip


def unit_of(entry: FileEntry, definition: Definition) -> Definition:
    """Return the class around a member, or the definition itself."""
    outer = definition.container
    while outer:
        for inner in entry.symbols.definitions:
            if inner.qualified_name == outer and inner.kind in CLASS_LIKE:
                return inner
        outer = outer.rpartition(".")[0]
    return definition


def outline(entry: FileEntry, unit: Definition, *, body: bool) -> tuple[str, int]:
    """Return an outline and its first line: a class with its members' signatures, or a function's signature."""
    text = entry.text
    lines = LineTable.of(text)
    first, last = lines.line_of(unit.span.start), lines.line_of(max(unit.span.start, unit.span.end - 1))
    if (body and last - first < SHORT_BODY_LINES) or last - first < 3:
        return text[lines.starts[first] : lines.ends[last]], first
    members = [
        definition for definition in entry.symbols.definitions
        if definition == unit or (definition.container == unit.qualified_name and unit.kind in CLASS_LIKE)
    ]  # fmt: skip
    shown: set[int] = set()
    for member in members:
        start, end = lines.line_of(member.signature_span.start), lines.line_of(max(0, member.signature_span.end - 1))
        shown.update(range(start, min(end, start + 7) + 1))
    return "\n".join(text[lines.starts[line] : lines.ends[line]] for line in sorted(shown)), first


async def outlines(case: Case, family: FimFamily, *, body: bool = False, most: int = 12) -> list[Segment]:
    """Show the classes and functions of the ranking, whole classes in outline, the most likely last."""
    return await _units(case, family, case.sizes.context, body=body, most=most)


async def _units(case: Case, family: FimFamily, tokens: int, *, body: bool, most: int) -> list[Segment]:
    taken: dict[tuple[str, int], Segment] = {}
    for candidate in ranked(case):
        entry = case.view.files[candidate.path]
        unit = unit_of(entry, candidate.definition)
        key = (candidate.path, unit.span.start)
        if key not in taken:
            text, line = outline(entry, unit, body=body)
            taken[key] = Segment(
                candidate.path, text, "definition", "", candidate.score, start_line=line + 1, end_line=line + 1
            )
        if len(taken) >= most:
            break
    chosen = await within(case, family, list(taken.values()), tokens=tokens, most_share=0.5)
    return grouped(chosen)


def grouped(segments: Sequence[Segment]) -> list[Segment]:
    """Join the snippets of one file, the file with the best snippet last; within a file in line order."""
    by_path: dict[str, list[Segment]] = {}
    for segment in segments:
        by_path.setdefault(segment.path, []).append(segment)
    joined = []
    for path, group in by_path.items():
        ordered = sorted(group, key=lambda segment: segment.start_line)
        best = max(segment.score for segment in group)
        joined.append(replace(ordered[0], path=path, text="\n".join(segment.text for segment in ordered), score=best))
    return sorted(joined, key=lambda segment: segment.score)


async def outlines_with_bodies(case: Case, family: FimFamily) -> list[Segment]:
    """Show outlines, and short definitions whole."""
    return await outlines(case, family, body=True)


async def few(case: Case, family: FimFamily) -> list[Segment]:
    """Show no more than four outlines."""
    return await outlines(case, family, body=True, most=4)


async def outlines_and_windows(case: Case, family: FimFamily) -> list[Segment]:
    """Show outlines with one half of the budget and similar windows with the other."""
    half = replace(case, sizes=replace(case.sizes, context=case.sizes.context // 2))
    windows = await jaccard(half, family)
    return [*await _units(case, family, case.sizes.context // 2, body=False, most=12), *windows]


async def windows(case: Case, family: FimFamily, tokens: int | None = None) -> list[Segment]:
    """Show lines of other files that are like those before the cursor, and the lines after them."""
    cursor = case.cursor
    candidates = similar_lines(cursor.view, cursor.snapshot, cursor.path, cursor.offset, 12)
    return (await within(case, family, candidates, tokens=tokens))[::-1]


async def packer_and_windows(case: Case, family: FimFamily) -> list[Segment]:
    """Show the packer's snippets with half of the budget, and windows after them."""
    half = replace(case, sizes=replace(case.sizes, context=case.sizes.context // 2))
    return [*await packer(half, family), *await windows(case, family, case.sizes.context // 2)]


async def windows_and_packer(case: Case, family: FimFamily) -> list[Segment]:
    """Show the same with the windows first."""
    half = replace(case, sizes=replace(case.sizes, context=case.sizes.context // 2))
    return [*await windows(case, family, case.sizes.context // 2), *await packer(half, family)]


async def packer_and_a_window(case: Case, family: FimFamily) -> list[Segment]:
    """Show the packer's snippets with three quarters of the budget, and windows after them."""
    most = replace(case, sizes=replace(case.sizes, context=case.sizes.context * 3 // 4))
    return [*await packer(most, family), *await windows(case, family, case.sizes.context // 4)]


TRIED: dict[str, Select] = {
    "outlines": outlines,
    "bodies": outlines_with_bodies,
    "few": few,
    "outlines-windows": outlines_and_windows,
    "windows": windows,
    "packer-windows": packer_and_windows,
    "windows-packer": windows_and_packer,
    "packer-window": packer_and_a_window,
}
