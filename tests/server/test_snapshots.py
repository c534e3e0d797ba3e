"""Handlers work on what they took before their first await: an edit that comes meanwhile changes nothing."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from lsprotocol import types

from spark_lsp.actions.base import BaselineText, Target
from spark_lsp.server import code_actions
from spark_lsp.server.time_limit import TimeLimit
from spark_lsp.text.edit import Span
from spark_lsp.text.snapshot import Snapshot
from tests.server.test_opening import Opened, opened, turns_until

LONG_S = 60.0  # a busy machine answers late
EMPTY = "def area(w, h):\n    ...\n"
FULL = "def area(w, h):\n    return w * h\n"


class LateThreads(ThreadPoolExecutor):
    """Threads that begin their work when they are released."""

    def __init__(self) -> None:
        super().__init__(max_workers=2)
        self.submitted = threading.Event()
        self.released = threading.Event()

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        def late() -> Any:
            self.released.wait()
            return work(*arguments, **named)

        self.submitted.set()
        return super().submit(late)


def put(window: Opened, root: Path, version: int, text: str) -> Snapshot:
    path = root / "shapes.py"
    snapshot = Snapshot(path.as_uri(), path, version, "python", text)
    window.session.put(snapshot)
    return snapshot


def data_of(action: types.CodeAction) -> dict[str, Any]:
    """What a client without resolve support sends back."""
    assert action.command
    assert action.command.arguments
    data: dict[str, Any] = action.command.arguments[0]
    return data


async def test_a_list_is_of_the_text_that_it_was_asked_for(tmp_path: Path) -> None:
    root = tmp_path / "root"
    async with opened(root) as window:
        await window.session.folder.configure(window.session.folder.settings)
        await window.ended()
        snapshot = put(window, root, 1, EMPTY)
        threads = LateThreads()
        window.session.listing.close()
        window.session.listing = TimeLimit(LONG_S, threads)
        cursor = types.Position(0, 5)
        params = types.CodeActionParams(
            types.TextDocumentIdentifier(snapshot.uri), types.Range(cursor, cursor), types.CodeActionContext([])
        )
        asked = asyncio.get_running_loop().create_task(code_actions.code_actions(window.session, params))
        await turns_until(threads.submitted.is_set)
        put(window, root, 2, FULL)
        served, window.session.folder.served = window.session.folder.served, None
        threads.released.set()
        listed = await asked
        window.session.folder.served = served
        assert "Implement area" in [action.title for action in listed]
        versions = {
            (action.data or action.command.arguments[0])["version"]
            for action in listed
            if action.data or action.command
        }
        assert versions == {1}


def test_one_cache_of_trees_serves_many_threads() -> None:
    """Every thread gets the tree of its own text, whatever the others put into the cache meanwhile."""
    texts = [f"def f{number}(x):\n    return x + {number}\n" * 20 for number in range(24)]
    path = Path("/w/a.py")

    def parse(text: str) -> bool:
        snapshot = Snapshot(path.as_uri(), path, 1, "python", text)
        target = replace(Target.of(snapshot, Span(0, 0)), baseline=BaselineText(text[:-1], 0))
        assert target.syntax is not None
        assert target.baseline_syntax is not None
        return target.syntax.text == text and target.baseline_syntax.text == text[:-1]

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(parse, texts * 10))
