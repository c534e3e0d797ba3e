"""Modes of showing other files: functions from a case to snippets, in prompt order, within the context's tokens."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from scripts.context_quality.case import Case
from spark_lsp.engine.fim import FimFamily
from spark_lsp.index.ranking.file_order import FileOrder
from spark_lsp.index.ranking.import_graph import visible_files
from spark_lsp.index.ranking.rank import stable_order
from spark_lsp.prompt.budget import Budget
from spark_lsp.prompt.cached_prefix import build_cached_prefix, count_segments, whole_file
from spark_lsp.prompt.layout_style import PLAIN, RICH, Style, similar_snippets_for
from spark_lsp.prompt.pack import Layout, pack
from spark_lsp.prompt.segment import Segment
from spark_lsp.prompt.snippets import count_candidates
from spark_lsp.prompt.sources import gather

WINDOW_LINES, WINDOW_STEP = 20, 10  # RepoCoder's
_WORD = re.compile(r"[^\W\d]\w*")

Select = Callable[[Case, FimFamily], Awaitable[list[Segment]]]


async def nothing(_case: Case, _family: FimFamily) -> list[Segment]:
    """Show nothing."""
    return []


async def packer(
    case: Case, family: FimFamily, cached_prefix_share: float = 0.0, style: Style = PLAIN
) -> list[Segment]:
    """Show the snippets of the product's own packer, with signatures alone."""
    sizes = case.sizes
    cached_prefix_tokens = int(sizes.context * cached_prefix_share)
    total = sizes.before + sizes.after + sizes.context + 40  # names and special tokens are no context
    budget = Budget(total, cached_prefix_tokens, sizes.context - cached_prefix_tokens, sizes.before, sizes.after)
    cached_prefix: Sequence[Segment] = ()
    if cached_prefix_tokens:
        order = stable_order(case.view)
        cached_prefix = await build_cached_prefix(
            case.view, case.counter, family, budget_tokens=cached_prefix_tokens, whole_tokens=0, order=order,
            stable_order=order, leave_out=[case.hole.path],
        )  # fmt: skip
    cursor = replace(case.cursor, similar=similar_snippets_for(budget.snippet_tokens, style))
    candidates = await count_candidates(gather(cursor), case.counter)
    layout = Layout(family, "psm", case.hole.package, style)
    packed = await pack(cursor, layout, case.counter, budget, cached_prefix=cached_prefix, candidates=candidates)
    return [segment for segment in packed.segments if segment.kind not in {"header", "prefix", "suffix"}]


async def with_cached_prefix(case: Case, family: FimFamily) -> list[Segment]:
    """Show what the packer shows, half of it the cached prefix."""
    return await packer(case, family, 0.5)


_LONG: dict[tuple[str, int], tuple[Segment, ...]] = {}
"""Cached prefixes by package and size: they are the same for all holes of a package, as for all keys of a session."""


def long_prefix(prefix_tokens: int) -> Select:
    """Return a mode that shows a cached prefix of so many tokens before the snippets of the product's packer."""

    async def select(case: Case, family: FimFamily) -> list[Segment]:
        key = case.hole.package, prefix_tokens
        if key not in _LONG:
            order = FileOrder().of(case.view, sorted(case.open_paths), len(case.open_paths))
            _LONG[key] = await build_cached_prefix(
                case.view, case.counter, family, budget_tokens=prefix_tokens, whole_tokens=prefix_tokens,
                order=order.useful_first, stable_order=order.stable, leave_out=case.open_paths,
            )  # fmt: skip
        sizes = case.sizes
        total = prefix_tokens + sizes.before + sizes.after + sizes.context + 40
        budget = Budget(total, prefix_tokens, sizes.context, sizes.before, sizes.after)
        cursor = replace(case.cursor, similar=similar_snippets_for(budget.snippet_tokens, RICH))
        candidates = await count_candidates(gather(cursor), case.counter)
        layout = Layout(family, "psm", case.hole.package, RICH)
        packed = await pack(cursor, layout, case.counter, budget, cached_prefix=_LONG[key], candidates=candidates)
        return [segment for segment in packed.segments if segment.kind not in {"header", "prefix", "suffix"}]

    return select


