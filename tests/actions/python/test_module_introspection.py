"""Code that lists the names of a module gives the same result after an extraction, or that is refused."""

import asyncio
import contextlib
import importlib
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from scripts.harness.fixture import parse_fixture
from tests.actions.python.check import propose
from tests.support.workspace import indexed

MODULE = "kit/inner/shapes.py"
WAYS = {
    "import kit.inner.shapes": "kit.inner.shapes",
    "import kit.inner.shapes as s": "s",
    "from kit.inner import shapes": "shapes",
    "from kit import inner": "inner.shapes",
    "from importlib import import_module\nfull = 'kit.inner.shapes'": "import_module(full)",
    "import importlib\nm = importlib.import_module('.shapes', 'kit.inner')": "m",
    "import sys, kit.inner.shapes": "sys.modules['kit.inner.shapes']",
    "import kit.inner.shapes\nmodules = [kit, kit.inner.shapes]": "modules[1]",
    "import kit.inner.shapes as s\ndef same(x=s):\n    return x": "same()",
    "from kit.inner import shapes\nkept = {'it': shapes}": "kept.get('it')",
    "from kit.inner import shapes\n(first, m) = 1, shapes": "m",
    "from kit.inner import shapes\nclass Typed:\n    it: object = shapes": "Typed.it",
    "from kit.inner import shapes\nclass Holder:\n    it = shapes": "Holder.it",
}
"""How a file reaches the module, and the expression for it."""
LISTS = {
    "sorted(dir({it}))": "{name}",
    "{it}.__dict__": "{name}",
    "list(vars({it}))": "{name}",
    "sorted(vars({it}).keys())": "{name}",
    "dict(vars({it})).items()": "{name}, value",
    "inspect.getmembers({it})": "({name}, value)",
    "inspect.getmembers({it}, inspect.isclass)": "({name}, value)",
    "sorted({it}.__dict__.items())": "{name}, _",
}
CONDITIONS = (
    "True",
    "not name.startswith('_')",
    "name[0] != '_'",
    "not (name.startswith('__') or name[:1] == '_')",
    "name.startswith('a') and True",
    "'__' not in name",
    "name.isupper()",
    "not name.isupper()",
    "isinstance(getattr({it}, name), type)",
    "inspect.isclass(getattr({it}, name))",
    "name.startswith('_')",
)
LOOPS = (
    "print([name for {target} in {list} if {condition}])",
    "print(sorted(name for {target} in {list} if len(name) > 1 and {condition}))",
    "for {target} in {list}:\n    if not ({condition}):\n        continue\n    print(name)",
    "for {target} in {list}:\n    if {condition}:\n        print(name)",
    "for {target} in {list}:\n    if {condition}:\n        print(name)\n    print(1)",
    "print(len({list}))",
    "found = {list}\nprint([name for {target} in found if {condition}])",
    "print('area' in dir({it}), {it}.__dict__['area'].__name__, getattr({it}, 'area').__name__)",
    "from kit.inner.shapes import *\nprint(sorted(name for name in globals() if name in ('show', 'area', '_show')))",
)
PLACES = {
    "extract.function": "def area(w, h):\n    $0size = w * h\n    print(size)$0\n",
    "extract.variable": "def area(w, h=$03 * 60$0):\n    return w * h\n",
}


@st.composite
def listers(draw: st.DrawFn) -> str:
    """Draw a file that lists names of the module."""
    imports, it = draw(st.sampled_from([*WAYS.items()]))
    lists, target = draw(st.sampled_from([*LISTS.items()]))
    parts = {"it": it, "list": lists.format(it=it), "target": target.format(name="name")}
    parts["condition"] = draw(st.sampled_from(CONDITIONS)).format(it=it)
    return f"import inspect\n{imports}\n{draw(st.sampled_from(LOOPS)).format(**parts)}\n"


@pytest.mark.slow
@given(listers(), st.sampled_from([*PLACES]), st.sampled_from([None, "show"]))
@settings(max_examples=150, deadline=None)
def test_lists_of_names_stay_as_they_are(lister: str, action: str, model: str | None) -> None:
    message = _tried(action, {"lists.py": lister}, model)
    event("refused" if message is None else "applied")
    assert message is None or message[0] == message[1], lister


OWN = {
    "NAMES = sorted(globals())": "main",
    "NAMES = [each for each in dir() if each.islower()]": "main",
    "import sys\n\n\ndef offered():\n    return sorted(vars(sys.modules[__name__]))": "main",
    "def offered(name='area'):\n    return globals()[name]": "",
    "NAMES = [each for each in dir() if not each.startswith('_')]": "",
    "def offered(self):\n    return sorted(vars(self)), dir(self.kind)": "",
}


@pytest.mark.parametrize("more", OWN)
@pytest.mark.parametrize("action", PLACES)
def test_lists_of_a_module_itself(more: str, action: str) -> None:
    message = _tried(action, {"lists.py": "import kit.inner.shapes\nprint(1)\n"}, "show", f"\n\n{more}\n")
    assert (message is None) == bool(OWN[more])


OTHERS = (
    "import argparse\nimport kit.inner.shapes as s\nprint(vars(argparse.Namespace(a=1)), s.area(1, 2))\n",
    "import kit.inner.shapes as s\nclass A:\n    def f(self):\n        return self.__dict__\nprint(A().f(), [s])\n",
    "import kit.inner.shapes as s, kit.inner as other\nprint('shapes' in vars(other), s.area)\n",
    "import kit.inner.shapes as s\nimport math\nprint(len(dir(math)), getattr(s, 'area').__name__)\n",
    "import argparse, kit.inner.shapes as s\nargs = argparse.ArgumentParser().parse_args([])\nprint(vars(args), [s])\n",
    "import shapes_of_others as shapes\nprint(len(dir(shapes)))\n",
    "from kit.inner.shapes import area\nprint(sorted(area.__dict__), vars(type(area))['__name__'])\n",
)


@pytest.mark.parametrize("lister", OTHERS)
def test_what_lists_something_else_is_no_hindrance(lister: str) -> None:
    message = _tried("extract.function", {"lists.py": lister, "shapes_of_others.py": "x = 1\n"}, "show")
    assert message is not None


def _tried(action: str, others: dict[str, str], model: str | None, more: str = "") -> tuple[str, str] | None:
    """Return the output of ``lists.py`` before and after an extraction; None if that is refused because of names."""
    before = PLACES[action] + more
    files = {"kit/__init__.py": "", "kit/inner/__init__.py": "from . import shapes\n", **others}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        fixture = parse_fixture("".join(f"#- {path}\n{text}" for path, text in {MODULE: before, **files}.items()))
        index = indexed(fixture, folder)
        try:
            after, proposal = asyncio.run(propose(action, before, model, MODULE, index))
        finally:
            index.close()
        if after is None:
            assert "lists the names of the module" in proposal.message
            return None
        output = _run(folder)
        (folder / MODULE).write_text(after, "utf-8")
        return output, _run(folder)


def _run(folder: Path) -> str:
    with _importing(folder), contextlib.redirect_stdout(io.StringIO()) as output:
        importlib.import_module("lists")
    return output.getvalue()


@contextlib.contextmanager
def _importing(folder: Path) -> Iterator[None]:
    known, writes = set(sys.modules), sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = writes
        for name in set(sys.modules) - known:
            del sys.modules[name]
