"""The prompts of completions: the best one where the model prefills it in time, else the last one, continued.

A key never waits for a better choice of context. That is prefilled while nothing is typed, and used from then on.
"""

from dataclasses import dataclass, replace
from typing import Literal

from spark_lsp.engine.base import Usage
from spark_lsp.prompt.continued import unread_tokens
from spark_lsp.prompt.pack import Packed
from spark_lsp.prompt.workspace_context import WorkspaceContext
from spark_lsp.text.snapshot import Snapshot

WORTH_A_SMALL_PROMPT = 0.7
"""At a place that nothing was prefilled for, a small prompt comes first if it needs no more than this share of it."""

_PromptKind = Literal["best", "continued", "small"]


@dataclass(frozen=True, slots=True)
class _LastPrompt:
    """A document's last prompt, the text it was made for, and whether a better one waits to be prefilled."""

    text: str
    offset: int
    packed: Packed
    is_behind: bool


class TypingPrompts:
    """Chooses the prompt of each completion of one workspace. Belongs to one event loop."""

    def __init__(self, context: WorkspaceContext) -> None:
        self._context = context
        self._last: dict[str, _LastPrompt] = {}
        self._engines_lost = context.prefix.engines_lost
        self._is_cost_asked = False

    @property
    def digest(self) -> str:
        """Names what of the cached prefix is shown; answers depend on it."""
        return self._context.digest

    def prepare(self, snapshot: Snapshot, offset: int) -> object:
        """Begin to look for what a prompt for a cursor may show."""
        return self._context.prepare(snapshot, offset)

    def stops(self) -> tuple[str, ...]:
        """Return the special tokens that end an answer."""
        return self._context.stops()

    def learn(self, usage: Usage) -> None:
        """Take what a request tells of the cost of prefilling into account."""
        self._context.learn(usage)

    async def pack_for(self, snapshot: Snapshot, offset: int) -> Packed:
        """Return the prompt for a key.

        Raises:
            EngineError, ModelError: there is no model to count tokens with, or it has no FIM family.
        """
        await self._follow_engine()
        last = self._last.get(snapshot.uri)
        if last is not None and last.is_behind:  # the best one stays too far away until a pause lets it be prefilled
            going_on = await self._context.continue_for(last.packed, last.text, snapshot, offset)
            order, quick_tokens = self._context.model.order, self._context.quick_tokens
            if going_on is not None and unread_tokens(going_on, last.packed, order) <= quick_tokens:
                self._last[snapshot.uri] = _LastPrompt(snapshot.text, offset, going_on, is_behind=True)
                return going_on
        best = await self._context.pack_for(snapshot, offset)
        chosen, kind = await self._choose(best, snapshot, offset)
        self._last[snapshot.uri] = _LastPrompt(snapshot.text, offset, chosen, is_behind=kind != "best")
        return chosen

    async def to_prefill(self, snapshot: Snapshot, offset: int) -> tuple[Packed, ...]:
        """Return the prompts to prefill for a cursor that rests: the best one, behind a small one where it takes long.

        Raises:
            EngineError, ModelError: there is no model to count tokens with, or it has no FIM family.
        """
        await self._follow_engine()
        best = await self._context.pack_for(snapshot, offset)
        chosen, kind = await self._choose(best, snapshot, offset)
        return (chosen, best) if kind == "small" else (best,)

    def prefilled(self, snapshot: Snapshot, offset: int, packed: Packed) -> None:
        """Note that the model has prefilled a prompt: the next key goes on from it."""
        self._last[snapshot.uri] = _LastPrompt(snapshot.text, offset, packed, is_behind=False)

    def is_behind(self, uri: str) -> bool:
        """Whether a document's last prompt was not the best one, which is worth prefilling while nothing is typed."""
        last = self._last.get(uri)
        return last is not None and last.is_behind

    def shown(self, snapshot: Snapshot, offset: int) -> Packed | None:
        """Return the prompt that the model was last given for exactly this text and cursor; None for none."""
        last = self._last.get(snapshot.uri)
        return last.packed if last and (last.text, last.offset) == (snapshot.text, offset) else None

    def forget(self, uri: str) -> None:
        """Drop what belongs to a document that was closed."""
        self._last.pop(uri, None)

    async def _follow_engine(self) -> None:
        """Forget what an engine that is gone had prefilled; ask a new one once what it measured when it was loaded."""
        if self._engines_lost != self._context.prefix.engines_lost:
            self._engines_lost = self._context.prefix.engines_lost
            self._is_cost_asked = False
            self._last.clear()
        if not self._is_cost_asked:
            self._is_cost_asked = True
            await self._context.model.learn_cost()

    async def _choose(self, best: Packed, snapshot: Snapshot, offset: int) -> tuple[Packed, _PromptKind]:
        """Return the best prompt, or where too much of it is to be prefilled, the last one continued or a small one."""
        order, last = self._context.model.order, self._last.get(snapshot.uri)
        prefilled = last.packed if last else None
        unread = unread_tokens(best, prefilled, order)
        if unread <= self._context.quick_tokens:
            return best, "best"
        if last is not None:
            going_on = await self._context.continue_for(last.packed, last.text, snapshot, offset)
            if going_on is not None and unread_tokens(going_on, prefilled, order) < unread:
                return replace(going_on, gather_ms=best.gather_ms, pack_ms=best.pack_ms), "continued"
        small = await self._context.pack_window_for(snapshot, offset)
        if unread_tokens(small, prefilled, order) <= unread * WORTH_A_SMALL_PROMPT:
            return replace(small, gather_ms=best.gather_ms, pack_ms=best.pack_ms), "small"
        return best, "best"
