"""What the snippets may show: searched once for each place, ahead of the prompt, with the same result."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.harness.fixture import parse_fixture
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.config import CompletionSettings
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.errors import EngineFailed
from spark_lsp.prompt import snippet_search
from spark_lsp.prompt.segment import Segment
from spark_lsp.prompt.snippets import Candidate
from spark_lsp.prompt.sources import PromptCursor, gather
from spark_lsp.prompt.token_counts import TokenCounter
from tests.support.workspace import TestWorkspace, indexed, snapshot_of

WORKSPACE = "#- shop.py\ndef price_of(item):\n    return item.price\n#- main.py\n$0\n"
TEXT = "total = price_of(\n"


@pytest.fixture
def result(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Offsets of the cursors that were searched."""
    offsets: list[int] = []

    def noted(cursor: PromptCursor) -> list[Segment]:
        offsets.append(cursor.offset)
        return gather(cursor)

    monkeypatch.setattr(snippet_search, "gather", noted)
    return offsets


async def rooms_in(folder: Path) -> TestWorkspace:
    workspace = TestWorkspace(ScriptedEngine(["x"]), index=indexed(parse_fixture(WORKSPACE), folder))
    await workspace.engine.start()
    return workspace


async def test_what_was_begun_is_taken_up_and_shows_the_same(tmp_path: Path, result: list[int]) -> None:
    workspace, other_workspace = await rooms_in(tmp_path / "one"), await rooms_in(tmp_path / "other")
    snapshot = snapshot_of("main.py", TEXT)
    workspace.context.prepare(snapshot, 17)
    packed = await workspace.context.pack_for(snapshot, 17)
    assert result == [17]
    assert any(segment.kind == "definition" for segment in packed.segments)
    assert packed.parts == (await other_workspace.context.pack_for(snapshot, 17)).parts


async def test_a_name_that_is_finished_is_looked_for_and_the_next_keys_are_not(
    tmp_path: Path, result: list[int]
) -> None:
    workspace = await rooms_in(tmp_path)
    for offset in range(1, 18):
        await workspace.context.pack_for(snapshot_of("main.py", TEXT[:offset]), offset)
    assert result == [1, 17]


async def test_a_request_begins_it_and_then_waits_for_the_next_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, begun, loop = ScriptedEngine(["x"]), asyncio.Event(), asyncio.get_running_loop()

    def noted(cursor: PromptCursor) -> list[Segment]:
        loop.call_soon_threadsafe(begun.set)
        return gather(cursor)

    monkeypatch.setattr(snippet_search, "gather", noted)
    settings = CompletionSettings(debounce=60_000, deadline_ms=60_000)
    workspace = TestWorkspace(engine, index=indexed(parse_fixture(WORKSPACE), tmp_path), settings=settings)
    await engine.start()
    request = asyncio.create_task(
        workspace.completer.complete(CursorContext(snapshot_of("main.py", TEXT), 17), manual=False)
    )
    await begun.wait()
    assert not request.done()
    assert not engine.requests
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)


async def test_a_failure_is_told_to_who_waits_and_the_next_prompt_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = await rooms_in(tmp_path)
    snapshot = snapshot_of("main.py", TEXT)

    async def fails(_segments: Sequence[Segment], _counter: TokenCounter) -> list[Candidate]:
        raise EngineFailed("The engine is gone.")

    with monkeypatch.context() as patch:
        patch.setattr(snippet_search, "count_candidates", fails)
        with pytest.raises(EngineFailed):
            await workspace.context.pack_for(snapshot, 17)
    assert any(segment.kind == "definition" for segment in (await workspace.context.pack_for(snapshot, 17)).segments)


def test_nothing_is_begun_without_a_model(tmp_path: Path) -> None:
    workspace = TestWorkspace(ScriptedEngine(["x"]), index=indexed(parse_fixture(WORKSPACE), tmp_path))
    assert workspace.context.prepare(snapshot_of("main.py", TEXT), 17) is None
