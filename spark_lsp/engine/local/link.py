"""One connection to an engine process: sends frames, and hands each answer to its caller.

Knows nothing of processes and restarts; when the other side goes, everyone who waits is told once. While somebody
waits it polls for signs of life now and then, and ends the connection where there are none.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from spark_lsp.engine.base import CompletionRequest, ModelInfo
from spark_lsp.engine.local.liveness import HangTimeout, LivenessMonitor
from spark_lsp.engine.wire import frames
from spark_lsp.engine.wire.peer import is_own_peer
from spark_lsp.engine.wire.prompt_parts import SentParts
from spark_lsp.errors import EngineFailed, EngineProtocolError, SparkError

HostAnswer = frames.HostFrame | SparkError

_GONE: Final = "The engine process ended unexpectedly."
_HUNG: Final = "The engine process no longer responds."
_HANG_TIMEOUT: Final = HangTimeout()


async def connect(
    endpoint: frames.Endpoint,
    *,
    observer: bool = False,
    hang_timeout: HangTimeout = _HANG_TIMEOUT,
    on_end: "Callable[[Link], None] | None" = None,
) -> "Link | None":
    """Connect to an engine and wait until its model is loaded; None if none listens, or it leaves before it answers.

    A link that is ``hung`` has ended already: somebody listens there and never answers. ``on_end`` is called once when
    the connection has ended, whoever ended it.

    Raises:
        ModelError, EngineError: the engine says why it cannot serve.
    """
    token = ""
    try:
        if endpoint.transport == "unix":
            reader, writer = await asyncio.open_unix_connection(endpoint.address)
            if not is_own_peer(writer.get_extra_info("socket")):
                writer.transport.abort()
                raise EngineFailed(f"Another user's program listens at {endpoint.address}, so it is not used.")
        else:
            address = await asyncio.to_thread(_tcp_address, endpoint.address)
            token = address.token
            reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
    except (OSError, msgspec.DecodeError):
        return None
    link = Link(endpoint, reader, writer, hang_timeout, on_end)
    greeted = False
    try:
        greeted = await link.greet(token, observer=observer)
    finally:
        if not greeted:
            await link.close()
    return link if greeted or link.hung else None


class Link:
    """A greeted connection. Belongs to one event loop."""

    def __init__(
        self,
        endpoint: frames.Endpoint,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        hang_timeout: HangTimeout,
        on_end: "Callable[[Link], None] | None" = None,
    ) -> None:
        self.endpoint = endpoint
        self.pid = 0
        self.model: ModelInfo | None = None
        self.orderly = False
        """Whether the engine said that it leaves, or we did."""
        self.hung = False
        """Whether we ended the connection because the engine did not respond."""
        self._reader = reader
        self._writer = writer
        self._waiting: dict[int, asyncio.Queue[HostAnswer]] = {}
        self._last_id = 0
        self._sent = SentParts()
        self._hang_timeout = hang_timeout
        self._on_end = on_end
        self._monitor = LivenessMonitor(hang_timeout)
        self._poll: asyncio.TimerHandle | None = None
        self._listener = asyncio.create_task(self._listen())

    @property
    def alive(self) -> bool:
        """Whether the other side can still be reached."""
        return not self._listener.done() and not self._writer.is_closing()

    def send(self, frame: frames.ClientFrame) -> None:
        """Send a frame; without effect when the connection has ended.

        Raises:
            EngineProtocolError: the frame is too large.
        """
        if not self._writer.is_closing():
            self._writer.write(frames.encode(frame))

    def ask(self, request_id: int, request: CompletionRequest) -> None:
        """Send a request; of its prompt only what is new on this connection.

        Raises:
            EngineProtocolError: the request is too large.
        """
        try:
            self.send(self._sent.ask(request_id, request))
        except Exception:
            self._sent = SentParts()  # the host never saw what the old ones took for sent
            raise

    def open(self) -> tuple[int, "asyncio.Queue[HostAnswer]"]:
        """Return an id for a request and the queue where its answers come in."""
        self._last_id += 1
        queue = self._wait_for(self._last_id)
        if self._listener.done():
            queue.put_nowait(EngineFailed(_GONE))
        return self._last_id, queue

    def forget(self, request_id: int) -> None:
        """Wait no longer for the answers to a request."""
        self._waiting.pop(request_id, None)

    async def call(self, frame: Callable[[int], frames.ClientFrame]) -> frames.HostFrame:
        """Ask for one answer.

        Raises:
            SparkError: the engine says that it cannot, or has gone.
        """
        request_id, queue = self.open()
        try:
            self.send(frame(request_id))
            return _told(await queue.get())
        finally:
            self.forget(request_id)

    async def greet(self, token: str, *, observer: bool) -> bool:
        """Send hello and wait for the welcome; False if the other side closes without one.

        Raises:
            ModelError, EngineError: the engine says why it cannot serve.
        """
        queue = self._wait_for(0)
        self.send(frames.Hello(frames.PROTOCOL, token, os.getpid(), observer))
        answer = await queue.get()
        self.forget(0)
        if isinstance(answer, SparkError):
            return False
        welcome = _told(answer)
        if not isinstance(welcome, frames.Welcome):
            raise EngineProtocolError("The engine did not answer the greeting.")
        self.pid = welcome.pid
        self.model = welcome.model
        return True

    async def load(self) -> None:
        """Let the engine load its model again; ``model`` stays None where it answers without one."""
        answer = await self.call(frames.Load)
        self.model = answer.model if isinstance(answer, frames.Welcome) else None

    async def unload(self) -> None:
        """Let the engine give the model's memory back."""
        await self.call(frames.Unload)
        self.model = None

    def note(self, problem: str) -> None:
        """Add a problem to the model's notes, once."""
        if self.model is not None and problem not in self.model.notes:
            self.model = msgspec.structs.replace(self.model, notes=(*self.model.notes, problem))

    async def ended(self) -> None:
        """Wait until the other side has gone."""
        await asyncio.wait([self._listener])

    async def close(self) -> None:
        """Leave. Idempotent."""
        self.orderly = True
        self._listener.cancel()
        if self._poll is not None:
            self._poll.cancel()
        await asyncio.wait([self._listener])
        self._writer.transport.abort()  # a process that hangs would never take what is still to be sent
        with suppress(OSError):  # it may have gone already
            await self._writer.wait_closed()

    def _wait_for(self, request_id: int) -> "asyncio.Queue[HostAnswer]":
        queue: asyncio.Queue[HostAnswer] = asyncio.Queue()
        self._waiting[request_id] = queue
        if self._poll is None:
            loop = asyncio.get_running_loop()
            self._monitor.begin(loop.time())
            self._poll = loop.call_later(self._hang_timeout.poll_s, self._poll_liveness)
        return queue

    def _poll_liveness(self) -> None:
        """See whether the engine lives. Looks again only as long as somebody waits, so an idle engine is left alone."""
        self._poll = None
        if not self._waiting or not self.alive:
            return
        loop = asyncio.get_running_loop()
        if self._monitor.poll(loop.time()):
            self.hung = True
            self._writer.transport.abort()
            return
        self.send(frames.Ping())
        self._poll = loop.call_later(self._hang_timeout.poll_s, self._poll_liveness)

    async def _listen(self) -> None:
        try:
            while (frame := await frames.read_host_frame(self._reader)) is not None:
                self._monitor.received(frame)
                if isinstance(frame, frames.Goodbye):
                    self.orderly = True
                elif isinstance(frame, frames.Heartbeat):
                    continue
                elif frame.id in self._waiting:
                    self._waiting[frame.id].put_nowait(frame)
        except (EngineProtocolError, OSError):
            pass  # the same to those who wait: no more answers
        finally:
            self._writer.close()
            for queue in self._waiting.values():
                queue.put_nowait(EngineFailed(_HUNG if self.hung else _GONE))
            if self._on_end is not None:
                self._on_end(self)


def _told(answer: HostAnswer) -> frames.HostFrame:
    if isinstance(answer, SparkError):
        raise answer
    if isinstance(answer, frames.Failed):
        raise frames.error_of(answer)
    return answer


def _tcp_address(path: str) -> frames.TcpAddress:
    return msgspec.json.decode(Path(path).read_bytes(), type=frames.TcpAddress)
