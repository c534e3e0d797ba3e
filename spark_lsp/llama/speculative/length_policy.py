"""Chooses how long drafts are from what a batch costs on this machine and how often drafts are right.

Pure: never reads a clock and never calls the library.
"""

import math
from collections import Counter, deque
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

MIN_GAIN: Final = 1.05
"""Drafts that promise less than 5 % are not worth what a wrong estimate costs."""
MAX_BATCH_TOKENS: Final = 64
"""From 65 tokens on llama.cpp computes attention in tiles, so larger batches say nothing about smaller ones."""
BUDGET_STEPS: Final = 4.0
"""What learning may cost at the start, in decodes of a single token."""
REWRITE_LENGTH: Final = 16
REWRITE_CHANCE: Final = 0.93  # of each token of a rename's drafts: they were right in 78 to 96 % of all
REWRITE_WEIGHT: Final = 3.0  # the first draft of a rewrite, before it is known where it begins, is often wrong
REWRITE_BUDGET_STEPS: Final = 20.0  # two long probes on a processor; they are won back by the first drafts that hold
BUDGET_SHARE: Final = 0.01
"""Drafting may cost at most 1 % of decode time in the long run."""

MAX_BUDGET_STEPS: Final = 8.0  # in single-token decodes: old gains must not pay for a long series of losses
_MIN_BUDGET_STEPS: Final = -1.5  # the worst hiccup of a machine then stops drafts for 150 decodes
_MAX_RECORDED_STEPS: Final = 4.0  # for one lookup; a longer one was delayed by another program
_REST_STEPS: Final = (8, 16, 32, 64)  # decodes between probes, after 1, 2, 3 and 4 wrong ones in a row
_FORGETTING: Final = 7 / 8  # weight of older outcomes against the newest: about the last eight drafts count
FIRST_CHANCE: Final = 0.7  # of a draft's first token before any outcome is known; 0.5 to 0.6 was measured overall
_FIRST_TOKEN_SHARE: Final = 0.2  # cost of each further token before any was timed, in single-token decodes
_FIRST_BATCH_TOKENS: Final = 8  # batch size at which the first guess is compared with timings
_FIRST_WEIGHT: Final = 1.5  # more than one timing and less than two: the first decode of a size also warms up
_FEW_TIMINGS: Final = 3
FIRST_LENGTH: Final = 2  # of drafts until a few were timed; then it doubles, as the next kernel may cost more
_KEPT_TIMINGS: Final = 64
_TIMING_FADE: Final = 0.97  # weight of a timing against the next one of its kind; load on the machine changes
_TIMINGS_A_FIT: Final = 32
_POSITION_UNIT_TOKENS: Final = 4096.0
_POSITION_STEP_TOKENS: Final = 128  # positions nearer than this share a cost
_FIT_ROUNDS: Final = 6
_REFIT_ROUNDS: Final = 2  # from the last solution on
_MIN_SECONDS: Final = 1e-6
_MAX_SECONDS: Final = 3600.0
_WRONG: Final = 0.15  # an expectation that is off by more makes the next fit come sooner
_NEWS: Final = 4  # timings at a new position that are fitted at once
_CLOSE: Final = 0.02  # timings that differ by less than 2 % agree

_Floats = npt.NDArray[np.float64]


class _Timing(NamedTuple):
    batch_size: int
    seconds: float
    n_past: int


def rewrite_length_policy() -> "LengthPolicy":
    """Return a policy for rewrites, whose drafts are right nearly always.

    A batch of 2 tokens can cost 1.5 times a single one, and a batch of 16 only 7.6 times (measured on two cores), so
    short probes would never show that long drafts pay.
    """
    return LengthPolicy(
        first_length=REWRITE_LENGTH,
        first_chance=REWRITE_CHANCE,
        first_weight=REWRITE_WEIGHT,
        first_budget_steps=REWRITE_BUDGET_STEPS,
        max_budget_steps=REWRITE_BUDGET_STEPS,
        probe_length=REWRITE_LENGTH,
    )


