"""Handlers work on what they took before their first await: an edit that comes meanwhile changes nothing."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from lsprotocol import types
from pygls.lsp.server import LanguageServer

from spark_lsp.actions.base import ActionRunner, BaselineText, Proposal, Target
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.server import code_actions, commands, copilot_inline_edit, inline_completion
from spark_lsp.server.time_limit import TimeLimit
from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.snapshot import Snapshot
from tests.server.test_opening import MuteClient, Opened, opened, turns_until

LONG_S = 60.0  # a busy machine answers late
EMPTY = "def area(w, h):\n    ...\n"
Answered = TypeVar("Answered")
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
        await window.session.folders.first.configure(window.session.folders.first.settings)
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
        served, window.session.folders.first.served = window.session.folders.first.served, None
        threads.released.set()
        listed = await asked
        window.session.folders.first.served = served
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


class AnsweringClient(MuteClient):
    """An editor that keeps what it is told and asked."""

    def __init__(self) -> None:
        super().__init__(LanguageServer("test", "0"))
        self.messages: list[str] = []
        self.asked: list[str] = []

    def answer(self, message: str, kind: types.MessageType = types.MessageType.Warning) -> None:
        self.messages.append(message)

    async def request(self, method: str, params: Any) -> Any:
        self.asked.append(method)


class Listening(ActionRunner):
    """Actions whose targets are kept; each replaces the first line of what it was given."""

    def __init__(self, actions: ActionRunner) -> None:
        self.__dict__.update(actions.__dict__)
        self.targets: list[Target] = []

    async def propose(self, action_id: str, target: Target, *_: object, **__: object) -> Proposal:
        self.targets.append(target)
        return Proposal(action_id, (Edit(Span(0, 3), "DEF"),))


@asynccontextmanager
async def with_late_threads(root: Path, engine: ScriptedEngine) -> AsyncIterator[tuple[Opened, LateThreads]]:
    """Open a workspace; from then on all of ``asyncio.to_thread`` begins when it is released."""
    async with opened(root) as window:
        window.engines = [engine]
        window.session.client = AnsweringClient()
        await window.session.folders.first.configure(window.session.folders.first.settings)
        await window.ended()
        threads = LateThreads()
        asyncio.get_running_loop().set_default_executor(threads)
        try:
            yield window, threads
        finally:
            threads.released.set()


async def edited_meanwhile(
    window: Opened, threads: LateThreads, root: Path, work: Coroutine[Any, Any, Answered], text: str = FULL
) -> Answered:
    """Start a handler, edit the document while its thread is held, and return what it answers."""
    handler = asyncio.create_task(work)
    await turns_until(threads.submitted.is_set)
    edit(window, root, text)
    threads.released.set()
    return await handler


def edit(window: Opened, root: Path, text: str, *, seconds_ago: float = 0.0) -> Snapshot:
    """Make an edit as ``didChange`` does."""
    uri = (root / "shapes.py").as_uri()
    old = window.session.documents.snapshot(uri)
    assert old is not None
    snapshot = put(window, root, old.version + 1, text)
    now_s = asyncio.get_running_loop().time()
    window.session.folders.first.next_edits.changed(uri, "shapes.py", old.text, text, now_s - seconds_ago)
    return snapshot


async def test_a_completion_is_of_the_text_that_it_was_asked_for(tmp_path: Path) -> None:
    root, engine = tmp_path / "root", ScriptedEngine(["w * h"])
    async with opened(root) as window:
        window.engines = [engine]
        text = "def area(w, h):\n    return "
        snapshot = put(window, root, 1, text)
        params = types.InlineCompletionParams(
            types.InlineCompletionContext(types.InlineCompletionTriggerKind.Invoked),
            types.TextDocumentIdentifier(snapshot.uri),
            types.Position(1, 11),
        )
        handler = asyncio.create_task(inline_completion.inline_completion(window.session, params))
        await asyncio.sleep(0)  # it waits for the workspace
        put(window, root, 2, f"# a comment above\n# and another\n{text}")
        await window.session.folders.first.configure(window.session.folders.first.settings)
        answer = await handler
        assert [item.insert_text for item in answer.items][:1] == ["w * h"]
        assert answer.items[0].range == types.Range(types.Position(1, 11), types.Position(1, 11))
        prompt = "".join(getattr(part, "text", "") for part in engine.requests[0].prompt)
        assert "a comment above" not in prompt


@pytest.mark.parametrize("by_command", [False, True])
async def test_an_action_is_made_of_the_text_that_it_was_chosen_for(tmp_path: Path, by_command: bool) -> None:
    root = tmp_path / "root"
    async with with_late_threads(root, ScriptedEngine(["x"])) as (window, threads):
        snapshot = put(window, root, 1, EMPTY)
        workspace = window.session.folders.first.workspace
        assert workspace is not None
        workspace.actions = actions = Listening(workspace.actions)
        data = {"id": "document", "uri": snapshot.uri, "version": 1, "start": 4, "end": 8}
        if by_command:
            is_applied = await edited_meanwhile(window, threads, root, commands.apply_action(window.session, [data]))
            assert not is_applied
        else:
            chosen = types.CodeAction("Document", data=data)
            action = await edited_meanwhile(window, threads, root, code_actions.resolve(window.session, chosen))
            assert action.edit is None
        assert [(target.snapshot.text, target.span) for target in actions.targets] == [(EMPTY, Span(4, 8))]
        client = window.session.client
        assert isinstance(client, AnsweringClient)
        assert client.messages == ["Spark: the document has changed meanwhile; nothing was edited."]
        assert client.asked == []


async def test_a_rewrite_is_of_the_text_that_it_was_asked_for(tmp_path: Path) -> None:
    root = tmp_path / "root"
    async with with_late_threads(root, ScriptedEngine(["x"])) as (window, threads):
        snapshot = put(window, root, 1, EMPTY)
        workspace = window.session.folders.first.workspace
        assert workspace is not None
        workspace.actions = actions = Listening(workspace.actions)
        place = {"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": 7}}
        arguments = [snapshot.uri, place, "return the area"]
        work = commands.rewrite_range(window.session, arguments)
        assert not await edited_meanwhile(window, threads, root, work)
        assert [target.span.text(target.snapshot.text) for target in actions.targets] == ["..."]


RENAMED = "def area(width, h):\n    return w * h\n"


def params_at(uri: str, line: int, character: int) -> types.CodeActionParams:
    cursor = types.Position(line, character)
    return types.CodeActionParams(
        types.TextDocumentIdentifier(uri), types.Range(cursor, cursor), types.CodeActionContext([])
    )


async def test_a_next_edit_is_of_the_text_that_it_was_asked_for(tmp_path: Path) -> None:
    root = tmp_path / "root"
    async with with_late_threads(root, ScriptedEngine(["x"])) as (window, threads):
        snapshot = put(window, root, 1, FULL)
        edit(window, root, RENAMED)
        params = {"textDocument": {"uri": snapshot.uri, "version": 2}, "position": {"line": 0, "character": 14}}
        work = copilot_inline_edit.inline_edit(window.session, params)
        answer = await edited_meanwhile(window, threads, root, work, f"# above\n{RENAMED}")
        assert answer == {"edits": [], "reason": "edit.stale"}


async def test_a_next_edit_in_a_list_is_of_the_text_that_the_list_was_asked_for(tmp_path: Path) -> None:
    """The list is made first; an edit that comes meanwhile makes its text and its positions others."""
    root = tmp_path / "root"
    async with opened(root) as window:
        await window.session.folders.first.configure(window.session.folders.first.settings)
        await window.ended()
        snapshot = put(window, root, 1, f"{FULL}\n\nx = 1\n")
        edit(window, root, f"{FULL}\n\nx = 2\n", seconds_ago=LONG_S)
        threads = LateThreads()
        window.session.listing.close()
        window.session.listing = TimeLimit(LONG_S, threads)
        work = code_actions.whole_list(window.session, params_at(snapshot.uri, 0, 14))
        handler = asyncio.create_task(work)
        await turns_until(threads.submitted.is_set)
        edit(window, root, f"{RENAMED}\n\nx = 2\n")
        threads.released.set()
        assert [action.title for action in await handler if action.title.startswith("Next edit")] == []
        listed = await code_actions.whole_list(window.session, params_at(snapshot.uri, 0, 14))
        assert [action.title for action in listed if action.title.startswith("Next edit")] != []
