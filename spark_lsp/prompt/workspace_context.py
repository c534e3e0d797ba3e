"""The prompt for a cursor of a workspace, beside what the model has prefilled of its cached prefix.

Never blocks the event loop: index questions run in a thread. Never prefills: ``prefix_prefill`` does.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter

from spark_lsp.engine.base import Engine, Usage
from spark_lsp.index.ranking.recent import Recent
from spark_lsp.index.scan.history import NO_CHANGES, CoChanges
from spark_lsp.index.storage.view import IndexView
from spark_lsp.prompt.budget import Budget
from spark_lsp.prompt.budget_policy import PromptLimits
from spark_lsp.prompt.continued import continued
from spark_lsp.prompt.layout_style import PLAIN, similar_snippets_for
from spark_lsp.prompt.loaded_model import LoadedModel
from spark_lsp.prompt.pack import Packed, pack, worth_reading
from spark_lsp.prompt.prefix_prefill import LOOK_AGAIN_S, PrefixPrefill
from spark_lsp.prompt.segment import Segment
from spark_lsp.prompt.snippet_search import PendingSnippets, SnippetFinder
from spark_lsp.prompt.snippets import Signatures
from spark_lsp.prompt.sources import RANKED_DEFINITIONS, PromptCursor, definitions_for, gather
from spark_lsp.prompt.token_counts import TokenCounter
from spark_lsp.text.snapshot import Snapshot

SNIPPET_KINDS = frozenset({"definition", "recent", "similar"})


@dataclass(frozen=True, slots=True)
class _LastSnippets:
    """The snippets of the last prompt, and its document and active prefix, as the prefix was forgotten so often."""

    place: tuple[str, str, int] = ("", "", 0)
    snippets: tuple[Segment, ...] = ()


class WorkspaceContext:
    """What the model is shown in one workspace. Belongs to one event loop.

    ``view`` returns the index of the moment, ``repository`` is the name in the prompt's header, ``relative`` turns a
    document into its path within the workspace, ``limits`` are the settings', ``history`` returns what is known by now
    of files that change together, ``is_whole`` whether the index holds every file, ``is_resting`` whether nobody types
    just now. ``model`` is what the loaded model means for prompts, ``prefix`` the cached prefix.
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
        self._relative = relative
        self._history = history
        self._is_whole = is_whole
        self._counter = TokenCounter(engine)
        self._finder = SnippetFinder(self._counter)
        self._signatures = Signatures()
        self._shown = _LastSnippets()
        self.model = LoadedModel(engine, repository, limits)
        self.prefix = PrefixPrefill(
            engine, self.model, self._counter, view, recent, is_resting=is_resting, look_again_s=look_again_s
        )

    @property
    def digest(self) -> str:
        """Names what of the cached prefix is shown; answers depend on it."""
        return self.prefix.active().digest

    def learn(self, usage: Usage) -> None:
        """Take what a request tells of the cost of prefill into account for the next budgets."""
        self.model.learn(usage)

    def path_of(self, snapshot: Snapshot) -> str:
        """Return a document's path within the workspace, as prompts show it."""
        return self._relative(snapshot)

    def stops(self) -> tuple[str, ...]:
        """Return the special tokens that end an answer of the loaded model."""
        return self.model.family.stops

    def budget(self, ceiling_tokens: int | None = None) -> Budget:
        """Return the budget of the moment; an explicit ceiling, which a report names, replaces the user's."""
        return self.model.budget(self.prefix.resident_tokens, ceiling_tokens)

    @property
    def quick_tokens(self) -> float:
        """How many tokens the machine prefills within the first-token target, see ``LoadedModel``."""
        return self.model.quick_tokens(self.prefix.resident_tokens)

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
        if not self.model.is_loaded:
            return None
        return self._finder.begin(self._cursor(snapshot, offset, self.budget()))

    async def pack_for(self, snapshot: Snapshot, offset: int, ceiling_tokens: int | None = None) -> Packed:
        """Return the prompt for a cursor, beside the active prefix.

        Raises:
            EngineError, ModelError: there is no model to count tokens with, or it has no FIM family.
        """
        budget = self.budget(ceiling_tokens)
        cursor = self._cursor(snapshot, offset, budget)
        active = self.prefix.active()
        began = perf_counter()
        candidates = await asyncio.shield(self._finder.begin(cursor))
        gathered = perf_counter()
        place = (snapshot.uri, active.digest, self.prefix.times_forgotten)
        volatile_tokens = budget.total_tokens - budget.cached_prefix_tokens
        volatile_ms = self.model.steady_ms(volatile_tokens, self.prefix.resident_tokens)
        packed = await pack(
            cursor,
            self.model.layout,
            self._counter,
            budget,
            cached_prefix=active.segments,
            candidates=candidates,
            shown=self._shown.snippets if self._shown.place == place else (),
            worth_reading=worth_reading(volatile_ms, self.model.prefill_target_ms),
        )
        snippets = tuple(segment for segment in packed.segments if segment.kind in SNIPPET_KINDS and not segment.stable)
        self._shown = _LastSnippets(place, snippets)
        spent_ms = (perf_counter() - gathered) * 1000
        return replace(packed, gather_ms=(gathered - began) * 1000, pack_ms=spent_ms)

    async def continue_for(self, previous: Packed, old_text: str, snapshot: Snapshot, offset: int) -> Packed | None:
        """Return a document's earlier prompt with what was typed since; None where it does not fit any more.

        Raises:
            EngineError, ModelError: there is no model to count tokens with, or it has no FIM family.
        """
        cursor, most = self._cursor(snapshot, offset), self.model.max_prompt_tokens
        return await continued(previous, old_text, cursor, self.model.layout, self._counter, max_tokens=most)

    async def pack_window_for(self, snapshot: Snapshot, offset: int) -> Packed:
        """Return a small prompt for a cursor: the cached prefix and the window, nothing else to prefill.

        Raises:
            EngineError, ModelError: there is no model to count tokens with, or it has no FIM family.
        """
        budget = self.budget()
        cursor = self._cursor(snapshot, offset, budget)
        layout = replace(self.model.layout, style=PLAIN)
        window_alone = replace(budget, total_tokens=budget.total_tokens - budget.snippet_tokens, snippet_tokens=0)
        segments = self.prefix.active().segments
        return await pack(cursor, layout, self._counter, window_alone, cached_prefix=segments, candidates=())

    def _cursor(self, snapshot: Snapshot, offset: int, budget: Budget | None = None) -> PromptCursor:
        path, view = self._relative(snapshot), self._view()
        most = definitions_for(budget) if budget else RANKED_DEFINITIONS
        similar = similar_snippets_for(budget.snippet_tokens, self.model.style) if budget else 0
        return PromptCursor(
            snapshot, path, offset, view, self._recent, most, self._signatures, self._history(), similar
        )
