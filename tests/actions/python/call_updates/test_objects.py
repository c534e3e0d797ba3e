"""Random calls of methods of objects: only those of the class whose signature has changed are updated."""

import asyncio
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from spark_lsp.engine.testing import ScriptedEngine
from tests.actions.python.call_updates.check import target_in, updated

pytestmark = pytest.mark.slow

CLASSES = """\
class Shape:
    def __init__(self, a, b):
        self.a = (a, b)

    def resize(self, {signature}):{cursor}
        log("shape", self.a, w, h)
        return self


class Square(Shape):
    pass


class Room:
    shape: Shape

    def __init__(self, shape: Shape, b):
        self.shape = shape
        self.b = b

    def resize(self, w, h):
        log("room", w, h)
        return self


class Proxy:
    def __init__(self, to):
        self.to = to

    def __getattr__(self, name):
        return getattr(self.to, "re" + "size") if name == "resize" else 0


"""
MADE = ("Shape(1, 2)", "Square(3, 4)", "Room(Shape(5, 6), 7)", "Proxy(Shape(1, 2))", "Proxy(Room(Shape(1, 2), 3))")
SAID = {
    "Shape": ("Shape", '"Shape"', "Shape | None", "object"),
    "Square": ("Square", "Shape", "Shape | Square"),
    "Room": ("Room", '"Room"', "Room | Shape", "object"),
    "Proxy": ("Proxy", "object", "Proxy | Room"),
}
CALLS = ("{x}.resize(1, 2)", "{x}.resize(w=1, h=2)", "{x}.resize(3, h=4)", "{x}.resize(5, 6).resize(7, 8)")


@st.composite
def pieces(draw: st.DrawFn, number: int) -> str:
    """Yield lines that create an object and call it, in one of many forms; their annotations are true."""
    value = draw(st.sampled_from(MADE))
    made_class = draw(st.sampled_from(MADE))
    kind = value.partition("(")[0]
    form = draw(st.sampled_from(SAID[kind]))
    name = f"x{number}"
    asked = draw(st.sampled_from([name, name, f"{name}.shape"] if kind == "Room" else [name]))
    call = draw(st.sampled_from(CALLS)).format(x=asked)
    asked_itself = call.replace(asked, name)
    inner = f"    def g():\n        nonlocal {name}\n        {name} = {made_class}\n    {name} = {value}\n    g()\n"
    method = f"    def go(self):\n        {call.replace(name, 'self.at', 1)}\n"
    forms = (
        f"{name} = {value}\n{call}\n",
        f"{name}: {form} = {value}\n{call}\n",
        f"def f{number}({name}: {form}):\n    {call}\n\n\nf{number}({value})\n",
        f"def f{number}({name}):\n    {call}\n\n\nf{number}({value})\n",
        f"def f{number}({name}: {form} = None):\n    {name} = {name} or {value}\n    {call}\n\n\nf{number}()\n",
        f"def f{number}():\n    {name} = {value}\n    return lambda: {call}\n\n\nf{number}()()\n",
        f"{name} = {value}\nif 1:\n    {name} = {made_class}\n{asked_itself}\n",
        f"for {name} in [{value}, {made_class}]:\n    {asked_itself}\n",
        f"{name} = Room(Shape(1, 2), 3)\n[{asked_itself} for {name} in [{value}]]\n",
        f"def f{number}():\n{inner}    {asked_itself}\n\n\nf{number}()\n",
        f"class K{number}:\n    at: {form}\n\n{method}\n\nk = K{number}()\nk.at = {value}\nk.go()\n",
        f"{value}.resize(1, 2)\n",
    )
    return draw(st.sampled_from(forms))


@st.composite
def programs(draw: st.DrawFn) -> str:
    """One or two such pieces."""
    return "".join(draw(pieces(number)) for number in range(draw(st.integers(1, 2))))


def _log_of(text: str) -> list[Any]:
    results: list[Any] = []
    exec(text, {"log": lambda *values: results.append(values)})
    return results


@settings(max_examples=300, deadline=None, derandomize=True)
@given(rest=programs())
def test_every_object_is_told_the_same(rest: str) -> None:
    opened = CLASSES.format(signature="w, h", cursor="") + rest
    now = CLASSES.format(signature="h, w", cursor="$0") + rest
    proposal, files = asyncio.run(updated(target_in(now, opened), ScriptedEngine(["x"])))
    event("fitted" if files else proposal.message.partition(": ")[2])
    if files:
        assert _log_of(files["main.py"]) == _log_of(opened)
