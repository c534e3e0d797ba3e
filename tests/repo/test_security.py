"""The page on security: each promise names a test that is there, and nothing is run that should not be."""

import ast
import re

from tests.repo.source import ROOT, modules, report

PAGE = ROOT / "docs" / "security.md"
CITED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
NEVER_CALLED = frozenset(
    {"eval", "exec", "os.system", "os.popen", "pickle.load", "pickle.loads", "marshal.loads", "shelve.open"}
)
MAY_START_PROGRAMS = ("bench", "catalog", "doctor", "engine", "index", "llama", "verdict")
"""Folders that start our own programs, pip, git or a tool that the user allows.

Those that handle what a model writes are not among them."""


def test_every_cited_test_is_there() -> None:
    cited = CITED.findall(PAGE.read_text("utf-8"))
    assert len(cited) >= 30
    faults = []
    for path, name in cited:
        file = ROOT / path
        tree = ast.parse(file.read_text("utf-8")) if file.is_file() else ast.Module([], [])
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        if name not in names:
            faults.append(f"docs/security.md:1: names {path}::{name}, which is not there")
    report(faults)


def test_every_promise_has_a_test() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ") and "promise" not in line]
    assert rows
    assert [row for row in rows if not CITED.search(row)] == []


def test_nothing_is_run_or_evaluated() -> None:
    faults = []
    for module in modules():
        for node in ast.walk(module.tree):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            has_shell = isinstance(node, ast.Call) and any(keyword.arg == "shell" for keyword in node.keywords)
            if called in NEVER_CALLED or has_shell:
                faults.append(f"{module.place}:{node.lineno}: calls {called}")
            starts = called.startswith(("subprocess.", "asyncio.create_subprocess", "os.spawn", "os.exec"))
            if starts and module.package not in MAY_START_PROGRAMS:
                faults.append(f"{module.place}:{node.lineno}: starts a program")
    report(faults)
