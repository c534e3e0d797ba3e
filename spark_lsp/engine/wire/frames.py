"""The frames between the engine process and its clients, and the order that starts an engine.

A frame is a 4-byte big-endian length and that many bytes of msgpack; nothing is ever unpickled or evaluated.
Imports no llama_cpp: the clients' side of the wire lives in ``engine.local``.
"""

import asyncio
import struct
from collections import OrderedDict
from typing import Final, Literal, TypeVar

import msgspec

from spark_lsp import errors
from spark_lsp.engine.base import Chunk, CompletionRequest, EngineStatus, ModelInfo, PromptPart, SpecialToken, TextPart
from spark_lsp.errors import EngineProtocolError, SparkError

PROTOCOL: Final = 5
"""Raised with every change of a frame's meaning; part of the socket's name, so versions never meet by accident."""

MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
MAX_HELLO_BYTES: Final = 4096
"""Largest frame of a client that has not shown yet that it may connect."""

KEPT_CHARS: Final = 8 * 1024 * 1024
"""Most characters of prompt parts that both ends of a connection keep: more than the largest prompt has."""

EXIT_LOCK_HELD: Final = 75
"""Exit status of an engine process that found another one serving its socket (EX_TEMPFAIL)."""

EXIT_HUNG: Final = 70
"""Exit status of an engine process that had to leave while the thread of its model did not (EX_SOFTWARE)."""

F = TypeVar("F")

KvType = Literal["auto", "f16", "q8_0", "q4_0"]


