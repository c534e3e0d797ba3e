"""Both ends of the baseline: a separate process with the baseline loop, which takes commands line by line in JSON.

Its process is of the engine's kind, so both take turns within one run and meet the same load of the machine.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any, BinaryIO, Final

import msgspec

from spark_lsp.engine.base import PromptPart
from spark_lsp.engine.local.binding import require_binding
from spark_lsp.engine.wire.frames import EngineLaunch
from spark_lsp.errors import EngineFailed

_MAX_LINE_BYTES: Final = 64 * 1024 * 1024  # a prompt of 128k tokens is half a megabyte


class Hold(msgspec.Struct, frozen=True, tag="hold"):
    """Make a prompt resident; answered by its tokens."""

    prompt: tuple[PromptPart, ...]


class Read(msgspec.Struct, frozen=True, tag="read"):
    """Prefill so many tokens after the prompt; the reply is milliseconds."""

    tokens: int


class Write(msgspec.Struct, frozen=True, tag="write"):
    """Decode so many tokens after the prompt; the reply is milliseconds."""

    tokens: int


class Tokenize(msgspec.Struct, frozen=True, tag="tokenize"):
    """Answered by the tokens of a text."""

    text: str


class Describe(msgspec.Struct, frozen=True, tag="describe"):
    """Answered by what the memory is made of."""


BaselineOrder = Hold | Read | Write | Tokenize | Describe


def serve(launch: EngineLaunch, orders: BinaryIO, answers: BinaryIO) -> None:
    """Be the baseline's process until the orders end. Loads llama.cpp.

    Raises:
        ModelMissing, ModelUnusable, EngineFailed: the model cannot be used.
    """
    from spark_lsp.llama.decode_baseline import DecodeBaseline  # noqa: PLC0415  loads llama.cpp, which the asking side must not

    baseline = DecodeBaseline(launch)
    for line in orders:
        answer: Any
        match msgspec.json.decode(line, type=BaselineOrder):
            case Hold(prompt):
                answer = baseline.hold(prompt)
            case Read(tokens):
                answer = baseline.prefill_ms(tokens)
            case Write(tokens):
                answer = baseline.decode_ms(tokens)
            case Tokenize(text):
                answer = baseline.tokenize(text)
            case Describe():
                answer = baseline.sizes()
        answers.write(msgspec.json.encode(answer) + b"\n")
        answers.flush()
    baseline.close()


class Baseline:
    """The asking side. Belongs to one event loop."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def open(cls, launch: EngineLaunch) -> "Baseline":
        """Start the process; it loads the model in the background.

        Raises:
            EngineFailed: llama-cpp-python is not installed.
        """
        require_binding()
        command = [sys.executable, "-P", "-m", "spark_lsp", "engine", "bare", msgspec.json.encode(launch).decode()]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=_MAX_LINE_BYTES)
        return cls(process)

    async def ask(self, order: BaselineOrder) -> Any:
        """Return the answer to an order.

        Raises:
            EngineFailed: the process ended; it has said why on standard error.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None, "opened with pipes"
        assert stdout is not None, "opened with pipes"
        try:
            stdin.write(msgspec.json.encode(order) + b"\n")
            await stdin.drain()
            line = await stdout.readline()
        except OSError:
            line = b""
        if not line:
            raise EngineFailed("The process of the baseline loop ended early.")
        return msgspec.json.decode(line)

    async def ask_to_hold(self, prompt: Sequence[PromptPart]) -> int:
        """Make a prompt resident and return its tokens."""
        return int(await self.ask(Hold(tuple(prompt))))

    async def read_ms(self, tokens: int) -> float:
        """Return the milliseconds of a prefill of so many tokens."""
        return float(await self.ask(Read(tokens)))

    async def tokens_per_s(self, tokens: int) -> float:
        """Return the decode speed over so many tokens."""
        return tokens / float(await self.ask(Write(tokens))) * 1000

    async def tokenize(self, text: str) -> Sequence[int]:
        """Return the tokens of a text."""
        return tuple(await self.ask(Tokenize(text)))

    async def close(self) -> None:
        """End the process and wait for it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
