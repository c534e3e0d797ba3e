"""How long drafts should be: what rows cost on this machine and how often drafts are right, learned while decoding.

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
MAX_ROWS: Final = 64
"""Beyond this llama.cpp computes attention in tiles (design/engine.md section 4), so other rows tell nothing."""
CREDIT_STEPS: Final = 4.0
"""What learning may cost at the start, in decodes of one row."""
REWRITE_LENGTH: Final = 16
REWRITE_CHANCE: Final = 0.93  # of each token of a rename's drafts: they were right in 78 to 96 % of all
REWRITE_WEIGHT: Final = 3.0  # the first draft of a rewrite, before it is known where it begins, is often wrong
REWRITE_CREDIT_STEPS: Final = 20.0  # two long trials on a processor; they are won back by the first drafts that hold
CREDIT_SHARE: Final = 0.01
"""What learning may cost in the long run: one part in a hundred of the time, of the 3 % that issue 4 allows."""

MAX_CREDIT_STEPS: Final = 8.0  # what was gained long ago must not pay for a long time of losses
_MIN_CREDIT_STEPS: Final = -1.5  # so that the worst hiccups of a machine hold drafts up for 150 decodes, not for ever
_MAX_CHARGED_STEPS: Final = 4.0  # for one look; a longer one was held up by something else
_REST_STEPS: Final = (8, 16, 32, 64)  # between trials, after as many in a row that came out wrong
_FORGETTING: Final = 7 / 8  # weight of older outcomes against the newest: about the last eight drafts count
FIRST_CHANCE: Final = 0.7  # of a draft's first token, before anything was seen: engine.md measured 0.5 to 0.6 overall
_FIRST_ROW_SHARE: Final = 0.2  # what a further row costs before any was timed, in decodes of one row
_FIRST_ROWS: Final = 8  # where that first guess is held against timings
_FIRST_WEIGHT: Final = 1.5  # more than one timing and less than two: the first decode of a size also warms up
_FEW_TIMINGS: Final = 3
FIRST_LENGTH: Final = 2  # of drafts until a few were timed; then they double, as the next kernel may be dearer
_KEPT_TIMINGS: Final = 64
_TIMING_FADE: Final = 0.97  # weight of a timing against the next one of its kind; load on the machine changes
_TIMINGS_A_FIT: Final = 32
_DEPTH_UNIT_TOKENS: Final = 4096.0
_DEPTH_STEP_TOKENS: Final = 128  # within which a cost says the same
_FIT_ROUNDS: Final = 6
_REFIT_ROUNDS: Final = 2  # from the last solution on
_MIN_SECONDS: Final = 1e-6
_MAX_SECONDS: Final = 3600.0
_WRONG: Final = 0.15  # an expectation that is off by more is soon fitted again
_NEWS: Final = 4  # timings at a new depth that are taken into the fit at once
_CLOSE: Final = 0.02  # timings that differ by less than 2 % agree

_Floats = npt.NDArray[np.float64]


class _Timing(NamedTuple):
    rows: int
    seconds: float
    depth_tokens: int


def rewrite_payoff() -> "Payoff":
    """Return one for rewrites, whose drafts are right nearly always.

    Two rows can cost more beside one than sixteen do beside two (measured on two cores: 1.5, and 7.6 for sixteen), so
    short trials would never show that long drafts pay.
    """
    return Payoff(
        first_length=REWRITE_LENGTH,
        first_chance=REWRITE_CHANCE,
        first_weight=REWRITE_WEIGHT,
        first_credit_steps=REWRITE_CREDIT_STEPS,
        most_credit_steps=REWRITE_CREDIT_STEPS,
        trial_length=REWRITE_LENGTH,
    )


class Payoff:
    """Learns what decoding k+1 rows costs beside one row and how often drafts are right, and chooses their length.

    Cost: ``seconds = w + b * depth + rows * (c + a * depth)``, no part below zero.
    ``w`` is the weights, read once for all rows, and ``c`` the arithmetic of a row. Attention is in ``a`` on a CPU,
    which reads the cache once for each row below 64 rows, and mostly in ``b`` on a GPU, which reads it once for all.
    No part below zero keeps one dear timing from making rows dearer than decodes of their own.
    Until a single row was timed at about the depth in question there is nothing to compare with, and no draft.
    The fit takes the newest timings of single rows and of several and minimises absolute relative errors, so that a
    hiccup of the machine counts as one timing, not as its size. Kernels change with the number of rows (on GPUs at
    8 and 16), so each doubling of rows is then corrected by the middle of its own deviations from the fit.

    Chance: for each place in a draft how often it was right when all before it were, over about the last eight drafts
    that came so far; a place that was seldom reached leans on the one before it.

    Choice: the length with the most expected tokens per second, 0 when that is less than 5 % above no draft.
    What drafts lose and gain, looking them up included, is booked against a credit in decodes of one row. Without
    credit there is no draft, and while drafts do not pay, one of a single token is tried when the credit covers it,
    rarer after each one that was wrong; one that comes out right earns the next. So as far as the timings bear the
    fit out, drafts never lose more than four decodes and one in a hundred; where they do not, a draft is charged by
    the middle of the last three deviations, and the fit is made again at once.
    """

    def __init__(
        self,
        *,
        first_length: int = FIRST_LENGTH,
        first_chance: float = FIRST_CHANCE,
        first_weight: float = 1.0,
        first_credit_steps: float = CREDIT_STEPS,
        most_credit_steps: float = MAX_CREDIT_STEPS,
        trial_length: int = 1,
    ) -> None:
        """Know nothing yet but how long the first drafts may be, and how often they should be right.

        ``first_weight`` is how many drafts that expectation outweighs, ``trial_length`` how long a draft is that is
        only to find out whether drafts pay again.
        """
        self._first_length = first_length
        self._first_chance = first_chance
        self._first_weight = first_weight
        self._most_credit_steps = most_credit_steps
        self._trial_length = trial_length
        self._one_row: deque[_Timing] = deque(maxlen=_KEPT_TIMINGS)
        self._more_rows: deque[_Timing] = deque(maxlen=_KEPT_TIMINGS)
        self._timings_by_depth: Counter[tuple[bool, int]] = Counter()
        self._most_rows_timed = 0
        self._new_timings = 0
        self._cost: _Cost | None = None
        self._best_known: tuple[tuple[_Cost, int, int], int, float, float] | None = None
        """What was asked, the best length for it whatever the credit, its gain, its cost in decodes of one row."""
        self._deviations = deque([1.0, 1.0], maxlen=3)
        self._tried = [0.0] * MAX_ROWS
        self._right = [0.0] * MAX_ROWS
        self._credit_steps = first_credit_steps
        self._wrong_trials = 0
        self._rest_steps = 0

    def learn_cost(self, rows: int, seconds: float, depth_tokens: int) -> None:
        """Take in how long a decode of ``rows`` tokens took with ``depth_tokens`` resident before it.

        Meant for each decode that wrote the answer, with a draft or without. Nonsense and large batches are ignored.
        """
        if not (1 <= rows <= MAX_ROWS and _MIN_SECONDS <= seconds <= _MAX_SECONDS):
            return
        timing = _Timing(rows, seconds, max(0, depth_tokens))
        steps = 1.0
        if rows > 1:
            self._more_rows.append(timing)
            self._most_rows_timed = max(self._most_rows_timed, rows)
            steps = self._steps_of(timing)
            self._credit_steps = max(_MIN_CREDIT_STEPS, self._credit_steps - (steps - 1))
        else:
            self._one_row.append(timing)
        self._credit_steps = min(self._most_credit_steps, self._credit_steps + CREDIT_SHARE * steps)
        self._rest_steps = max(0, self._rest_steps - 1)
        kind = rows > 1, _octave(timing.depth_tokens)
        self._timings_by_depth[kind] += 1
        self._new_timings += _TIMINGS_A_FIT if self._timings_by_depth[kind] <= _NEWS else 1

    def learn_outcome(self, drafted: int, accepted: int) -> None:
        """Take in how many tokens of a draft the model agreed with. A draft of none tells nothing."""
        if drafted <= 0:
            return
        self._best_known = None
        right = min(max(0, accepted), drafted)
        for place in range(min(right + 1, drafted, MAX_ROWS)):
            self._tried[place] = self._tried[place] * _FORGETTING + 1
            self._right[place] = self._right[place] * _FORGETTING + (1 if place < right else 0)
        self._credit_steps = min(self._most_credit_steps, self._credit_steps + right)
        self._wrong_trials = 0 if right else self._wrong_trials + 1
        self._rest_steps = 0 if right else _REST_STEPS[min(self._wrong_trials, len(_REST_STEPS)) - 1]

    def charge(self, depth_tokens: int, *, seconds: float = 0.0, decodes: int = 0) -> None:
        """Book what drafts cost besides their rows: the time to look them up, and decodes that are made once more.

        Where a token takes half a millisecond, looking up is a tenth of it; nonsense is ignored.
        """
        if not self._one_row:
            return
        looking = seconds / self._fitted_cost().seconds(1, max(0, depth_tokens)) if 0 < seconds < math.inf else 0.0
        self._credit_steps -= min(looking, _MAX_CHARGED_STEPS) + max(0, decodes)

    def length(self, depth_tokens: int, most: int) -> int:
        """Return how long the next draft should be, ``most`` at most; 0 when drafting does not pay.

        Changes nothing: asked again before anything was learned it says the same.
        """
        most, depth_tokens = min(most, MAX_ROWS - 1), max(0, depth_tokens)
        if most <= 0 or self._credit_steps <= 0 or not self._timings_by_depth[False, _octave(depth_tokens)]:
            return 0
        cost = self._fitted_cost()
        if len(self._more_rows) < _FEW_TIMINGS:
            most = min(most, self._first_length)
        most = min(most, max(self._first_length, 2 * self._most_rows_timed))
        best, gain = self._affordable(cost, depth_tokens, most)
        if gain >= MIN_GAIN:
            return best
        trial = min(self._trial_length, most)
        lost_steps = cost.beside_one_row(trial + 1, depth_tokens) - 1
        return trial if self._rest_steps == 0 and lost_steps <= self._credit_steps else 0

    def expected_tokens(self, most: int) -> Iterator[float]:
        """Yield how many tokens a decode should write with a draft of one token, of two, up to ``most``."""
        chance, reached, tokens = self._first_chance, 1.0, 1.0
        for right, tried in zip(self._right[:most], self._tried[:most], strict=True):
            chance = (right + self._first_weight * chance) / (tried + self._first_weight)
            reached *= chance
            tokens += reached
            yield tokens

    def _affordable(self, cost: "_Cost", depth_tokens: int, most: int) -> tuple[int, float]:
        """Return the best length that the credit covers, and its gain.

        Asked for each token, and all lengths take as long to weigh as a tenth of a small decode: so what is best
        whatever the credit is kept until something is learned, and only where the credit falls short of it is weighed
        again.
        """
        about = (cost, depth_tokens // _DEPTH_STEP_TOKENS, most)
        if self._best_known is None or self._best_known[0] != about:
            best, gain = self._best(cost, depth_tokens, most, math.inf)
            self._best_known = about, best, gain, cost.beside_one_row(best + 1, depth_tokens)
        _, best, gain, steps = self._best_known
        if steps - 1 <= self._credit_steps:
            return best, gain
        return self._best(cost, depth_tokens, most, self._credit_steps)

    def _best(self, cost: "_Cost", depth_tokens: int, most: int, credit_steps: float) -> tuple[int, float]:
        """Return the length with the most tokens per second that a credit covers, and its gain over no draft."""
        best, best_gain = 0, 1.0
        one_row_seconds = cost.seconds(1, depth_tokens)
        for length, tokens in enumerate(self.expected_tokens(most), 1):
            steps = cost.seconds(length + 1, depth_tokens) / one_row_seconds
            if steps - 1 > credit_steps:
                break
            if tokens / steps > best_gain:
                best, best_gain = length, tokens / steps
        return best, best_gain

    def _steps_of(self, timing: _Timing) -> float:
        """How many decodes of one row a decode cost: as expected, times the middle of the last deviations from that.

        So one hiccup of the machine is not charged, and an expectation that is wrong is, from the second time on.
        """
        if self._cost is None:
            return 1 + _FIRST_ROW_SHARE * (timing.rows - 1)
        self._deviations.append(timing.seconds / self._cost.seconds(timing.rows, timing.depth_tokens))
        middle = sorted(self._deviations)[len(self._deviations) // 2]
        if abs(middle - 1) > _WRONG:
            self._new_timings += _TIMINGS_A_FIT // 4
        return max(1.0, middle * self._cost.beside_one_row(timing.rows, timing.depth_tokens))

    def _fitted_cost(self) -> "_Cost":
        if self._cost is None or self._new_timings >= _TIMINGS_A_FIT:
            self._cost = _fit(self._one_row, self._more_rows, self._cost)
            self._new_timings = 0
        return self._cost


class _Cost(NamedTuple):
    """Seconds of a decode by rows and depth."""

    base: float
    base_by_depth: float
    row: float
    row_by_depth: float
    corrections: tuple[float, ...]
    """Factor for each doubling of rows: 1, 2, 3 to 4, 5 to 8 and so on."""

    def seconds(self, rows: int, depth_tokens: int) -> float:
        depth = depth_tokens / _DEPTH_UNIT_TOKENS
        fitted = self.base + self.base_by_depth * depth + rows * (self.row + self.row_by_depth * depth)
        return max(_MIN_SECONDS, fitted * self.corrections[(rows - 1).bit_length()])

    def beside_one_row(self, rows: int, depth_tokens: int) -> float:
        return self.seconds(rows, depth_tokens) / self.seconds(1, depth_tokens)


_DOUBLINGS: Final = (MAX_ROWS - 1).bit_length() + 1
_NO_CORRECTION: Final = (1.0,) * _DOUBLINGS


def _fit(one_row: deque[_Timing], more_rows: deque[_Timing], last: _Cost | None) -> _Cost:
    """Fit the cost to timings by least absolute relative errors, with the first guess as one and a half timings."""
    timings = [*one_row, *more_rows]
    fading = _TIMING_FADE ** np.arange(_KEPT_TIMINGS, dtype=np.float64)[::-1]
    weights = np.concatenate([fading[_KEPT_TIMINGS - len(kind) :] for kind in (one_row, more_rows)])
    rows, seconds, depths = np.array(timings, np.float64).T
    depths = depths / _DEPTH_UNIT_TOKENS
    guessed_rows = np.array([1.0, _FIRST_ROWS])
    guessed_depths = np.full(2, float(np.median(depths)))
    one_row_seconds = float(np.median(seconds / (1 + _FIRST_ROW_SHARE * (rows - 1))))
    guessed_seconds = one_row_seconds * (1 + _FIRST_ROW_SHARE * (guessed_rows - 1))
    parts = _parts(
        np.concatenate([rows, guessed_rows]),
        np.concatenate([seconds, guessed_seconds]),
        np.concatenate([depths, guessed_depths]),
    )
    weights = np.concatenate([weights, np.full(2, _FIRST_WEIGHT)])
    solution = _least_absolute(parts, weights, None if last is None else np.array(last[:4]))
    corrections = _corrections(rows, 1 / np.maximum(_parts(rows, seconds, depths) @ solution, 1e-9))
    base, base_by_depth, row, row_by_depth = solution.tolist()
    return _Cost(base, base_by_depth, row, row_by_depth, corrections)


def _octave(depth_tokens: int) -> int:
    """Depths that differ by less than about two times cost alike."""
    return (depth_tokens + 1024).bit_length()


def _parts(rows: _Floats, seconds: _Floats, depths: _Floats) -> _Floats:
    """One line for each timing, so that the line times the solution is 1 where the fit is exact."""
    parts: _Floats = np.stack([np.ones_like(rows), depths, rows, rows * depths], axis=1) / seconds[:, None]
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

    At a single depth two parts cannot be told from the other two; a grain on the diagonal then shares evenly.
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


def _corrections(rows: _Floats, deviations: _Floats) -> tuple[float, ...]:
    """Middle deviation of each doubling of rows, drawn towards 1 where timings are few; one alone is none."""
    doublings = np.ceil(np.log2(rows)).astype(np.int64)
    corrections = list(_NO_CORRECTION)
    for doubling in np.unique(doublings):
        own = np.sort(deviations[doublings == doubling])
        lower_middle = float(own[(len(own) - 1) // 2])
        corrections[doubling] = 1 + (lower_middle - 1) * (len(own) - 1) / len(own)
    return tuple(corrections)