async def product(case: Case, family: FimFamily) -> list[Segment]:
    """Show what the product's own packer shows to a real model."""
    segments = await packer(case, family, style=RICH)
    _CHOSEN[case.hole.package] = [segment for segment in segments if segment.kind != "imports"]
    return segments


_CHOSEN: dict[str, list[Segment]] = {}
"""The last choice of the product's packer in each package."""


async def foreign(case: Case, _family: FimFamily) -> list[Segment]:
    """Show the last choice for a hole in another package; run ``product`` before this."""
    others = [segments for package, segments in _CHOSEN.items() if package != case.hole.package]
    return others[-1] if others else []


async def imported(case: Case, family: FimFamily) -> list[Segment]:
    """Show the files that this one imports, whole, the last one cut at the end of the budget."""
    paths = visible_files(case.view, case.hole.path, case.hole.language)
    files = [whole for path in paths if (whole := whole_file(path, case.view.files[path]))]
    return (await within(case, family, files, is_cut=True))[::-1]


async def jaccard(case: Case, family: FimFamily) -> list[Segment]:
    """Show windows of 20 lines of other files that have most words in common with the 20 lines before the cursor."""
    before = case.snapshot.text[: case.hole.start].splitlines()[-WINDOW_LINES:]
    query = set(_WORD.findall("\n".join(before)))
    scored: list[tuple[float, Segment]] = []
    for path, windows in _windows(case).items():
        for segment, words in windows:
            score = len(words & query) / max(1, len(words | query))
            scored.append((score, replace(segment, path=path, score=score)))
    scored.sort(key=lambda scored_window: -scored_window[0])
    chosen: list[Segment] = []
    for _, segment in scored[:60]:
        if not any(window.path == segment.path and window.end_line >= segment.start_line and
                   window.start_line <= segment.end_line for window in chosen):  # fmt: skip
            chosen.append(segment)
    return (await within(case, family, chosen))[::-1]


_KEPT: dict[tuple[str, str], list[tuple[Segment, set[str]]]] = {}


def _windows(case: Case) -> dict[str, list[tuple[Segment, set[str]]]]:
    windows = {}
    for path, entry in case.view.files.items():
        if path == case.hole.path or entry.language != case.hole.language:
            continue
        key = (path, entry.content_hash)
        if key not in _KEPT:
            lines = entry.text.splitlines()
            _KEPT[key] = []
            for first in range(0, max(1, len(lines) - WINDOW_STEP), WINDOW_STEP):
                text = "\n".join(lines[first : first + WINDOW_LINES])
                last = min(len(lines), first + WINDOW_LINES)
                segment = Segment(path, text, "recent", "similar lines", start_line=first + 1, end_line=last)
                _KEPT[key].append((segment, set(_WORD.findall(text))))
        windows[path] = _KEPT[key]
    return windows


async def within(
    case: Case,
    family: FimFamily,
    segments: Sequence[Segment],
    *,
    is_cut: bool = False,
    tokens: int | None = None,
    most_share: float = 1.0,
) -> list[Segment]:
    """Take segments, best first, while they fit; of the first that does not, as many lines as fit if requested."""
    left = case.sizes.context if tokens is None else tokens
    chosen: list[Segment] = []
    for segment in segments:
        (counted,) = await count_segments([segment], case.counter, family)
        while is_cut and counted.tokens > left and counted.text:
            lines = counted.text.split("\n")
            kept = int(len(lines) * left / counted.tokens * 0.95)
            cut = replace(counted, text="\n".join(lines[: min(kept, len(lines) - 1)]))
            (counted,) = await count_segments([cut], case.counter, family)
        if counted.tokens <= min(left, most_share * case.sizes.context) and counted.text.strip():
            chosen.append(counted)
            left -= counted.tokens
        if left < 24 or (is_cut and counted.text != segment.text):
            break
    return chosen


SELECT: dict[str, Select] = {
    "none": nothing,
    "packer": packer,
    "packer-cached prefix": with_cached_prefix,
    "product": product,
    **{f"product-{tokens // 1024}k": long_prefix(tokens) for tokens in (2048, 8192, 32_768)},
    "foreign": foreign,
    "imported": imported,
    "jaccard": jaccard,
}
