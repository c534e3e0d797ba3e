"""Simulate an impatient typist: the keys come at their times, whether or not the previous answer has arrived.

Two editors: ``Streaming`` sends requests as this project's plugins do (a stream goes on while its text is typed),
``Standard`` as a client of LSP 3.18 does (each key sends a request and cancels the previous one).

The account counts: shown, keys after which a suggestion was visible before the next key; appeared, times that one
appeared where none was; continued, keys that typed the visible text; stable, those whose rest stayed until the next
key; flicker, a suggestion replaced by anything but its extension; right, suggestions that equal the typed text.
"""

import asyncio
import sys
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from scripts.typing_trace.functions import Function, keys_of
from scripts.typing_trace.pace import BEFORE_LINE, pauses_ms
from scripts.typing_trace.sight import percentile, repeats, unbalances
from scripts.typing_trace.watched import WatchedEngine
from spark_lsp.completion.answer import CompletionAnswer, Suggestion
from spark_lsp.completion.completer import Completer
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.text.snapshot import Snapshot


@dataclass(slots=True)
class Account:
    """What the typist saw, and its cost."""

    functions: int = 0
    keys: int = 0
    shown: int = 0
    right: int = 0
    continued: int = 0
    stable: int = 0
    flicker: int = 0
    duplicated_suffix: int = 0
    unbalanced: int = 0
    editor_requests: int = 0
    cancelled: int = 0
    """Requests that the editor cancelled before they were answered."""
    reasons: Counter[str] = field(default_factory=Counter)
    appeared_ms: list[float] = field(default_factory=list)
    """Milliseconds from the last key to a suggestion where none was visible."""
    typed_through_ms: list[float] = field(default_factory=list, compare=False)
    """Real milliseconds of answers that needed no model. A stream that goes on sends no request."""

    def answered(self, answer: CompletionAnswer) -> None:
        """Record a final answer."""
        self.reasons[answer.reason] += 1
        if answer.record and answer.record.facts.get("reuse") == "typed_through_or_same":
            self.typed_through_ms.append(answer.record.total_ms)

    def summary(self, engine: WatchedEngine) -> dict[str, object]:
        """Return the figures; a request to the model is wasted if no part of its answer was ever visible."""
        plain = [ask for ask in engine.asks if not ask.is_prepared]
        prepared = [ask for ask in engine.asks if ask.is_prepared]
        names = ("functions", "keys", "shown", "right", "continued", "stable", "flicker", "duplicated_suffix",
                 "unbalanced", "editor_requests", "cancelled")  # fmt: skip
        return {name: getattr(self, name) for name in names} | {
            "appeared": len(self.appeared_ms),
            "appeared_p50_ms": percentile(self.appeared_ms, 0.5),
            "appeared_p95_ms": percentile(self.appeared_ms, 0.95),
            "typed_through": len(self.typed_through_ms),
            "typed_through_p95_ms": percentile(self.typed_through_ms, 0.95),
            "reasons": dict(self.reasons.most_common()),
            "model_requests": len(plain),
            "stopped_in_the_model": sum(ask.is_stopped for ask in plain),
            "wasted": sum(not ask.is_seen for ask in plain),
            "prepared_requests": len(prepared),
            "prepared_and_seen": sum(ask.is_seen for ask in prepared),
            "requests_per_100_keys": round(100 * len(plain) / max(1, self.keys), 1),
        }


@dataclass(slots=True)
class Screen:
    """The visible text at the cursor."""

    account: Account
    engine: WatchedEngine
    text: str = ""
    coming: str = ""
    """The text that will be typed."""
    _key_s: float = 0.0
    _is_counted: bool = False
    """Whether this key was counted as one with a suggestion."""
    _is_faultless: bool = True
    _was_continued: bool = False

    def key(self, key: str, coming: str, now_s: float) -> None:
        """Type a key: a matching suggestion gets shorter, any other key removes it."""
        self.close()
        self.account.keys += 1
        self.coming, self._key_s, self._is_counted, self._is_faultless = coming, now_s, False, True
        self._was_continued = self.text.startswith(key) and len(self.text) > len(key)
        self.text = self.text[len(key) :] if self._was_continued else ""
        self.account.continued += self._was_continued
        self._look()

    def put(self, cursor: CursorContext, text: str, replaced: int) -> None:
        """Show the rest of an answer at the cursor; an empty one removes the suggestion."""
        now_s = asyncio.get_running_loop().time()
        if text == self.text:
            return
        if not text.startswith(self.text):
            self.account.flicker += 1
            self._is_faultless = False
            sys.stderr.write(f"flicker {cursor.snapshot.uri} {cursor.line_prefix!r} {self.text!r} {text!r}\n")
        elif not self.text:
            self.account.appeared_ms.append((now_s - self._key_s) * 1000)
        self.text = text
        if text:
            self.engine.seen(text)
            self.account.unbalanced += unbalances(cursor, text, replaced)
            self.account.duplicated_suffix += repeats(cursor, text, replaced)
        self._look()

    def close(self) -> None:
        """End the time of a key."""
        self.account.stable += self._was_continued and self._is_faultless
        self.account.right += bool(self.text) and self.coming.startswith(self.text)
        self._was_continued = False

    def _look(self) -> None:
        if self.text and not self._is_counted:
            self._is_counted = True
            self.account.shown += 1


