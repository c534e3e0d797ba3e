"""HTTP to one endpoint: sends requests, streams events, and describes failures without content or key.

Closing a stream closes its connection, which tells the server to stop. Redirects are not followed: they would send
code and key to a host that nobody allowed. Bodies are never unpacked, and each has a limit of bytes and time.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import httpx2
import msgspec

from spark_lsp.engine.remote.hosts import Address
from spark_lsp.engine.remote.response import Event, EventLines, read_body, read_line
from spark_lsp.errors import EngineProtocolError, SettingsError

CONNECT_S: Final = 3.0
ANSWER_S: Final = 30.0
"""Longest silence of an endpoint, before its first token and between two."""

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""Largest JSON document of an endpoint: a list of models, or an answer that does not stream."""
MAX_STREAM_BYTES: Final = 16 * 1024 * 1024
"""Largest stream: the events of 4,096 tokens take 1 to 2 MB."""
MAX_STREAM_LINES: Final = 100_000
MAX_ANSWER_S: Final = 600.0
"""Longest that an answer may take, however lively its connection is."""
_MAX_MODEL_NAME_CHARS: Final = 256
_MAX_CONTEXT_TOKENS: Final = 16 * 1024 * 1024

_LOOKED_AT_BYTES: Final = 8192
_MAX_RETRY_S: Final = 2.0  # an editor does not wait longer than that, whatever a server requests
_BACK_OFF_S: Final = 0.1
_BUSY: Final = frozenset({429, 502, 503, 504})

for _name in ("httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # at INFO they tell of every request, at DEBUG of headers


@dataclass(frozen=True, slots=True)
class EndpointFailure:
    """Why an endpoint did not answer. ``words`` follow its host: "cannot be reached"."""

    words: str
    again_s: float | None = None
    """After how long the same request may be sent again; None where that would not help."""
    refuses_fields: bool = False
    """Whether it did not understand the request, which a plainer one may avoid."""
    fix: str = ""


class RemoteModelRow(msgspec.Struct, frozen=True):
    """A model that an endpoint serves. Context lengths are vLLM's and llama.cpp's fields; 0 if not reported."""

    id: str
    max_model_len: int | None = None
    meta: dict[str, Any] | None = None

    @property
    def context_tokens(self) -> int:
        """The context that the server was started with, as far as it says."""
        n_ctx = (self.meta or {}).get("n_ctx") or 0
        tokens = self.max_model_len or (n_ctx if isinstance(n_ctx, int) else 0)
        return min(max(0, tokens), _MAX_CONTEXT_TOKENS)


class _ModelList(msgspec.Struct, frozen=True):
    data: tuple[RemoteModelRow, ...] = ()


class RemoteLink:
    """One endpoint's connections. Belongs to one event loop; ``close`` gives them back."""

    def __init__(self, address: Address, key: str, ca_file: str, answer_s: float = ANSWER_S) -> None:
        self.address = address
        self._key = key
        self._ca_file = ca_file
        self._answer_s = answer_s
        self._client: httpx2.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def models(self) -> tuple[RemoteModelRow, ...] | EndpointFailure:
        """Ask which models are served.

        Raises:
            SettingsError: the file of certificates cannot be read.
        """
        client = await self._opened()
        try:
            async with asyncio.timeout(self._answer_s):
                async with client.stream("GET", f"{self.address.url}/models", headers=self._headers()) as answer:
                    if answer.status_code != httpx2.codes.OK:
                        return _refusal(answer.status_code, answer.headers)
                    body = b"".join([data async for data in _received(answer, MAX_BODY_BYTES)])
        except TimeoutError:
            return EndpointFailure(f"did not list its models within {self._answer_s:g} s")
        except httpx2.HTTPError as error:
            return _failure_of(error, self._answer_s)
        except EngineProtocolError as error:
            return _violation(error)
        try:
            rows = (await asyncio.to_thread(msgspec.json.decode, body, type=_ModelList)).data
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return EndpointFailure("answers, but not as an OpenAI-compatible endpoint does")
        return tuple(row for row in rows if len(row.id) <= _MAX_MODEL_NAME_CHARS)

    async def stream(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Event | EndpointFailure]:
        """Ask for an answer; yield its events, and at the end the failure if there was any."""
        client = await self._opened()
        try:
            async with client.stream(
                "POST", f"{self.address.url}{path}", content=msgspec.json.encode(body), headers=self._headers()
            ) as answer:
                if answer.status_code != httpx2.codes.OK:
                    yield _too_long(await _beginning(answer)) or _refusal(answer.status_code, answer.headers)
                    return
                async with aclosing(_events(answer)) as events:
                    async for event in events:
                        yield event
        except httpx2.HTTPError as error:
            yield _failure_of(error, self._answer_s)
        except EngineProtocolError as error:
            yield _violation(error)

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _headers(self) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            "Accept-Encoding": "identity",  # a packed body can be a thousand times as large as what arrives
        }
        return {**headers, "Authorization": f"Bearer {self._key}"} if self._key else headers

    async def _opened(self) -> httpx2.AsyncClient:
        async with self._opening:
            if self._client is None:
                # Reading the certificates takes a twentieth of a second.
                self._client = await asyncio.to_thread(_client, self.address, self._ca_file, self._answer_s)
            return self._client


