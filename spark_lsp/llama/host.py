"""The engine process: several clients, one model. The asyncio thread talks, the scheduler's thread computes.

A second thread counts tokens, so counting never waits for a decode. Bad frames cost the
connection they came on and nothing else. Leaves when its last client has gone and the idle time is over.
"""

import asyncio
import logging
import os
import secrets
import signal
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import psutil

from spark_lsp.engine.base import Chunk, CompletionRequest, EngineStatus
from spark_lsp.engine.wire import frames
from spark_lsp.engine.wire.peer import is_own_peer
from spark_lsp.errors import EngineFailed, EngineProtocolError, SparkError
from spark_lsp.llama.listener import hold_lock, leave, listen
from spark_lsp.llama.loading.gguf_model import GgufModel, TokenCache
from spark_lsp.llama.parts import KeptParts
from spark_lsp.llama.runtime import ModelRuntime
from spark_lsp.llama.scheduler import Job, Scheduler

_SWITCH_S: Final = 0.0005
"""How long the thread that talks may hold the interpreter when a decode has ended; Python's own 5 ms are a token."""
_HELLO_S: Final = 10.0
MAX_CLIENTS: Final = 128
"""Connections that may be open: more windows than anybody has."""
MAX_STRANGERS: Final = 16
"""Connections that may be open without a hello; one more ends the oldest of them."""
_UNSENT_BYTES: Final = frames.MAX_FRAME_BYTES  # a client that reads so little is not there any more
_END_S: Final = 30.0  # for the model's thread to come to an end
_LOG_BYTES: Final = 4 * 1024 * 1024

_log = logging.getLogger("spark_lsp.llama")


