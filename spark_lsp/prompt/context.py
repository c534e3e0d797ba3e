"""The context of one workspace: owns the cached prefix's state and answers "what is the model shown here".

Rebuilds and warms the cached prefix in the background, so that a completion only ever reads what is already resident
plus its own volatile part. Never blocks the event loop: index questions run in a thread.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import accumulate, takewhile
from math import inf
from time import perf_counter

from spark_lsp.engine.base import CompletionRequest, Engine, ModelInfo, PrefillCost, Usage
from spark_lsp.engine.fim import FimFamily, Order, build_prompt, family_named
from spark_lsp.errors import EngineStarting, ModelNoFim, SparkError
from spark_lsp.index.ranking.file_order import FileGraph, order_from
from spark_lsp.index.ranking.rank import stable_order
from spark_lsp.index.ranking.recent import Recent
from spark_lsp.index.scan.history import NO_CHANGES, CoChanges
from spark_lsp.index.storage.view import IndexView
from spark_lsp.prompt.budget import PREFILL_SHARE, Budget, budget_for, steady_cost
from spark_lsp.prompt.cached_prefix import block_of, build_cached_prefix, is_same
from spark_lsp.prompt.continued import continued
from spark_lsp.prompt.layout_style import PLAIN, Style, similar_snippets_for, style_of
from spark_lsp.prompt.pack import Layout, Packed, pack, worth_reading
from spark_lsp.prompt.segment import Segment
from spark_lsp.prompt.snippet_search import PendingSnippets, SnippetFinder
from spark_lsp.prompt.snippets import Signatures
from spark_lsp.prompt.sources import RANKED_DEFINITIONS, Cursor, definitions_for, gather
from spark_lsp.prompt.token_counts import TokenCounter
from spark_lsp.text.document import Snapshot, content_hash

REPLY_TOKENS = 512  # cells kept free for the answer
FRAME_TOKENS = 32  # repository name, path line and special tokens
MIN_TOKENS_FOR_A_RATE = 64  # a shorter read measures the overhead, not the rate
SPARE_CELLS = 0.25  # of a prompt's cells: what an engine has beyond them for other requests and the next prefix
CACHED_PREFIX_PRIORITY = 2
GROWTH = 2.0
"""How much longer a cached prefix must have become before prompts show more of it, while it is read: each time the
volatile part behind it is read again, and a key that is typed meanwhile would wait for that."""
LOOK_AGAIN_S = 0.5  # between checks whether the user rests, while more of a prefix is resident than is shown
MIN_QUICK_TOKENS = 64
"""What a key may always prefill: the lines that were typed since the last one, and the text behind the cursor."""
STARTS = 8  # files lately looked at whose surroundings come first in a cached prefix
SNIPPET_KINDS = frozenset({"definition", "recent", "similar"})


class WorkspaceContext:
    """What the model is shown in one workspace. Belongs to one event loop.

    ``view`` returns the index of the moment, ``repository`` is the name in the prompt's header, ``relative`` turns a
    document into its path within the workspace, ``limits`` returns (ceiling in tokens, first-token target in ms) from
    the settings of the moment, ``history`` what is known by now of files that change together.
    """

    def __init__(
        self,
        engine: Engine,
        view: Callable[[], IndexView],
        recent: Recent,
        *,
        repository: str,
        relative: Callable[[Snapshot], str],
        limits: Callable[[], tuple[int, int]],
        history: Callable[[], CoChanges] = lambda: NO_CHANGES,
        is_whole: Callable[[], bool] = lambda: True,
    ) -> None:
        self._engine = engine
        self._view = view
        self._recent = recent
        self._repository = repository
        self._relative = relative
        self._limits = limits
        self._history = history
        self._is_whole = is_whole
        self._counter = TokenCounter(engine)
        self._cached_prefix: tuple[Segment, ...] = ()
        self._resident = 0
        self._settled = 0
        """How many of the resident segments prompts show."""
        self._replaced: tuple[Segment, ...] = ()
        """The cached prefix of before, as far as it is still right: shown until more of the new one is resident."""
        self._read_cost = self._steady_cost = PrefillCost()
        self._residents: tuple[Segment, ...] = ()
        self._digest = ""
        self._noticed: tuple[tuple[Segment, ...], int, bool] | None = None
        self._finder = SnippetFinder(self._counter)
        self._signatures = Signatures()
        self._graph = FileGraph()
        self._frozen: tuple[object, list[str]] = (None, [])
        self.is_resting: Callable[[], bool] = lambda: True
        """Whether nobody types just now: then it may be read again what stands behind a cached prefix."""
        self.look_again_s = LOOK_AGAIN_S
        self._shown_for: object = None
        self._shown_snippets: tuple[Segment, ...] = ()
        self.fixed_tokens: int | None = None
        """A prompt size that the user has named, however long reading it takes; None for the budget of the moment."""
        self.engines_lost = 0
        """How often what an engine had prefilled was lost with it."""
        self.is_report = False
        """Whether prompts are shown to the user alone: a size that is named may then be more than the engine holds."""

    @property
    def cached_prefix(self) -> tuple[Segment, ...]:
        """The cached prefix's segments, those that the model has read first and marked ``cached``."""
        return tuple(replace(each, cached=number < self._resident) for number, each in enumerate(self._cached_prefix))

    @property
    def resident_tokens(self) -> int:
        """Tokens of the cached prefix that the model has read."""
        return sum(segment.tokens for segment in self._cached_prefix[: self._resident])

    @property
    def unread_tokens(self) -> int:
        """Tokens of the cached prefix that the model has still to read."""
        return sum(segment.tokens for segment in self._cached_prefix[self._resident :])

    @property
    def digest(self) -> str:
        """Names what of the cached prefix is shown; answers depend on it."""
        self._notice_residents()
        return self._digest

    def learn(self, usage: Usage) -> None:
        """Take what a request tells of the cost of reading into account for the next budgets."""
        if usage.prefill_cost.base_ms > 0:
            self._read_cost = usage.prefill_cost
        elif usage.prefill_tokens >= MIN_TOKENS_FOR_A_RATE and usage.first_token_ms > 0:
            self._read_cost = PrefillCost(usage.first_token_ms / usage.prefill_tokens)  # of an engine that does not say

    async def learn_cost(self) -> None:
        """Take the engine's own measurement as a first guess, unless something is known already."""
        if not self._read_cost.base_ms:
            self._read_cost = (await self._engine.status()).prefill_cost

    def path_of(self, snapshot: Snapshot) -> str:
        """Return a document's path within the workspace, as prompts show it."""
        return self._relative(snapshot)

    def stops(self) -> tuple[str, ...]:
        """Return the special tokens that end an answer of the loaded model."""
        return self._family(self._loaded()).stops

    def budget(self, ceiling_tokens: int | None = None) -> Budget:
        """Return the budget of the moment; an explicit ceiling, which a report names, replaces the user's."""
        configured, target_ms = self._limits()
        self._steady_cost = steady_cost(self._steady_cost, self._read_cost, self.resident_tokens)
        named = ceiling_tokens or self.fixed_tokens
        cells = self._loaded().context_tokens
        if named and (ceiling_tokens or self.is_report):
            cells = max(cells, named + REPLY_TOKENS)
        return budget_for(
            ceiling_tokens=named or configured,
            context_tokens=cells,
            reply_tokens=REPLY_TOKENS,
            prefill_cost=self._steady_cost,
            first_token_target_ms=target_ms,
            resident_tokens=self.resident_tokens,
            is_patient=named is not None,
            split=self._style.split,
        )

    @property
    def view(self) -> IndexView:
        """The index of the moment."""
        return self._view()

    @property
    def is_whole(self) -> bool:
        """Whether the index holds every file of the workspace, so that what it does not find is not there."""
        return self._is_whole()

    async def definitions_for(self, snapshot: Snapshot, offset: int, most_tokens: int) -> list[Segment]:
        """Return the definitions and recent edits elsewhere that code at an offset is likely to need, best first.

        Raises:
            EngineError: there is no model to count tokens with.
        """
        cursor = self._cursor(snapshot, offset)
        found = await asyncio.to_thread(gather, cursor)
        counts = await self._engine.count_tokens([segment.text for segment in found]) if found else []
        chosen, left = [], most_tokens
        for segment, tokens in zip(found, counts, strict=True):
            if tokens <= left:
                chosen.append(segment.counted(tokens))
                left -= tokens
        return chosen

    def prepare(self, snapshot: Snapshot, offset: int) -> PendingSnippets | None:
        """Begin to look for what a prompt for a cursor may show, which ``pack_for`` takes up; None without a model."""
        if self._engine.model is None:
            return None
        return self._finder.begin(self._cursor(snapshot, offset, self.budget()))

    @property
    def max_prompt_tokens(self) -> int:
        """The most tokens that a prompt may have: the user's limit, within what the engine holds beside an answer."""
        return min(self._limits()[0], self._loaded().context_tokens - REPLY_TOKENS)

    @property
    def quick_tokens(self) -> float:
        """How many tokens the machine prefills within the first-token target; infinite where that does not matter.

        That is where nothing was measured yet, and where the user named a size and takes the time that it needs.
        """
        cost_ms = self._steady_cost.at(self.resident_tokens)
        if self.fixed_tokens is not None or cost_ms <= 0:
            return inf
        return max(MIN_QUICK_TOKENS, self._limits()[1] * PREFILL_SHARE / cost_ms)

    @property
    def order(self) -> Order:
        """The order in which the loaded model reads the window."""
        return self._loaded().fim_order

    async def continue_for(self, previous: Packed, old_text: str, snapshot: Snapshot, offset: int) -> Packed | None:
        """Return a document's earlier prompt with what was typed since; None where it does not fit any more.

        Raises:
            EngineError, ModelError: there is no model to count tokens with, or it has no FIM family.
        """
        cursor, most = self._cursor(snapshot, offset), self.max_prompt_tokens
        return await continued(previous, old_text, cursor, self._layout(), self._counter, max_tokens=most)

    async def pack_window_for(self, snapshot: Snapshot, offset: int) -> Packed:
        """Return a small prompt for a cursor: the cached prefix and the window, nothing else to prefill.

        Raises:
            EngineError, ModelError: there is no model to count tokens with, or it has no FIM family.
        """
        budget = self.budget()
        cursor = self._cursor(snapshot, offset, budget)
        self._notice_residents()
        layout = replace(self._layout(), style=PLAIN)
        window_alone = replace(budget, total_tokens=budget.total_tokens - budget.snippet_tokens, snippet_tokens=0)
        return await pack(cursor, layout, self._counter, window_alone, cached_prefix=self._residents, found=())

    async def pack_for(self, snapshot: Snapshot, offset: int, ceiling_tokens: int | None = None) -> Packed:
        """Return the prompt for a cursor, from what is resident.

        Raises:
            EngineError, ModelError: there is no model to count tokens with, or it has no FIM family.
        """
        budget = self.budget(ceiling_tokens)
        cursor = self._cursor(snapshot, offset, budget)
        self._notice_residents()
        began = perf_counter()
        found = await asyncio.shield(self._finder.begin(cursor))
        gathered = perf_counter()
        shown = self._shown_snippets if self._shown_for == (snapshot.uri, self._digest) else ()
        volatile_ms = self._steady_cost.at(self.resident_tokens) * (budget.total_tokens - budget.cached_prefix_tokens)
        worth = worth_reading(volatile_ms, self._limits()[1] * PREFILL_SHARE)
        layout, cached_prefix = self._layout(), self._residents
        packed = await pack(
            cursor,
            layout,
            self._counter,
            budget,
            cached_prefix=cached_prefix,
            found=found,
            shown=shown,
            worth_reading=worth,
        )
        self._shown_for = (snapshot.uri, self._digest)
        self._shown_snippets = tuple(each for each in packed.segments if each.kind in SNIPPET_KINDS and not each.stable)
        spent_ms = (perf_counter() - gathered) * 1000
        return replace(packed, gather_ms=(gathered - began) * 1000, pack_ms=spent_ms)

    def _cursor(self, snapshot: Snapshot, offset: int, budget: Budget | None = None) -> Cursor:
        path, view = self._relative(snapshot), self._view()
        most = definitions_for(budget) if budget else RANKED_DEFINITIONS
        similar = similar_snippets_for(budget.snippet_tokens, self._style) if budget else 0
        return Cursor(snapshot, path, offset, view, self._recent, most, self._signatures, self._history(), similar)

    async def rebuild(self, open_paths: Collection[str]) -> None:
        """Choose the cached prefix again from the index; what is unchanged keeps its place and stays resident."""
        await self.learn_cost()
        budget = self.budget()
        view = self._view()
        order = await asyncio.to_thread(self._order, view, tuple(open_paths))
        cached_prefix = await build_cached_prefix(
            view,
            self._counter,
            self._family(self._loaded()),
            budget_tokens=budget.cached_prefix_tokens,
            whole_tokens=budget.shared_tokens - FRAME_TOKENS,
            leave_out=open_paths,
            previous=self._cached_prefix,
            order=order,
            frozen=self._frozen[1],
        )
        same = 0
        while same < min(len(cached_prefix), self._resident) and is_same(
            cached_prefix[same], self._cached_prefix[same]
        ):
            same += 1
        shown = takewhile(lambda each: each.path in view.files and each.path not in open_paths, self._shown())
        self._replaced = self._worth_keeping(tuple(shown), cached_prefix, budget)
        self._cached_prefix, self._resident, self._settled = cached_prefix, same, min(same, self._settled)

    def _order(self, view: IndexView, open_paths: Sequence[str]) -> list[str]:
        """Return all files: those that the open and the recent ones use first, those looked at lately last.

        What was looked at lately is likely to be opened again and leaves the cached prefix then; at its end that costs
        least.
        """
        starts = dict.fromkeys([*open_paths, *self._recent.paths()[:STARTS]])
        if self._frozen[0] is not view.postings:  # between builds of the tables the order stays as it is
            self._frozen = (view.postings, stable_order(view))
        known = frozenset(self._frozen[1])
        frozen = [*self._frozen[1], *sorted(path for path in view.files if path not in known)]
        self._frozen = (view.postings, frozen)
        order = order_from(self._graph, view, list(starts), frozen)
        return [*(path for path in order if path not in starts), *(path for path in order if path in starts)]

    def assume_resident(self) -> None:
        """Use the whole cached prefix at once, read or not: for a single request from the command line."""
        self._resident = self._settled = len(self._cached_prefix)
        self._replaced = ()

    async def warm(self, progress: Callable[[int, int], None] = lambda _done, _of: None) -> None:
        """Read the cached prefix in the background; the engine lets every completion go first.

        Ends early, without an error, when the engine goes away, and when reading turns out to cost so much that the
        rest is not worth having; the next rebuild takes it up again.
        """
        while self._resident < len(self._cached_prefix):
            cached_prefix = self._cached_prefix
            try:
                await self._read(cached_prefix, progress)
            except SparkError:
                return
            if self._cached_prefix is cached_prefix and self._resident < len(cached_prefix):
                self._cached_prefix = cached_prefix[: self._resident]

    async def show_all(self) -> None:
        """Return when prompts show all that is resident, which waits for a pause in typing."""
        while not self._is_all_shown():  # noqa: ASYNC110 - nothing happens when no key has come for a while
            await asyncio.sleep(self.look_again_s)

    def engine_lost(self) -> None:
        """Forget what was resident: a new engine has read nothing."""
        self.engines_lost += 1
        self._resident, self._settled, self._replaced, self._noticed = 0, 0, (), None
        self._shown_for, self._shown_snippets = None, ()

    def _shown(self) -> tuple[Segment, ...]:
        """Return the stable segments that prompts show now: the new prefix's, or the previous one's while it is longer.

        A cached prefix that is being read is shown in few steps, not with each piece that is done, and in none while
        the user types and would wait for what stands behind it to be read again.
        """
        resident = self._cached_prefix[: self._resident]
        if not self._may_show_more():
            return self._replaced or self._cached_prefix[: self._settled]
        if _tokens(self._replaced) > _tokens(resident):
            return self._replaced
        self._replaced = ()
        settled = self._cached_prefix[: self._settled]
        if self._resident == len(self._cached_prefix) or _tokens(resident) >= GROWTH * _tokens(settled):
            self._settled, settled = self._resident, resident
        return settled

    def _may_show_more(self) -> bool:
        """Whether a key may find the volatile part unread: nobody types, or reading them takes no time."""
        if self.is_resting() or not (self._settled or self._replaced):
            return True
        _, target_ms = self._limits()
        return (
            self._read_cost.at(self.resident_tokens) * self._style.split.min_volatile_tokens
            <= target_ms * PREFILL_SHARE
        )

    def _is_all_shown(self) -> bool:
        self._notice_residents()
        return self._resident < len(self._cached_prefix) or (self._settled == self._resident and not self._replaced)

    def _worth_keeping(
        self, shown: tuple[Segment, ...], cached_prefix: Sequence[Segment], budget: Budget
    ) -> tuple[Segment, ...]:
        """Return what was shown, if the engine has cells for it beside the new cached prefix."""
        same = sum(1 for _ in takewhile(lambda pair: is_same(*pair), zip(shown, cached_prefix, strict=False)))
        volatile = budget.total_tokens - budget.cached_prefix_tokens
        needed = _tokens(shown) + _tokens(cached_prefix[same:]) + 2 * volatile
        return shown if needed <= self._loaded().context_tokens * (1 + SPARE_CELLS) else ()

    def _notice_residents(self) -> None:
        """Work out what the resident segments are, once for each change: a key must not cost the prefix's length."""
        may_show_more = self._may_show_more()
        known = self._noticed
        if (
            known is None
            or known[0] is not self._cached_prefix
            or known[1] != self._resident
            or may_show_more > known[2]
        ):
            self._noticed = (self._cached_prefix, self._resident, may_show_more)
            self._residents = tuple(replace(each, cached=True) for each in self._shown())
            self._digest = content_hash("\0".join(segment.text for segment in self._residents))

    async def _read(self, cached_prefix: tuple[Segment, ...], progress: Callable[[int, int], None]) -> None:
        """Let the engine read the header and these segments, and note how far it is."""
        layout = self._layout()
        parts = build_prompt(
            layout.family,
            layout.order,
            repository=layout.repository,
            blocks=[block_of(segment) for segment in cached_prefix],
            current_path="",
            prefix="",
            suffix="",
        )
        last = max((number for number, part in enumerate(parts) if getattr(part, "stable", False)), default=-1)
        request = CompletionRequest(
            prompt=parts[: last + 1], max_tokens=0, priority=CACHED_PREFIX_PRIORITY, key="cached prefix"
        )
        whole = _tokens(cached_prefix)
        async with aclosing(self._engine.generate(request)) as chunks:
            async for chunk in chunks:
                usage = chunk.usage
                if usage is None:
                    continue
                self.learn(usage)
                if self._cached_prefix is not cached_prefix:  # chosen again meanwhile
                    return
                is_whole = chunk.stop in ("end", "max_tokens")
                self._resident = len(cached_prefix) if is_whole else self._held(usage)
                progress(self.resident_tokens, whole)
                if self.resident_tokens > self.budget().shared_tokens and not is_whole:
                    return

    def _held(self, usage: Usage) -> int:
        """Return how many segments of the cached prefix are resident for certain."""
        tokens = usage.cached_tokens + usage.prefill_tokens - FRAME_TOKENS
        ends = accumulate(segment.tokens for segment in self._cached_prefix)
        return max(self._resident, sum(1 for _ in takewhile(lambda end: end <= tokens, ends)))

    def _loaded(self) -> ModelInfo:
        model = self._engine.model
        if model is None:
            raise EngineStarting("The model is not loaded yet.")
        return model

    def _family(self, model: ModelInfo) -> FimFamily:
        family = family_named(model.family)
        if family is None:
            raise ModelNoFim(
                f"The model {model.name} has no fill-in-the-middle tokens that we know.",
                fix="Choose a code model with fill-in-the-middle support: spark-lsp models list.",
            )
        return family

    @property
    def _style(self) -> Style:
        return style_of(self._engine.model) if self._engine.model else PLAIN

    def _layout(self) -> Layout:
        model = self._loaded()
        return Layout(self._family(model), model.fim_order, self._repository, style_of(model))


def _tokens(segments: Sequence[Segment]) -> int:
    return sum(segment.tokens for segment in segments)
