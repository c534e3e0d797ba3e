"""Numbers of an evaluation, each with its 95 % interval. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Z95 = 1.96


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answer beside what belongs there. ``exact`` and ``ends`` are what the card reports."""

    package: str
    path: str
    shape: str
    mode: str
    expected: str
    answer: str
    exact: bool
    similarity: float
    ends: bool
    nats: float = 0.0
    """What the expected text costs the model, over all its tokens; 0.0 where it was not asked."""
    tokens: int = 0
    needs_shown: bool = False
    """Whether the expected text says a name that the shown files have and the window does not."""


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share."""
    if not count:
        return 0.0, 1.0
    share, square = hits / count, Z95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = Z95 * math.sqrt(share * (1 - share) / count + square / (4 * count**2)) / (1 + square / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def paired_difference(ones: Sequence[bool], others: Sequence[bool]) -> tuple[float, float]:
    """Return how much more often the first hits on the same holes, and half of the 95 % interval of that."""
    return mean_difference(ones, others) if len(ones) > 1 else (0.0, 1.0)


def mean_difference(ones: Sequence[float], others: Sequence[float]) -> tuple[float, float]:
    """Return by how much the first are more on the same holes, and half of the 95 % interval of that."""
    differences = [value - baseline for value, baseline in zip(ones, others, strict=True)]
    count = len(differences)
    if count < 2:
        return 0.0, math.inf
    mean = sum(differences) / count
    variance = sum((difference - mean) ** 2 for difference in differences) / (count - 1)
    return mean, Z95 * math.sqrt(variance / count)


def loss_table(outcomes: Sequence[Outcome]) -> list[str]:
    """Return what a token of the expected text costs in each mode, and what context takes off a hole."""
    rows = ["shape  holes              mode      n   nats a token  exact  similarity"]
    for shape in dict.fromkeys(outcome.shape for outcome in outcomes):
        for title, chosen in (("all", [False, True]), ("need a shown name", [True])):
            group = [outcome for outcome in outcomes if outcome.shape == shape and outcome.needs_shown in chosen]
            by_mode = {
                mode: [outcome for outcome in group if outcome.mode == mode] for mode in ("context", "none", "random")
            }
            rows += [_loss_row(f"{shape:<6} {title:<18}", mode, members) for mode, members in by_mode.items()]
            nats = {mode: [outcome.nats for outcome in members] for mode, members in by_mode.items()}
            for mode in ("none", "random"):
                mean, half = mean_difference(nats["context"], nats[mode])
                rows.append(f"{shape:<6} {title:<18} context over {mode}: {mean:+.2f} ± {half:.2f} nats a hole")
    return rows


def _loss_row(title: str, mode: str, members: Sequence[Outcome]) -> str:
    count = max(1, len(members))
    loss = sum(outcome.nats for outcome in members) / max(1, sum(outcome.tokens for outcome in members))
    exact, similarity = (
        sum(outcome.exact for outcome in members) / count,
        sum(outcome.similarity for outcome in members) / count,
    )
    return f"{title} {mode:<8} {len(members):>3}   {loss:.3f}         {exact:.3f}  {similarity:.3f}"


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a row for each shape and mode, and what context is worth."""
    rows = ["shape  mode      n   exact [95 %]        similarity  ends"]
    for shape in dict.fromkeys(outcome.shape for outcome in outcomes):
        for mode in dict.fromkeys(outcome.mode for outcome in outcomes):
            chosen = [outcome for outcome in outcomes if (outcome.shape, outcome.mode) == (shape, mode)]
            hits, count = sum(outcome.exact for outcome in chosen), len(chosen)
            low, high = wilson(hits, count)
            similarity = sum(outcome.similarity for outcome in chosen) / max(1, count)
            ends = sum(outcome.ends for outcome in chosen) / max(1, count)
            share = hits / max(1, count)
            numbers = f"{share:.3f} [{low:.3f}, {high:.3f}]  {similarity:.3f}       {ends:.2f}"
            rows.append(f"{shape:<6} {mode:<8} {count:>3}   {numbers}")
        rows += _worth_of_context([outcome for outcome in outcomes if outcome.shape == shape], shape)
    return rows


def _worth_of_context(outcomes: Sequence[Outcome], shape: str) -> list[str]:
    exact = {
        mode: [outcome.exact for outcome in outcomes if outcome.mode == mode]
        for mode in {outcome.mode for outcome in outcomes}
    }
    rows = []
    for mode in ("none", "random"):
        if mode in exact and "context" in exact:
            mean, half = paired_difference(exact["context"], exact[mode])
            rows.append(f"{shape:<6} context over {mode}: {mean:+.3f} ± {half:.3f}")
    return rows
