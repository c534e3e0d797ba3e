"""The cached prefix of a workspace: chosen from the index, prefilled in the background, shown as far as it is resident.

A completion only waits for its own volatile part. Never packs a prompt for a cursor, and never blocks the event loop.
"""

import asyncio
from collections.abc import Callable, Collection
from contextlib import aclosing

from spark_lsp.engine.base import BACKGROUND_PRIORITY, CompletionRequest, Engine
from spark_lsp.engine.fim import build_prompt
from spark_lsp.errors import SparkError
from spark_lsp.index.ranking.file_order import STARTS, FileOrder
from spark_lsp.index.ranking.recent import Recent
from spark_lsp.index.storage.view import IndexView
from spark_lsp.prompt.budget import Budget
from spark_lsp.prompt.cached_prefix import block_of, build_cached_prefix
from spark_lsp.prompt.loaded_model import LoadedModel
from spark_lsp.prompt.prefix_state import ActivePrefix, PrefixState
from spark_lsp.prompt.segment import Segment, tokens_of
from spark_lsp.prompt.token_counts import TokenCounter

FRAME_TOKENS = 32  # repository name, path line and special tokens
SPARE_CELLS = 0.25  # of a prompt's cells: what an engine has beyond them for other requests and the next prefix
CACHED_PREFIX_PRIORITY = BACKGROUND_PRIORITY
LOOK_AGAIN_S = 0.5  # between checks whether the user rests, while more of a prefix is resident than is shown


class PrefixPrefill:
    """The cached prefix of one workspace. Belongs to one event loop.

    ``view`` returns the index of the moment, ``is_resting`` whether nobody types just now: only then a prompt may show
    another part of the prefix at the cost of a prefill behind it.
    """

    def __init__(
        self,
        engine: Engine,
        model: LoadedModel,
        counter: TokenCounter,
        view: Callable[[], IndexView],
        recent: Recent,
        *,
        is_resting: Callable[[], bool],
        look_again_s: float = LOOK_AGAIN_S,
    ) -> None:
        self._engine = engine
        self._model = model
        self._counter = counter
        self._view = view
        self._recent = recent
        self._is_resting = is_resting
        self._look_again_s = look_again_s
        self._state = PrefixState()
        self._file_order = FileOrder()
        self.engines_lost = 0
        """How often what an engine had prefilled was lost with it."""
        self.times_forgotten = 0
        """How often nothing in the engine could be counted on any more."""

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The prefix's segments, those that the model has prefilled marked ``cached``."""
        return self._state.marked()

    @property
    def resident_tokens(self) -> int:
        """Tokens of the prefix that the model has prefilled."""
        return self._state.prefilled_tokens

    @property
    def unread_tokens(self) -> int:
        """Tokens of the prefix that the model has still to prefill."""
        return self._state.missing_tokens

    def active(self) -> ActivePrefix:
        """Return what prompts show of it now."""
        return self._state.active(may_grow=self._may_grow())

    async def rebuild(self, open_paths: Collection[str]) -> None:
        """Choose the prefix again from the index; what is unchanged keeps its place and stays prefilled."""
        await self._model.learn_cost()
        budget = self._budget()
        view = self._view()
        starts = [*open_paths, *self._recent.paths()]
        order = await asyncio.to_thread(self._file_order.of, view, starts, len(open_paths) + STARTS)
        segments = await build_cached_prefix(
            view,
            self._counter,
            self._model.family,
            budget_tokens=budget.cached_prefix_tokens,
            whole_tokens=budget.shared_tokens - FRAME_TOKENS,
            leave_out=open_paths,
            previous=self._state.segments,
            order=order.useful_first,
            stable_order=order.stable,
        )
        cells = self._model.info.context_tokens * (1 + SPARE_CELLS)
        volatile_tokens = budget.total_tokens - budget.cached_prefix_tokens
        self._state.replace(
            segments,
            still_right=lambda segment: segment.path in view.files and segment.path not in open_paths,
            fits=lambda shown, new: tokens_of(shown) + tokens_of(new) + 2 * volatile_tokens <= cells,
            may_grow=self._may_grow(),
        )

    def assume_resident(self) -> None:
        """Use the whole prefix at once, prefilled or not: for a single request from the command line."""
        self._state.assume_prefilled()

    async def warm(self, progress: Callable[[int, int], None] = lambda _done, _of: None) -> None:
        """Prefill the prefix in the background; the engine lets every completion go first.

        Ends early, without an error, when the engine goes away, and when prefill turns out to cost so much that the
        rest is not worth having; the next rebuild takes it up again.
        """
        while not self._state.is_prefilled:
            segments = self._state.segments
            try:
                await self._prefill(segments, progress)
            except SparkError:
                return
            if self._state.segments is segments:
                self._state.cut()

    async def show_all(self) -> None:
        """Return when prompts show all that is prefilled, which waits for a pause in typing."""
        while not self._is_all_shown():  # noqa: ASYNC110 - nothing happens when no key has come for a while
            await asyncio.sleep(self._look_again_s)

    def check_prefilled(self) -> None:
        """Count on nothing in the engine until the next ``warm``: another prefix may have taken its place."""
        self.times_forgotten += 1
        self._state.forget()

    def engine_lost(self) -> None:
        """Forget what was prefilled: a new engine holds nothing."""
        self.engines_lost += 1
        self.check_prefilled()

    def _budget(self) -> Budget:
        return self._model.budget(self.resident_tokens)

    def _may_grow(self) -> bool:
        """Whether a key may find the volatile part uncached: nobody types, or its prefill takes no time."""
        if self._is_resting() or not self._state.is_shown:
            return True
        return self._model.min_volatile_ms(self.resident_tokens) <= self._model.prefill_target_ms

    def _is_all_shown(self) -> bool:
        self.active()
        return self._state.is_all_shown()

    async def _prefill(self, segments: tuple[Segment, ...], progress: Callable[[int, int], None]) -> None:
        """Let the engine prefill the header and these segments, and note how far it is."""
        layout = self._model.layout
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
                self._model.learn(usage)
                if self._state.segments is not segments:  # chosen again meanwhile
                    return
                is_whole = chunk.stop in ("end", "max_tokens")
                if is_whole:
                    self._state.prefilled_whole()
                else:
                    self._state.prefilled_up_to(usage.cached_tokens + usage.prefill_tokens - FRAME_TOKENS)
                progress(self.resident_tokens, whole)
                if self.resident_tokens > self._budget().shared_tokens and not is_whole:
                    return
