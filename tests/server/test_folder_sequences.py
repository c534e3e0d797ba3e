"""Whatever folders come and go between edits and requests, each request is answered, and from the right folder."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsprotocol import types

from tests.server.folder_window import FolderWindow, WatchedEngine, folder_window

NAMES = ("red", "green", "blue")
OUTSIDE = "elsewhere"
FILES = "".join(
    f"#- {name}/parts.py\nclass {name.title()}Part:\n    def {name}_total(self): ...\n#- {name}/use.py\nx = 1\n"
    for name in (*NAMES, OUTSIDE)
)
Step = tuple[Literal["add", "remove", "open", "close", "type", "ask", "ask later", "settle"], str]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("add", "remove", "open", "close", "type", "ask", "ask", "ask later", "settle")),
        st.sampled_from((*NAMES, OUTSIDE)),
    ),
    min_size=4,
    max_size=24,
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


class Walk:
    """Takes steps in a window, and keeps what should be so."""

    def __init__(self, window: FolderWindow) -> None:
        self.window = window
        self.folders = ["red"]
        self.cursors: dict[str, types.Position] = {}
        self.waiting: list[asyncio.Task[types.InlineCompletionItem | None]] = []
        self.requests = 0

    async def take(self, step: Step) -> None:
        """Take a step; one that makes no sense now is left out."""
        kind, name = step
        window, path = self.window, f"{name}/use.py"
        if kind == "settle":
            await window.session.tasks.wait()
        elif kind in {"add", "remove"} and name != OUTSIDE:
            if kind == "remove":
                self.folders = [folder for folder in self.folders if folder != name]
            elif name not in self.folders:
                self.folders.append(name)
            window.change_folders(**{"added" if kind == "add" else "removed": [name]})
            await window.configuration.read()
        elif kind == "open" and path not in self.cursors:
            self.cursors[path] = window.open(path, f"from parts import *\n{name.title()}Part().$0\n")
        elif path in self.cursors:
            await self._in_document(kind, path)

    async def _in_document(self, kind: str, path: str) -> None:
        window = self.window
        if kind == "close":
            window.close(path)
            del self.cursors[path]
        elif kind == "type":
            self.cursors[path] = window.type(path, self.cursors[path], "t")
        elif kind == "ask":
            self.requests += 1
            await window.complete(path, self.cursors[path])
        elif kind == "ask later":
            self.requests += 1
            self.waiting.append(asyncio.create_task(window.complete(path, self.cursors[path])))

    async def end(self) -> None:
        """Wait for what is still asked, and ask once more in each document: nothing stands in the way of that."""
        await asyncio.gather(*self.waiting)
        await self.window.session.tasks.wait()
        for path, cursor in self.cursors.items():
            self.requests += 1
            self.cursors[path] = self.window.type(path, cursor, "q")
            engine = self._engine_of(path)
            before = len(engine.requests)
            assert await self.window.complete(path, self.cursors[path]), self.window.last_reason()
            assert len(engine.requests) > before, "the engine of the document's folder was asked"

    def _engine_of(self, path: str) -> WatchedEngine:
        """Return the engine of the folder that a document belongs to: its own, else the first of the window."""
        own = path.split("/", 1)[0]
        names = [name for name in self.folders if name == own] or self.folders[:1]
        return self.window.engines[self.window.base / names[0] if names else None]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_each_request_is_answered_from_the_folder_of_its_document(steps: Sequence[Step]) -> None:
    with tempfile.TemporaryDirectory() as base:
        asyncio.run(walk(Path(base), steps))


async def walk(base: Path, steps: Sequence[Step]) -> None:
    async with asyncio.timeout(60), folder_window(base, FILES, ["red"]) as window:
        await window.open_folders()
        taken = Walk(window)
        for step in steps:
            await taken.take(step)
        await taken.end()
        assert window.roots() == taken.folders
        serving = {folder.workspace.engine for folder in window.session.folders.all() if folder.workspace}
        left = [engine for engines in window.opened.values() for engine in engines if engine not in serving]
        assert [engine for engine in left if engine.model] == [], "a removed folder keeps no engine"
        records = [record for record in window.session.log.records() if record.name == "completion"]
        assert len(records) == taken.requests, "each request has one answer"
        late = {"timeout", "engine.starting"}  # at the deadline of a request, on a machine with other work
        assert {record.reason for record in records} <= {"ok", "superseded", "trimmed.rejected", *late}
        for root, engines in window.opened.items():
            asked = "".join(getattr(part, "text", "") for engine in engines for part in engine.sent())
            own = root.name if root else ""
            assert [name for name in NAMES if name != own and f"{name}_total" in asked] == []
