"""The client of the engine process: finds or starts it, sends requests, and survives its death.

A process that dies fails its running answers and is started again in the background. After three deaths within ten
minutes it is not, and a request that was running at two of them is refused. A process that hangs is killed, which is a
death too. Never blocks the event loop.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from subprocess import Popen
from typing import Final

import msgspec

from spark_lsp.engine.base import Chunk, CompletionRequest, EngineStatus, ModelInfo, SpecialToken, TextPart
from spark_lsp.engine.local.address import endpoint_of
from spark_lsp.engine.local.link import Link, connect
from spark_lsp.engine.local.liveness import HangTimeout
from spark_lsp.engine.local.process import (
    describe_model,
    end,
    last_log_line,
    list_engines,
    log_problem,
    query,
    spawn,
    stop,
    stop_engines,
)
from spark_lsp.engine.starting import SharedStart, retrieve
from spark_lsp.engine.wire import frames
from spark_lsp.engine.wire.frames import Endpoint, EngineLaunch
from spark_lsp.engine.wire.prompt_parts import clean
from spark_lsp.errors import EngineFailed, EngineProtocolError, EngineStarting, SparkError

__all__ = ["EngineLaunch", "HangTimeout", "LocalEngine", "describe_model", "list_engines", "stop_engines"]

_APPEAR_S: Final = 60.0  # for a process to open its socket; loading the model comes after and has no limit
_FIRST_WAIT_S: Final = 0.01
_MAX_WAIT_S: Final = 0.05
_CRASHES: Final = 3
_CRASH_WINDOW_S: Final = 600.0
_RETRY_S: Final = 5.0  # a model that could not be used may be there now
_MAX_SUSPECT_REQUESTS: Final = 64
_KILLED_STATUS: Final = -9


class LocalEngine:
    """The local model as an ``engine.base.Engine``; the methods are documented there. Belongs to one event loop."""

    def __init__(self, launch: EngineLaunch, hang_timeout: HangTimeout | None = None) -> None:
        """``hang_timeout`` says when a process counts as hung; the usual one unless given."""
        self._launch = launch
        self._hang_timeout = hang_timeout or HangTimeout()
        self._link: Link | None = None
        self._starting = SharedStart(self._start_once, retry_s=_RETRY_S, waiting="The engine is starting.")
        self._spawning: asyncio.Task[Popen[bytes]] | None = None
        """The process that has not been connected to yet; one start that is cancelled leaves it to the next."""
        self._log_problem = ""
        """Why the process that was started last has no log; "" where it has one."""
        self._crashes: deque[float] = deque(maxlen=_CRASHES)
        self._killing: asyncio.Task[list[int]] | None = None
        self._in_flight: list[CompletionRequest] = []
        self._suspect_requests: dict[bytes, list[float]] = {}
        """Prompts that were being answered when the process died, and when that was."""

    async def start(self) -> ModelInfo:
        """Find or start the process, wait for the model, and return its description."""
        known = self.model
        if known is not None:
            return known
        return await self._starting.join()

    @property
    def model(self) -> ModelInfo | None:
        """The loaded model, or None while there is none."""
        return self._link.model if self._link is not None and self._link.alive else None

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count in the engine process, on a thread that never waits for the model."""
        if not texts:
            return []
        link = self._reached()
        cleaned = tuple(clean(text) for text in texts)
        answer = await link.call(lambda number: frames.Count(number, cleaned))
        if not isinstance(answer, frames.Counts) or len(answer.counts) != len(texts):
            raise EngineProtocolError("The engine answered a token count with another message.")
        return list(answer.counts)

    async def generate(self, request: CompletionRequest) -> AsyncGenerator[Chunk]:
        """Stream an answer; closing the iterator stops the model."""
        link = self._reached()
        self._refuse_suspect_request(request)
        number, answers = link.open()
        self._in_flight.append(request)
        ended = False
        try:
            link.ask(number, request)
            while not ended:
                answer = await answers.get()
                ended = not isinstance(answer, frames.AnswerChunk) or answer.chunk.stop is not None
                yield _chunk_of(answer)
        finally:
            self._in_flight = [running for running in self._in_flight if running is not request]
            link.forget(number)
            if not ended:
                link.send(frames.Cancel(number))

    async def status(self) -> EngineStatus:
        """Describe the engine without starting it."""
        link = self._link
        if link is None or not link.alive:
            return await query(endpoint_of(self._launch)) or EngineStatus(running=False)
        try:
            answer = await link.call(frames.Query)
        except SparkError:
            return EngineStatus(running=False)
        return answer.status if isinstance(answer, frames.StatusReport) else EngineStatus(running=False)

    async def unload(self) -> None:
        """Give the model's memory back, for all clients; the next request of any of them loads it again."""
        link = self._link
        if link is None or not link.alive:
            return
        await link.unload()

    async def restart(self) -> ModelInfo:
        """End the process, for its other clients too, and start another, with the crashes forgiven."""
        await self.close()
        endpoint = await asyncio.to_thread(endpoint_of, self._launch)
        await stop(endpoint)
        await asyncio.to_thread(end, endpoint)  # one that has not opened its socket yet
        self._spawning = None
        return await self.start()

    async def close(self) -> None:
        """Leave the process to its other clients. A later ``start`` begins over, with the crashes forgiven."""
        await self._starting.cancel()
        link, self._link = self._link, None
        if link is not None:
            await link.close()
        if self._killing is not None:
            await asyncio.wait([self._killing])
        self._crashes.clear()
        self._suspect_requests.clear()
        self._log_problem = ""

    def _reached(self) -> Link:
        """Return the connection, or see that there will be one and say why there is none now."""
        link = self._link
        if link is not None and link.alive:
            return link
        raise self._starting.refusal()

    async def _start_once(self) -> ModelInfo:
        link = self._link
        if link is None or not link.alive:
            link = await self._reach()
            self._link = link
        elif link.model is None:
            await link.load()
        if link.model is None:
            raise EngineFailed("The engine answered without a model.")
        if self._log_problem:
            link.note(self._log_problem)
        return link.model

    async def _reach(self) -> Link:
        """Connect to the engine's process, starting one as often as it takes."""
        if self._killing is not None:
            await asyncio.wait([self._killing])
        self._refuse_crash_loop()
        endpoint = await asyncio.to_thread(endpoint_of, self._launch)
        loop = asyncio.get_running_loop()
        latest = loop.time() + _APPEAR_S
        wait_s = _FIRST_WAIT_S
        self._forget_ended_process()
        while loop.time() < latest:
            link = await self._connected(endpoint)
            if link is not None and not link.hung:
                self._spawning = None
                return link
            if link is not None:
                self._crashes.append(loop.time())
                await asyncio.to_thread(end, endpoint)
                self._refuse_crash_loop()
                self._spawning, latest = None, loop.time() + _APPEAR_S
            await self._spawn_unless_starting(endpoint)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 1.5, _MAX_WAIT_S)
        self._crashes.append(loop.time())
        await asyncio.to_thread(end, endpoint)
        raise EngineFailed(f"The engine process did not answer within {_APPEAR_S:.0f} seconds; see {endpoint.log}.")

    def _forget_ended_process(self) -> None:
        spawning = self._spawning
        if spawning is None or not spawning.done():
            return
        if spawning.cancelled() or spawning.exception() is not None or spawning.result().returncode is not None:
            self._spawning = None

    async def _spawn_unless_starting(self, endpoint: Endpoint) -> None:
        """Start a process, unless the one that was started last is still on its way to its socket."""
        if self._spawning is None:
            self._spawning = asyncio.create_task(self._spawn(endpoint))
            self._spawning.add_done_callback(retrieve)
        process = await asyncio.shield(self._spawning)
        if process.returncode is None:
            return
        self._spawning = None
        if process.returncode not in {0, frames.EXIT_LOCK_HELD}:
            self._crashes.append(asyncio.get_running_loop().time())
            raise _ended(process.returncode, endpoint)

    async def _spawn(self, endpoint: Endpoint) -> Popen[bytes]:
        process = await asyncio.to_thread(spawn, frames.HostOrder(launch=self._launch, endpoint=endpoint))
        self._log_problem = await asyncio.to_thread(log_problem, endpoint)
        return process

    async def _connected(self, endpoint: Endpoint) -> Link | None:
        try:
            return await connect(endpoint, hang_timeout=self._hang_timeout, on_end=self._on_end)
        except EngineStarting:
            return None  # it leaves just now; another one can be started in a moment

    def _refuse_crash_loop(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._crashes and now - self._crashes[0] > _CRASH_WINDOW_S:
            self._crashes.popleft()
        if len(self._crashes) >= _CRASHES:
            raise EngineFailed(
                "The engine process stopped three times within ten minutes and is not restarted for now.",
                fix="Run spark-lsp doctor, then restart the engine.",
            )

    def _refuse_suspect_request(self, request: CompletionRequest) -> None:
        since = asyncio.get_running_loop().time() - _CRASH_WINDOW_S
        fatal = {
            digest for digest, deaths in self._suspect_requests.items() if sum(died > since for died in deaths) > 1
        }
        if fatal and _digest(request) in fatal:
            raise EngineFailed("The engine process stopped twice at this request, so the request is not repeated.")

    def _on_end(self, link: Link) -> None:
        """Take note that a connection ended; start again where it was a crash."""
        if link.orderly or link is not self._link:
            return
        now = asyncio.get_running_loop().time()
        self._crashes.append(now)
        for digest in {_digest(request) for request in self._in_flight}:
            self._suspect_requests.setdefault(digest, []).append(now)
        while len(self._suspect_requests) > _MAX_SUSPECT_REQUESTS:
            self._suspect_requests.pop(next(iter(self._suspect_requests)))
        if link.hung:
            self._killing = asyncio.create_task(asyncio.to_thread(end, link.endpoint, link.pid))
            self._killing.add_done_callback(retrieve)
        if len(self._crashes) < _CRASHES:
            self._starting.begin()


def _chunk_of(answer: frames.HostFrame | SparkError) -> Chunk:
    if isinstance(answer, SparkError):
        raise answer
    if isinstance(answer, frames.Failed):
        raise frames.error_of(answer)
    if not isinstance(answer, frames.AnswerChunk):
        raise EngineProtocolError("The engine answered a request with something else.")
    return answer.chunk


def _ended(status: int, endpoint: Endpoint) -> EngineFailed:
    """Say how a start ended, in the same words each time: a message is shown once."""
    if status == _KILLED_STATUS:
        return EngineFailed(
            "The engine process was killed while it started; the system does so when memory runs out.",
            fix=f"Try a smaller model or a smaller context; the log is {endpoint.log}.",
        )
    last_line = last_log_line(endpoint)
    return EngineFailed(
        f"The engine process ended with status {status} while it started{': ' + last_line if last_line else ''}.",
        fix=f"Try another model or a smaller context; the log is {endpoint.log}.",
    )


def _digest(request: CompletionRequest) -> bytes:
    """Name a prompt. Only worked out for requests that saw a death, and while one is known that saw two."""
    prompt = [
        part if isinstance(part, SpecialToken) else TextPart(clean(part.text), stable=part.stable, heal=part.heal)
        for part in request.prompt
    ]
    return hashlib.blake2b(msgspec.msgpack.encode(prompt), digest_size=16).digest()
