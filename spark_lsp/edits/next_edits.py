"""The next edits in a folder: the journal, the chain of edits that still follow, and what the user did with them.

Belongs to the server's event loop; computing runs in a thread. The time is passed in.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice
from typing import Final

from spark_lsp.edits.chain import Chain, lines_between
from spark_lsp.edits.computed import computed
from spark_lsp.edits.gate import QUIET_S, GateContext, gate
from spark_lsp.edits.journal import MAX_EDITS, Journal
from spark_lsp.edits.next_edit import NOTHING, Fix, NextEdit, Silence, Situation

MAX_OFFERED: Final = 64
MAX_TRIED: Final = 8
"""Edits of a chain that are put to the gate for one answer."""


@dataclass(frozen=True, slots=True)
class OfferedEdit:
    """A next edit that is shown. ``remaining`` counts those that follow it, as far as they are known."""

    id: int
    edit: NextEdit
    remaining: int
    distance_lines: int


@dataclass(slots=True)
class NextEditCounts:
    """What became of the next edits of a folder."""

    offered: int = 0
    shown: int = 0
    accepted: int = 0
    rejected: int = 0


@dataclass(slots=True)
class NextEdits:
    """The next edits of one folder; ``numbers`` are those of the window's offers."""

    journal: Journal = field(default_factory=Journal)
    counts: NextEditCounts = field(default_factory=NextEditCounts)
    numbers: Iterator[int] = field(default_factory=partial(count, 1))
    _chain: Chain = Chain()
    _offers: dict[int, OfferedEdit] = field(default_factory=dict)
    _rejected: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_OFFERED))
    _quiet: dict[tuple[str, int], float] = field(default_factory=dict)
    _is_fresh: bool = False
    """Whether the last change was none of the chain's."""
    _silent_at: tuple[str, str, tuple[Fix, ...]] = ("", "", ())
    _silence: Silence = NOTHING

    def changed(self, uri: str, path: str, before: str, after: str, now_s: float) -> None:
        """Take in a change of a document, before anything else happens."""
        self.journal.changed(uri, before, after, now_s)
        self._is_fresh = self._chain.step_to(path, after) is None
        self._chain = self._chain.changed(path, after)

    def texts_before(self, uri: str, now: str) -> tuple[str, ...]:
        """Return the texts of a document before its last bursts, the newest first; layout alone is no edit."""
        texts = self.journal.texts_before(uri, now)
        return tuple(text for edit, text in islice(texts, MAX_EDITS) if not edit.is_layout)

    async def next_edit(self, uri: str, situation: Situation, offset: int, now_s: float) -> OfferedEdit | Silence:
        """Return the edit to show, or why there is none; a change that comes meanwhile is for the caller to see."""
        if self.journal.is_undone(uri):
            return Silence("undo")
        silence = NOTHING
        if self._is_fresh or not (self._chain.edits or self._chain.more):
            silence = await self._compute(situation)
        if not self._chain.edits and not await self.prepare():
            return silence
        return await asyncio.to_thread(self._offer, situation, offset, now_s)

    async def prepare(self) -> bool:
        """Find the edits of other files while an edit is shown; whether there was something to do."""
        chain = self._chain
        if chain.more is None:
            return False
        more = await asyncio.to_thread(chain.more)
        if self._chain.more is chain.more:  # edits may have been accepted meanwhile
            self._chain = self._chain.with_files(more)
        return True

    async def _compute(self, situation: Situation) -> Silence:
        """Compute the chain for a document, unless its text gave nothing before; what followed earlier is kept then."""
        key = (situation.path, situation.text, situation.fixes)
        if key == self._silent_at:
            return self._silence
        answer = await asyncio.to_thread(computed, situation)
        if isinstance(answer, Silence):
            self._silent_at, self._silence = key, answer
            return answer
        self._chain, self._is_fresh = answer, False
        return NOTHING

    def _offer(self, situation: Situation, offset: int, now_s: float) -> OfferedEdit | Silence:
        steps = self._chain.in_order(situation.path, offset)
        refusal = ""
        for edit in steps[:MAX_TRIED]:
            name = gate(edit, self._shown(situation, edit, now_s))
            if not name:
                is_own = edit.path == situation.path
                distance = lines_between(edit.text, offset, edit.span.start) if is_own else 0
                offer = OfferedEdit(next(self.numbers), edit, len(steps) - 1, distance)
                self._offers[offer.id] = offer
                while len(self._offers) > MAX_OFFERED:
                    del self._offers[next(iter(self._offers))]
                self.counts.offered += 1
                return offer
            refusal = refusal or name
        return Silence(refusal) if refusal else NOTHING

    def _shown(self, situation: Situation, edit: NextEdit, now_s: float) -> GateContext:
        is_own = edit.path == situation.path
        return GateContext(
            situation.text if is_own else situation.read(edit.path),
            situation.texts_before if is_own else (),
            frozenset(self._rejected),
            frozenset(
                line for (path, line), since_s in self._quiet.items() if path == edit.path and now_s - since_s < QUIET_S
            ),
        )

    def shown(self, offer_id: int) -> None:
        """Count an edit as shown."""
        self.counts.shown += offer_id in self._offers

    def accepted(self, offer_id: int) -> OfferedEdit | None:
        """Count an edit as accepted, once; None for one that is not known."""
        offer = self._offers.pop(offer_id, None)
        self.counts.accepted += offer is not None
        return offer

    def dismissed(self, offer_id: int, now_s: float) -> OfferedEdit | None:
        """Count an edit as rejected: the change that it belongs to is not offered again, its line stays quiet."""
        offer = self._offers.pop(offer_id, None)
        if offer is None:
            return None
        self.counts.rejected += 1
        edit = offer.edit
        self._rejected.append(edit.title)
        self._quiet = {place: since_s for place, since_s in self._quiet.items() if now_s - since_s < QUIET_S}
        self._quiet[edit.path, edit.text.count("\n", 0, edit.span.start)] = now_s
        return offer

    def closed(self, uri: str) -> None:
        """Forget a document that was closed."""
        self.journal.forget(uri)

    def forget(self) -> None:
        """Forget what was edited and what follows from it: a branch was switched, or the user paused."""
        self.journal.clear()
        self._chain = Chain()
