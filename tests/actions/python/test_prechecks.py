"""What a list says of refusals: always true, and silent where the rest of the document decides."""

import ast
import random
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from scripts.prove_actions.generated import Program
from scripts.prove_actions.trials import ACTIONS, functions, places, target_in
from spark_lsp.actions.base import Prechecks
from spark_lsp.actions.catalog import CATALOG
from spark_lsp.actions.refusal import Refusal
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.text.edit import Span
from tests.actions.check import target_of
from tests.support.workspace import TestWorkspace

pytestmark = pytest.mark.slow

PRECHECKED = {action.id: action for action in CATALOG if isinstance(action, Prechecks)}
OWN = sorted((Path(__file__).parents[3] / "spark_lsp" / "actions" / "python").glob("*.py"))
BREAK = "The selection contains a break of an outer loop."
LOOP = "def f(xs):\n    for x in xs:\n$0        if x:\n            break\n$0"
IN_A_CLASS = "    def f(xs):\n        for x in xs:\n$0            if x:\n                break\n$0"


def _hold_at(text: str, span: Span, action: str) -> str:
    """The reason prechecked at a place; the action, asked for the whole document, refuses as well."""
    refusal = PRECHECKED[action].precheck(target_in(text, span))
    if refusal is None:
        return ""
    assert isinstance(ACTIONS[action](text, span), Refusal), (refusal, span.text(text))
    return refusal.message


@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**9), action=st.sampled_from(sorted(PRECHECKED)))
def test_what_is_foreseen_is_refused(seed: int, action: str) -> None:
    dice = random.Random(seed)
    text = Program(dice).text()
    for function in functions(ast.parse(text))[-1:]:
        span = places(text, function, dice, action)
        event("prechecked" if span is not None and _hold_at(text, span, action) else "silent")


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_what_is_foreseen_in_real_files_is_refused(path: Path) -> None:
    text = path.read_text("utf-8")
    dice = random.Random(path.name)
    chosen = (
        dice.sample(all_functions, min(3, len(all_functions))) if (all_functions := functions(ast.parse(text))) else []
    )
    for function in chosen:
        for action in PRECHECKED:
            span = places(text, function, dice, action)
            if span is not None:
                _hold_at(text, span, action)


@pytest.mark.parametrize(
    ("before", "action", "message"),
    [
        (LOOP, "extract.function", BREAK),
        (f"import os\n\n\nclass A:\n{IN_A_CLASS}", "extract.function", BREAK),
        (f"x = 1\n{LOOP}".replace("break", "x += 1"), "extract.function", ""),
        (
            "def f(a, b):\n    return a and $0b + 1$0\n",
            "extract.variable",
            "The selection is evaluated only on some paths.",
        ),
        ("def f(a):\n    a$0 = a + 1\n    return a\n", "inline.variable", "a is a parameter."),
        ("def f(a):\n    b$0 = a + 1\n    return b\n", "inline.variable", ""),
        ("x = 1\nfor y in x:\n$0    break\n$0", "extract.function", ""),
        ("def f(a):\n" + "    a()\n" * 70 + "    for x in a:\n$0        break\n$0", "extract.function", ""),
        ("def f(a):\n    for x in a:\n$0        break\n$0    return (\n", "extract.function", ""),
    ],
)
def test_reasons(before: str, action: str, message: str) -> None:
    engine = ScriptedEngine(["x"])
    runner, target = TestWorkspace(engine).actions, target_of(before)
    refusals = [available.disabled for available in runner.available(target, precheck=True) if available.id == action]
    assert [refusal.message for refusal in refusals if refusal] == ([message] if message else [])
    assert not any(available.disabled for available in runner.available(target)), (
        "it is there only where it was asked for"
    )
    assert (engine.starts, engine.requests) == (0, []), "listing asked the model"
