"""Attack the socket of a real engine process: complete, broken, truncated, endless and slow frames."""

import asyncio
from contextlib import suppress
from random import Random
from typing import Final

import msgspec

from spark_lsp.engine.base import CompletionRequest, Sampling, SpecialToken, TextPart
from spark_lsp.engine.wire import frames

HELLO: Final = frames.encode(frames.Hello(frames.PROTOCOL, "", 1))
FRAMES: Final[tuple[frames.ClientFrame, ...]] = (
    frames.Load(1),
    frames.Generate(2, CompletionRequest((), 3, sampling=Sampling(grammar="root ::= x")), (TextPart("def"), 7)),
    frames.Generate(3, CompletionRequest((), 1_000_000), (SpecialToken("<|no|>"), TextPart("a" * 100))),
    frames.Generate(4, CompletionRequest((), 2, deadline_ms=1), (SpecialToken("<|fim_prefix|>"), TextPart("x"))),
    frames.Cancel(2),
    frames.Count(5, ("a", "")),
    frames.Query(6),
    frames.Ping(),
)
"""All frames except the one that ends the process and the one that frees its memory."""
READ_S: Final = 5.0


async def attack(address: str, connections: int, seed: int) -> int:
    """Make so many connections one after another, and send a kind of nonsense on each; return their number."""
    random = Random(seed)  # noqa: S311 - a run that can be repeated
    for _ in range(connections):
        reader, writer = await asyncio.open_unix_connection(address)
        try:
            await _speak(random, writer)
            with suppress(TimeoutError, ConnectionError, asyncio.IncompleteReadError):
                async with asyncio.timeout(random.choice((0.0, 0.01, 0.05))):
                    await reader.read(1_000)
        except ConnectionError:
            pass  # the engine may close the connection at any time
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
    return connections


async def hold(address: str, connections: int) -> list[asyncio.StreamWriter]:
    """Open many connections that send half of a greeting; return them."""
    writers = []
    for _ in range(connections):
        with suppress(ConnectionError):
            _, writer = await asyncio.open_unix_connection(address)
            writer.write(HELLO[: len(HELLO) // 2])
            writers.append(writer)
    return writers


async def _speak(random: Random, writer: asyncio.StreamWriter) -> None:
    kind = random.randrange(6)
    if kind:
        writer.write(HELLO)
    if kind == 0:  # no greeting
        writer.write(random.randbytes(random.randrange(64)))
    elif kind == 1:  # a frame that is cut
        raw = frames.encode(random.choice(FRAMES))
        writer.write(raw[: random.randrange(len(raw))])
    elif kind == 2:  # a wrong length
        writer.write(random.choice((0, 1, 2**31, 2**32 - 1)).to_bytes(4, "big") + random.randbytes(32))
    elif kind == 3:  # byte by byte
        for byte in frames.encode(random.choice(FRAMES)):
            writer.write(bytes((byte,)))
            await writer.drain()
    else:  # bits that changed, a few frames long
        for _ in range(random.randrange(1, 5)):
            writer.write(_changed(random, random.choice(FRAMES)))
    await writer.drain()


def _changed(random: Random, frame: frames.ClientFrame) -> bytes:
    """Return a frame with some bytes changed; the length is right, so that the body is read."""
    body = bytearray(msgspec.msgpack.encode(frame))
    for _ in range(random.randrange(4)):
        place = random.randrange(len(body))
        body[place : place + random.randrange(2)] = random.randbytes(random.randrange(3))
        body = body or bytearray(b"\0")
    return len(body).to_bytes(4, "big") + bytes(body)
