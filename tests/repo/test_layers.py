"""The layer boundaries of docs/architecture.md, read from the imports."""

import ast
import textwrap

import pytest

from tests.repo.source import PACKAGE, Module, imports, modules, report

LEAVES = frozenset({"config", "errors", "pacing", "private_file", "secret_text", "trace", "warning_filters"})
ENGINE_INTERFACE = frozenset({"engine.base", "engine.chat_template", "engine.fim"})
TEXT = LEAVES | {"text"}

ALLOWED: dict[str, frozenset[str]] = {
    "cli": frozenset(
        {
            "bench",
            "doctor",
            "app",
            "workspace",
            "server",
            "completion",
            "edits",
            "actions",
            "prompt",
            "index",
            "engine",
            "llama",
            "catalog",
            "openai_api",
            "verdict",
        }
    )
    | TEXT,
    "bench": frozenset({"completion", "edits", "prompt", "index", "engine", "llama", "catalog"}) | TEXT,
    "doctor": frozenset({"app", "server", "completion", "engine", "llama", "catalog", "openai_api", "verdict"}) | TEXT,
    "app": frozenset(
        {"workspace", "server", "completion", "actions", "prompt", "index", "engine", "catalog", "verdict"}
    )
    | TEXT,
    "workspace": frozenset({"completion", "actions", "prompt", "index", "engine.base"}) | TEXT,
    "server": frozenset({"workspace", "completion", "edits", "actions", "prompt", "index", "engine.base"}) | TEXT,
    "completion": frozenset({"prompt", "index"}) | ENGINE_INTERFACE | TEXT,
    "edits": frozenset({"actions", "index"}) | TEXT,
    "actions": frozenset({"prompt", "index", "verdict.base"}) | ENGINE_INTERFACE | TEXT,
    "prompt": frozenset({"index"}) | ENGINE_INTERFACE | TEXT,
    "verdict": frozenset({"index"}) | TEXT,
    "index": TEXT,
    "engine": LEAVES,
    "llama": ENGINE_INTERFACE | {"engine.wire", "errors", "trace"},
    "catalog": frozenset({"config", "errors", "engine.fim"}),
    "openai_api": ENGINE_INTERFACE | {"errors", "private_file"},
    "text": LEAVES,
    "config": frozenset({"errors"}),
    "errors": frozenset(),
    "pacing": frozenset(),
    "private_file": frozenset(),
    "secret_text": frozenset(),
    "warning_filters": frozenset(),
    "trace": frozenset({"errors"}),
}
"""Package -> what it may import besides itself: packages, or single modules of one."""

ONLY_IN = {"pygls": "server", "lsprotocol": "server", "llama_cpp": "llama", "starlette": "openai_api"}
CONCRETE_ENGINES = ("engine.local", "engine.remote", "engine.testing")
ENGINES_NAMED_BY = frozenset({"app", "bench", "cli", "doctor", "engine"})
WIRE = "spark_lsp.engine.wire"


def _faults(module: Module) -> list[str]:
    if module.package not in ALLOWED:
        return [] if module.name in {PACKAGE, f"{PACKAGE}.__main__"} else [f"{module.place}:1: is in no known package"]
    faults = []
    for name, line in imports(module):
        top = name.split(".")[0]
        if ONLY_IN.get(top, module.package) != module.package:
            faults.append(f"{module.place}:{line}: imports {top}; only {ONLY_IN[top]}/ may")
        if top != PACKAGE or name.count(".") == 0:
            continue
        inner = name.removeprefix(f"{PACKAGE}.")
        allowed = ALLOWED[module.package] | {module.package, "__version__"}
        if not any(inner == package or inner.startswith(f"{package}.") for package in allowed):
            faults.append(f"{module.place}:{line}: {module.package} may not import {inner}")
        engine = next((engine for engine in CONCRETE_ENGINES if f"{inner}.".startswith(f"{engine}.")), None)
        if engine and module.package not in ENGINES_NAMED_BY:
            faults.append(f"{module.place}:{line}: names {engine}; only app.py, cli/, bench/ and doctor/ may")
    return faults


def test_no_module_crosses_a_layer_boundary() -> None:
    report([fault for module in modules() for fault in _faults(module)])


def test_the_wire_is_free_of_llama_cpp() -> None:
    """The engine's client exchanges these frames, so their modules must load without llama.cpp."""
    wire = [module for module in modules() if module.name.startswith(WIRE)]
    assert wire, f"{WIRE} is gone; engine.local has nothing to speak with"
    report(
        [
            f"{module.place}:{line}: imports {name}; frames know values and errors only"
            for module in wire
            for name, line in imports(module)
            if name.startswith(("llama_cpp", "numpy", f"{PACKAGE}.llama"))
        ]
    )


def test_the_llama_package_is_reached_by_process_only() -> None:
    """``llama/`` loads native code that may abort; a process of its own is the only one that imports it."""
    report(
        [
            f"{module.place}:{line}: imports {name}; start the engine process instead"
            for module in modules()
            if module.package not in {"llama", "cli", "bench", "doctor"}
            for name, line in imports(module)
            if name.startswith(f"{PACKAGE}.llama")
        ]
    )


def test_packages_do_not_import_by_name() -> None:
    """A dynamic import would get round the boundaries; the command table and the grammars are the two exceptions."""
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
        ("prompt/pack.py", "def f():\n    import llama_cpp", ":2: imports llama_cpp; only llama/ may"),
        ("completion/gate.py", "from spark_lsp.actions import base", "completion may not import actions.base"),
        ("actions/base.py", "from ..completion import gate", "actions may not import completion.gate"),
        ("index/store.py", "from spark_lsp.prompt import pack", "index may not import prompt.pack"),
        ("server/session.py", "from spark_lsp.engine.local.local_engine import LocalEngine", "names engine.local"),
        ("engine/local/local_engine.py", "from spark_lsp.llama import host", "engine may not import llama.host"),
        ("llama/host.py", "from spark_lsp.engine.wire.frames import read", ""),
        ("app.py", "from spark_lsp.engine.local.local_engine import LocalEngine", ""),
        ("server/session.py", "from spark_lsp.engine.base import Engine", ""),
        ("text/edit.py", "from spark_lsp import errors, __version__", ""),
        ("unheard/of.py", "", "is in no known package"),
    ],
)
def test_the_boundaries_refuse_what_they_should(place: str, text: str, fault: str) -> None:
    """The test's own test: each boundary refuses what it is there for."""
    name = f"{PACKAGE}.{place.removesuffix('.py').replace('/', '.')}"
    faults = _faults(Module(f"{PACKAGE}/{place}", name, text, ast.parse(textwrap.dedent(text))))
    assert (fault in "\n".join(faults)) if fault else not faults
