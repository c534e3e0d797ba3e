"""pyright's verdict: the real server where it is installed, and scripts that talk like one or badly."""

import sys
from pathlib import Path

import pytest

from spark_lsp.verdict.ask_tools import TOOLS
from tests.verdict.check import replacing, verdict_on, write

AREA = """\
def area(width: float, height: float) -> float:
    broken: int = "text"
    return width * height
"""
STRICT = '{"typeCheckingMode": "strict"}'

SERVER = """\
import json, sys
shown = ""
def send(message):
    body = json.dumps(message).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)
    sys.stdout.buffer.flush()
while True:
    size = 0
    while (line := sys.stdin.buffer.readline()).strip():
        size = int(line.split(b":")[1])
    if not size:
        break
    message = json.loads(sys.stdin.buffer.read(size))
    params = message.get("params", {})
    if message.get("method") == "initialize":
        send({"method": "window/logMessage", "params": {}})
        send({"id": "ask", "method": "workspace/configuration", "params": {"items": [{}, {}]}})
        send({"id": message["id"], "result": {}})
    elif message.get("id") == "ask":
        assert message["result"] == [{}, {}], message
    elif message.get("method") == "textDocument/didOpen":
        shown = params["textDocument"]["text"]
    elif message.get("method") == "textDocument/didChange":
        shown = params["contentChanges"][0]["text"]
    elif message.get("method") == "textDocument/diagnostic":
        place = {"start": {"line": 0, "character": 0}}
        items = [{"message": word, "code": "word", "range": place, "severity": 1} for word in shown.split()]
        items.append({"message": shown, "range": place, "severity": 4})
        send({"id": message["id"], "result": {"items": items}})
"""

posix = pytest.mark.skipif(sys.platform == "win32", reason="the scripts start with #!")


def server(folder: Path, script: str) -> str:
    tool = folder / "pyright-langserver"
    tool.write_text(f"#!{sys.executable}\n{script}", "utf-8")
    tool.chmod(0o755)
    return str(tool)


@posix
@pytest.mark.parametrize(("new", "status"), [("one two two", "rejected"), ("one", "passed"), ("", "passed")])
async def test_the_texts_after_and_before_are_shown_to_the_server(tmp_path: Path, new: str, status: str) -> None:
    root = tmp_path / "w"
    write(root, {"main.py": "one two\n", "pyrightconfig.json": "{}"})
    edit, program = replacing(root, "main.py", "one two", new), server(tmp_path, SERVER)
    verdict = await verdict_on(root, tmp_path / "cache", "pyright", edit, program=program)
    assert (verdict.status, [problem.message for problem in verdict.problems]) == (
        status,
        ["two"] if status == "rejected" else [],
    )


@posix
@pytest.mark.parametrize(
    ("script", "status", "message"),
    [
        ("", "failed", "pyright ended, or answered no request"),
        ("print('no frames at all', flush=True)\n", "failed", "pyright ended, or answered no request"),
        ("print('Content-Length: 3\\n\\n[1]', flush=True)\n", "failed", "pyright ended, or answered no request"),
        ("print('Content-Length: 99999999999\\n\\n', flush=True)\n", "failed", "pyright ended, or answered no request"),
        ("import time\ntime.sleep(600)\n", "timeout", "pyright-langserver did not end within 2 s."),
    ],
)
async def test_a_server_that_talks_badly_gives_no_verdict(
    tmp_path: Path, script: str, status: str, message: str
) -> None:
    root = tmp_path / "w"
    write(root, {"main.py": "x = 1\n", "pyrightconfig.json": "{}"})
    edit, program = replacing(root, "main.py", "1", "2"), server(tmp_path, script)
    verdict = await verdict_on(root, tmp_path / "cache", "pyright", edit, program=program, limit_ms=2_000)
    assert verdict.status == status
    assert verdict.message.startswith(message)


@pytest.mark.parametrize("tool", ["pyright", "basedpyright"])
async def test_the_real_tool_sees_what_our_checks_do_not(tmp_path: Path, tool: str) -> None:
    root = tmp_path / "w"
    write(root, {"area.py": AREA, "pyrightconfig.json": STRICT})
    right = replacing(root, "area.py", "return width * height", "size = width * height\n    return size")
    assert (await verdict_on(root, tmp_path / "cache", tool, right)).status == "passed"
    wrong = replacing(root, "area.py", "return width * height", "return str(width * height)")
    verdict = await verdict_on(root, tmp_path / "cache", tool, wrong)
    assert (verdict.status, verdict.problems[0].code, verdict.problems[0].line) == ("rejected", "reportReturnType", 3)
    assert verdict.message.startswith(f'{tool} reports: Type "str" is not assignable to return type "float"')


async def test_pyright_runs_nothing_of_the_repository(tmp_path: Path) -> None:
    """The workspace's hash is compared by the helper."""
    root, mark = tmp_path / "w", tmp_path / "ran"
    evil = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n"
    config = '{"typeCheckingMode": "strict", "venvPath": ".", "venv": "venv", "pythonPlatform": "Linux"}'
    names = ("sitecustomize.py", "json.py", "usercustomize.py")
    write(root, {"area.py": AREA, "pyrightconfig.json": config, **dict.fromkeys(names, evil)})
    for name in ("venv/bin/python", "venv/bin/python3", "python", "python3", "node_modules/.bin/pyright-langserver"):
        write(root, {name: f"#!/bin/sh\ntouch {mark}\n"})
        (root / name).chmod(0o755)
    edit = replacing(root, "area.py", "return width * height", "return str(width * height)")
    verdict = await verdict_on(root, tmp_path / "cache", "pyright", edit)
    assert verdict.status == "rejected"
    assert not mark.exists()


@pytest.mark.parametrize(
    ("files", "configured"),
    [
        ({"pyrightconfig.json": "{}"}, {"pyright", "basedpyright"}),
        ({"pyproject.toml": "[tool.pyright]\n"}, {"pyright", "basedpyright"}),
        ({"pyproject.toml": "[tool.basedpyright]\n"}, {"basedpyright"}),
        ({"pyproject.toml": "[tool.ruff]\n"}, set()),
        ({"pyproject.toml": "tool = 1\n"}, set()),
        ({"pyproject.toml": "[tool\n"}, set()),
        ({}, set()),
    ],
)
def test_where_they_are_configured(tmp_path: Path, files: dict[str, str], configured: set[str]) -> None:
    write(tmp_path, files)
    assert {name for name in ("pyright", "basedpyright") if TOOLS[name].is_configured(tmp_path)} == configured
