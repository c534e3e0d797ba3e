"""Apply actions to the functions of published packages, each judged by the package's own tests.

Only functions that the tests run are edited. The edits of a round, over all modules, are applied one upon the other,
and one run of the tests judges them all; a failing run is bisected.
"""

import ast
import random
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.prove_actions.packages import Package, Reached, failing, modules, reached, unpacked
from scripts.prove_actions.real import ProofCounts, first_guilty
from scripts.prove_actions.trials import Outcome, attempt, edit_functions_in, functions, places
from spark_lsp.index.storage.view import IndexView
from spark_lsp.index.store import Index

MAX_WRONG: Final = 4
"""Wrong edits after which a round stops."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """A package with the texts of its modules, the functions that its tests run, and its index as a workspace."""

    package: Package
    root: Path
    texts: Mapping[str, str]
    run: Reached
    view: IndexView


@dataclass(frozen=True, slots=True)
class _Step:
    path: str
    name: str
    outcome: Outcome


def tried(package: Package, folder: Path, counts: ProofCounts) -> tuple[Path, Reached, dict[str, str]] | None:
    """Unpack a package and run its unchanged tests: its folder, what they reach, its modules; None if they fail."""
    root = unpacked(package, folder)
    if root is None:
        counts.skipped.append(f"{package.name}: cannot be had")
        return None
    run = reached(package, root)
    if isinstance(run, str):
        counts.skipped.append(f"{package.name}: its tests fail untouched: {run.strip().splitlines()[-1]}")
        return None
    texts = modules(package, root)
    counts.modules |= {f"{package.name} {path}" for path, _line, _name in run if path in texts}
    return root, run, texts


def prove_package(
    package: Package, folder: Path, seeds: Iterable[int], most: int, actions: tuple[str, ...], counts: ProofCounts
) -> None:
    """Run a round for each seed, of up to ``most`` edits, and add to the counts."""
    known = tried(package, folder, counts)
    if known is None:
        return
    root, run, texts = known
    index = Index(root)
    index.refresh()
    subject = _Subject(package, root, texts, run, index.view())
    for seed in seeds:
        wrong: set[tuple[str, str]] = set()
        while (guilty := _round(subject, f"{seed} {package.name}", most, actions, wrong, counts)) and (
            len(wrong) < MAX_WRONG
        ):
            wrong.add(guilty)
    index.close()


def _round(
    subject: _Subject,
    seed: str,
    most: int,
    actions: tuple[str, ...],
    wrong: AbstractSet[tuple[str, str]],
    counts: ProofCounts,
) -> tuple[str, str] | None:
    """Run one round without the functions in which an edit was wrong; return the next such function.

    Only a round that passes the tests is counted: edits after a wrong one were not judged.
    """
    package, tried = subject.package, ProofCounts()
    dice = random.Random(seed)  # noqa: S311 - chooses places, keeps no secret
    left = [place for place in _places(subject.texts, subject.run) if place not in wrong]
    steps = _edited(subject, left, dice, most, actions, tried)

    def failing_at(number: int) -> str:
        after = {step.path: step.outcome.text or "" for step in steps[: number + 1]}
        return failing(package, subject.root, after)

    guilty = first_guilty(len(steps), failing_at) if steps and failing_at(len(steps) - 1) else None
    if guilty is None:
        counts.applied += tried.applied
        counts.refused += tried.refused
        return None
    step = steps[guilty[0]]
    counts.applied[step.outcome.action] += 1
    counts.wrong.append(f"{package.name}: {step.outcome.action} in {step.path} at {step.outcome.place}: {guilty[1]}")
    return step.path, step.name


def _places(texts: Mapping[str, str], run: Reached) -> list[tuple[str, str]]:
    return [(path, name) for path, text in sorted(texts.items()) for name in names_run(path, text, run)]


def _edited(
    subject: _Subject,
    functions_left: list[tuple[str, str]],
    dice: random.Random,
    most: int,
    actions: tuple[str, ...],
    counts: ProofCounts,
) -> list[_Step]:
    """Try one action in each of some functions, each on the text after the previous edit."""
    now = dict(subject.texts)
    dice.shuffle(functions_left)
    steps: list[_Step] = []
    for path, name in functions_left:
        if len(steps) == most:
            break
        function = dict(_qualified(ast.parse(now[path]))).get(name)
        action = dice.choice(actions)
        span = places(now[path], function, dice, action) if function is not None else None
        if span is None:
            continue
        outcome = attempt(action, now[path], span, edit_functions_in(subject.view, path))
        if outcome.text is None:
            counts.refused[action, outcome.message] += 1
            continue
        counts.applied[action] += 1
        steps.append(_Step(path, name, outcome))
        now[path] = outcome.text
    return steps


def names_run(path: str, text: str, run: Reached) -> list[str]:
    """Return the full names of a module's functions that the tests run."""
    return [
        name
        for name, function in _qualified(ast.parse(text))
        if any((path, line, name.rpartition(".")[2]) in run for line in _first_lines(function))
    ]


def _first_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[int]:
    return {function.lineno, *(decorator.lineno for decorator in function.decorator_list)}


def _qualified(tree: ast.Module) -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Return the functions of a module by their qualified names, if these are unique."""
    around = {id(child): parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    by_name: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = {}
    for function in functions(tree):
        names = [function.name]
        parent = around.get(id(function))
        while parent is not None:
            if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.insert(0, parent.name)
            parent = around.get(id(parent))
        by_name.setdefault(".".join(names), []).append(function)
    return [(name, definitions[0]) for name, definitions in by_name.items() if len(definitions) == 1]
