"""A client process that the tests kill: it holds a cached prefix and receives an endless answer."""

import asyncio
import sys

import msgspec

from spark_lsp.engine.base import Control, Infill, Piece, PromptPart, Sampling
from spark_lsp.engine.local.client import EngineLaunch, LocalEngine

BEGUN = b"begun"
CACHED_PREFIX: tuple[PromptPart, ...] = (
    Control("<|repo_name|>"),
    Piece("killed\n", stable=True),
    Control("<|file_sep|>"),
    Piece("gone.py\n" + "".join(f"gone_{number} = {number}\n" for number in range(40)), stable=True),
)


async def be_answered(launch: EngineLaunch) -> None:
    """Ask until somebody ends this process, and say so at each piece of the answer."""
    engine = LocalEngine(launch)
    await engine.start()
    async for _ in engine.infill(Infill(CACHED_PREFIX, 0, priority=2)):
        pass
    endless = Sampling(grammar='root ::= "a" root')
    prompt = (
        *CACHED_PREFIX,
        Control("<|fim_prefix|>"),
        Control("<|fim_suffix|>"),
        Control("<|fim_middle|>"),
        Piece("x"),
    )
    while True:
        async for _ in engine.infill(Infill(prompt, 3000, sampling=endless, priority=1)):
            sys.stdout.buffer.write(BEGUN + b"\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(be_answered(msgspec.json.decode(sys.argv[1], type=EngineLaunch)))