class Editor(Protocol):
    """How an editor sends requests while its user types."""

    def key(self, cursor: CursorContext) -> None:
        """Handle a typed key; send a request if necessary."""
        ...

    async def close(self) -> None:
        """Cancel open requests."""
        ...


@dataclass
class Standard:
    """Sends a request at each key, and cancels the previous one."""

    completer: Completer
    screen: Screen
    _asking: list[asyncio.Task[None]] = field(default_factory=list)

    def key(self, cursor: CursorContext) -> None:
        """Send a new request."""
        self._take_back()
        self.screen.account.editor_requests += 1
        self._asking.append(asyncio.create_task(self._ask(cursor)))

    async def close(self) -> None:
        """Cancel the last request."""
        self._take_back()
        await asyncio.gather(*self._asking, return_exceptions=True)
        self._asking.clear()

    def _take_back(self) -> None:
        if self._asking and not self._asking[-1].done():
            self.screen.account.cancelled += 1
            self._asking[-1].cancel()

    async def _ask(self, cursor: CursorContext) -> None:
        answer = await self.completer.complete(cursor, manual=False)
        self.screen.account.answered(answer)
        suggestion = answer.suggestion
        self.screen.put(cursor, suggestion.text if suggestion else "", suggestion.replaced if suggestion else 0)


@dataclass
class _Stream:
    """One stream, and its position."""

    cursor: CursorContext
    suggestion: Suggestion | None = None
    is_ended: bool = False
    task: asyncio.Task[None] | None = None

    def rest(self, cursor: CursorContext) -> str:
        """Return the rest of the text at a later cursor; empty if something else was typed."""
        typed, text = self._typed(cursor), self.suggestion.text if self.suggestion else ""
        return text[len(typed) :] if text.startswith(typed) else ""

    def fits(self, cursor: CursorContext) -> bool:
        """Whether a key was the next one of this text, or one after its end so far."""
        text = self.suggestion.text if self.suggestion else ""
        is_ahead = not self.is_ended and text != "" and self._typed(cursor).startswith(text)
        return self.rest(cursor) != "" or is_ahead

    def _typed(self, cursor: CursorContext) -> str:
        return cursor.prefix[len(self.cursor.prefix) :]


@dataclass
class Streaming:
    """Sends a request if the typed text differs from the stream's."""

    completer: Completer
    screen: Screen
    _cursor: CursorContext | None = None
    _stream: _Stream | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def key(self, cursor: CursorContext) -> None:
        """Send a request, unless the stream goes on."""
        self._cursor = cursor
        if self._stream and self._stream.fits(cursor):
            return
        self._take_back()
        self.screen.account.editor_requests += 1
        stream = self._stream = _Stream(cursor)
        stream.task = asyncio.create_task(self._ask(stream))
        self._tasks.append(stream.task)

    async def close(self) -> None:
        """Cancel the stream."""
        self._take_back()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def _take_back(self) -> None:
        stream, self._stream = self._stream, None
        if stream and stream.task and not stream.task.done():
            self.screen.account.cancelled += 1
            stream.task.cancel()

    async def _ask(self, stream: _Stream) -> None:
        async with aclosing(self.completer.stream(stream.cursor, manual=False)) as answers:
            async for answer in answers:
                if answer.final:
                    self.screen.account.answered(answer)
                if stream is self._stream and self._cursor:
                    self._take(stream, self._cursor, answer)

    def _take(self, stream: _Stream, cursor: CursorContext, answer: CompletionAnswer) -> None:
        stream.suggestion, stream.is_ended = answer.suggestion, answer.final
        if not (stream.fits(cursor) or answer.final):
            self._take_back()
        self.screen.put(cursor, stream.rest(cursor), stream.suggestion.replaced if stream.suggestion else 0)


class Typist:
    """Types functions into one workspace, at the same times for the same seed, and keeps the account."""

    def __init__(self, completer: Completer, engine: WatchedEngine, *, seed: int = 0, streams: bool = True) -> None:
        self._completer = completer
        self._random = Random(seed)  # noqa: S311 - a rhythm, no secret
        self.account = Account()
        self._screen = Screen(self.account, engine)
        self._editor: Editor = (Streaming if streams else Standard)(completer, self._screen)

    async def type(self, function: Function) -> None:
        """Type one function, and wait a moment at its end."""
        self.account.functions += 1
        keys, typed, now_s = list(keys_of(function.body)), "", asyncio.get_running_loop().time
        for version, (key, pause_ms) in enumerate(zip(keys, pauses_ms(keys, self._random), strict=True), 1):
            await asyncio.sleep(pause_ms / 1000)
            typed += key
            before = function.before + typed
            snapshot = Snapshot(
                function.path.as_uri(), function.path, version, function.language, before + function.after
            )
            cursor = CursorContext(snapshot, len(before))
            self._screen.key(key, function.body[len(typed) :], now_s())
            self._completer.changed(cursor)
            self._editor.key(cursor)
        await asyncio.sleep(BEFORE_LINE.median_ms / 1000)
        self._screen.close()
        self._screen.text = ""
        await self._editor.close()
        self._completer.forget(function.path.as_uri())
