"""Measure what a keystroke costs at the engine's process boundary, by the size of the prompt before it.

    python scripts/bench_wire.py [--pieces 450] [--keys 200]

The prompt has stable parts of 1,000 characters, each behind a special token, and a volatile part of 2,000 characters
that grows by one character a key. Prints the bytes of a request's frame and the processor time of client and host,
medians over the keys: with all texts in the frame, and with numbers as the engine uses them; the latter also for a
caller that builds every text again.
"""

import argparse
import asyncio
import hashlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator

import msgspec

from spark_lsp.engine.base import CompletionRequest, PromptPart, SpecialToken, TextPart
from spark_lsp.engine.wire import frames
from spark_lsp.engine.wire.prompt_parts import SentParts
from spark_lsp.llama.parts import KeptParts

PIECE_CHARS = 1_000
VOLATILE_CHARS = 2_000
SEPARATOR = SpecialToken("<|file_sep|>")


def cached_prefix(count: int) -> list[PromptPart]:
    """Return stable parts with a special token ahead of each."""
    parts: list[PromptPart] = []
    for number in range(count):
        line = f"def function_{number}(left, right): return left + {number} * right\n"
        parts += [SEPARATOR, TextPart((line * 40)[:PIECE_CHARS], stable=True)]
    return parts


def requests(count: int, keys: int, *, copied: bool) -> Iterator[CompletionRequest]:
    """Yield a request for each key; ``copied`` with texts that are equal to the last ones but not identical."""
    before = cached_prefix(count)
    for key in range(keys):
        if copied:
            before = [
                TextPart("".join(list(part.text)), stable=True) if isinstance(part, TextPart) else part
                for part in before
            ]
        yield CompletionRequest(
            (*before, SEPARATOR, TextPart("x = 1\n" * (VOLATILE_CHARS // 6) + "y" * key)), 64, key="document"
        )


async def read(frame: bytes) -> frames.Generate:
    """Return what a host receives."""
    reader = asyncio.StreamReader()
    reader.feed_data(frame)
    ask = await frames.read_client_frame(reader)
    assert isinstance(ask, frames.Generate)
    return ask


def whole(request: CompletionRequest) -> bytes:
    """Return the frame of a request with its whole prompt, and the prompt's hash, which identifies fatal requests."""
    hashlib.blake2b(msgspec.msgpack.encode(request.prompt), digest_size=16).digest()
    return frames.encode(frames.Generate(1, request))


def measure(
    asked: Iterator[CompletionRequest],
    encode: Callable[[CompletionRequest], bytes],
    resolve: Callable[[frames.Generate], CompletionRequest],
) -> tuple[float, float, float]:
    """Return bytes, client milliseconds and host milliseconds of a key: medians without the first key."""
    rows = []
    for request in asked:
        began = time.process_time_ns()
        frame = encode(request)
        sent = time.process_time_ns()
        got = resolve(asyncio.run(read(frame)))
        ended = time.process_time_ns()
        assert got.prompt == request.prompt
        rows.append((len(frame), (sent - began) / 1e6, (ended - sent) / 1e6 - _LOOP_MS))
    size, client_ms, host_ms = (statistics.median(column) for column in zip(*rows[1:], strict=True))
    return size, client_ms, host_ms


def _loop_ms() -> float:
    """Return the time of an event loop that receives next to nothing."""
    frame = frames.encode(frames.Generate(1, CompletionRequest((), 1)))
    times = []
    for _ in range(50):
        began = time.process_time_ns()
        asyncio.run(read(frame))
        times.append((time.process_time_ns() - began) / 1e6)
    return statistics.median(times)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", type=int, default=450)
    parser.add_argument("--keys", type=int, default=200)
    options = parser.parse_args()
    sys.stdout.write(
        f"{options.pieces} pieces of {PIECE_CHARS} characters, {options.keys} keys   bytes  client ms  host ms\n"
    )
    sent, kept = SentParts(), KeptParts()
    fresh, known = SentParts(), KeptParts()
    for name, copied, encode, resolve in (
        ("whole", False, whole, lambda ask: ask.request),
        ("by number", False, lambda request: frames.encode(sent.ask(1, request)), kept.request),
        ("by number, texts made again", True, lambda request: frames.encode(fresh.ask(1, request)), known.request),
    ):
        size, client_ms, host_ms = measure(requests(options.pieces, options.keys, copied=copied), encode, resolve)
        sys.stdout.write(f"{name:<30}{size:>10,.0f}{client_ms:>11.3f}{host_ms:>9.3f}\n")


_LOOP_MS = _loop_ms()

if __name__ == "__main__":
    main()
