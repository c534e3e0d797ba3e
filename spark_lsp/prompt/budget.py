"""How many tokens a prompt may have, from measured speed. Pure.

The volatile part (window and snippets) is prefilled at nearly every request, so it is bounded by what the machine reads
within the first-token target. The cached prefix is read once and stays resident; it is bounded by time, by memory, and
by what it costs each later token: attention over a longer cached prefix takes longer.
"""

from dataclasses import dataclass
from math import sqrt

from spark_lsp.engine.base import PrefillCost

FIRST_GUESS = PrefillCost(base_ms=0.7, slope_ms=0.1)
"""Until a cost is measured: the shipped model reads 3,000 to 5,000 tokens/s on two cores, a 1.5B one about 100."""

PREFILL_SHARE = 0.8
"""The rest of the first-token target goes to gathering, packing and the first decode step."""

MAX_VOLATILE_TOKENS = 4096  # above 700 the gain over a cold prompt falls: docs/internals/engine-measurements.md
MAX_PREFILL_S = 300.0
"""Longest background prefill of a cached prefix: it pauses while the user types, and its result is kept on disk."""

MIN_MS = 1e-4  # for a token; no machine is faster, and what is less would overflow

LINE_TOKENS = 128
"""What is read at most keys, and when a word or a line is finished: behind a cached prefix that must come within the
target. The whole window is read only when its edges move or another file is opened."""
BEARABLE = 1.25
"""How much dearer a cached prefix may make each token where the machine misses the target even without one."""
STEADY = 1.3
"""By how much the measured cost must change for another budget: other programs move it by a tenth from one read to the
next, and each change of a window or a snippet makes all of it be read again."""
KEEP = 2.0
"""How far over the limit for a new cached prefix a token may be behind a resident one: another prefix costs far more.
Both limits follow the measured cost, so a machine that is busy for a while keeps what it has prefilled."""

NAMED_PREFIX_SHARE, NAMED_SUFFIX_SHARE, NAMED_SNIPPET_SHARE = 0.22, 0.08, 0.7
"""Of a size that a user names. Who asks for a size wants the workspace in it: docs/evaluation.md has what it finds."""
MIN_PREFIX_TOKENS = 160  # some ten lines
MAX_PREFIX_TOKENS, MAX_SUFFIX_TOKENS, MAX_SNIPPET_TOKENS = 1536, 512, 3072


@dataclass(frozen=True, slots=True)
class Split:
    """How the volatile part is split, and its least size at any speed. Shares of it; the rest is snippets.

    A window that is cached costs a key only what was typed, so a small machine pays for the size at a new place alone.
    """

    min_volatile_tokens: int
    prefix_share: float
    suffix_share: float


WINDOW_FIRST = Split(384, 0.5, 0.17)
"""Some 20 lines before the cursor; with less no model writes what belongs there."""
CONTEXT_FIRST = Split(768, 0.25, 0.08)
"""192 tokens before the cursor, 61 after it and 515 of other files: sizes at which other files were measured to help
(docs/decisions/context-layout.md). Whether a larger window would help as much was not measured."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Token limits of one prompt. ``total_tokens`` is the limit of the whole; the others are its parts."""

    total_tokens: int
    cached_prefix_tokens: int
    snippet_tokens: int
    prefix_tokens: int
    suffix_tokens: int

    @property
    def shared_tokens(self) -> int:
        """What other files may have altogether, cached prefix and snippets."""
        return self.total_tokens - self.prefix_tokens - self.suffix_tokens


def budget_for(
    *,
    ceiling_tokens: int,
    context_tokens: int,
    reply_tokens: int,
    prefill_cost: PrefillCost,
    first_token_target_ms: int,
    resident_tokens: int = 0,
    is_patient: bool = False,
    split: Split = WINDOW_FIRST,
) -> Budget:
    """Split what fits into cached prefix, snippets and window.

    ``ceiling_tokens`` is the user's limit, ``context_tokens`` the cells that the engine has, ``reply_tokens`` what must
    stay free for the answer. A cost of 0 means that nothing was measured yet. A cached prefix of ``resident_tokens``
    has been read and is not given up for a machine that is busy now. A patient user has named the size and takes the
    time that reading it needs.
    """
    cost = (
        PrefillCost(max(prefill_cost.base_ms, MIN_MS), prefill_cost.slope_ms)
        if prefill_cost.base_ms > 0
        else FIRST_GUESS
    )
    total = max(64, min(ceiling_tokens, context_tokens - reply_tokens))
    target_ms = first_token_target_ms * PREFILL_SHARE
    if is_patient:
        return _named(total)
    most = _power_of_two(_cached_prefix_within(cost, target_ms))
    if cost.at(resident_tokens) <= KEEP * max(target_ms / LINE_TOKENS, cost.base_ms * BEARABLE):
        most = max(most, resident_tokens)
    cached_prefix = min(total - min(total, split.min_volatile_tokens), most)
    # Steps of 64 keep the window's edges where they are while the measured cost varies.
    affordable = int(target_ms / cost.at(cached_prefix)) // 64 * 64
    volatile = min(total, MAX_VOLATILE_TOKENS, max(split.min_volatile_tokens, affordable))
    cached_prefix = min(cached_prefix, total - volatile)
    prefix, suffix = int(volatile * split.prefix_share), int(volatile * split.suffix_share)
    return Budget(cached_prefix + volatile, cached_prefix, volatile - prefix - suffix, prefix, suffix)


def steady_cost(used: PrefillCost, measured: PrefillCost, resident_tokens: int) -> PrefillCost:
    """Return the cost that budgets go by: the one in use, until the measured one is clearly another there."""
    before, now = used.at(resident_tokens), measured.at(resident_tokens)
    return used if 0 < before <= now * STEADY and now <= before * STEADY else measured


def _named(total: int) -> Budget:
    """Split a size that the user named: window and snippets grow to their limits, the cached prefix takes the rest."""
    prefix = min(max(int(total * NAMED_PREFIX_SHARE), min(total // 2, MIN_PREFIX_TOKENS)), MAX_PREFIX_TOKENS)
    suffix = min(int(total * NAMED_SUFFIX_SHARE), MAX_SUFFIX_TOKENS)
    snippets = min(int(total * NAMED_SNIPPET_SHARE), total - prefix - suffix, MAX_SNIPPET_TOKENS)
    return Budget(total, total - prefix - suffix - snippets, snippets, prefix, suffix)


def _cached_prefix_within(cost: PrefillCost, target_ms: float) -> int:
    """Return the longest cached prefix that is read with patience and leaves a window within the target behind it."""
    slope_ms = cost.slope_ms / 1000
    patience_ms = MAX_PREFILL_S * 1000
    if slope_ms * patience_ms < cost.base_ms:  # next to none: the formula below would lose all its digits
        return int(patience_ms / cost.base_ms)
    read = (sqrt(cost.base_ms**2 + 2 * slope_ms * patience_ms) - cost.base_ms) / slope_ms
    quick = (max(target_ms / LINE_TOKENS, cost.base_ms * BEARABLE) - cost.base_ms) / slope_ms
    return int(max(0.0, min(read, quick)))


def _power_of_two(number: int) -> int:
    """Round down to a power of two, so that a varying cost does not choose another cached prefix each time."""
    return 1 << number.bit_length() - 1 if number > 0 else 0
