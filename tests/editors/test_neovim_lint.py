"""The Neovim plugin's Lua is linted, its types are checked, and every public function says them."""

import asyncio
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.lsp.client import LanguageClient

from tests.editors import install
from tests.editors.driver import PLUGIN

pytestmark = pytest.mark.editor

TYPES_DEADLINE_S = 120
FUNCTION = re.compile(r"^(?:local )?function (\w[\w.:]*)\(([^)]*)\)", re.MULTILINE)


def test_luacheck_finds_nothing() -> None:
    if reason := install.missing("debian"):
        pytest.skip(reason)
    root = install.DEBIAN_ROOT / "usr"
    lua = os.environ | {
        "LUA_PATH": f"{root}/share/lua/5.1/?.lua;{root}/share/lua/5.1/?/init.lua;;",
        "LUA_CPATH": f"{root}/lib/x86_64-linux-gnu/lua/5.1/?.so;;",
    }
    command = [str(root / "bin" / "lua5.1"), str(root / "bin" / "luacheck"), "--no-color", "--codes", "."]
    done = subprocess.run(command, cwd=PLUGIN, env=lua, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def texts() -> dict[Path, str]:
    """Return the plugin's files."""
    return {path: path.read_text(encoding="utf-8") for path in sorted(PLUGIN.rglob("*.lua"))}


async def test_the_types_are_right(monkeypatch: pytest.MonkeyPatch, texts: dict[Path, str]) -> None:
    for part in ("debian", "lua-types"):
        if reason := install.missing(part):
            pytest.skip(reason)
    # Neovim's own types; .emmyrc.json asks for them by this name.
    monkeypatch.setenv("VIMRUNTIME", str(install.DEBIAN_ROOT / "usr" / "share" / "nvim" / "runtime"))
    checker = LanguageClient("tests", "1")

    @checker.feature(types.WORKSPACE_CONFIGURATION)
    def _(params: types.ConfigurationParams) -> list[Any]:
        return [None for _ in params.items]  # .emmyrc.json has it all

    await checker.start_io(str(install.LUA_TYPES_BINARY))
    capabilities = types.ClientCapabilities(
        workspace=types.WorkspaceClientCapabilities(configuration=True),
        text_document=types.TextDocumentClientCapabilities(diagnostic=types.DiagnosticClientCapabilities()),
    )
    folder = types.WorkspaceFolder(PLUGIN.as_uri(), "plugin")
    asked = types.InitializeParams(capabilities, root_uri=PLUGIN.as_uri(), workspace_folders=[folder])
    async with asyncio.timeout(TYPES_DEADLINE_S):
        await checker.initialize_async(asked)
        checker.initialized(types.InitializedParams())
        faults = [fault for path, text in texts.items() for fault in await _faults(checker, path, text)]
    await checker.shutdown_async(None)
    checker.exit(None)
    assert not faults, "\n".join(faults)


async def _faults(checker: LanguageClient, path: Path, text: str) -> list[str]:
    document = types.TextDocumentItem(path.as_uri(), "lua", 1, text)
    checker.text_document_did_open(types.DidOpenTextDocumentParams(document))
    asked = types.DocumentDiagnosticParams(types.TextDocumentIdentifier(path.as_uri()))
    report = await checker.text_document_diagnostic_async(asked)
    assert isinstance(report, types.RelatedFullDocumentDiagnosticReport)
    place = path.relative_to(PLUGIN)
    return [
        f"{place}:{diagnostic.range.start.line + 1}: {diagnostic.code}: {diagnostic.message}"
        for diagnostic in report.items
    ]


def test_every_argument_of_a_function_has_a_type() -> None:
    faults = []
    for path in sorted((PLUGIN / "lua").rglob("*.lua")):
        text = path.read_text(encoding="utf-8")
        for match in FUNCTION.finditer(text):
            above = text[: match.start()].rstrip("\n").split("\n")
            comment = "\n".join(line for line in _comment(above))
            names = [name.strip() for name in match.group(2).split(",") if name.strip() not in {"", "_", "..."}]
            missing = [name for name in names if not re.search(rf"@param {re.escape(name)}\??\s", comment)]
            if missing:
                faults.append(f"{path.relative_to(PLUGIN)}: {match.group(1)} has no type for {', '.join(missing)}")
    assert not faults, "\n".join(faults)


def _comment(lines: list[str]) -> list[str]:
    """Return the comment lines right above."""
    kept: list[str] = []
    for line in reversed(lines):
        if not line.startswith("--"):
            break
        kept.append(line)
    return kept