def _client(address: Address, ca_file: str, answer_s: float) -> httpx2.AsyncClient:
    verify: ssl.SSLContext | bool = True
    if ca_file and address.is_encrypted:
        try:
            verify = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"spark.backend.caFile names {ca_file}, which cannot be read as certificates: {error}."
            ) from error
    return httpx2.AsyncClient(
        verify=verify,
        timeout=httpx2.Timeout(connect=CONNECT_S, read=answer_s, write=answer_s, pool=answer_s),
        limits=httpx2.Limits(max_connections=32, max_keepalive_connections=8),
        follow_redirects=False,
        trust_env=not address.is_local,  # a proxy for the outside must not see what stays here
    )


async def _received(answer: httpx2.Response, max_bytes: int) -> AsyncGenerator[bytes]:
    """Yield a body as it arrives, packed never.

    Raises:
        EngineProtocolError: it is packed, too large, or takes too long.
    """
    if answer.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
        raise EngineProtocolError("The endpoint sent a compressed answer, which was not requested.")
    loop = asyncio.get_running_loop()
    until_s = loop.time() + MAX_ANSWER_S
    size = 0
    async with aclosing(answer.aiter_raw()) as pieces:
        async for data in pieces:
            size += len(data)
            if size > max_bytes:
                raise EngineProtocolError(f"The endpoint sent an answer of more than {max_bytes:,} bytes.")
            if loop.time() > until_s:
                raise EngineProtocolError(f"The endpoint did not end its answer within {MAX_ANSWER_S:.0f} seconds.")
            yield data


async def _events(answer: httpx2.Response) -> AsyncGenerator[Event]:
    """Read the events of an answer that streams, or the one of an answer that does not."""
    if "application/json" in answer.headers.get("Content-Type", ""):
        body = b"".join([data async for data in _received(answer, MAX_BODY_BYTES)])
        yield await asyncio.to_thread(read_body, body)
        return
    lines = EventLines(MAX_STREAM_LINES)
    ended = False
    async with aclosing(_received(answer, MAX_STREAM_BYTES)) as pieces:
        async for data in pieces:
            for line in lines.feed(data):
                event = read_line(line)
                if event is not None:
                    ended = ended or bool(event.finish) or event.is_last
                    yield event
                if event is not None and event.is_last:
                    return
    rest = lines.rest.strip()
    if rest and not b"data:".startswith(rest[:5]):
        read_line(rest.decode("utf-8", "replace"))  # says that it is no event at all
    if rest or not ended:
        raise EngineProtocolError("The endpoint ended its answer early.")


async def _beginning(answer: httpx2.Response) -> bytes:
    """Return the beginning of an error's body, which is examined and never shown: it may repeat the prompt."""
    data = b""
    async with aclosing(answer.aiter_raw()) as pieces:
        async for piece in pieces:
            data += piece
            if len(data) > _LOOKED_AT_BYTES:
                break
    return data[:_LOOKED_AT_BYTES]


def _violation(error: EngineProtocolError) -> EndpointFailure:
    return EndpointFailure(f"violates the protocol: {str(error).removeprefix('The endpoint ').rstrip('.')}")


def _too_long(body: bytes) -> EndpointFailure | None:
    """Say so when an error is about the length of the prompt: in llama.cpp's words, or in vLLM's and OpenAI's."""
    if not any(words in body for words in (b"exceed_context_size", b"maximum context length", b"context window")):
        return None
    fix = "Set spark.backend.contextTokens to what the server was started with, or start it with more."
    return EndpointFailure("has a shorter context than the prompt needs", fix=fix)


def _refusal(status: int, headers: httpx2.Headers) -> EndpointFailure:
    if status in {401, 403}:
        fix = "Put the key into an environment variable and its name into spark.backend.apiKeyEnv."
        return EndpointFailure(f"refused the key (status {status})", fix=fix)
    if status == 404:
        return EndpointFailure(
            "does not know the address or the model (status 404)", fix="Check spark.backend.urls and model."
        )
    if status in {400, 422}:
        return EndpointFailure(f"did not understand the request (status {status})", refuses_fields=True)
    if status in _BUSY:
        return EndpointFailure(f"is too busy (status {status})", again_s=_retry_after(headers))
    return EndpointFailure(f"failed with status {status}")


def _retry_after(headers: httpx2.Headers) -> float | None:
    header = headers.get("Retry-After", "")
    try:
        wait = float(header) if header else _BACK_OFF_S
    except ValueError:
        wait = _BACK_OFF_S  # a date, which says nothing about the next second
    return wait if 0 <= wait <= _MAX_RETRY_S else None


def _failure_of(error: httpx2.HTTPError, answer_s: float) -> EndpointFailure:
    if isinstance(error, httpx2.ConnectError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        fix = "Name the certificate of your own authority in spark.backend.caFile; checks cannot be switched off."
        return EndpointFailure("has a certificate that is not trusted", fix=fix)
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return EndpointFailure("cannot be reached", again_s=_BACK_OFF_S)
    if isinstance(error, httpx2.TimeoutException):
        return EndpointFailure(f"sent nothing for {answer_s:g} s")
    return EndpointFailure("closed the connection", again_s=_BACK_OFF_S)
