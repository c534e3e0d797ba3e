"""Apply actions to real functions: run the module's own tests after the edits, and bisect a failing set.

The edits of a round are applied one upon the other, one in each function, so that one run of the tests judges them all.
"""

import ast
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from scripts.prove_actions.corpus import Subject
from scripts.prove_actions.running import failing, path_of
from scripts.prove_actions.trials import Outcome, attempt, functions, places


@dataclass
class ProofCounts:
    """The outcomes of all trials. ``wrong`` describes each edit that made a test fail."""

    applied: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    modules: set[str] = field(default_factory=set)


def prove(subject: Subject, seed: int, actions: tuple[str, ...], counts: ProofCounts) -> None:
    """Run one round on a module and add to the counts."""
    path = path_of(subject)
    if path is None:
        counts.skipped.append(f"{subject.module}: not in this Python")
        return
    text = path.read_text("utf-8")
    problem = failing(subject, text)
    if problem:
        counts.skipped.append(f"{subject.module}: its tests fail untouched: {problem.strip().splitlines()[-1]}")
        return
    counts.modules.add(subject.module)
    dice = random.Random(f"{seed} {subject.module}")  # noqa: S311 - chooses places, keeps no secret
    steps = _edited(text, dice, actions, counts)
    texts = [step.text or "" for step in steps]
    if steps and failing(subject, texts[-1]):
        guilty = first_guilty(len(steps), lambda number: failing(subject, texts[number]))
        if guilty is not None:
            number, problem = guilty
            counts.wrong.append(f"{subject.module}: {steps[number].action} at {steps[number].place}: {problem}")


def _edited(text: str, dice: random.Random, actions: tuple[str, ...], counts: ProofCounts) -> list[Outcome]:
    """Try one action in each function, each on the text after the previous edit; return the applied edits."""
    names = [function.name for function in functions(ast.parse(text))]
    steps: list[Outcome] = []
    for number, name in enumerate(names):
        named = [function for function in functions(ast.parse(text)) if function.name == name]
        if not named:
            continue
        action = dice.choice(actions)
        span = places(text, named[number % len(named)], dice, action)
        if span is None:
            continue
        outcome = attempt(action, text, span)
        if outcome.text is None:
            counts.refused[action, outcome.message] += 1
            continue
        counts.applied[action] += 1
        steps.append(outcome)
        text = outcome.text
    return steps


def first_guilty(count: int, failing_at: Callable[[int], str]) -> tuple[int, str] | None:
    """Return the first of some steps after which the tests fail, and how; None if they vary.

    Found by bisection, so the steps before it are innocent.
    """
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        if failing_at(middle):
            high = middle
        else:
            low = middle + 1
    problem = failing_at(low)
    return (low, problem) if problem else None
