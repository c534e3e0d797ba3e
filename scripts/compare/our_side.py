"""Drive our side: the language server over stdio, as an editor does, with the engine process that it starts.

Each key is a change and a streaming request; completions are not triggered by hand, so the gates apply as in typing.
Settings that differ from the defaults: no debounce, the model, the threads, and the size of the context.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from lsprotocol import types

from scripts.compare.measure import How, KeyTime, rest
from scripts.compare.trace import Trace, Visit
from scripts.harness.editor import REAL, Editor, editor

_PRIVATE: Final = "SPARK_LSP_RUNTIME_DIR"  # where the test editor puts the engine's socket, within its folder
_READY_S: Final = 180.0
_READ_S: Final = 1800.0
_STEADY_S: Final = 4.0
"""Seconds without a change of the cached prefix after which it is complete; pauses of the prefill are shorter."""
_STREAM: Final = "spark/inlineCompletionStream"


class OurSide:
    """One editor window. ``prepare`` waits until the cached prefix is complete."""

    def __init__(self, window: Editor, folder: Path) -> None:
        self._window = window
        self._folder = folder
        self._pids: list[int] = []
        self._token = 0

    async def prepare(self, trace: Trace) -> None:
        """Open a file that no visit uses, and wait until index and cached prefix are complete.

        Raises:
            TimeoutError: the index or the model did not become ready.
        """
        visited = {visit.path for visit in trace.visits}
        path = next(path for path in sorted(trace.files) if path not in visited)
        self._open(path, trace.files[path])
        async with asyncio.timeout(_READY_S):
            while not self._is_ready():  # noqa: ASYNC110 - the test editor's own wait gives up after 20 s
                await asyncio.sleep(0.1)
        await self._ask(path, types.Position(trace.files[path].count("\n"), 0))
        self._pids = _pids_in(await self._engine("status", "--json"))
        known = -1
        while known != self.resident_tokens:
            known = self.resident_tokens
            await asyncio.sleep(_STEADY_S)
            await self.rest(_READ_S)

    @property
    def resident_tokens(self) -> int:
        """Tokens of the cached prefix that are prefilled, as the server reports them to its editor."""
        return int(self._window.statuses[-1].resident_tokens)

    def _is_ready(self) -> bool:
        return any(status.kind == "Normal" and status.indexed.of for status in self._window.statuses[-1:])

    async def rest(self, limit_s: float) -> None:
        """Wait until server and engine compute nothing."""
        await asyncio.to_thread(rest, [os.getpid(), *self._pids], limit_s)

    async def arrive(self, old: Visit | None, new: Visit, pause_s: float) -> None:
        """Save and leave one file and move to a place in the next, with the notifications of our editor plugins."""
        if old:
            (self._window.root / old.path).write_text(old.left_behind, "utf-8")
            identifier = types.TextDocumentIdentifier(self._window.uri(old.path))
            self._window.client.text_document_did_save(types.DidSaveTextDocumentParams(identifier))
        if new.path not in self._window.versions:
            self._open(new.path, new.text)
        at = _position(new.text[: new.offset])
        place = {
            "textDocument": {"uri": self._window.uri(new.path)},
            "position": {"line": at.line, "character": at.character},
        }
        self._window.client.protocol.notify("textDocument/didFocus", place)
        await asyncio.sleep(pause_s)

    async def type(self, visit: Visit, number: int) -> AsyncIterator[KeyTime]:
        """Type a visit's keys, with a request at each."""
        typed = ""
        for key, inserted in enumerate(visit.keys):
            before = visit.text[: visit.offset] + typed
            typed += inserted
            at, then = _position(before), _position(before + inserted)
            began = time.perf_counter()
            self._window.change(visit.path, types.Range(at, at), inserted)
            first_ms, answer_ms = await self._timed(visit.path, then, began)
            log = await self._window.send("spark/log", {})
            yield _key_time(log.requests[-1], first_ms, answer_ms, visit=number, key=key)

    async def _timed(self, path: str, at: types.Position, began: float) -> tuple[float, float]:
        """Send a request; return when the first text and the whole answer came, in ms after ``began``."""
        partials = len(self._window.partials)
        asked = asyncio.create_task(self._ask(path, at))
        shown = asyncio.create_task(self._window.until(lambda window: len(window.partials) > partials))
        await asyncio.wait((asked, shown), return_when=asyncio.FIRST_COMPLETED)
        if shown.done() and shown.exception():  # the request timed out before any text came
            await asyncio.wait((asked,))
        first_ms = (time.perf_counter() - began) * 1000
        await asked
        answer_ms = (time.perf_counter() - began) * 1000
        shown.cancel()
        await asyncio.gather(shown, return_exceptions=True)
        return first_ms, answer_ms

    async def _ask(self, path: str, at: types.Position) -> Any:
        self._token += 1
        params = {
            "textDocument": {"uri": self._window.uri(path)},
            "position": {"line": at.line, "character": at.character},
            "context": {"triggerKind": types.InlineCompletionTriggerKind.Automatic.value},
            "partialResultToken": f"key-{self._token}",
        }
        return await self._window.send(_STREAM, params)

    def _open(self, path: str, text: str) -> None:
        self._window.texts[path], self._window.versions[path] = text, 1
        item = types.TextDocumentItem(self._window.uri(path), "python", 1, text)
        self._window.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    async def _engine(self, *words: str) -> bytes:
        environment = {**os.environ, _PRIVATE: str(self._folder / _PRIVATE)}
        command = [sys.executable, "-m", "spark_lsp", "engine", *words]
        done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, check=True)
        return done.stdout

    async def stop(self) -> None:
        """End the engine; the window's server ends with the window."""
        await self._engine("stop")


@asynccontextmanager
async def our_side(
    folder: Path, trace: Trace, model: Path, context_tokens: int, threads: int
) -> AsyncIterator[OurSide]:
    """Open a window on the trace's workspace, written into a new folder."""
    root = folder / "workspace"
    for path, text in trace.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
    settings = {
        "model": str(model),
        "context": {"maxTokens": context_tokens},
        "completion": {"debounce": 0},
        "engine": {"threads": threads, "gpuLayers": 0, "idleMinutes": 5},
    }
    async with AsyncExitStack() as stack:
        window = await stack.enter_async_context(editor("#- notes.md\nTo do.\n", folder, REAL, settings=settings))
        side = OurSide(window, folder)
        stack.push_async_callback(side.stop)
        yield side


def _position(before: str) -> types.Position:
    """Return where a text ends, in lines and UTF-16 units."""
    line, last = before.count("\n"), before.rpartition("\n")[2]
    return types.Position(line, len(last.encode("utf-16-le")) // 2)


def _key_time(record: Any, first_ms: float, answer_ms: float, **place: int) -> KeyTime:
    """Join what the editor saw with the server's log entry for the same request."""

    def fact(name: str) -> Any:
        return getattr(record.facts, name, 0)

    how: How = "model"
    if record.reason.startswith("gate.") or record.reason in ("disabled", "paused"):
        how = "refused"
    elif fact("reuse") == "typed_through_or_same":
        how = "kept"
    return KeyTime(
        **place,
        how=how,
        first_text_ms=first_ms,
        answer_ms=answer_ms,
        prompt_tokens=int(fact("prompt_tokens")),
        read_tokens=int(fact("prefill_tokens")),
        written_tokens=int(fact("generated_tokens")),
    )


def _pids_in(status: bytes) -> list[int]:
    """Return every process id in the engine's status."""
    pids: list[int] = []
    waiting = [json.loads(status or b"null")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            pids += [value["pid"]] if isinstance(value.get("pid"), int) else []
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return pids
