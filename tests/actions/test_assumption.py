"""Edits that rest on an assumption: only for those who are told of it, and never for what is plainly wrong."""

import re
from pathlib import Path

import pytest

from spark_lsp.actions.assumption import ASSUMPTIONS, PROVED, SENTENCES, Assumed, graded, titled
from spark_lsp.actions.base import ActionRunner, Proposal, Target
from spark_lsp.actions.catalog import CATALOG
from spark_lsp.actions.refusal import Assumption, Refusal
from spark_lsp.config import ActionsSettings
from spark_lsp.engine.testing import ScriptedEngine
from tests.actions.check import target_of
from tests.support.workspace import TestWorkspace

ROOT = Path(__file__).parents[2]

RESTS_ON: dict[str, tuple[str, str, frozenset[Assumption]]] = {
    "two subscripts change places": (
        "inline.variable",
        "def f(a, b):\n    first$0 = a[0]\n    return b[1] + first\n",
        frozenset({"errors"}),
    ),
    "a call of a parameter between": (
        "inline.variable",
        "def f(a, g, x):\n    first$0 = a.size\n    g(x)\n    return first\n",
        frozenset({"calls", "errors"}),
    ),
    "another attribute is set between": (
        "inline.variable",
        "def f(a, b):\n    first$0 = a.size\n    b.colour = 1\n    return first\n",
        frozenset({"attributes", "errors"}),
    ),
    "an object of an unknown class": (
        "inline.variable",
        "from shop import Basket\n\n\ndef f(n):\n    basket$0 = Basket(n)\n    return basket.total\n",
        frozenset({"lifetime"}),
    ),
    "a function of another file runs where a name of the module is bound": (
        "extract.function",
        "import shop\n\n$0first = 1\nshop.run()\n$0print(first)\n",
        frozenset({"reflection"}),
    ),
}
NEVER = {
    "the attribute itself is set": "def f(a):\n    first$0 = a.size\n    a.size = 1\n    return first\n",
    "the same object is called": "def f(a):\n    first$0 = a.size\n    a.grow()\n    return first\n",
    "two calls of one function": "def f(g):\n    first$0 = g()\n    second = g()\n    return [second, first]\n",
    "a file": "def f(name):\n    file$0 = open(name)\n    return file.read()\n",
    "another handler": (
        "def f(a):\n    try:\n        first$0 = a[0]\n    except KeyError:\n        return 0\n    return first\n"
    ),
    "its source is read": (
        "import inspect\n\n\ndef f(n):\n    double$0 = n\n    return double\n\n\nprint(inspect.getsource(f))\n"
    ),
    "its own variables are listed": "def f(a):\n    first$0 = a\n    return locals(), first\n",
}


@pytest.mark.parametrize("name", RESTS_ON)
async def test_an_assumption_is_made_only_where_it_is_confirmed(name: str) -> None:
    action, text, assumptions = RESTS_ON[name]
    workspace = TestWorkspace(ScriptedEngine(["x"]))
    target = target_of(text)
    refused = await workspace.actions.propose(action, target)
    assert (refused.edits, refused.reason) == ((), "gate.unsafe")
    assert refused.assumptions <= assumptions
    assert refused.assumptions
    accepted = await workspace.actions.propose(action, target, can_confirm=True)
    assert accepted.edits
    assert accepted.assumptions == assumptions


@pytest.mark.parametrize("name", NEVER)
async def test_what_is_plainly_wrong_is_refused_whatever_is_assumed(name: str) -> None:
    assert not (await _inlined(target_of(NEVER[name]), can_confirm=True)).edits


async def test_a_proved_edit_rests_on_nothing() -> None:
    proposal = await _inlined(target_of("def f(a):\n    first$0 = a[0]\n    return first\n"), can_confirm=True)
    assert proposal.edits
    assert proposal.assumptions == PROVED


async def test_the_setting_decides_for_clients_that_cannot_ask() -> None:
    target = target_of(RESTS_ON["two subscripts change places"][1])
    assert (await _inlined(target, ActionsSettings(assumptions="always"))).edits
    assert not (await _inlined(target, ActionsSettings(assumptions="never"), can_confirm=True)).edits


async def _inlined(target: Target, settings: ActionsSettings | None = None, *, can_confirm: bool = False) -> Proposal:
    engine = ScriptedEngine(["x"])
    workspace = TestWorkspace(engine)
    runner = ActionRunner(CATALOG, engine, workspace.context, settings or ActionsSettings(), workspace.log.append)
    return await runner.propose("inline.variable", target, can_confirm=can_confirm)


def test_as_few_assumptions_as_it_takes() -> None:
    def analysis(assumed: Assumed) -> str | Refusal:
        missing = [name for name in ("errors", "calls") if name not in assumed]
        return Refusal("order", missing[0], assumption=missing[0]) if missing else "found"  # type: ignore[arg-type]

    assert graded(analysis, is_accepted=True) == ("found", {"errors", "calls"})
    refusal, assumed = graded(analysis, is_accepted=False)
    assert (refusal, assumed) == (Refusal("order", "errors", assumption="errors"), PROVED)


def test_titles_name_what_an_edit_rests_on() -> None:
    assert titled("Inline x", ()) == "Inline x"
    assert titled("Inline x", ["errors"]) == "Inline x (assumes that no expression that it moves past raises an error)"
    assert titled("Inline x", ["lifetime", "errors"]).count(" and that ") == 1


def test_every_assumption_is_documented_and_has_a_case() -> None:
    page = (ROOT / "docs" / "actions.md").read_text("utf-8")
    section = page.split("## Assumptions\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|$", section, re.MULTILINE)
    assert dict(rows) == SENTENCES
    assert tuple(SENTENCES) == ASSUMPTIONS
    assert {name for _action, _text, names in RESTS_ON.values() for name in names} == set(ASSUMPTIONS)
