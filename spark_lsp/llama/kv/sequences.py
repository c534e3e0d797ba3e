"""The slots of a context: prefix slots keep cached prefixes, request slots share their cells; what is evicted first.

A cached prefix holds stable tokens only and only grows; a prompt that begins otherwise gets another sequence, which
shares what is the same, so that the old cached prefix serves until the new one is read. Never decodes and never adds
positions.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from spark_lsp.errors import EngineFailed
from spark_lsp.llama.kv.cells import TokenRun
from spark_lsp.llama.kv.llama_context import SCRATCH, SEQUENCES, Context

REQUEST_SLOTS: Final = range(SCRATCH + 1, 5)
"""One for each answer that runs at a time, and for each of the last documents: coming back to one costs nothing."""
PREFIX_SLOTS: Final = range(5, SEQUENCES)

MAX_RESIDENT: Final = 2.0
"""How much a cached prefix and all others may hold together where each decode pays for all, in lengths of that prefix:
with the one that serves until it is read."""
MAX_RESIDENT_REQUEST_TOKENS: Final = 2_048  # in request slots beside them
MAX_IDLE_REQUEST_SHARE: Final = 1 / 16
"""The same for idle request slots, beside the newest of them, as a share of the prompt that is prefilled."""
MIN_FOREIGN_MS: Final = 1_000.0
"""What foreign cells may cost a prompt before any of them are given up for it."""
RETURNS: Final = 0.3
"""Assumed share of left documents and workspaces that the user returns to before their cells are needed."""
_SHOWN: Final = 1 / 16  # of a cached prefix: all cached prefixes share the few tokens that they begin with
_WORTH_KEEPING: Final = 0.5  # share of a request slot that must be of use for it to be taken over


BeforeEviction = Callable[[int, bool], None]
"""Takes the slot of a cached prefix, and whether a request waits for its cells; else it is background prefill."""


class EvictionCandidate(NamedTuple):
    """A slot that gives up cells, and how many of its tokens stay."""

    sequence: int
    kept_tokens: int


class SlotPool:
    """The sequences of one context. Belongs to the thread of the context."""

    def __init__(self, context: Context, before_eviction: BeforeEviction = lambda _slot, _is_awaited: None) -> None:
        """``before_eviction`` is called with a cached prefix before it is evicted."""
        self.context = context
        self._before_eviction = before_eviction
        self._holders: dict[int, object] = {}
        self._last_use = dict.fromkeys((*REQUEST_SLOTS, *PREFIX_SLOTS), 0)
        self._clock = 0

    def holds(self, holder: object, sequence: int) -> bool:
        """Whether a sequence is still the holder's own."""
        return self._holders.get(sequence) is holder

    def leave(self, holder: object) -> None:
        """Release the holder's slot; its tokens stay until their cells are needed."""
        self._holders = {sequence: owner for sequence, owner in self._holders.items() if owner is not holder}

    def request_slot(self, holder: object, run: TokenRun, most: int) -> int:
        """Return a request slot that begins with as much of a run as is resident, at most ``most`` tokens of it."""
        common = self._common(run)
        prefixed = max((common[slot] for slot in PREFIX_SLOTS), default=0)
        spare = [slot for slot in REQUEST_SLOTS if slot not in self._holders] or [self._least_used(REQUEST_SLOTS)]
        best = max(spare, key=lambda slot: common[slot])
        own = len(self.context.mirrors[best]) - prefixed
        if common[best] > prefixed and common[best] - prefixed >= own * _WORTH_KEEPING:
            self.context.truncate(best, min(common[best], most))
            target = best
        else:
            target = min(spare, key=self._staleness)
            donor = self._begin(target, common, most)
            if donor in PREFIX_SLOTS:  # a request slot that merely begins alike is not used for it
                self._touch(donor)
        self._hold(holder, target)
        if self.context.pays_for_all:
            self._trim_replaced(common)
            self._evict_idle_requests(int(MAX_IDLE_REQUEST_SHARE * len(run)))
            self._evict_foreign(target, len(run) - len(self.context.mirrors[target]))
        return target

    def prefix_slot(self, holder: object, run: TokenRun) -> int:
        """Return a cached prefix that begins with as much of a run as is resident anywhere, and holds nothing else."""
        common = self._common(run)
        grown = [slot for slot in PREFIX_SLOTS if common[slot] == len(self.context.mirrors[slot]) > 0]
        if grown:
            target = max(grown, key=lambda slot: common[slot])
        else:
            spare = [slot for slot in PREFIX_SLOTS if slot not in self._holders]
            target = min(spare or PREFIX_SLOTS, key=self._staleness)
            if len(self.context.mirrors[target]):
                self._before_eviction(target, False)
            self._begin(target, common, len(run))
        self._hold(holder, target)
        if self.context.pays_for_all:
            to_read = len(run) - len(self.context.mirrors[target])
            self._evict_prefixes(target, int(MAX_RESIDENT * len(run)) + MAX_RESIDENT_REQUEST_TOKENS - to_read)
        return target

    def _evict_prefixes(self, kept: int, most_tokens: int) -> None:
        """Forget idle cached prefixes until so much is resident; the one last used beside ``kept`` stays."""
        cells = self.context.cells
        idle = [slot for slot in self.prefix_slots() if slot != kept and slot not in self._holders][1:]
        while idle and cells.capacity - cells.free > most_tokens:
            candidate = idle.pop()
            self._before_eviction(candidate, False)
            self.context.truncate(candidate, 0)

    def _evict_idle_requests(self, most_tokens: int) -> None:
        """Evict idle request slots beyond ``most_tokens``; the newest stays, as its document is probably used again."""
        held = 0
        for number, request_slot in enumerate(self._idle_request_slots()):
            held += self.context.cells.own(self.context.mirrors[request_slot].places)
            if number and held > most_tokens:
                self.context.truncate(request_slot, 0)

    def _evict_foreign(self, target: int, missing_tokens: int) -> None:
        """Forget what nobody uses and a prompt does not share, where reading the prompt over it costs more than it is.

        Each missing token is computed over each foreign cell. A cell that is forgotten has to be read again if its
        document or workspace is returned to; cached prefixes are on disk by then.
        """
        cost = self.context.rates.prefill_cost
        cells = self.context.cells
        foreign = cells.capacity - cells.free - len(self.context.mirrors[target])
        over_foreign_ms = missing_tokens * cost.slope_ms / 1000  # for each foreign cell
        if over_foreign_ms * foreign < MIN_FOREIGN_MS or over_foreign_ms <= RETURNS * cost.base_ms:
            return
        for request_slot in self._idle_request_slots():
            if request_slot != target:
                self.context.truncate(request_slot, 0)
        for prefix_slot in self.prefix_slots():
            own = self.context.cells.own(self.context.mirrors[prefix_slot].places)
            if prefix_slot not in self._holders and own > len(self.context.mirrors[prefix_slot]) * (1 - _SHOWN):
                self._before_eviction(prefix_slot, True)
                self.context.truncate(prefix_slot, 0)

    def _trim_replaced(self, shown: dict[int, int]) -> None:
        """Forget the end of a cached prefix that another is read in place of, beyond what a prompt shows of it.

        It is no longer right, and until the other one is whole each of its tokens and each key would pay for it. Slots
        behind that end go with it. ``shown`` says how much of each sequence the prompt begins with.
        """
        mirrors = self.context.mirrors
        read = [slot for slot in PREFIX_SLOTS if slot in self._holders]
        for prefix_slot in self.prefix_slots() if read else []:
            old = mirrors[prefix_slot]
            same = max(old.same_as(mirrors[slot]) for slot in read)
            kept = max(same, shown[prefix_slot])
            if prefix_slot in read or kept == len(old) or min(same, shown[prefix_slot]) < _SHOWN * len(old):
                continue
            for request_slot in self._idle_request_slots():
                if mirrors[request_slot].same_as(old) > kept:
                    self.context.truncate(request_slot, 0)
            self.context.truncate(prefix_slot, kept)

    def _idle_request_slots(self) -> list[int]:
        """Return the request slots that hold something and that nobody writes in, the last used first."""
        idle = [slot for slot in REQUEST_SLOTS if slot not in self._holders and len(self.context.mirrors[slot])]
        return sorted(idle, key=lambda slot: -self._last_use[slot])

    def promote(self, request_slot: int, run: TokenRun) -> None:
        """Keep the stable part of a request slot as a cached prefix, where one can grow to it or none is there yet."""
        if not run.stable_tokens:
            return
        common = self._common(run)
        if any(common[slot] >= run.stable_tokens for slot in PREFIX_SLOTS):
            return
        free = [slot for slot in PREFIX_SLOTS if slot not in self._holders]  # who reads one counts on what it holds
        grown = [slot for slot in free if common[slot] == len(self.context.mirrors[slot])]
        if grown:
            target = max(grown, key=lambda slot: common[slot])
            self.context.share(request_slot, target, run.stable_tokens)
            self._touch(target)

    def ensure_free(self, tokens: int, sequence: int) -> None:
        """Evict what is needed least until ``tokens`` cells are free for a sequence.

        Raises:
            EngineFailed: the sequence itself fills the context.
        """
        cells = self.context.cells
        while cells.free < tokens:
            candidate = self._eviction_candidate(sequence)
            if candidate is None:
                raise EngineFailed(f"The context of {self.context.capacity:,} tokens is full.")
            if candidate.sequence in PREFIX_SLOTS:
                self._before_eviction(candidate.sequence, sequence in REQUEST_SLOTS)
            if not candidate.kept_tokens:
                self._holders.pop(candidate.sequence, None)
            self.context.truncate(candidate.sequence, candidate.kept_tokens)

    def spare(self, tokens: int) -> int:
        """Evict idle request slots until ``tokens`` cells are free; return how many are free."""
        for request_slot in reversed(self._idle_request_slots()):
            if self.context.cells.free >= tokens:
                break
            self.context.truncate(request_slot, 0)
        return self.context.cells.free

    def prefix_slots(self) -> list[int]:
        """Return the prefix slots that hold something, the one that was used last first."""
        held = [slot for slot in PREFIX_SLOTS if len(self.context.mirrors[slot])]
        return sorted(held, key=lambda slot: -self._last_use[slot])

    def _eviction_candidate(self, sequence: int) -> EvictionCandidate | None:
        """Choose what is needed least: request slots but the newest, then the unused end of a prefix, then all else.

        A cached prefix that is being replaced serves until the new one is read, but only as far as it is still right:
        prompts share that part of it, and the rest of it would fill the context for nothing.
        """
        full = [slot for slot in self._last_use if slot != sequence and len(self.context.mirrors[slot])]
        spare = {slot for slot in full if slot not in self._holders}
        request_slots = sorted(spare & set(REQUEST_SLOTS), key=lambda slot: -self._last_use[slot])
        if len(request_slots) > 1:
            return EvictionCandidate(request_slots[-1], 0)
        for prefix_slot in sorted(spare & set(PREFIX_SLOTS), key=lambda slot: self._last_use[slot]):
            size = len(self.context.mirrors[prefix_slot])
            own = self.context.cells.own(self.context.mirrors[prefix_slot].places)
            if 0 < own <= size * (1 - _SHOWN):
                return EvictionCandidate(prefix_slot, size - own)
        for choice in (set(request_slots), spare, set(full)):
            if choice:
                return EvictionCandidate(self._least_used(choice), 0)
        return None

    def _begin(self, target: int, common: dict[int, int], most: int) -> int:
        """Make a sequence the longest known beginning of a run; return the sequence that this comes from."""
        donor = max(common, key=lambda slot: (common[slot], slot in PREFIX_SLOTS))
        length = min(common[donor], most)
        if donor == target:
            self.context.truncate(target, length)
            return donor
        length = self.context.restorable(donor, length)
        if length:
            self.context.share(donor, target, length)
        else:
            self.context.truncate(target, 0)
        return donor if length else target

    def _common(self, run: TokenRun) -> dict[int, int]:
        """Return how many tokens of a run each slot can begin with."""
        mirrors = self.context.mirrors
        return {slot: self.context.restorable(slot, mirrors[slot].common(run)) for slot in self._last_use}

    def _staleness(self, sequence: int) -> tuple[bool, int]:
        return len(self.context.mirrors[sequence]) > 0, self._last_use[sequence]

    def _least_used(self, choice: range | set[int]) -> int:
        return min(choice, key=lambda slot: self._last_use[slot])

    def _hold(self, holder: object, sequence: int) -> None:
        self._holders[sequence] = holder
        self._touch(sequence)

    def _touch(self, sequence: int) -> None:
        self._clock += 1
        self._last_use[sequence] = self._clock
