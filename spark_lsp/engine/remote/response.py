"""Reads the stream of an OpenAI-compatible endpoint: events become text, cut at the end of the answer. Pure.

Each rule is for a server that misbehaves: events that break off, lines without an end, special tokens that are spelled
out, a chat answer that repeats its given beginning.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from spark_lsp.errors import EngineProtocolError

MAX_LINE_BYTES: Final = 1024 * 1024
"""Longest line of a stream; a token's event has some hundred bytes."""

_DONE: Final = "[DONE]"
_FENCE: Final = "```"
_MAX_PREAMBLE: Final = 400  # characters of small talk before the fence of an answer


class _Details(msgspec.Struct, frozen=True):
    cached_tokens: int | None = 0


class ReportedUsage(msgspec.Struct, frozen=True):
    """What a server counted."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None

    @property
    def cached_tokens(self) -> int | None:
        """Tokens of the prompt that the server had already read; None where it does not say."""
        return None if self.prompt_tokens_details is None else self.prompt_tokens_details.cached_tokens or 0


class _Said(msgspec.Struct, frozen=True):
    content: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    text: str | None = None
    delta: _Said | None = None
    message: _Said | None = None
    finish_reason: str | None = None


class _Event(msgspec.Struct, frozen=True):
    choices: tuple[_Choice, ...] = ()
    usage: ReportedUsage | None = None
    error: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream. ``finish`` is the reason for the end, "" while the answer continues."""

    text: str = ""
    finish: str = ""
    usage: ReportedUsage | None = None
    is_last: bool = False


def read_line(line: str) -> Event | None:
    """Return the event of a line; None for blank lines, comments and fields that do not count here.

    Raises:
        EngineProtocolError: the line is not an event of a completion.
    """
    if not line.startswith("data:"):
        if line and not line.startswith((":", "event:", "id:", "retry:")):
            raise EngineProtocolError("The endpoint sent something that is not a stream of events.")
        return None
    data = line[len("data:") :].strip()
    if data == _DONE:
        return Event(is_last=True)
    return read_body(data.encode())


def read_body(data: bytes) -> Event:
    """Return the event of a JSON text: one of a stream, or a whole answer of a server that does not stream.

    Raises:
        EngineProtocolError: it is none.
    """
    try:
        event = msgspec.json.decode(data, type=_Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EngineProtocolError("The endpoint sent an answer that is not the JSON of a completion.") from error
    if bytes(event.error) not in {b"", b"null"}:
        raise EngineProtocolError("The endpoint ended its answer with an error.")
    if not event.choices:
        return Event(usage=event.usage)
    choice = event.choices[0]
    message = choice.delta or choice.message
    return Event(choice.text or (message.content if message else "") or "", choice.finish_reason or "", event.usage)


class EventLines:
    """Splits bytes into lines, ``max_lines`` at most; an incomplete line at the end of a stream is half a frame."""

    def __init__(self, max_lines: int = 100_000) -> None:
        self._left = max_lines
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[str]:
        """Take bytes in and return the lines that are whole, without blank ones.

        Raises:
            EngineProtocolError: a line has no end, there are too many, or one is no text.
        """
        count = data.count(b"\n")
        self._left -= count
        if self._left < 0:
            raise EngineProtocolError("The endpoint sent too many lines.")
        if not count:
            whole: list[bytes] = []
            self._rest += data  # searched once: a line that comes byte by byte costs no more than its length
        else:
            first, *whole, rest = data.split(b"\n")
            whole.insert(0, bytes(self._rest) + first)
            self._rest = bytearray(rest)
        if len(self._rest) > MAX_LINE_BYTES or any(len(line) > MAX_LINE_BYTES for line in whole):
            raise EngineProtocolError(f"The endpoint sent a line of more than {MAX_LINE_BYTES:,} bytes.")
        try:
            return [text for line in whole if line and (text := line.rstrip(b"\r").decode())]
        except UnicodeDecodeError as error:
            raise EngineProtocolError("The endpoint sent text that is not UTF-8.") from error

    @property
    def rest(self) -> bytes:
        """What came after the last line end."""
        return bytes(self._rest)


class StopScanner:
    """Cuts an answer at the first stop that is spelled out in it, holding back what may become one."""

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""

    def feed(self, text: str) -> tuple[str, bool]:
        """Take a piece in; return what is sure to be shown, and whether a stop was met."""
        text = self._held + text
        stops_at = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if stops_at:
            self._held = ""
            return text[: min(stops_at)], True
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], False

    def flush(self) -> str:
        """Return what was held back, at the end of an answer."""
        held, self._held = self._held, ""
        return held


class OpeningSkipper:
    """Leaves out what a conversation's answer says up to the fence that it was to begin with.

    Endpoints differ in whether an answer goes on with a beginning or makes its own.
    """

    def __init__(self, opening: str) -> None:
        self._waits = _FENCE in opening
        self._held = ""

    def feed(self, text: str) -> str:
        """Take a piece in and return what belongs to the answer."""
        if not self._waits:
            return text
        self._held += text
        at = self._held.find(_FENCE)
        end = self._held.find("\n", at) if at >= 0 else -1
        if end < 0 and len(self._held) < _MAX_PREAMBLE:
            return ""
        self._waits = False
        held, self._held = self._held, ""
        return held[end + 1 :] if end >= 0 else held

    def flush(self) -> str:
        """Return an answer that never had a fence."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Return how many characters at the end of a text may be the beginning of a stop."""
    most = min(len(text), len(stop) - 1)
    return next((size for size in range(most, 0, -1) if text.endswith(stop[:size])), 0)
