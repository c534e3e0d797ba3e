"""The context of one workspace: chooses and prefills its cached prefix, and packs the prompt for a cursor.

The prefix is prefilled in the background, so that a completion only waits for its own volatile part. Never blocks the
event loop: index questions run in a thread.
"""

import asyncio
from collections.abc import Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass, replace
from math import inf
from time import perf_counter

from spark_lsp.engine.base import BACKGROUND_PRIORITY, CompletionRequest, Engine, ModelInfo, Usage
from spark_lsp.engine.fim import FimFamily, Order, build_prompt, family_named
from spark_lsp.errors import EngineStarting, ModelNoFim, SparkError
from spark_lsp.index.ranking.file_order import STARTS, FileOrder
from spark_lsp.index.ranking.recent import Recent
from spark_lsp.index.scan.history import NO_CHANGES, CoChanges
from spark_lsp.index.storage.view import IndexView
from spark_lsp.prompt.budget import Budget
from spark_lsp.prompt.budget_policy import REPLY_TOKENS, BudgetPolicy, PromptLimits
from spark_lsp.prompt.cached_prefix import block_of, build_cached_prefix
from spark_lsp.prompt.continued import continued
from spark_lsp.prompt.layout_style import PLAIN, Style, similar_snippets_for, style_of
from spark_lsp.prompt.pack import Layout, Packed, pack, worth_reading
from spark_lsp.prompt.prefix_state import ActivePrefix, PrefixState
from spark_lsp.prompt.segment import Segment, tokens_of
from spark_lsp.prompt.snippet_search import PendingSnippets, SnippetFinder
from spark_lsp.prompt.snippets import Signatures
from spark_lsp.prompt.sources import RANKED_DEFINITIONS, PromptCursor, definitions_for, gather
from spark_lsp.prompt.token_counts import TokenCounter
from spark_lsp.text.snapshot import Snapshot

FRAME_TOKENS = 32  # repository name, path line and special tokens
SPARE_CELLS = 0.25  # of a prompt's cells: what an engine has beyond them for other requests and the next prefix
CACHED_PREFIX_PRIORITY = BACKGROUND_PRIORITY
LOOK_AGAIN_S = 0.5  # between checks whether the user rests, while more of a prefix is resident than is shown
MIN_QUICK_TOKENS = 64
"""What a key may always prefill: the lines that were typed since the last one, and the text behind the cursor."""
SNIPPET_KINDS = frozenset({"definition", "recent", "similar"})


@dataclass(frozen=True, slots=True)
class _LastSnippets:
    """The snippets of the last prompt of a document, and the active prefix that they were chosen beside."""

    uri: str = ""
    digest: str = ""
    snippets: tuple[Segment, ...] = ()


