"""Apply actions to random programs: an edit is wrong if the log changes."""

import ast
import difflib
import random
import time

from scripts.prove_actions.generated import outcome, program
from scripts.prove_actions.real import ProofCounts
from scripts.prove_actions.trials import ACTIONS, EditFunctions, attempt, functions, places


def prove_made(
    seed: int, count: int, limit_s: float, edit_functions: EditFunctions, actions: tuple[str, ...], counts: ProofCounts
) -> int:
    """Try each action once in each of so many programs, for at most so long; return the number of programs."""
    began = time.monotonic()
    for number in range(count):
        if time.monotonic() - began > limit_s:
            return number
        prove_one(seed + number, actions, counts, edit_functions)
    return count


def prove_one(
    seed: int, actions: tuple[str, ...], counts: ProofCounts, edit_functions: EditFunctions = ACTIONS
) -> None:
    """Try each action at one place of the program of a seed."""
    dice = random.Random(seed)  # noqa: S311 - chooses programs, keeps no secret
    text = program(dice)
    before = outcome(text)
    function = next(candidate for candidate in functions(ast.parse(text)) if candidate.name == "f")
    for action in actions:
        span = places(text, function, dice, action)
        if span is None:
            continue
        result = attempt(action, text, span, edit_functions)
        if result.text is None:
            counts.refused[action, result.message] += 1
            continue
        counts.applied[action] += 1
        if outcome(result.text) != before:
            lines, edited = text.splitlines(keepends=True), result.text.splitlines(keepends=True)
            shown = "".join(difflib.unified_diff(lines, edited, n=99))
            counts.wrong.append(f"program {seed}: {action} at {result.place}\n{shown}")
