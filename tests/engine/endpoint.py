"""A stand-in for an OpenAI-compatible endpoint on the test's own event loop, with the faults that a test requests."""

import asyncio
import contextlib
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

MODEL = "qwen2.5-coder-test"


@dataclass
class Asked:
    """One received request."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Endpoint:
    """Answers ``words``, one event each, after the faults that ``script`` has for the request."""

    words: list[str] = field(default_factory=lambda: ["return", " left", " + right", "\n"])
    script: list[str] = field(default_factory=list)
    """The faults of the next answers, one each: a status ("429", "429:1"), or a word of ``_misbehave``."""
    models_script: list[str] = field(default_factory=list)
    """The faults of the next lists of models, one each: a word of ``_hostile``."""
    model: str = MODEL
    row: dict[str, Any] = field(default_factory=dict)
    says: Callable[[Any], list[str]] | None = None
    """Chooses the words by the request's body; without it they are always ``words``."""
    asked: list[Asked] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client closes a connection in the middle of an answer."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    refuses: Callable[[Any], bool] = lambda _body: False
    certificate: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    @property
    def bodies(self) -> list[Any]:
        """The bodies of completion requests."""
        return [asked.body for asked in self.asked if asked.method == "POST"]


@contextlib.asynccontextmanager
async def running(endpoint: Endpoint) -> AsyncIterator[Endpoint]:
    """Listen until the block ends; on the same port again if there was one."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await _answers(endpoint, reader, writer)
        tasks.discard(task)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", endpoint.port, ssl=endpoint.certificate)
    endpoint.port = server.sockets[0].getsockname()[1]
    try:
        yield endpoint
    finally:
        server.close()
        for task in [*tasks]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answers(endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.casefold(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        method, path, _ = first.split(" ")
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        endpoint.asked.append(Asked(method, path, headers, json.loads(body) if body else None))
        endpoint.arrived.set()
        if method == "GET" and endpoint.models_script:
            await _hostile(endpoint.models_script.pop(0), reader, writer)
            return
        if method == "GET":
            rows = [{"id": endpoint.model, **endpoint.row}] if endpoint.model else []
            _send(writer, 200, json.dumps({"object": "list", "data": rows}).encode(), "application/json")
            continue
        request_body = endpoint.asked[-1].body
        if endpoint.refuses(request_body):
            _send(writer, 400, b'{"error":{"message":"unknown field, and a lot of your code"}}', "application/json")
        elif endpoint.script:
            if not await _misbehave(endpoint, endpoint.script.pop(0), reader, writer):
                return
        else:
            words = endpoint.says(request_body) if endpoint.says else endpoint.words
            _stream(words, writer, path)
        await writer.drain()


@cache
def packed_newlines() -> bytes:
    """Return 100 kB that decompress to 100 MB."""
    return gzip.compress(bytes([10]) * 100_000_000, 6)


async def _hostile(what: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a body that is small on the wire and large in memory, or an endless one."""
    kind = "application/json" if what.endswith("json") else "text/event-stream"
    if what.startswith("packed"):
        _send(writer, 200, packed_newlines(), kind, "Content-Encoding: gzip\r\n")
        await writer.drain()
        return
    if what.startswith("deep"):
        nested = b'{"choices":' + b"[" * 100_000
        _send(writer, 200, nested if kind == "application/json" else b"data: " + nested + b"\n\n", kind)
        await writer.drain()
        return
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    piece = {"endless": b" " * 65_536, "newlines": b"\n" * 65_536, "drip": b" "}[what.split(maxsplit=1)[0]]
    with contextlib.suppress(ConnectionError):
        while not reader.at_eof() and not writer.is_closing():
            _chunk(writer, piece)
            await writer.drain()
            await asyncio.sleep(0.02 if piece == b" " else 0)


async def _misbehave(endpoint: Endpoint, what: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Perform a fault; return whether the connection continues."""
    status, _, wait = what.partition(":")
    if status.isdigit():
        extra = f"Retry-After: {wait}\r\n" if wait else ""
        _send(writer, int(status), b'{"error":{"message":"a lot of your code"}}', "application/json", extra)
        return True
    if what == "too long":
        body = b'{"error":{"code":400,"type":"exceed_context_size_error","message":"a lot of your code"}}'
        _send(writer, 400, body, "application/json")
        return True
    if what.split(maxsplit=1)[0] in {"packed", "deep", "endless-body", "newlines"}:
        await _hostile(what.replace("endless-body", "endless"), reader, writer)
        return False
    if what == "drop":
        return False
    begin = _event(endpoint.words[0])
    wholes = {
        "whole": (b'{"choices":[{"text":"return left","finish_reason":"stop"}]}', "application/json"),
        "wrong json": (b'{"choices": "none"}', "application/json"),
        "page": (b"<html>Log in</html>", "text/html"),
        "not json": (b"data: {]\n\n", "text/event-stream"),
        "not utf-8": (b"data: \xff\xfe\n\n", "text/event-stream"),
        "error event": (begin + b'data: {"error":{"message":"out of memory"}}\n\n', "text/event-stream"),
        "half frame": (begin + b'data: {"choices":[{"te', "text/event-stream"),
        "no end": (begin, "text/event-stream"),
        "redirect": (b"", "text/plain"),
    }
    if what == "redirect":
        _send(writer, 307, b"", "text/plain", "Location: http://203.0.113.1/v1/completions\r\n")
        return True
    if what in wholes:
        _send(writer, 200, *wholes[what])
        return True
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    if what == "hang":
        await reader.read(1)
        endpoint.closed.set()
        return False
    if what == "cut":
        _chunk(writer, begin)
        await writer.drain()
        return False
    if what == "no line end":
        _chunk(writer, b"data: " + b"a" * (2 * 1024 * 1024))
        await writer.drain()
        return False
    if what == "endless":
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                _chunk(writer, _event("a"))
                await writer.drain()
                await asyncio.sleep(0)
                if writer.is_closing():
                    break
        endpoint.closed.set()
        return False
    assert what == "begin and hang", what
    _chunk(writer, begin)
    await writer.drain()
    await reader.read(1)
    endpoint.closed.set()
    return False


def _stream(words: list[str], writer: asyncio.StreamWriter, path: str) -> None:
    events = [_event(word, chat=path.endswith("/chat/completions")) for word in words]
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":200,"completion_tokens":%d,' % len(events)
    usage += b'"prompt_tokens_details":{"cached_tokens":150}}}\n\n'
    events += [b'data: {"choices":[{"text":"","finish_reason":"stop"}]}\n\n', usage, b"data: [DONE]\n\n"]
    _send(writer, 200, b": hello\n\n" + b"".join(events), "text/event-stream")


def _event(text: str, *, chat: bool = False) -> bytes:
    choice = {"delta": {"content": text}} if chat else {"text": text}
    return f"data: {json.dumps({'choices': [{**choice, 'finish_reason': None}]})}\n\n".encode()


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))


def _send(writer: asyncio.StreamWriter, status: int, body: bytes, kind: str, extra: str = "") -> None:
    head = f"HTTP/1.1 {status} Told\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    writer.write(head.encode() + body)
