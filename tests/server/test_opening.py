"""A workspace opened again while its first opening goes on: clients send ``initialized`` and their settings at once."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from lsprotocol import types
from pygls.lsp.server import LanguageServer

from scripts.harness.fixture import parse_fixture, write_workspace
from spark_lsp.app import open_workspace
from spark_lsp.config import Settings
from spark_lsp.engine.base import ModelInfo
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.server.client import Client
from spark_lsp.server.model_offers import ModelOffer
from spark_lsp.server.session import Handshake, Session
from spark_lsp.workspace import Workspace

WORKSPACE = "#- a.py\ndef one(): ...\n#- b.py\ndef two(): ...\n"
OTHER = msgspec.structs.replace(Settings(), completion=msgspec.structs.replace(Settings().completion, max_lines=3))


class MuteClient(Client):
    """An editor that says nothing and is told nothing."""

    capabilities = types.ClientCapabilities()

    def notify(self, method: str, params: object) -> None:
        """Nobody listens."""


class HeldEngine(ScriptedEngine):
    """An engine that loads its model until it is released."""

    def __init__(self) -> None:
        super().__init__(["x"])
        self.released = asyncio.Event()

    async def start(self) -> ModelInfo:
        await self.released.wait()
        return await super().start()


class HeldChoice:
    """A choice of the model that takes until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def model_path(self, settings: Settings) -> str:
        self.released.wait()
        return ""

    def offer(self, settings: Settings) -> ModelOffer | None:
        return None


class Opened:
    """A session on a workspace, and the workspace that it has opened, the first ones first."""

    def __init__(self, root: Path, choice: HeldChoice | None) -> None:
        self.all: list[Workspace] = []
        self.engines: list[ScriptedEngine] = [ScriptedEngine(["x"]), ScriptedEngine(["x"])]
        self.hold_indexing = False
        self.session = Session(MuteClient(LanguageServer("test", "0")), self._open, choice)
        self.session.initialize(Handshake((root.as_uri(),)))

    def _open(self, *arguments: object, **named: object) -> Workspace:
        workspace = open_workspace(*arguments, **named, engine=self.engines.pop(0))  # type: ignore[arg-type]
        if self.hold_indexing and not self.all:
            assert workspace.index
            workspace.index._refreshing.acquire()
        self.all.append(workspace)
        return workspace

    async def ended(self) -> None:
        """Wait for all background work."""
        await self.session.tasks.wait()


@asynccontextmanager
async def opened(root: Path, choice: HeldChoice | None = None) -> AsyncIterator[Opened]:
    """Make a session, and leave nothing of it."""
    write_workspace(parse_fixture(WORKSPACE), root)
    window = Opened(root, choice)
    yield window
    await window.ended()
    window.session.close()
    await window.session.wait_until_closed()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def is_refreshing(window: Opened) -> bool:
    served = window.session.folders.first.served
    return served is not None and served.index.is_refreshing


def is_starting(window: Opened) -> bool:
    served = window.session.folders.first.served
    return served is not None and served.engine.is_starting


async def turns_until(state: Callable[[], bool]) -> None:
    """Let what is ready run until something is so."""
    for _ in range(1000):
        if state():
            return
        await asyncio.sleep(0)
    raise AssertionError("it has not come about")


async def test_settings_that_come_twice_open_it_once(tmp_path: Path) -> None:
    choice = HeldChoice()
    async with opened(tmp_path / "root", choice) as window:
        both = [asyncio.create_task(window.session.folders.first.configure(Settings())) for _ in range(2)]
        await asyncio.sleep(0)
        choice.released.set()
        await asyncio.gather(*both)
        assert len(window.all) == 1


async def test_other_settings_while_files_are_indexed_leave_the_index_whole(tmp_path: Path) -> None:
    async with opened(tmp_path / "root") as window:
        window.hold_indexing = True
        await window.session.folders.first.configure(Settings())
        await turns_until(lambda: is_refreshing(window))
        await window.session.folders.first.configure(OTHER)
        first, second = window.all
        assert first.index is second.index
        assert second.index
        second.index._refreshing.release()
        await window.ended()
        assert second.index.is_whole
        assert sorted(second.index.view().files) == ["a.py", "b.py"]


async def test_the_engine_that_serves_is_started_when_another_was_starting(tmp_path: Path) -> None:
    async with opened(tmp_path / "root") as window:
        first, second = HeldEngine(), ScriptedEngine(["x"])
        window.engines = [first, second]
        await window.session.folders.first.configure(Settings())
        await turns_until(lambda: is_starting(window))
        await window.session.folders.first.configure(OTHER)
        first.released.set()
        await window.ended()
        assert second.model is not None
