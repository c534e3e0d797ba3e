"""Frames survive the journey, and nothing else passes for one."""

import asyncio
import math
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_lsp.engine.base import Chunk, CompletionRequest, EngineStatus, Sampling, SpecialToken, TextPart, Usage
from spark_lsp.engine.wire import frames
from spark_lsp.errors import EngineFailed, EngineProtocolError, ModelNoFim, SettingsError

CLIENT_FRAMES: list[frames.ClientFrame] = [
    frames.Hello(frames.PROTOCOL, "token", 1, observer=True),
    frames.Load(1),
    frames.Generate(
        2,
        CompletionRequest((), 3, sampling=Sampling(grammar="g"), key="k"),
        (SpecialToken("<|a|>"), 7, TextPart("é\x00")),
        forgets_parts=True,
    ),
    frames.Cancel(2),
    frames.Count(3, ("a", "")),
    frames.Query(4),
    frames.Unload(5),
    frames.Ping(),
    frames.Stop(),
]
HOST_FRAMES: list[frames.HostFrame] = [
    frames.Welcome(0, 1, None),
    frames.AnswerChunk(2, Chunk("é", 1, 0.5, "end", Usage(prompt_tokens=3))),
    frames.Counts(3, (1, 2)),
    frames.StatusReport(4, EngineStatus(running=True)),
    frames.Heartbeat(7, busy=True, turn_s=math.inf),
    frames.Failed(5, "ModelNoFim", "no", "fix"),
    frames.Goodbye(),
]


async def read_all(sent: bytes, read: str) -> list[object]:
    reader = asyncio.StreamReader()
    reader.feed_data(sent)
    reader.feed_eof()
    received: list[object] = []
    while (frame := await getattr(frames, read)(reader)) is not None:
        received.append(frame)
    return received


def test_frames_survive_the_journey() -> None:
    sent = b"".join(frames.encode(frame) for frame in CLIENT_FRAMES)
    assert asyncio.run(read_all(sent, "read_client_frame")) == CLIENT_FRAMES
    sent = b"".join(frames.encode(frame) for frame in HOST_FRAMES)
    assert asyncio.run(read_all(sent, "read_host_frame")) == HOST_FRAMES


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_are_frames_or_an_error_or_the_end(garbage: bytes) -> None:
    for read in ("read_client_frame", "read_host_frame"):
        for sent in (garbage, len(garbage).to_bytes(4, "big") + garbage):
            with suppress(EngineProtocolError):
                asyncio.run(read_all(sent, read))


def test_a_frame_over_the_limit_is_refused_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineProtocolError, match="over the limit"):
        asyncio.run(read_all((frames.MAX_FRAME_BYTES + 1).to_bytes(4, "big"), "read_client_frame"))
    monkeypatch.setattr(frames, "MAX_FRAME_BYTES", 100)
    with pytest.raises(EngineProtocolError, match="over the limit"):
        frames.encode(frames.Count(1, ("a" * 101,)))


def test_errors_keep_their_kind_and_fix() -> None:
    back = frames.error_of(frames.failed(1, ModelNoFim("no fim", fix="another model")))
    assert isinstance(back, ModelNoFim)
    assert (str(back), back.fix) == ("no fim", "another model")
    assert type(frames.error_of(frames.Failed(1, "OfTheFuture", "what"))) is EngineFailed
    assert type(frames.error_of(frames.failed(1, SettingsError("what")))) is EngineFailed


def test_an_order_survives_the_command_line() -> None:
    launch = frames.EngineLaunch(model_path="/a b/ü.gguf")
    order = frames.HostOrder(
        launch=launch, endpoint=frames.Endpoint(transport="unix", address="/a", lock="/l", log="/o")
    )
    assert msgspec.json.decode(msgspec.json.encode(order), type=frames.HostOrder) == order
