"""Requests for a body: one, one retry, then none; stopped when no more text can count."""

import asyncio

import pytest

from spark_lsp.actions.base import Target
from spark_lsp.actions.implement_body import MAX_BODY_TOKENS
from spark_lsp.engine.base import ACTION_PRIORITY, CompletionRequest, TextPart
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.errors import EngineFailed, ModelNoFim
from tests.actions.check import ACTION, target_of
from tests.support.workspace import TestWorkspace

BEFORE = "def area(w, h):\n    # how\n    pass$0  # soon\n\n\nprint(area(1, 2))\n"


def _prompt(request: CompletionRequest) -> str:
    return "".join(part.text for part in request.prompt if isinstance(part, TextPart))


async def test_prompt_holds_the_comments_and_not_the_placeholder() -> None:
    engine = ScriptedEngine(["return w * h"])
    await TestWorkspace(engine).actions.propose(ACTION, target_of(BEFORE))
    (request,) = engine.requests
    assert "# how\n    # soon\n    " in _prompt(request)
    assert "print(area(1, 2))" in _prompt(request)
    assert "pass" not in _prompt(request)
    assert (request.max_tokens, request.priority, request.sampling.temperature) == (
        MAX_BODY_TOKENS, ACTION_PRIORITY, 0.0,
    )  # fmt: skip


@pytest.mark.parametrize(("size_bytes", "asks"), [(491_400_064, True), (1_117_320_768, False), (0, False)])
async def test_the_body_of_a_small_model_is_confirmed(size_bytes: int, *, asks: bool) -> None:
    """The 0.5B's file, the 1.5B's, and a remote model whose size is unknown."""
    engine = ScriptedEngine(["return w * h"], size_bytes=size_bytes)
    proposal = await TestWorkspace(engine).actions.propose(ACTION, target_of(BEFORE))
    assert proposal.edits
    assert proposal.asks == asks


async def test_one_retry_with_temperature_and_no_more() -> None:
    engine = ScriptedEngine(["pass"])
    workspace = TestWorkspace(engine)
    proposal = await workspace.actions.propose(ACTION, target_of(BEFORE))
    first, second = engine.requests
    assert first.sampling.temperature == 0.0 < second.sampling.temperature
    assert proposal.edits == ()
    assert workspace.reasons == ["empty"]


async def test_model_is_stopped_where_the_body_ends() -> None:
    engine = ScriptedEngine(["a = w\n    return a * h\n    print(1)\n" + "    print(2)\n" * 50], chunk_chars=2)
    proposal = await TestWorkspace(engine).actions.propose(ACTION, target_of(BEFORE))
    assert proposal.edits[0].new_text.endswith("return a * h")
    assert engine.stopped == [None]
    assert proposal.usage.generated_tokens < 20
    assert proposal.usage.total_ms > 0


async def test_progress_counts_tokens() -> None:
    progress: list[tuple[int, float]] = []
    workspace = TestWorkspace(ScriptedEngine(["return w * h"]))
    proposal = await workspace.actions.propose(
        ACTION, target_of(BEFORE), lambda tokens, rate: progress.append((tokens, rate))
    )
    assert [tokens for tokens, _rate in progress] == sorted(tokens for tokens, _rate in progress)
    assert progress[-1][0] == proposal.usage.generated_tokens > 0
    assert all(rate > 0 for tokens, rate in progress if tokens)


async def test_cancelling_stops_the_model() -> None:
    engine = ScriptedEngine(["return w * h"])
    engine.hold()
    workspace = TestWorkspace(engine)
    choice = asyncio.create_task(workspace.actions.propose(ACTION, target_of(BEFORE)))
    await engine.arrived.wait()
    choice.cancel()
    with pytest.raises(asyncio.CancelledError):
        await choice
    assert (engine.stopped, workspace.reasons) == ([None], ["cancelled"])


async def test_a_second_choice_in_the_document_replaces_the_first() -> None:
    engine = ScriptedEngine(["return w * h"])
    engine.hold()
    workspace = TestWorkspace(engine)
    first = asyncio.create_task(workspace.actions.propose(ACTION, target_of(BEFORE)))
    await engine.arrived.wait()
    engine.arrived.clear()
    second = asyncio.create_task(workspace.actions.propose(ACTION, target_of(BEFORE)))
    await engine.arrived.wait()
    engine.release()
    proposals = await asyncio.gather(first, second)
    assert [proposal.reason for proposal in proposals] == ["superseded", "ok"]
    assert len(engine.requests) == 2


async def test_errors_pass_with_their_reason_in_the_log() -> None:
    engine = ScriptedEngine(["return w * h"])
    engine.start_error = EngineFailed("It died.")
    workspace = TestWorkspace(engine)
    with pytest.raises(EngineFailed):
        await workspace.actions.propose(ACTION, target_of(BEFORE))
    assert workspace.reasons == ["engine.failed"]
    workspace = TestWorkspace(ScriptedEngine(["x"], family=""))
    with pytest.raises(ModelNoFim):
        await workspace.actions.propose(ACTION, target_of(BEFORE))
    assert workspace.reasons == ["model.no_fim"]


async def test_document_too_large_to_parse_is_left_alone() -> None:
    text = "x = 1  # " + "-" * 2_000_000 + "\n" + BEFORE
    target: Target = target_of(text)
    engine = ScriptedEngine(["return w * h"])
    assert TestWorkspace(engine).actions.available(target) == []
    assert engine.requests == []