class _Connection:
    """One connection and what it waits for."""

    def __init__(self, number: int, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.observer = True
        self.kept = KeptParts()
        self.jobs: dict[int, Job] = {}
        self.deadlines: dict[int, asyncio.TimerHandle] = {}
        self._writer = writer

    def send(self, frame: frames.HostFrame) -> None:
        """Send, unless the client has gone."""
        if self._writer.is_closing():
            return
        self._writer.write(frames.encode(frame))
        if self._writer.transport.get_write_buffer_size() > _UNSENT_BYTES:
            _log.warning("client %d does not read; its connection is closed", self.number)
            self._writer.transport.abort()

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


class Host:
    """The life of one engine process."""

    def __init__(self, order: frames.HostOrder) -> None:
        self._order = order
        self._tokens = TokenCache()
        self._runtime = ModelRuntime(order.launch, self._tokens)
        self._scheduler = Scheduler(self._runtime)
        self._counter = ThreadPoolExecutor(1, thread_name_prefix="count")
        self._counting: GgufModel | None = None
        self._clients: dict[int, _Connection] = {}
        self._connections = 0
        self._strangers: dict[int, _Connection] = {}
        """Connections that did not say hello yet, the oldest first."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._token = ""
        self._over = asyncio.Event()
        self._leaving: asyncio.TimerHandle | None = None
        self._load_failed = False
        self._loop = asyncio.get_running_loop()

    async def serve(self) -> None:
        """Serve until there is a reason to leave."""
        server, self._token = await listen(self._order.endpoint, self._connected)
        if sys.platform != "win32":
            for number in (signal.SIGTERM, signal.SIGHUP):
                self._loop.add_signal_handler(number, self._over.set)
        self._scheduler.start()
        self._scheduler.call(self._runtime.load).add_done_callback(lambda done: done.exception())
        self._leaving = self._loop.call_later(self._order.first_client_s, self._over.set)
        try:
            await self._over.wait()
        finally:
            leave(self._order.endpoint)
            server.close()
            for client in self._clients.values():
                client.send(frames.Goodbye())
            await self._end_scheduler()
            await asyncio.sleep(0)  # what the last jobs told goes out
            self._counter.shutdown(cancel_futures=True)
            for client in list(self._clients.values()):
                client.close()

    async def _end_scheduler(self) -> None:
        try:
            async with asyncio.timeout(_END_S):
                await asyncio.to_thread(self._scheduler.end, self._runtime.unload)
        except TimeoutError:
            _log.error("the thread of the model hangs; the process leaves without it")
            logging.shutdown()
            os._exit(frames.EXIT_HUNG)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        client = _Connection(self._connections, writer)
        try:
            self._admit(client, writer)
            async with asyncio.timeout(_HELLO_S):
                hello = await frames.read_client_frame(reader, max_bytes=frames.MAX_HELLO_BYTES)
            if hello is None:
                return
            self._greet(client, hello)
            while (frame := await frames.read_client_frame(reader)) is not None:
                self._handle(client, frame)
        except (EngineProtocolError, TimeoutError) as error:
            _log.warning("client %d is disconnected: %s", client.number, str(error) or "It never said hello.")
        finally:
            self._drop(client)
            writer.close()

    def _admit(self, client: _Connection, writer: asyncio.StreamWriter) -> None:
        """Take a connection in that has not said hello; the oldest of too many of these ends."""
        if not is_own_peer(writer.get_extra_info("socket")):
            raise EngineProtocolError("It belongs to another user.")
        if len(self._clients) >= MAX_CLIENTS:
            raise EngineProtocolError(f"{MAX_CLIENTS} clients are connected already.")
        self._strangers[client.number] = client
        if len(self._strangers) > MAX_STRANGERS:
            oldest = self._strangers.pop(next(iter(self._strangers)))
            _log.warning("client %d is disconnected: others came and it has not said hello.", oldest.number)
            oldest.close()

    def _greet(self, client: _Connection, frame: frames.ClientFrame) -> None:
        if not isinstance(frame, frames.Hello):
            raise EngineProtocolError("The first frame is no hello.")
        if frame.protocol != frames.PROTOCOL:
            raise EngineProtocolError(f"It speaks protocol {frame.protocol}, this engine {frames.PROTOCOL}.")
        if not secrets.compare_digest(frame.token.encode(), self._token.encode()):
            raise EngineProtocolError("Its token is wrong.")
        client.observer = frame.observer
        self._strangers.pop(client.number, None)
        self._clients[client.number] = client
        self._reconsider()
        if frame.observer:
            client.send(frames.Welcome(0, os.getpid(), self._runtime.info))
        else:
            self._spawn(self._welcome(client))

    async def _welcome(self, client: _Connection) -> None:
        if not await self._load(client, 0):
            client.close()

    async def _load(self, client: _Connection, request_id: int) -> bool:
        try:
            info = await asyncio.wrap_future(self._scheduler.call(self._runtime.load))
        except SparkError as error:
            self._load_failed = True
            client.send(frames.failed(request_id, error))
            return False
        except Exception as error:  # noqa: BLE001  told to the client, whatever it is (an import that fails)
            _log.exception("the model cannot be loaded")
            self._load_failed = True
            client.send(frames.failed(request_id, EngineFailed(f"The model cannot be loaded: {error}.")))
            return False
        self._load_failed = False
        client.send(frames.Welcome(request_id, os.getpid(), info))
        return True

    def _handle(self, client: _Connection, frame: frames.ClientFrame) -> None:
        match frame:
            case frames.Generate(id=number):
                self._ask(client, number, client.kept.request(frame))
            case frames.Cancel(id=number):
                if number in client.jobs:
                    self._scheduler.stop(client.jobs[number], "cancelled")
            case frames.Count():
                self._spawn(self._count(client, frame))
            case frames.Query(id=number):
                client.send(frames.StatusReport(number, self._status()))
            case frames.Load(id=number):
                self._spawn(self._load_again(client, number))
            case frames.Unload(id=number):
                self._spawn(self._unload(client, number))
            case frames.Ping():
                progress = self._scheduler.progress()
                client.send(frames.Heartbeat(progress.turns, progress.busy, progress.turn_s))
            case frames.Stop():
                self._over.set()
            case _:
                raise EngineProtocolError("A second hello is one too many.")

    def _ask(self, client: _Connection, number: int, request: CompletionRequest) -> None:
        if number in client.jobs:
            raise EngineProtocolError(f"Request {number} is asked twice.")

        def tell(chunk: Chunk) -> None:
            self._loop.call_soon_threadsafe(self._told, client, number, chunk)

        def fail(error: SparkError) -> None:
            self._loop.call_soon_threadsafe(self._failed, client, number, error)

        job = Job(client.number, request, tell, fail)
        client.jobs[number] = job
        if request.deadline_ms > 0:
            client.deadlines[number] = self._loop.call_later(
                request.deadline_ms / 1000, self._scheduler.stop, job, "deadline"
            )
        self._scheduler.submit(job)

    def _told(self, client: _Connection, number: int, chunk: Chunk) -> None:
        if chunk.stop is not None:
            self._ended(client, number)
        client.send(frames.AnswerChunk(number, chunk))

    def _failed(self, client: _Connection, number: int, error: SparkError) -> None:
        self._ended(client, number)
        client.send(frames.failed(number, error))

    def _ended(self, client: _Connection, number: int) -> None:
        client.jobs.pop(number, None)
        deadline = client.deadlines.pop(number, None)
        if deadline is not None:
            deadline.cancel()

    async def _count(self, client: _Connection, frame: frames.Count) -> None:
        try:
            counts = await self._loop.run_in_executor(self._counter, self._count_texts, frame.texts)
        except SparkError as error:
            client.send(frames.failed(frame.id, error))
        else:
            client.send(frames.Counts(frame.id, counts))

    def _count_texts(self, texts: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(map(self._count_text, texts))

    def _count_text(self, text: str) -> int:
        """Count with the loaded model's vocabulary, or while there is none with one that is loaded by itself."""
        count = self._runtime.count_tokens(text)
        if count is not None:
            return count
        if self._counting is None:
            self._counting = GgufModel(self._order.launch.model_path, gpu_layers=0, vocab_only=True)
        return len(self._tokens.tokens(self._counting.vocabulary, text)[1])

    async def _load_again(self, client: _Connection, number: int) -> None:
        await self._load(client, number)

    async def _unload(self, client: _Connection, number: int) -> None:
        await asyncio.wrap_future(self._scheduler.call(self._runtime.unload))
        client.send(frames.StatusReport(number, self._status()))

    def _status(self) -> EngineStatus:
        prefill, decode = self._runtime.speeds()
        return EngineStatus(
            running=True,
            pid=os.getpid(),
            socket=self._order.endpoint.address,
            model=self._runtime.info,
            resident_tokens=self._runtime.resident_tokens(),
            ram_bytes=int(psutil.Process().memory_info().rss),
            vram_bytes=self._runtime.device_bytes,
            clients=self._client_count(),
            busy=self._scheduler.busy,
            prefill_tokens_per_s=prefill,
            decode_tokens_per_s=decode,
            prefill_cost=self._runtime.prefill_cost(),
        )

    def _client_count(self) -> int:
        return sum(not client.observer for client in self._clients.values())

    def _drop(self, client: _Connection) -> None:
        for job in client.jobs.values():
            self._scheduler.stop(job, "cancelled")
        for deadline in client.deadlines.values():
            deadline.cancel()
        self._strangers.pop(client.number, None)
        if self._clients.pop(client.number, None) is not None and not client.observer:
            self._reconsider()

    def _reconsider(self) -> None:
        """Leave later, or not, now that a client came or went."""
        if self._client_count():
            if self._leaving is not None:
                self._leaving.cancel()
                self._leaving = None
        elif self._leaving is None:
            idle_s = 0.0 if self._load_failed else self._order.launch.idle_minutes * 60
            self._leaving = self._loop.call_later(idle_s, self._over.set)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Bounded(logging.Filter):
    """Lets no more than a few megabytes into the log of one process."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self._left = most_bytes

    def filter(self, record: logging.LogRecord) -> bool:
        self._left -= len(record.getMessage())
        return self._left > 0


def run_host(order: frames.HostOrder) -> int:
    """Be the engine process; return its exit status."""
    sys.setswitchinterval(_SWITCH_S)
    os.dup2(2, 1)  # native code prints; what it prints belongs to the log
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Bounded(_LOG_BYTES))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(message)s", handlers=[handler])
    lock = hold_lock(order.endpoint.lock)
    if lock is None:
        return frames.EXIT_LOCK_HELD
    with lock:
        asyncio.run(_serve(order))
    return 0


async def _serve(order: frames.HostOrder) -> None:
    await Host(order).serve()