class EngineLaunch(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine is started with. ``endpoint_of`` decides which launches share one process."""

    model_path: str
    context_tokens: int = 131_072
    """Most tokens wanted; the process takes fewer where memory or the model ask for it."""
    is_named_size: bool = False
    """Whether the user named this very size: then a processor too takes a model beyond what it was trained for."""
    threads: int = 0
    """Compute threads; 0 lets the engine choose."""
    gpu_layers: int = -1
    """Layers on the GPU; -1 means all that fit."""
    kv_type: KvType = "auto"
    idle_minutes: float = 10.0
    """Time without clients after which the process leaves."""
    memory_limit_bytes: int = 0
    """Most memory for weights and context; 0 means what the machine has."""
    cache_folder: str = ""
    """Where the model's memory of cached prefixes is kept between runs; empty: nowhere."""
    cache_bytes: int = 0
    """Most disk that the folder may take; 0: nothing is kept."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where one engine lives: paths in the runtime folder and its log."""

    transport: Literal["unix", "tcp"]
    address: str
    """The Unix socket, or the file that holds port and token of the loopback socket."""
    lock: str
    log: str


class TcpAddress(msgspec.Struct, frozen=True):
    """What an address file holds where there are no Unix sockets."""

    port: int
    token: str


class HostOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The one argument of an engine process, as JSON."""

    launch: EngineLaunch
    endpoint: Endpoint
    first_client_s: float = 20.0
    """How long to wait for a first client before leaving."""


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """First frame of a client. An observer asks and stops, but neither loads the model nor counts as a client."""

    protocol: int
    token: str = ""
    pid: int = 0
    observer: bool = False


class Load(msgspec.Struct, frozen=True, tag="load"):
    """Load the model if it is not; answered by Welcome."""

    id: int


class Generate(msgspec.Struct, frozen=True, tag="generate"):
    """A completion request; answered by AnswerChunks, of which the last one carries a stop, or by one Failed.

    The prompt travels beside the request: a part that was sent before goes by its number, see ``KnownParts``.
    """

    id: int
    request: CompletionRequest
    parts: tuple[int | SpecialToken | TextPart, ...] = ()
    forgets_parts: bool = False
    """Whether the parts that were sent before are to be forgotten first."""


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Stop a completion request. The answer still ends in its one final frame."""

    id: int


class Count(msgspec.Struct, frozen=True, tag="count"):
    """Count tokens; answered by Counts."""

    id: int
    texts: tuple[str, ...]


class Query(msgspec.Struct, frozen=True, tag="query"):
    """Ask for the status; answered by StatusReport."""

    id: int


class Unload(msgspec.Struct, frozen=True, tag="unload"):
    """Give the model's memory back; answered by StatusReport."""

    id: int


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """Ask for a sign of life; answered by Heartbeat, also while the model is loaded or computes."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """End the process; every client hears Goodbye."""


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The answer to Hello (id 0) and Load."""

    id: int
    pid: int
    model: ModelInfo | None


class AnswerChunk(msgspec.Struct, frozen=True, tag="chunk"):
    """One chunk of an answer."""

    id: int
    chunk: Chunk


class Counts(msgspec.Struct, frozen=True, tag="counts"):
    """The numbers of tokens, one for each text."""

    id: int
    counts: tuple[int, ...]


class StatusReport(msgspec.Struct, frozen=True, tag="report"):
    """The status."""

    id: int
    status: EngineStatus


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat"):
    """A sign of life, with what the thread of the model does."""

    turns: int
    """Turns of that thread that ended, ever; the same number for long means that it hangs."""
    busy: bool
    """Whether it has anything to do."""
    turn_s: float
    """Seconds that a turn like the running one takes by what was measured; infinite where nothing can be said."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """A request that has no answer, as the name of an error class and what it says. Id 0 is the Hello."""

    id: int
    kind: str
    message: str
    fix: str = ""


class RequantizeOrder(msgspec.Struct, frozen=True):
    """What a process is to write in faster types: the file, where the best is to be, and a text to compare answers."""

    source: str
    target: str
    text: str


class Measured(msgspec.Struct, frozen=True):
    """One file of weights: rates of this machine, and how its predictions differ from the original's."""

    name: str
    size_bytes: int
    prefill_tokens_per_s: float = 0.0
    decode_tokens_per_s: float = 0.0
    loss: float = 0.0
    """By how much the nats a token rose, as a share of the original's."""
    same: float = 1.0
    """Share of positions at which the likeliest token is the original's."""


class Requantized(msgspec.Struct, frozen=True):
    """What came of it: the type that was kept, empty for none, and all that was measured, the original first."""

    kept: str
    measured: tuple[Measured, ...]


class RequantizeAnswer(msgspec.Struct, frozen=True):
    """A line of the process that does it: a step, or at the end the result or an error."""

    step: str = ""
    result: Requantized | None = None
    error: Failed | None = None


class ProbeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What ``engine probe`` prints, as JSON: a description, or an error."""

    model: ModelInfo | None = None
    error: Failed | None = None


class Goodbye(msgspec.Struct, frozen=True, tag="goodbye"):
    """The process leaves in order; what was asked of it will not be answered."""


ClientFrame = Hello | Load | Generate | Cancel | Count | Query | Unload | Ping | Stop
HostFrame = Welcome | AnswerChunk | Counts | StatusReport | Heartbeat | Failed | Goodbye

_WORTH_CHARS: Final = 64  # shorter texts are sent each time

_encoder: Final = msgspec.msgpack.Encoder()
_client_frames: Final[msgspec.msgpack.Decoder[ClientFrame]] = msgspec.msgpack.Decoder(ClientFrame)
_host_frames: Final[msgspec.msgpack.Decoder[HostFrame]] = msgspec.msgpack.Decoder(HostFrame)
_length: Final = struct.Struct(">I")

_KINDS: Final[dict[str, type[SparkError]]] = {
    kind.__name__: kind
    for kind in (
        errors.ModelMissing,
        errors.ModelUnusable,
        errors.ModelNoFim,
        errors.EngineStarting,
        errors.EngineFailed,
        errors.EngineProtocolError,
    )
}


def encode(frame: ClientFrame | HostFrame) -> bytes:
    """Return a frame's bytes, its length in front.

    Raises:
        EngineProtocolError: the frame would be larger than MAX_FRAME_BYTES.
    """
    body = _encoder.encode(frame)
    if len(body) > MAX_FRAME_BYTES:
        raise EngineProtocolError(f"A frame of {len(body):,} bytes is over the limit of {MAX_FRAME_BYTES:,}.")
    return _length.pack(len(body)) + body


async def read_client_frame(reader: asyncio.StreamReader, *, max_bytes: int = MAX_FRAME_BYTES) -> ClientFrame | None:
    """Read a client's frame; None at the end of the stream.

    Raises:
        EngineProtocolError: the bytes are no such frame, or more than ``max_bytes``.
    """
    return await _read(reader, _client_frames, max_bytes)


async def read_host_frame(reader: asyncio.StreamReader) -> HostFrame | None:
    """Read a frame of the engine process; None at the end of the stream.

    Raises:
        EngineProtocolError: the bytes are no such frame.
    """
    return await _read(reader, _host_frames, MAX_FRAME_BYTES)


async def _read(reader: asyncio.StreamReader, decoder: msgspec.msgpack.Decoder[F], max_bytes: int) -> F | None:
    try:
        (size,) = _length.unpack(await reader.readexactly(_length.size))
        if size > max_bytes:
            raise EngineProtocolError(f"A frame of {size:,} bytes is over the limit of {max_bytes:,}.")
        body = await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise EngineProtocolError(f"A frame cannot be read: {error}.") from error


class KnownParts:
    """Prompt parts by number. Both ends of a connection apply the same rules to the same asks, so neither ever asks.

    A part that is worth a number gets the next one when it is sent. After each ask the parts that were not used for
    longest are forgotten until the rest is within the limit.
    """

    def __init__(self, most_chars: int) -> None:
        self._most_chars = most_chars
        self._parts: OrderedDict[int, PromptPart] = OrderedDict()
        self._chars = 0
        self._last = -1

    def use(self, number: int) -> PromptPart:
        """Return a part; KeyError where none has the number."""
        self._parts.move_to_end(number)
        return self._parts[number]

    def add(self, part: PromptPart) -> int | None:
        """Number a part that was sent; None where its text is as short as a number."""
        if isinstance(part, TextPart) and len(part.text) < _WORTH_CHARS:
            return None
        self._last += 1
        self._parts[self._last] = part
        self._chars += _cost(part)
        return self._last

    def shrink(self) -> list[PromptPart]:
        """Go back under the limit; return what was forgotten."""
        forgotten = []
        while self._chars > self._most_chars:
            _, part = self._parts.popitem(last=False)
            self._chars -= _cost(part)
            forgotten.append(part)
        return forgotten


def failed(request_id: int, error: SparkError) -> Failed:
    """Put an error on the wire."""
    kind = type(error).__name__
    if kind not in _KINDS:
        kind = errors.EngineFailed.__name__
    return Failed(request_id, kind, str(error), error.fix)


def error_of(frame: Failed) -> SparkError:
    """Take an error off the wire. An unknown kind, from a peer that is newer, is EngineFailed."""
    return _KINDS.get(frame.kind, errors.EngineFailed)(frame.message, fix=frame.fix)


def _cost(part: PromptPart) -> int:
    return len(part.text) + _WORTH_CHARS  # so that a limit on characters limits the number of parts as well
