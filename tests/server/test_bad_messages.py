"""Messages that no client should send: each request is answered, the server goes on, standard output holds only LSP."""

import asyncio
import json
import logging
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from scripts.harness.editor import PATIENCE_S
from spark_lsp.app import open_workspace
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.server.convert import position_in, selected_in
from spark_lsp.server.protocol import OneLineFilter
from spark_lsp.server.server import SparkServer

pytestmark = pytest.mark.slow


def _framed(message: Any) -> bytes:
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def _request(number: int, method: str, params: Any = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


async def _read(stream: asyncio.StreamReader) -> dict[str, Any]:
    length = 0
    while (line := await stream.readline()).strip():
        name, _, value = line.partition(b":")
        assert name in (b"Content-Length", b"Content-Type"), f"{line!r} is not LSP"
        length = int(value) if name == b"Content-Length" else length
    return json.loads(await stream.readexactly(length))


async def _answer_to(stream: asyncio.StreamReader, number: int) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message = await _read(stream)
            if message.get("id") == number and "method" not in message:
                return message


BAD = {
    "not_json": b"Content-Length: 4\r\n\r\n{{{{",
    "lines": b"garbage\r\nmore of it\r\n\r\n",
    "bytes": b"\x00\xff\xfe" * 50 + b"\r\n\r\n",
    "no_number": b"Content-Length: many\r\n\r\n",
    "a_list": _framed([1, 2, 3]),
    "unknown_notification": _framed({"jsonrpc": "2.0", "method": "no/such", "params": {}}),
    "broken_notification": _framed({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": {"a": 1}}),
}


@pytest.fixture
async def server(tmp_path: Path):
    private = {name: str(tmp_path / name) for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.server.scripted_server",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **private},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(_framed(_request(1, "initialize", {"processId": None, "rootUri": None, "capabilities": {}})))
    await _answer_to(process.stdout, 1)
    process.stdin.write(_framed({"jsonrpc": "2.0", "method": "initialized", "params": {}}))
    yield process
    process.stdin.write(_framed(_request(90, "shutdown")))
    await _answer_to(process.stdout, 90)
    process.stdin.write(_framed(_request(91, "spark/log", {})))
    assert (await _answer_to(process.stdout, 91))["error"]["code"] == -32600
    process.stdin.write(_framed({"jsonrpc": "2.0", "method": "exit"}))
    assert await process.wait() == 0


@pytest.mark.parametrize("name", BAD)
async def test_garbage_is_passed_over(name: str, server: asyncio.subprocess.Process) -> None:
    server.stdin.write(BAD[name])
    server.stdin.write(_framed(_request(2, "spark/log", {})))
    assert (await _answer_to(server.stdout, 2))["result"] == {"requests": []}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("no/such", None, -32601),
        ("textDocument/inlineCompletion", {"foo": 1}, -32602),
        ("workspace/executeCommand", {"command": "no.such"}, -32602),
        ("spark/context", "a string", None),
        ("spark/context", {"textDocument": {"uri": "file:///x"}, "position": {"line": "a"}}, None),
        ("spark/inlineCompletionStream", {"position": {}}, None),
        ("codeAction/resolve", {"title": "x", "data": {"uri": 3}}, None),
        ("codeAction/resolve", {"title": "x", "data": _nested(400)}, -32603),
        ("$/cancelRequest", {"id": 1}, -32600),
        ("$/setTrace", {"value": "off"}, -32600),
        ("initialized", {}, -32600),
        ("window/workDoneProgress/cancel", {"token": 1}, -32600),
        ("workspace/didChangeConfiguration", {"settings": {}}, -32600),
        ("textDocument/didClose", {"textDocument": {"uri": "file:///x"}}, -32600),
        ("textDocument/didClose", None, -32600),
    ],
)
async def test_bad_requests_are_answered(
    method: str, params: Any, code: int | None, server: asyncio.subprocess.Process
) -> None:
    server.stdin.write(_framed(_request(2, method, params)))
    answer = await _answer_to(server.stdout, 2)
    assert answer.get("error", {}).get("code") == code


@pytest.mark.parametrize("method", ["textDocument/didOpen", "textDocument/didChange", "textDocument/didClose"])
async def test_a_notification_leaves_nothing_behind(method: str) -> None:
    server = SparkServer(partial(open_workspace, engine=ScriptedEngine(["x"])))
    item = {"uri": "file:///w/a.py", "languageId": "python", "version": 1, "text": ""}
    message = {"jsonrpc": "2.0", "method": method, "params": {"textDocument": item, "contentChanges": []}}
    for _ in range(3):
        server.protocol.handle_message(server.protocol.structure_message(message))
    assert server.protocol._request_futures == {}


def test_what_pygls_logs_of_a_message_is_one_line() -> None:
    seen = OneLineFilter()
    try:
        json.loads("{{")
    except ValueError:
        problem = sys.exc_info()
    record = logging.LogRecord("pygls.protocol.json_rpc", logging.ERROR, "", 1, "Failed %s\nmore", ("x",), problem)
    assert seen.filter(record)
    assert logging.Formatter("%(message)s").format(record) == "Failed x"
    known = logging.LogRecord(
        "pygls.protocol.json_rpc", logging.ERROR, "", 1, "Unable to deserialize message\nTrace", (), None
    )
    assert not seen.filter(known), "the protocol has said it"
    own = logging.LogRecord("spark_lsp.server", logging.ERROR, "", 1, "ours", (), problem)
    assert seen.filter(own)
    assert "Traceback" in logging.Formatter("%(message)s").format(own)


@pytest.mark.parametrize("number", [-1, -(2**40), 2**31, 2**80, True])
def test_positions_that_lsp_cannot_express_are_clamped(number: int) -> None:
    place = {"line": number, "character": number}
    assert position_in({"position": place}) == types.Position(*[min(max(number, 0), 2**31 - 1)] * 2)
    assert selected_in({"selectedCompletionInfo": {"range": {"start": place, "end": place}, "text": "x"}}) is not None
