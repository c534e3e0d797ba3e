"""The walls of docs/architecture.md, read from the imports."""

import ast
import textwrap

import pytest

from tests.repo.source import PACKAGE, Module, imports, modules, report

LEAVES = frozenset({"config", "errors", "pacing", "trace"})
SEAM = frozenset({"engine.base", "engine.fim"})
TEXT = LEAVES | {"text"}

ALLOWED: dict[str, frozenset[str]] = {
    "cli": frozenset({"app", "server", "completion", "actions", "context", "index", "engine", "llama", "catalog"})
    | TEXT,
    "app": frozenset({"server", "completion", "actions", "context", "index", "engine", "catalog"}) | TEXT,
    "server": frozenset({"completion", "actions", "context", "index", "engine.base"}) | TEXT,
    "completion": frozenset({"context", "index"}) | SEAM | TEXT,
    "actions": frozenset({"context", "index"}) | SEAM | TEXT,
    "context": frozenset({"index"}) | SEAM | TEXT,
    "index": TEXT,
    "engine": LEAVES | {"llama.wire"},
    "llama": SEAM | {"errors", "trace"},
    "catalog": frozenset({"config", "errors", "engine.fim"}),
    "text": LEAVES,
    "config": frozenset({"errors"}),
    "errors": frozenset(),
    "pacing": frozenset(),
    "trace": frozenset({"errors"}),
}
"""Room -> what it may import besides itself: a room, or one module of a room."""

ONLY_IN = {"pygls": "server", "lsprotocol": "server", "llama_cpp": "llama"}
CONCRETE_ENGINES = ("engine.local", "engine.remote", "engine.fake")
ENGINES_NAMED_BY = frozenset({"app", "cli", "engine"})
WIRE = "spark_lsp.llama.wire"


def _faults(module: Module) -> list[str]:
    if module.room not in ALLOWED:
        return [] if module.name in {PACKAGE, f"{PACKAGE}.__main__"} else [f"{module.place}:1: is in no known room"]
    faults = []
    for name, line in imports(module):
        top = name.split(".")[0]
        if ONLY_IN.get(top, module.room) != module.room:
            faults.append(f"{module.place}:{line}: imports {top}; only {ONLY_IN[top]}/ may")
        if top != PACKAGE or name.count(".") == 0:
            continue
        inner = name.removeprefix(f"{PACKAGE}.")
        allowed = ALLOWED[module.room] | {module.room, "__version__"}
        if not any(inner == room or inner.startswith(f"{room}.") for room in allowed):
            faults.append(f"{module.place}:{line}: {module.room} may not import {inner}")
        engine = next((engine for engine in CONCRETE_ENGINES if f"{inner}.".startswith(f"{engine}.")), None)
        if engine and module.room not in ENGINES_NAMED_BY:
            faults.append(f"{module.place}:{line}: names {engine}; only app.py and cli/ may")
    return faults


def test_no_module_looks_through_a_wall() -> None:
    report([fault for module in modules() for fault in _faults(module)])


def test_the_wire_is_free_of_llama_cpp() -> None:
    """The engine's client speaks its frames, so their module must load without llama.cpp."""
    wire = next((module for module in modules() if module.name == WIRE), None)
    assert wire, f"{WIRE} is gone; engine.local has nothing to speak with"
    report(
        [
            f"{wire.place}:{line}: imports {name}; frames know values and errors only"
            for name, line in imports(wire)
            if name.startswith(("llama_cpp", "numpy", f"{PACKAGE}.llama")) and not name.startswith(WIRE)
        ]
    )


def test_the_llama_room_is_reached_by_wire_or_process_only() -> None:
    """``llama/`` loads native code that may abort; a process of its own is the only one that imports it."""
    report(
        [
            f"{module.place}:{line}: imports {name}; start the engine process instead"
            for module in modules()
            if module.room not in {"llama", "cli"}
            for name, line in imports(module)
            if name.startswith(f"{PACKAGE}.llama") and not name.startswith(WIRE)
        ]
    )


def test_rooms_do_not_import_at_a_distance() -> None:
    """A dynamic import would walk round the walls; the command table and the grammars are the two that are meant."""
    meant = {"spark_lsp/cli/__init__.py", "spark_lsp/text/language.py"}
    report(
        [
            f"{module.place}:{node.lineno}: imports by name"
            for module in modules()
            if module.place not in meant
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}
        ]
    )


@pytest.mark.parametrize(
    ("place", "text", "fault"),
    [
        ("completion/gate.py", "import pygls", "imports pygls; only server/ may"),
        ("completion/gate.py", "from lsprotocol import types", "imports lsprotocol; only server/ may"),
        ("context/pack.py", "def f():\n    import llama_cpp", ":2: imports llama_cpp; only llama/ may"),
        ("completion/gate.py", "from spark_lsp.actions import base", "completion may not import actions.base"),
        ("actions/base.py", "from ..completion import gate", "actions may not import completion.gate"),
        ("index/store.py", "from spark_lsp.context import pack", "index may not import context.pack"),
        ("server/session.py", "from spark_lsp.engine.local import LocalEngine", "names engine.local"),
        ("engine/local.py", "from spark_lsp.llama import host", "engine may not import llama.host"),
        ("engine/local.py", "from spark_lsp.llama.wire import read", ""),
        ("app.py", "from spark_lsp.engine.local import LocalEngine", ""),
        ("server/session.py", "from spark_lsp.engine.base import Engine", ""),
        ("text/edit.py", "from spark_lsp import errors, __version__", ""),
        ("rumpus/room.py", "", "is in no known room"),
    ],
)
def test_the_walls_hold_what_they_should(place: str, text: str, fault: str) -> None:
    """The test's own test: each wall refuses what it is there for."""
    name = f"{PACKAGE}.{place.removesuffix('.py').replace('/', '.')}"
    found = _faults(Module(f"{PACKAGE}/{place}", name, text, ast.parse(textwrap.dedent(text))))
    assert (fault in "\n".join(found)) if fault else not found