class WorkspaceContext:
    """What the model is shown in one workspace. Belongs to one event loop.

    ``view`` returns the index of the moment, ``repository`` is the name in the prompt's header, ``relative`` turns a
    document into its path within the workspace, ``limits`` are the settings', ``history`` returns what is known by now
    of files that change together, ``is_whole`` whether the index holds every file, ``is_resting`` whether nobody types
    just now: only then a prompt may show another part of the cached prefix at the cost of a prefill behind it.
    """

    def __init__(
        self,
        engine: Engine,
        view: Callable[[], IndexView],
        recent: Recent,
        *,
        repository: str,
        relative: Callable[[Snapshot], str],
        limits: PromptLimits,
        history: Callable[[], CoChanges] = lambda: NO_CHANGES,
        is_whole: Callable[[], bool] = lambda: True,
        is_resting: Callable[[], bool] = lambda: True,
        look_again_s: float = LOOK_AGAIN_S,
    ) -> None:
        self._engine = engine
        self._view = view
        self._recent = recent
        self._repository = repository
        self._relative = relative
        self._history = history
        self._is_whole = is_whole
        self._is_resting = is_resting
        self._look_again_s = look_again_s
        self._policy = BudgetPolicy(limits)
        self._prefix = PrefixState()
        self._file_order = FileOrder()
        self._counter = TokenCounter(engine)
        self._finder = SnippetFinder(self._counter)
        self._signatures = Signatures()
        self._shown = _LastSnippets()
        self.engines_lost = 0
        """How often what an engine had prefilled was lost with it."""

    @property
    def cached_prefix(self) -> tuple[Segment, ...]:
        """The cached prefix's segments, those that the model has prefilled marked ``cached``."""
        return self._prefix.marked()

    @property
    def resident_tokens(self) -> int:
        """Tokens of the cached prefix that the model has prefilled."""
        return self._prefix.prefilled_tokens

    @property
    def unread_tokens(self) -> int:
        """Tokens of the cached prefix that the model has still to prefill."""
        return self._prefix.missing_tokens

    @property
    def digest(self) -> str:
        """Names what of the cached prefix is shown; answers depend on it."""
        return self._active().digest

    def fix_size(self, tokens: int | None, *, is_report: bool = False) -> None:
        """Use a prompt size that the user names, see ``PromptLimits``."""
        self._policy.fix_size(tokens, is_report=is_report)

    def learn(self, usage: Usage) -> None:
        """Take what a request tells of the cost of prefill into account for the next budgets."""
        self._policy.learn(usage)

    async def learn_cost(self) -> None:
        """Take the engine's own measurement as a first guess, unless something is known already."""
        if not self._policy.cost.base_ms:
            self._policy.assume((await self._engine.status()).prefill_cost)

    def path_of(self, snapshot: Snapshot) -> str:
        """Return a document's path within the workspace, as prompts show it."""
        return self._relative(snapshot)

    def stops(self) -> tuple[str, ...]:
        """Return the special tokens that end an answer of the loaded model."""
        return self._family(self._loaded()).stops

    def budget(self, ceiling_tokens: int | None = None) -> Budget:
        """Return the budget of the moment; an explicit ceiling, which a report names, replaces the user's."""
        return self._policy.budget(
            context_tokens=self._loaded().context_tokens,
            prefilled_tokens=self.resident_tokens,
            split=self._style.split,
            ceiling_tokens=ceiling_tokens,
        )

    @property
    def max_prompt_tokens(self) -> int:
        """The most tokens that a prompt may have: the user's limit, within what the engine holds beside an answer."""
        return min(self._policy.limits.ceiling_tokens, self._loaded().context_tokens - REPLY_TOKENS)

    @property
    def quick_tokens(self) -> float:
        """How many tokens the machine prefills within the first-token target; infinite where that does not matter.

        That is where nothing was measured yet, and where the user named a size and takes the time that it needs.
        """
        cost_ms = self._policy.steady_cost.at(self.resident_tokens)
        if self._policy.limits.fixed_tokens is not None or cost_ms <= 0:
            return inf
        return max(MIN_QUICK_TOKENS, self._policy.limits.prefill_target_ms / cost_ms)

    @property
    def order(self) -> Order:
        """The order in which the loaded model reads the window."""
        return self._loaded().fim_order

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
        segments = await asyncio.to_thread(gather, cursor)
        counts = await self._engine.count_tokens([segment.text for segment in segments]) if segments else []
        chosen, left = [], most_tokens
        for segment, tokens in zip(segments, counts, strict=True):
            if tokens <= left:
                chosen.append(segment.counted(tokens))
                left -= tokens
        return chosen

    def prepare(self, snapshot: Snapshot, offset: int) -> PendingSnippets | None:
        """Begin to look for what a prompt for a cursor may show, which ``pack_for`` takes up; None without a model."""
        if self._engine.model is None:
            return None
        return self._finder.begin(self._cursor(snapshot, offset, self.budget()))

    async def pack_for(self, snapshot: Snapshot, offset: int, ceiling_tokens: int | None = None) -> Packed:
        """Return the prompt for a cursor, beside the active prefix.

        Raises:
            EngineError, ModelError: there is no model to count tokens with, or it has no FIM family.
        """
        budget = self.budget(ceiling_tokens)
        cursor = self._cursor(snapshot, offset, budget)
        active = self._active()
        began = perf_counter()
        candidates = await asyncio.shield(self._finder.begin(cursor))
        gathered = perf_counter()
        is_same_place = (self._shown.uri, self._shown.digest) == (snapshot.uri, active.digest)
        volatile_tokens = budget.total_tokens - budget.cached_prefix_tokens
        volatile_ms = self._policy.steady_cost.at(self.resident_tokens) * volatile_tokens
        packed = await pack(
            cursor,
            self._layout(),
            self._counter,
            budget,
            cached_prefix=active.segments,
            candidates=candidates,
            shown=self._shown.snippets if is_same_place else (),
            worth_reading=worth_reading(volatile_ms, self._policy.limits.prefill_target_ms),
        )
        snippets = tuple(segment for segment in packed.segments if segment.kind in SNIPPET_KINDS and not segment.stable)
        self._shown = _LastSnippets(snapshot.uri, active.digest, snippets)
        spent_ms = (perf_counter() - gathered) * 1000
        return replace(packed, gather_ms=(gathered - began) * 1000, pack_ms=spent_ms)

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
        layout = replace(self._layout(), style=PLAIN)
        window_alone = replace(budget, total_tokens=budget.total_tokens - budget.snippet_tokens, snippet_tokens=0)
        segments = self._active().segments
        return await pack(cursor, layout, self._counter, window_alone, cached_prefix=segments, candidates=())

    def _cursor(self, snapshot: Snapshot, offset: int, budget: Budget | None = None) -> PromptCursor:
        path, view = self._relative(snapshot), self._view()
        most = definitions_for(budget) if budget else RANKED_DEFINITIONS
        similar = similar_snippets_for(budget.snippet_tokens, self._style) if budget else 0
        return PromptCursor(
            snapshot, path, offset, view, self._recent, most, self._signatures, self._history(), similar
        )

    async def rebuild(self, open_paths: Collection[str]) -> None:
        """Choose the cached prefix again from the index; what is unchanged keeps its place and stays prefilled."""
        await self.learn_cost()
        budget = self.budget()
        view = self._view()
        starts = [*open_paths, *self._recent.paths()]
        order = await asyncio.to_thread(self._file_order.of, view, starts, len(open_paths) + STARTS)
        segments = await build_cached_prefix(
            view,
            self._counter,
            self._family(self._loaded()),
            budget_tokens=budget.cached_prefix_tokens,
            whole_tokens=budget.shared_tokens - FRAME_TOKENS,
            leave_out=open_paths,
            previous=self._prefix.segments,
            order=order.useful_first,
            stable_order=order.stable,
        )
        cells = self._loaded().context_tokens * (1 + SPARE_CELLS)
        volatile_tokens = budget.total_tokens - budget.cached_prefix_tokens
        self._prefix.replace(
            segments,
            still_right=lambda segment: segment.path in view.files and segment.path not in open_paths,
            fits=lambda shown, new: tokens_of(shown) + tokens_of(new) + 2 * volatile_tokens <= cells,
            may_grow=self._may_grow(),
        )

    def assume_resident(self) -> None:
        """Use the whole cached prefix at once, prefilled or not: for a single request from the command line."""
        self._prefix.assume_prefilled()

    async def warm(self, progress: Callable[[int, int], None] = lambda _done, _of: None) -> None:
        """Prefill the cached prefix in the background; the engine lets every completion go first.

        Ends early, without an error, when the engine goes away, and when prefill turns out to cost so much that the
        rest is not worth having; the next rebuild takes it up again.
        """
        while not self._prefix.is_prefilled:
            segments = self._prefix.segments
            try:
                await self._prefill(segments, progress)
            except SparkError:
                return
            if self._prefix.segments is segments:
                self._prefix.cut()

    async def show_all(self) -> None:
        """Return when prompts show all that is prefilled, which waits for a pause in typing."""
        while not self._is_all_shown():  # noqa: ASYNC110 - nothing happens when no key has come for a while
            await asyncio.sleep(self._look_again_s)

    def check_prefilled(self) -> None:
        """Count on nothing in the engine until the next ``warm``: another prefix may have taken its place."""
        self._prefix.forget()
        self._shown = _LastSnippets()

    def engine_lost(self) -> None:
        """Forget what was prefilled: a new engine holds nothing."""
        self.engines_lost += 1
        self._prefix.forget()
        self._shown = _LastSnippets()

    def _active(self) -> ActivePrefix:
        return self._prefix.active(may_grow=self._may_grow())

    def _may_grow(self) -> bool:
        """Whether a key may find the volatile part uncached: nobody types, or its prefill takes no time."""
        if self._is_resting() or not self._prefix.is_shown:
            return True
        prefill_ms = self._policy.cost.at(self.resident_tokens) * self._style.split.min_volatile_tokens
        return prefill_ms <= self._policy.limits.prefill_target_ms

    def _is_all_shown(self) -> bool:
        self._active()
        return self._prefix.is_all_shown()

    async def _prefill(self, segments: tuple[Segment, ...], progress: Callable[[int, int], None]) -> None:
        """Let the engine prefill the header and these segments, and note how far it is."""
        layout = self._layout()
        parts = build_prompt(
            layout.family,
            layout.order,
            repository=layout.repository,
            blocks=[block_of(segment) for segment in segments],
            current_path="",
            prefix="",
            suffix="",
        )
        last = max((number for number, part in enumerate(parts) if getattr(part, "stable", False)), default=-1)
        request = CompletionRequest(
            prompt=parts[: last + 1], max_tokens=0, priority=CACHED_PREFIX_PRIORITY, key="cached prefix"
        )
        whole = tokens_of(segments)
        async with aclosing(self._engine.generate(request)) as chunks:
            async for chunk in chunks:
                usage = chunk.usage
                if usage is None:
                    continue
                self.learn(usage)
                if self._prefix.segments is not segments:  # chosen again meanwhile
                    return
                is_whole = chunk.stop in ("end", "max_tokens")
                if is_whole:
                    self._prefix.prefilled_whole()
                else:
                    self._prefix.prefilled_up_to(usage.cached_tokens + usage.prefill_tokens - FRAME_TOKENS)
                progress(self.resident_tokens, whole)
                if self.resident_tokens > self.budget().shared_tokens and not is_whole:
                    return

    def _loaded(self) -> ModelInfo:
        model = self._engine.model
        if model is None:
            raise EngineStarting("The model is not loaded yet.")
        return model

    def _family(self, model: ModelInfo) -> FimFamily:
        family = family_named(model.family)
        if family is None:
            raise ModelNoFim(
                f"The model {model.name} has no known fill-in-the-middle tokens.",
                fix="Choose a code model with fill-in-the-middle support: spark-lsp models list.",
            )
        return family

    @property
    def _style(self) -> Style:
        return style_of(self._engine.model) if self._engine.model else PLAIN

    def _layout(self) -> Layout:
        model = self._loaded()
        return Layout(self._family(model), model.fim_order, self._repository, style_of(model))
