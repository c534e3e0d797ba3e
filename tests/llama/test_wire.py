"""Frames survive the journey, and nothing else passes for one."""

import asyncio
import math
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_lsp.engine.base import Chunk, Control, EngineStatus, Infill, Piece, Sampling, Usage
from spark_lsp.errors import EngineFailed, EngineProtocolError, ModelNoFim, SettingsError
from spark_lsp.llama import wire

CLIENT_FRAMES: list[wire.ClientFrame] = [
    wire.Hello(wire.PROTOCOL, "token", 1, observer=True),
    wire.Load(1),
    wire.Ask(
        2, Infill((), 3, sampling=Sampling(grammar="g"), key="k"), (Control("<|a|>"), 7, Piece("é\x00")), anew=True
    ),
    wire.Cancel(2),
    wire.Count(3, ("a", "")),
    wire.Query(4),
    wire.Unload(5),
    wire.Ping(),
    wire.Stop(),
]
HOST_FRAMES: list[wire.HostFrame] = [
    wire.Welcome(0, 1, None),
    wire.Part(2, Chunk("é", 1, 0.5, "end", Usage(prompt_tokens=3))),
    wire.Counts(3, (1, 2)),
    wire.Report(4, EngineStatus(running=True)),
    wire.Beat(7, busy=True, turn_s=math.inf),
    wire.Failed(5, "ModelNoFim", "no", "fix"),
    wire.Bye(),
]


async def read_all(sent: bytes, read: str) -> list[object]:
    reader = asyncio.StreamReader()
    reader.feed_data(sent)
    reader.feed_eof()
    frames: list[object] = []
    while (frame := await getattr(wire, read)(reader)) is not None:
        frames.append(frame)
    return frames


def test_frames_survive_the_journey() -> None:
    sent = b"".join(wire.encode(frame) for frame in CLIENT_FRAMES)
    assert asyncio.run(read_all(sent, "read_client_frame")) == CLIENT_FRAMES
    sent = b"".join(wire.encode(frame) for frame in HOST_FRAMES)
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
        asyncio.run(read_all((wire.MAX_FRAME_BYTES + 1).to_bytes(4, "big"), "read_client_frame"))
    monkeypatch.setattr(wire, "MAX_FRAME_BYTES", 100)
    with pytest.raises(EngineProtocolError, match="over the limit"):
        wire.encode(wire.Count(1, ("a" * 101,)))


def test_errors_keep_their_kind_and_fix() -> None:
    back = wire.error_of(wire.failed(1, ModelNoFim("no fim", fix="another model")))
    assert isinstance(back, ModelNoFim)
    assert (str(back), back.fix) == ("no fim", "another model")
    assert type(wire.error_of(wire.Failed(1, "OfTheFuture", "what"))) is EngineFailed
    assert type(wire.error_of(wire.failed(1, SettingsError("what")))) is EngineFailed


def test_an_order_survives_the_command_line() -> None:
    launch = wire.EngineLaunch(model_path="/a b/ü.gguf")
    order = wire.HostOrder(launch=launch, endpoint=wire.Endpoint(transport="unix", address="/a", lock="/l", log="/o"))
    assert msgspec.json.decode(msgspec.json.encode(order), type=wire.HostOrder) == order
