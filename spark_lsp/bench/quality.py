"""``bench quality``: measure how many of the needed names our prompts show, beside other packers, in one run.

Each project is indexed in memory, its cursors are chosen by a seed, and every packer fills the same budgets with pieces
of other files, counted exactly by the model's tokenizer. A prompt of ours holds the window of the current file too and
still keeps the budget; the others get all of it for other files.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import structs

from spark_lsp.bench.asking import engine_of, launch_of, private_place
from spark_lsp.bench.recall import RecallCase, RecallCounts, ShownDefinitions, choose_cases, lines_of, table
from spark_lsp.bench.recorded_session import BUDGET_TOKENS, measure_session
from spark_lsp.bench.rivals import Bm25Chunks, ImportedBodies, JaccardWindows, RepositoryMap, Rival
from spark_lsp.engine.base import Engine, ModelInfo
from spark_lsp.engine.fim import FimFamily, family_named
from spark_lsp.engine.local.local_engine import LocalEngine
from spark_lsp.errors import ModelNoFim
from spark_lsp.index.ranking.recent import Recent
from spark_lsp.index.store import Index
from spark_lsp.prompt.budget_policy import REPLY_TOKENS, PromptLimits
from spark_lsp.prompt.cached_prefix import count_segments
from spark_lsp.prompt.pack import Layout, pack
from spark_lsp.prompt.segment import Segment
from spark_lsp.prompt.snippets import Signatures, count_candidates
from spark_lsp.prompt.sources import PromptCursor, definitions_for, gather
from spark_lsp.prompt.token_counts import TokenCounter
from spark_lsp.prompt.workspace_context import WorkspaceContext

BUDGETS = (1024, 2048, 4096, 8192, 16384, 32768, 131072)
OURS, BARE = "spark-lsp", "spark-lsp, no window"
RIVALS: tuple[tuple[str, Callable[[Any], Rival]], ...] = (
    ("repository map", RepositoryMap),
    ("imported bodies", ImportedBodies),
    ("BM25 chunks", Bm25Chunks),
    ("Jaccard windows", JaccardWindows),
)
COUNTED_AT_ONCE = 32

CountsByBudget = dict[str, dict[int, RecallCounts]]


@dataclass(frozen=True, slots=True)
class Quality:
    """What is measured: projects, budgets in tokens, cursors for each project, and the seed that chooses them."""

    folders: Sequence[Path]
    budgets: Sequence[int] = BUDGETS
    cursors: int = 80
    seed: int = 1
    with_rivals: bool = True
    keys: int = 0
    """Keys of a recorded session in the first project; 0 for none."""


async def measure_recall(quality: Quality, model: str, report: Callable[[str], None]) -> dict[str, Any]:
    """Measure every project; returns a table of all of them together and one for each."""
    together: CountsByBudget = {}
    projects: dict[str, Any] = {}
    session: dict[str, float] = {}
    async with _counting(model, max(*quality.budgets, BUDGET_TOKENS)) as engine:
        if quality.keys:
            report("a recorded session")
            session = await _session(quality, engine)
        for folder in quality.folders:
            report(folder.name)
            counts_by_packer, cases = await _project(quality, folder, engine)
            rows = list(table(counts_by_packer, quality.budgets))
            projects[folder.name] = {"cursors": cases, "recall": rows}
            for packer, by_budget in counts_by_packer.items():
                for budget, counts in by_budget.items():
                    together.setdefault(packer, {}).setdefault(budget, RecallCounts()).join(counts)
    return {
        "projects": len(projects),
        "seed": quality.seed,
        **({"session": session} if session else {}),
        "recall": list(table(together, quality.budgets)),
        "by_project": projects,
    }


@asynccontextmanager
async def _counting(model: str, tokens: int) -> AsyncIterator[Engine]:
    """Start an engine for its tokenizer alone."""
    with private_place():
        async with engine_of(launch_of(model, 512, 1)) as engine:
            yield _Roomy(engine, tokens + REPLY_TOKENS)


async def _session(quality: Quality, engine: Engine) -> dict[str, float]:
    index = Index(quality.folders[0])
    index.refresh()
    context = _context(engine, index, Recent(), quality.folders[0].name)
    return await measure_session(context, index, TokenCounter(engine), quality.keys)


async def _project(quality: Quality, folder: Path, engine: Engine) -> tuple[CountsByBudget, int]:
    index = Index(folder)
    index.refresh()
    cases = choose_cases(index.view(), quality.cursors, quality.seed)
    ours = _Ours(engine, index, folder.name)
    rivals = [(name, make(index.view())) for name, make in RIVALS] if quality.with_rivals else []
    family = _family(engine)
    counter = TokenCounter(engine)
    counts_by_packer: CountsByBudget = {}

    def count(packer: str, budget: int, case: RecallCase, shown: ShownDefinitions) -> None:
        counts_by_packer.setdefault(packer, {}).setdefault(budget, RecallCounts()).add(case, shown)

    for case in cases:
        index.update(case.path, case.text)
        for budget in quality.budgets:
            count(OURS, budget, case, await ours.shown(case, budget))
            count(BARE, budget, case, await ours.shown_without_window(case, budget))
        index.update(case.path, None)
        for name, rival in rivals:
            filled = await _fill(rival(case), counter, family, quality.budgets)
            for budget, shown in filled.items():
                count(name, budget, case, shown)
    return counts_by_packer, len(cases)


async def _fill(
    pieces: Iterator[Segment], counter: TokenCounter, family: FimFamily, budgets: Sequence[int]
) -> dict[int, ShownDefinitions]:
    """Take pieces, best first, while they fit; for each budget what is then shown."""
    taken: dict[int, list[Segment]] = {budget: [] for budget in budgets}
    used = dict.fromkeys(budgets, 0)
    misses = 0
    while batch := list(islice(pieces, COUNTED_AT_ONCE)):
        for piece in await count_segments(batch, counter, family):
            for budget in budgets:
                if used[budget] + piece.tokens <= budget:
                    used[budget] += piece.tokens
                    taken[budget].append(piece)
        misses = misses + 1 if used[max(budgets)] + 2000 > max(budgets) else 0
        if misses > 1:
            break
    return {budget: lines_of(segments) for budget, segments in taken.items()}


class _Ours:
    """Our packer over one project, as the ``context`` command asks it."""

    def __init__(self, engine: Engine, index: Index, name: str) -> None:
        self._engine = engine
        self._index = index
        self._recent = Recent()
        self._signatures = Signatures()
        self._counter = TokenCounter(engine)
        self._layout = Layout(_family(engine), "spm", name)
        self._context = _context(engine, index, self._recent, name)

    async def shown(self, case: RecallCase, budget_tokens: int) -> ShownDefinitions:
        """Return what a prompt of the budget shows of other files."""
        self._context.model.fix_size(budget_tokens)
        self._context.prefix.engine_lost()  # every case begins with nothing shown yet
        await self._context.prefix.rebuild([case.path])
        self._context.prefix.assume_resident()
        packed = await self._context.pack_for(case.snapshot, case.offset)
        assert packed.tokens <= packed.budget_tokens, "a budget is never exceeded"
        return lines_of(packed.segments)

    async def shown_without_window(self, case: RecallCase, budget_tokens: int) -> ShownDefinitions:
        """Return what other files show where they get the whole budget; call ``shown`` with the case before."""
        split = self._context.budget()
        whole = replace(
            split,
            total_tokens=budget_tokens,
            snippet_tokens=split.snippet_tokens + split.prefix_tokens + split.suffix_tokens,
            prefix_tokens=0,
            suffix_tokens=0,
        )
        cursor = PromptCursor(
            case.snapshot,
            case.path,
            case.offset,
            self._index.view(),
            self._recent,
            definitions_for(whole),
            self._signatures,
        )
        candidates = await count_candidates(gather(cursor), self._counter)
        packed = await pack(
            cursor,
            self._layout,
            self._counter,
            whole,
            cached_prefix=self._context.prefix.segments,
            candidates=candidates,
        )
        return lines_of(packed.segments)


def _context(engine: Engine, index: Index, recent: Recent, name: str) -> WorkspaceContext:
    return WorkspaceContext(
        engine,
        index.view,
        recent,
        repository=name,
        relative=lambda snapshot: snapshot.uri.removeprefix("file:///"),
        limits=PromptLimits(max(BUDGETS), 300),
    )


class _Roomy:
    """An engine whose model says that it has room for the largest budget: nothing here is read by it."""

    def __init__(self, engine: LocalEngine, context_tokens: int) -> None:
        self._engine = engine
        self._context_tokens = context_tokens

    @property
    def model(self) -> ModelInfo | None:
        """The model, roomy."""
        model = self._engine.model
        return model and structs.replace(model, context_tokens=self._context_tokens)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def _family(engine: Engine) -> FimFamily:
    family = family_named(engine.model.family) if engine.model else None
    if family is None:
        raise ModelNoFim("The model has no fill-in-the-middle tokens.", fix="Choose a code model that has them.")
    return family