class LengthPolicy:
    """Learns what a decode of k+1 tokens costs beside one of a single token, and how often drafts are right.

    Cost: ``seconds = w + b * position + batch_size * (c + a * position)``, no term below zero.
    ``w`` reads the weights, once for the whole batch; ``c`` is the arithmetic of one token. Attention is in ``a`` on a
    CPU, which reads the cache once for each token of a batch below 64, and mostly in ``b`` on a GPU, which reads it
    once for all. Because no term is negative, one slow timing cannot make a batch look dearer than separate decodes.
    Until a single token was timed near a position there is nothing to compare with, and no draft.
    The fit takes the newest timings of single tokens and of batches and minimises absolute relative errors, so a
    hiccup of the machine counts as one timing, whatever its size. Kernels change with the batch size (on GPUs at 8 and
    16), so each doubling of it is then corrected by the median of its own deviations from the fit.

    Chance: for each position in a draft, how often it was right when all before it were, over about the last eight
    drafts that came so far. A position that was seldom reached uses the chance of the one before it.

    Choice: the length with the most expected tokens per second, 0 when the gain over no draft is below 5 %.
    Losses and gains of drafts, lookups included, are booked against a budget, counted in single-token decodes. Without
    budget there is no draft. While drafts do not pay, a probe is made when the budget covers it, and less often after
    each one that was wrong; a probe that is right earns the next one. As far as the timings confirm the fit, drafts
    never lose more than four decodes and 1 % of the time. Where they do not, a draft costs the median of the last
    three deviations, and the fit is made again at once.
    """

    def __init__(
        self,
        *,
        first_length: int = FIRST_LENGTH,
        first_chance: float = FIRST_CHANCE,
        first_weight: float = 1.0,
        first_budget_steps: float = BUDGET_STEPS,
        max_budget_steps: float = MAX_BUDGET_STEPS,
        probe_length: int = 1,
    ) -> None:
        """Know nothing yet but how long the first drafts may be, and how often they should be right.

        ``first_weight`` is how many drafts that expectation outweighs, ``probe_length`` how long a draft is that is
        only to find out whether drafts pay again.
        """
        self._first_length = first_length
        self._first_chance = first_chance
        self._first_weight = first_weight
        self._max_budget_steps = max_budget_steps
        self._probe_length = probe_length
        self._single_timings: deque[_Timing] = deque(maxlen=_KEPT_TIMINGS)
        self._batch_timings: deque[_Timing] = deque(maxlen=_KEPT_TIMINGS)
        self._timings_by_position: Counter[tuple[bool, int]] = Counter()
        self._largest_batch_timed = 0
        self._new_timings = 0
        self._cost: _Cost | None = None
        self._best_known: tuple[tuple[_Cost, int, int], int, float, float] | None = None
        """The last question; for an unlimited budget the best length, its gain and its cost in single-token decodes."""
        self._deviations = deque([1.0, 1.0], maxlen=3)
        self._tried = [0.0] * MAX_BATCH_TOKENS
        self._right = [0.0] * MAX_BATCH_TOKENS
        self._budget_steps = first_budget_steps
        self._wrong_probes = 0
        self._rest_steps = 0

    def learn_cost(self, batch_size: int, seconds: float, n_past: int) -> None:
        """Record how long a decode of ``batch_size`` tokens took at position ``n_past``.

        Meant for each decode of the answer, with a draft or without. Invalid values and large batches are ignored.
        """
        if not (1 <= batch_size <= MAX_BATCH_TOKENS and _MIN_SECONDS <= seconds <= _MAX_SECONDS):
            return
        timing = _Timing(batch_size, seconds, max(0, n_past))
        steps = 1.0
        if batch_size > 1:
            self._batch_timings.append(timing)
            self._largest_batch_timed = max(self._largest_batch_timed, batch_size)
            steps = self._steps_of(timing)
            self._budget_steps = max(_MIN_BUDGET_STEPS, self._budget_steps - (steps - 1))
        else:
            self._single_timings.append(timing)
        self._budget_steps = min(self._max_budget_steps, self._budget_steps + BUDGET_SHARE * steps)
        self._rest_steps = max(0, self._rest_steps - 1)
        kind = batch_size > 1, _octave(timing.n_past)
        self._timings_by_position[kind] += 1
        self._new_timings += _TIMINGS_A_FIT if self._timings_by_position[kind] <= _NEWS else 1

    def learn_outcome(self, drafted: int, accepted: int) -> None:
        """Record how many tokens of a draft the model accepted. An empty draft is ignored."""
        if drafted <= 0:
            return
        self._best_known = None
        right = min(max(0, accepted), drafted)
        for place in range(min(right + 1, drafted, MAX_BATCH_TOKENS)):
            self._tried[place] = self._tried[place] * _FORGETTING + 1
            self._right[place] = self._right[place] * _FORGETTING + (1 if place < right else 0)
        self._budget_steps = min(self._max_budget_steps, self._budget_steps + right)
        self._wrong_probes = 0 if right else self._wrong_probes + 1
        self._rest_steps = 0 if right else _REST_STEPS[min(self._wrong_probes, len(_REST_STEPS)) - 1]

    def record_cost(self, n_past: int, *, seconds: float = 0.0, decodes: int = 0) -> None:
        """Book what drafts cost besides their decodes: the time to look them up, and decodes that are repeated.

        Where a token takes half a millisecond, a lookup is a tenth of that. Invalid values are ignored.
        """
        if not self._single_timings:
            return
        lookup_steps = seconds / self._fitted_cost().seconds(1, max(0, n_past)) if 0 < seconds < math.inf else 0.0
        self._budget_steps -= min(lookup_steps, _MAX_RECORDED_STEPS) + max(0, decodes)

    def length(self, n_past: int, most: int) -> int:
        """Return how long the next draft should be, ``most`` at most; 0 when drafting does not pay.

        Changes no state: the same question before anything was learned has the same answer.
        """
        most, n_past = min(most, MAX_BATCH_TOKENS - 1), max(0, n_past)
        if most <= 0 or self._budget_steps <= 0 or not self._timings_by_position[False, _octave(n_past)]:
            return 0
        cost = self._fitted_cost()
        if len(self._batch_timings) < _FEW_TIMINGS:
            most = min(most, self._first_length)
        most = min(most, max(self._first_length, 2 * self._largest_batch_timed))
        best, gain = self._affordable(cost, n_past, most)
        if gain >= MIN_GAIN:
            return best
        probe = min(self._probe_length, most)
        lost_steps = cost.relative_to_single(probe + 1, n_past) - 1
        return probe if self._rest_steps == 0 and lost_steps <= self._budget_steps else 0

    def expected_tokens(self, most: int) -> Iterator[float]:
        """Yield the expected tokens of a decode with a draft of one token, of two, up to ``most``."""
        chance, reached, tokens = self._first_chance, 1.0, 1.0
        for right, tried in zip(self._right[:most], self._tried[:most], strict=True):
            chance = (right + self._first_weight * chance) / (tried + self._first_weight)
            reached *= chance
            tokens += reached
            yield tokens

    def _affordable(self, cost: "_Cost", n_past: int, most: int) -> tuple[int, float]:
        """Return the best length that the budget covers, and its gain.

        Called for each token, and comparing all lengths takes a tenth of a small decode. So the best length for an
        unlimited budget is kept until something is learned; only a budget below its cost makes a new comparison.
        """
        about = (cost, n_past // _POSITION_STEP_TOKENS, most)
        if self._best_known is None or self._best_known[0] != about:
            best, gain = self._best(cost, n_past, most, math.inf)
            self._best_known = about, best, gain, cost.relative_to_single(best + 1, n_past)
        _, best, gain, steps = self._best_known
        if steps - 1 <= self._budget_steps:
            return best, gain
        return self._best(cost, n_past, most, self._budget_steps)

    def _best(self, cost: "_Cost", n_past: int, most: int, budget_steps: float) -> tuple[int, float]:
        """Return the length with the most tokens per second that a budget covers, and its gain over no draft."""
        best, best_gain = 0, 1.0
        single_seconds = cost.seconds(1, n_past)
        for length, tokens in enumerate(self.expected_tokens(most), 1):
            steps = cost.seconds(length + 1, n_past) / single_seconds
            if steps - 1 > budget_steps:
                break
            if tokens / steps > best_gain:
                best, best_gain = length, tokens / steps
        return best, best_gain

    def _steps_of(self, timing: _Timing) -> float:
        """Return what a decode cost in single-token decodes: the expectation times the median of the last deviations.

        So one hiccup of the machine costs nothing, and a wrong expectation counts from the second time on.
        """
        if self._cost is None:
            return 1 + _FIRST_TOKEN_SHARE * (timing.batch_size - 1)
        self._deviations.append(timing.seconds / self._cost.seconds(timing.batch_size, timing.n_past))
        middle = sorted(self._deviations)[len(self._deviations) // 2]
        if abs(middle - 1) > _WRONG:
            self._new_timings += _TIMINGS_A_FIT // 4
        return max(1.0, middle * self._cost.relative_to_single(timing.batch_size, timing.n_past))

    def _fitted_cost(self) -> "_Cost":
        if self._cost is None or self._new_timings >= _TIMINGS_A_FIT:
            self._cost = _fit(self._single_timings, self._batch_timings, self._cost)
            self._new_timings = 0
        return self._cost


class _Cost(NamedTuple):
    """Seconds of a decode by batch size and position."""

    base: float
    base_by_position: float
    per_token: float
    per_token_by_position: float
    corrections: tuple[float, ...]
    """A factor for each doubling of the batch size: 1, 2, 3 to 4, 5 to 8 and so on."""

    def seconds(self, batch_size: int, n_past: int) -> float:
        position = n_past / _POSITION_UNIT_TOKENS
        per_token = self.per_token + self.per_token_by_position * position
        fitted = self.base + self.base_by_position * position + batch_size * per_token
        return max(_MIN_SECONDS, fitted * self.corrections[(batch_size - 1).bit_length()])

    def relative_to_single(self, batch_size: int, n_past: int) -> float:
        return self.seconds(batch_size, n_past) / self.seconds(1, n_past)


_DOUBLINGS: Final = (MAX_BATCH_TOKENS - 1).bit_length() + 1
_NO_CORRECTION: Final = (1.0,) * _DOUBLINGS


def _fit(single_timings: deque[_Timing], batch_timings: deque[_Timing], last: _Cost | None) -> _Cost:
    """Fit the cost to timings by least absolute relative errors, with the first guess as one and a half timings."""
    timings = [*single_timings, *batch_timings]
    fading = _TIMING_FADE ** np.arange(_KEPT_TIMINGS, dtype=np.float64)[::-1]
    weights = np.concatenate([fading[_KEPT_TIMINGS - len(kind) :] for kind in (single_timings, batch_timings)])
    batch_size, seconds, positions = np.array(timings, np.float64).T
    positions = positions / _POSITION_UNIT_TOKENS
    guessed_batch_sizes = np.array([1.0, _FIRST_BATCH_TOKENS])
    guessed_positions = np.full(2, float(np.median(positions)))
    single_seconds = float(np.median(seconds / (1 + _FIRST_TOKEN_SHARE * (batch_size - 1))))
    guessed_seconds = single_seconds * (1 + _FIRST_TOKEN_SHARE * (guessed_batch_sizes - 1))
    parts = _parts(
        np.concatenate([batch_size, guessed_batch_sizes]),
        np.concatenate([seconds, guessed_seconds]),
        np.concatenate([positions, guessed_positions]),
    )
    weights = np.concatenate([weights, np.full(2, _FIRST_WEIGHT)])
    solution = _least_absolute(parts, weights, None if last is None else np.array(last[:4]))
    corrections = _corrections(batch_size, 1 / np.maximum(_parts(batch_size, seconds, positions) @ solution, 1e-9))
    base, base_by_position, per_token, per_token_by_position = solution.tolist()
    return _Cost(base, base_by_position, per_token, per_token_by_position, corrections)


def _octave(n_past: int) -> int:
    """Depths that differ by less than about two times cost alike."""
    return (n_past + 1024).bit_length()


def _parts(batch_size: _Floats, seconds: _Floats, positions: _Floats) -> _Floats:
    """One line for each timing, so that the line times the solution is 1 where the fit is exact."""
    parts: _Floats = (
        np.stack([np.ones_like(batch_size), positions, batch_size, batch_size * positions], axis=1) / seconds[:, None]
    )
    return parts


def _least_absolute(parts: _Floats, weights: _Floats, solution: _Floats | None) -> _Floats:
    """Solve for parts that are not negative, by least squares with each round's weights from the errors before it."""
    rounds = _REFIT_ROUNDS
    if solution is None:
        rounds, solution = _FIT_ROUNDS, _not_negative((parts * weights[:, None]).T @ parts, weights @ parts)
    for _ in range(rounds):
        weighted = parts * (weights / np.maximum(np.abs(parts @ solution - 1), _CLOSE))[:, None]
        solution = _not_negative(weighted.T @ parts, weighted.sum(axis=0))
    return solution


def _not_negative(square: _Floats, right: _Floats) -> _Floats:
    """Solve the normal equations, leaving out the most negative part until none is.

    At one position two terms cannot be told from the other two; a small diagonal term then shares evenly.
    """
    sizes = np.sqrt(np.maximum(np.diag(square), 1e-300))
    square = square / np.outer(sizes, sizes) + 1e-6 * np.eye(4)
    right = right / sizes
    solution = np.zeros(4)
    active = list(range(4))
    while active:
        part = np.linalg.solve(square[np.ix_(active, active)], right[active])
        if part.min() >= 0:
            solution[active] = part
            break
        del active[int(np.argmin(part))]
    return solution / sizes


def _corrections(batch_size: _Floats, deviations: _Floats) -> tuple[float, ...]:
    """Return the median deviation of each doubling of the batch size, drawn towards 1 where timings are few."""
    doublings = np.ceil(np.log2(batch_size)).astype(np.int64)
    corrections = list(_NO_CORRECTION)
    for doubling in np.unique(doublings):
        own = np.sort(deviations[doublings == doubling])
        lower_middle = float(own[(len(own) - 1) // 2])
        corrections[doubling] = 1 + (lower_middle - 1) * (len(own) - 1) / len(own)
    return tuple(corrections)
