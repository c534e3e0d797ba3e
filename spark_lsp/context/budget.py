"""How many tokens a prompt may have, from measured speed. Pure.

The volatile part (window and tail) is re-read at nearly every request, so it is bounded by what the machine reads
within the first-token target. The trunk is read once and stays resident, so it is bounded by patience and by memory.
"""

from dataclasses import dataclass

FIRST_GUESS_PREFILL_TOKENS_PER_S = 1500.0
"""Until a rate is measured: the shipped model reads 3,000 to 5,000 tokens/s on two cores, a 1.5B one about 100."""

PREFILL_SHARE = 0.8
"""The rest of the first-token target goes to gathering, packing and the first decode step."""

MIN_VOLATILE_TOKENS = 384  # some 20 lines before the cursor; with less no model writes what belongs there
MAX_VOLATILE_TOKENS = 4096  # engine.md section 10: above some 700 the warm/cold ratio falls, above 4k it is gone
TRUNK_PATIENCE_S = 20.0
"""Longest background read of a trunk on a machine: the trunk is what can be read in this time."""

PREFIX_SHARE, SUFFIX_SHARE = 0.5, 0.17  # of the volatile part; Copilot's are 35 and 15 % beside 50 % of context


@dataclass(frozen=True, slots=True)
class Budget:
    """Token limits of one prompt. ``total_tokens`` is the limit of the whole; the others are its parts."""

    total_tokens: int
    trunk_tokens: int
    tail_tokens: int
    prefix_tokens: int
    suffix_tokens: int

    @property
    def shared_tokens(self) -> int:
        """What other files may have altogether, trunk and tail."""
        return self.total_tokens - self.prefix_tokens - self.suffix_tokens


def budget_for(
    *,
    ceiling_tokens: int,
    context_tokens: int,
    reply_tokens: int,
    prefill_tokens_per_s: float,
    first_token_target_ms: int,
    is_patient: bool = False,
) -> Budget:
    """Split what fits into trunk, tail and window.

    ``ceiling_tokens`` is the user's limit, ``context_tokens`` the cells that the engine has, ``reply_tokens`` what must
    stay free for the answer. A rate of 0 means that nothing was measured yet. A patient user has named the size and
    takes the time that reading it needs.
    """
    rate = prefill_tokens_per_s or FIRST_GUESS_PREFILL_TOKENS_PER_S
    total = max(64, min(ceiling_tokens, context_tokens - reply_tokens))
    affordable = int(rate * first_token_target_ms / 1000 * PREFILL_SHARE)
    # Steps of 64 keep the window's edges where they are while the measured rate wavers.
    wanted = MAX_VOLATILE_TOKENS if is_patient else max(MIN_VOLATILE_TOKENS, affordable // 64 * 64)
    volatile = min(total, MAX_VOLATILE_TOKENS, wanted)
    trunk = total - volatile if is_patient else min(total - volatile, _power_of_two(int(rate * TRUNK_PATIENCE_S)))
    prefix, suffix = int(volatile * PREFIX_SHARE), int(volatile * SUFFIX_SHARE)
    return Budget(trunk + volatile, trunk, volatile - prefix - suffix, prefix, suffix)


def _power_of_two(number: int) -> int:
    """Round down to a power of two, so that a wavering rate does not choose another trunk each time."""
    return 1 << max(0, number.bit_length() - 1)
