"""Run the frames of the engine's socket under a coverage-guided fuzzer: ``python -m scripts.torture.fuzz_frames``.

Each argument without a dash is a folder of examples, which starts with one of each kind of frame. Needs atheris, which
has wheels for Python 3.11 to 3.13 on Linux; takes libFuzzer's options, such as ``-runs=100000``.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports():
    from scripts.torture.fuzz_socket import FRAMES
    from spark_lsp.engine.wire import frames
    from spark_lsp.errors import EngineProtocolError
    from spark_lsp.llama.parts import KeptParts

LOOP = asyncio.new_event_loop()


async def _read(data: bytes) -> None:
    """Read everything in the bytes, as the engine and its client do."""
    kept = KeptParts()
    for read in (frames.read_client_frame, frames.read_host_frame):
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        while (frame := await read(reader)) is not None:
            assert frames.encode(frame)
            if isinstance(frame, frames.Generate):
                kept.request(frame)


def test_one_input(data: bytes) -> None:
    """Accept bytes as a frame, a protocol error or the end, and nothing else."""
    for sent in (data, len(data).to_bytes(4, "big") + data):
        try:
            LOOP.run_until_complete(_read(sent))
        except EngineProtocolError:
            continue


def main(words: list[str]) -> Any:
    """Run the fuzzer until it finds something."""
    for folder in (Path(word) for word in words[1:] if not word.startswith("-")):
        folder.mkdir(parents=True, exist_ok=True)
        for frame in (*FRAMES, frames.Goodbye(), frames.Counts(3, (1, 2)), frames.Failed(5, "ModelNoFim", "no", "fix")):
            (folder / type(frame).__name__).write_bytes(frames.encode(frame))
    atheris.Setup(words, test_one_input)
    return atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
