"""Test the checks without a model: how many right bodies they refuse, and how many bodies of other functions.

Right bodies are those in published packages. Wrong bodies come from the next function of the same file, which is what
small models like to write. Tests made from a docstring's examples are run.
"""

import ast
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from scripts.judge_actions.corpus import Corpus, Place, body_of, places, span_of
from scripts.judge_actions.testing import failing_tests
from spark_lsp.actions.checks.body import body_problem
from spark_lsp.actions.checks.calls import call_problem
from spark_lsp.actions.checks.completing import completed
from spark_lsp.actions.checks.examples import assertions_of
from spark_lsp.index.storage.view import IndexView
from spark_lsp.index.store import Index
from spark_lsp.text.edit import Edit, Span, apply_edits


@dataclass
class Soundness:
    """Counts of one or more packages."""

    right: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Why right bodies were refused, by the message without its names."""
    foreign: int = 0
    caught: int = 0
    tests: int = 0
    failing: list[str] = field(default_factory=list)


def count_checks(corpus: Corpus, soundness: Soundness, *, run_tests: bool) -> None:
    """Add a package's counts."""
    index = Index(corpus.root)
    index.refresh()
    view = index.view()
    for place, donor in _pairs(corpus):
        span, stub = _stub(place)
        problem = _problem(place, stub, place.text, view)
        soundness.right += 1
        if problem:
            soundness.refused[f"{corpus.package.name} {place.full_name}: {problem}"] += 1
        foreign = _with_body_of(place, span, donor)
        if foreign is not None:
            soundness.foreign += 1
            soundness.caught += bool(_problem(place, stub, foreign, view))
    index.close()
    for place in places(corpus) if run_tests else ():
        _run_examples(corpus, place, soundness)


def _pairs(corpus: Corpus) -> Iterator[tuple[Place, Place]]:
    """Yield each documented function with the next one of its file."""
    kept = [place for place in places(corpus) if body_of(place.function) and len(place.function.body) > 1]
    for number, place in enumerate(kept):
        others = [candidate for candidate in kept[number + 1 :] + kept[:number] if candidate.path == place.path]
        if others and ast.get_docstring(place.function):
            yield place, others[0]


def _stub(place: Place) -> tuple[Span, str]:
    body = body_of(place.function)
    span = Span(span_of(place.text, body[0]).start, span_of(place.text, body[-1]).end)
    return span, apply_edits(place.text, [Edit(span, "...")])


def _with_body_of(place: Place, span: Span, donor: Place) -> str | None:
    """Return the file with another function's body; None if both are the same or it does not compile."""
    body = body_of(donor.function)
    lines = donor.text.split("\n")[body[0].lineno - 1 : body[-1].end_lineno]
    indent = " " * body_of(place.function)[0].col_offset
    body_text = textwrap.indent(textwrap.dedent("\n".join(lines)), indent).strip()
    text = apply_edits(place.text, [Edit(span, body_text)])
    try:
        compile(text, "document", "exec")
    except (SyntaxError, ValueError):
        return None
    return None if ast.dump(ast.parse(text)) == ast.dump(ast.parse(place.text)) else text


def _problem(place: Place, stub: str, after: str, view: IndexView) -> str:
    whole = completed(stub, after, place.path, view)
    line = place.function.lineno
    return body_problem(after, line) or whole.problem or call_problem(stub, whole.text, view)


def _run_examples(corpus: Corpus, place: Place, soundness: Soundness) -> None:
    statements = assertions_of(place.function) if place.owner is None and not place.name.startswith("_") else []
    if not statements or place.function.decorator_list:
        return
    module = place.path.removesuffix(".py").removeprefix("src/").removesuffix("/__init__").replace("/", ".")
    head = f"import pytest\nfrom {module} import *\nfrom {module} import {place.name}\n\n\ndef test_{place.name}():\n"
    test = head + "".join(f"    {line}\n" for line in statements)
    soundness.tests += 1
    failed = failing_tests(corpus, {"test_examples_of_it.py": test}, [], only="test_examples_of_it.py")
    if failed:
        soundness.failing.append(f"{corpus.package.name} {place.full_name}: {failed.strip().splitlines()[-1]}")


def soundness_table(soundness: Soundness) -> str:
    """Return the counts as text."""
    lines = [
        f"right bodies: {soundness.right}, refused {sum(soundness.refused.values())}",
        f"bodies of the next function: {soundness.foreign}, refused {soundness.caught}",
        f"tests of examples: {soundness.tests}, failing {len(soundness.failing)}",
        *sorted(soundness.refused),
        *soundness.failing,
    ]
    return "\n".join(lines) + "\n"
