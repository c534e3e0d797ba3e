"""Updated calls pass the same values as before, evaluated in the same order."""

import asyncio
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from spark_lsp.engine.testing import ScriptedEngine
from tests.actions.python.call_updates.check import target_in, updated

pytestmark = pytest.mark.slow

NAMES = ("a", "b", "c", "d")
"""The parameters. Each has another default, so that only a renaming looks like one."""
NEW_NAMES = {"a": "w", "b": "x", "c": "y", "d": "z"}
VALUES = ("1", "-2", "'é'", "g", "(3)", "[4, g]", "t(5)", "t(6)", "g + 7", "(t(8), 9)", "lambda: 0", "None")


@st.composite
def signatures(draw: st.DrawFn, names: tuple[str, ...], required: frozenset[str], extra: str = "") -> tuple[str, ...]:
    """Draw the parts of a parameter list: positional-only, either, and keyword-only ones."""
    kinds = sorted(draw(st.integers(0, 2)) for _ in names)
    plain = [name for name in names if name in required]
    others = [name for name in names if name not in required]
    parts = {0: [], 1: [], 2: []}  # type: dict[int, list[str]]
    for name, kind in zip([*plain, *others], kinds, strict=True):
        parts[kind].append(name if name in required else f"{name}={name!r}")
    listed = [*parts[0], *(["/"] if parts[0] else []), *parts[1]]
    listed += [extra] if extra else ["*"] if parts[2] else []
    return (*listed, *parts[2])


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, str, dict[str, str]]:
    """Draw two signatures of one function, and the old names of the new one's parameters."""
    required = frozenset(draw(st.sets(st.sampled_from(NAMES), max_size=2)))
    extra = draw(st.sampled_from(["", "", "*r"]))
    was = draw(st.permutations(NAMES))
    old = draw(signatures(tuple(was), required, extra))
    kept = [name for name in draw(st.permutations(NAMES)) if draw(st.integers(0, 4))]
    if draw(st.booleans()):
        new, called = [*old], {name: name for name in NAMES}
        for name in draw(st.sets(st.sampled_from(NAMES), min_size=1)):
            at = next(number for number, part in enumerate(new) if part.partition("=")[0] == name)
            new[at] = NEW_NAMES[name] + new[at].removeprefix(name)
            called = {(NEW_NAMES[name] if key == name else key): value for key, value in called.items()}
        return ", ".join(old), ", ".join(new), called
    more = draw(st.sampled_from([(), ("n",)]))
    edit_signature = draw(signatures((*draw(st.permutations((*kept, *more))),), required & set(kept), extra))
    return ", ".join(old), ", ".join(edit_signature), {name: name for name in kept}


@st.composite
def calls(draw: st.DrawFn, signature: str) -> str:
    """Draw a call, which fits a signature if it passes everything without a default, as most do."""
    parts = signature.split(", ")
    by_place_only = parts.index("/") if "/" in parts else 0
    starred = next((number for number, part in enumerate(parts) if part.startswith("*")), len(parts))
    places = [part for part in parts[:starred] if part != "/"]
    given = draw(st.integers(0, len(places)))
    values = [draw(st.sampled_from(VALUES)) for _ in places[:given]]
    if "*r" in parts and given == len(places):
        values += draw(st.lists(st.sampled_from(VALUES), max_size=2))
    others = [*places[max(given, by_place_only) :], *parts[starred + 1 :]]
    chosen = [part for part in draw(st.permutations(others)) if "=" not in part or draw(st.booleans())]
    values += [f"{part.partition('=')[0]}={draw(st.sampled_from(VALUES))}" for part in chosen]
    gap = draw(st.sampled_from([", ", ",", ",\n    "]))
    tail = draw(st.sampled_from(["", ","])) if values else ""
    return f"f({gap.join(values)}{tail})"


@st.composite
def changes_and_calls(draw: st.DrawFn) -> tuple[str, str, dict[str, str], str]:
    """A change of a signature, and a call."""
    old, new, names = draw(changes())
    return old, new, names, draw(calls(old))


def _document(signature: str, called: str, *, is_class: bool = False) -> str:
    if is_class:
        class_text = f"class f:\n    def __init__(self, {signature}):$0\n        self.told = locals()\n"
        return f"{class_text}\n\nresult = {called}.told\ndel result['self']\n"
    return f"def f({signature}):$0\n    return locals()\n\n\nresult = {called}\n"


def _run(text: str) -> tuple[dict[str, Any], list[int]] | None:
    """Return the function's arguments and what was evaluated, in order; None if the call fails."""
    order: list[int] = []

    def traced(value: int) -> int:
        order.append(value)
        return value

    names: dict[str, Any] = {"g": 10, "t": traced}
    try:
        exec(text, names)
    except TypeError:
        return None
    return {name: _plain(value) for name, value in names["result"].items()}, order


def _plain(value: Any) -> Any:
    """Return a value that equals that of another run."""
    if isinstance(value, tuple):
        return tuple(_plain(member) for member in value)
    return "a function" if callable(value) else value


@settings(max_examples=400, deadline=None, derandomize=True)
@given(changed=changes_and_calls(), is_class=st.booleans())
def test_the_same_values_in_the_same_order(
    changed: tuple[str, str, dict[str, str], str],
    is_class: bool,
) -> None:
    old, new, names, called = changed
    opened, now = (_document(signature, called, is_class=is_class) for signature in (old, new))
    opened = opened.replace("$0", "")
    before = _run(opened)
    proposal, files = asyncio.run(updated(target_in(now, opened), ScriptedEngine(["x"])))
    if not files:
        event(proposal.message.partition(": ")[2].partition(": ")[2] or proposal.message)
        fits = "fits already" in proposal.message
        if not fits or before is None:
            return
    else:
        event("fitted")
        assert before is not None, "what never ran is not touched"
    after = _run(files.get("main.py", now.replace("$0", "")))
    assert before is not None
    assert after is not None
    assert after[1] == before[1]
    wanted = {name: before[0][names[name]] for name in names} | ({"r": before[0]["r"]} if "r" in before[0] else {})
    assert {name: value for name, value in after[0].items() if name != "n"} == wanted
    assert after[0].get("n", "n") == "n"
