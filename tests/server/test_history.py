"""A workspace's history: read in the background once the index is there, and again when HEAD has moved."""

import shutil
from pathlib import Path

import pytest

from scripts.harness.fixture import parse_fixture, write_workspace
from spark_lsp.app import open_workspace
from spark_lsp.config import Settings
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.workspace import Workspace
from tests.index.test_history import commit

TWINS = "#- a.py\ndef one(): ...\n#- b.py\ndef one(): ...\n#- c.py\none()\n"

pytestmark = [pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here"), pytest.mark.slow]


async def first_of(workspace: Workspace, root: Path) -> str:
    """The place and the reason of the definition that prompts show before others."""
    text = (root / "c.py").read_text()
    snapshot = Snapshot((root / "c.py").as_uri(), root / "c.py", 1, "python", text)
    best, *_ = await workspace.context.definitions_for(snapshot, 3, 100)
    return f"{best.path} {best.reason}"


async def test_prompts_follow_the_history_and_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "root"
    write_workspace(parse_fixture(TWINS), root)
    commit(root, "a.py", "b.py")
    engine = ScriptedEngine(["x"])
    workspace = open_workspace(root, Settings(), engine=engine)
    await engine.start()
    assert workspace.index
    try:
        await workspace.refresh_index(lambda _done, _of: None)
        await workspace.history_read()
        assert await first_of(workspace, root) == "a.py mentioned near the cursor"
        commit(root, "b.py", "c.py")
        assert await first_of(workspace, root) == "a.py mentioned near the cursor"
        await workspace.update_index("c.py", None)
        await workspace.history_read()
        assert await first_of(workspace, root) == "b.py mentioned near the cursor, often changed together"
    finally:
        await workspace.close()
        workspace.index.close()
