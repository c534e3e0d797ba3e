"""A client process that the tests kill: it holds a cached prefix and receives an endless answer."""

import asyncio
import sys

import msgspec

from spark_lsp.engine.base import BACKGROUND_PRIORITY, CompletionRequest, PromptPart, Sampling, SpecialToken, TextPart
from spark_lsp.engine.local.local_engine import EngineLaunch, LocalEngine

BEGUN = b"begun"
CACHED_PREFIX: tuple[PromptPart, ...] = (
    SpecialToken("<|repo_name|>"),
    TextPart("killed\n", stable=True),
    SpecialToken("<|file_sep|>"),
    TextPart("gone.py\n" + "".join(f"gone_{number} = {number}\n" for number in range(40)), stable=True),
)


async def be_answered(launch: EngineLaunch) -> None:
    """Ask until somebody ends this process, and say so at each piece of the answer."""
    engine = LocalEngine(launch)
    await engine.start()
    async for _ in engine.generate(CompletionRequest(CACHED_PREFIX, 0, priority=BACKGROUND_PRIORITY)):
        pass
    endless = Sampling(grammar='root ::= "a" root')
    prompt = (
        *CACHED_PREFIX,
        SpecialToken("<|fim_prefix|>"),
        SpecialToken("<|fim_suffix|>"),
        SpecialToken("<|fim_middle|>"),
        TextPart("x"),
    )
    while True:
        async for _ in engine.generate(CompletionRequest(prompt, 3000, sampling=endless, priority=1)):
            sys.stdout.buffer.write(BEGUN + b"\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(be_answered(msgspec.json.decode(sys.argv[1], type=EngineLaunch)))
