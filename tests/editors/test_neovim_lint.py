"""The Neovim plugin's Lua is linted, and every public function says its types."""

import os
import re
import subprocess

import pytest

from tests.editors import install
from tests.editors.driver import PLUGIN

pytestmark = pytest.mark.editor

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


def test_every_argument_of_a_function_has_a_type() -> None:
    faults = []
    for path in sorted((PLUGIN / "lua").rglob("*.lua")):
        text = path.read_text(encoding="utf-8")
        for found in FUNCTION.finditer(text):
            above = text[: found.start()].rstrip("\n").split("\n")
            said = "\n".join(line for line in _comment(above))
            names = [name.strip() for name in found.group(2).split(",") if name.strip() not in {"", "_", "..."}]
            missing = [name for name in names if not re.search(rf"@param {re.escape(name)}\??\s", said)]
            if missing:
                faults.append(f"{path.relative_to(PLUGIN)}: {found.group(1)} has no type for {', '.join(missing)}")
    assert not faults, "\n".join(faults)


def _comment(lines: list[str]) -> list[str]:
    """Return the comment lines right above."""
    kept: list[str] = []
    for line in reversed(lines):
        if not line.startswith("--"):
            break
        kept.append(line)
    return kept
