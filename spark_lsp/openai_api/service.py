"""The HTTP service: routes, the token, the limits on what comes in, and one answer for each request.

Every request but ``/health`` needs the token, so a web page that reaches the port learns nothing.
"""

import asyncio
import hmac
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final, cast

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route as Path

from spark_lsp.engine.base import CompletionRequest, Engine, ModelInfo
from spark_lsp.engine.fim import pieces, prompt_tokens
from spark_lsp.errors import SparkError
from spark_lsp.openai_api.answers import AnswerPart, answer
from spark_lsp.openai_api.api_error import ApiError, invalid, of_engine
from spark_lsp.openai_api.hang_up import EventStream, unless_gone
from spark_lsp.openai_api.prompts import engine_request, max_tokens, prompt_parts
from spark_lsp.openai_api.requests import ChatBody, Common, CompletionBody, InfillBody, decode
from spark_lsp.openai_api.responses import Reply, Route, event, models_of

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
BODY_TIMEOUT_S: Final = 30.0
MAX_REQUESTS: Final = 16
"""At the same time; the engine answers one after the other, so more would only wait."""
HUNG_UP: Final = 499
"""What nginx logs for a client that is gone; nobody receives it."""
ANY_MODEL: Final = frozenset({"", "default", "spark"})
"""Names that mean the model of the route."""

_KINDS: Final[dict[Route, type[Common]]] = {"completions": CompletionBody, "chat": ChatBody, "infill": InfillBody}
_log = logging.getLogger("spark_lsp.openai_api")


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model by the name that clients use."""

    name: str
    engine: Engine


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may take. ``idle_s`` is the time without a request after which the engines are left."""

    body_bytes: int = MAX_BODY_BYTES
    body_s: float = BODY_TIMEOUT_S
    requests: int = MAX_REQUESTS
    idle_s: float = 600.0


class Service:
    """Answers requests with its models. Belongs to one event loop."""

    def __init__(self, completion: ServedModel, chat: ServedModel, token: str, limits: Limits | None = None) -> None:
        """``completion`` goes on with text and fills in, ``chat`` is talked to; one model may be both."""
        assert token, "nobody serves without a token"
        self._models: Mapping[Route, ServedModel] = {"completions": completion, "infill": completion, "chat": chat}
        self._token = token.encode()
        self._limits = limits or Limits()
        self._created = int(time.time())
        self._running = 0
        self._leaving: asyncio.Task[None] | None = None

    def app(self) -> Starlette:
        """Return the ASGI application."""

        def path(route: Route) -> Callable[[Request], object]:
            async def handle(request: Request) -> Response:
                return await self._answer(request, route)

            return handle

        return Starlette(
            routes=[
                Path("/health", _health, methods=["GET"]),
                *(Path(place, self._list, methods=["GET"]) for place in ("/v1/models", "/models")),
                *(Path(place, path("completions"), methods=["POST"]) for place in ("/v1/completions", "/completions")),
                Path("/v1/chat/completions", path("chat"), methods=["POST"]),
                Path("/chat/completions", path("chat"), methods=["POST"]),
                Path("/infill", path("infill"), methods=["POST"]),
            ],
            exception_handlers={HTTPException: _not_served, Exception: _bug},
            lifespan=self._lifespan,
        )

    @property
    def engines(self) -> list[Engine]:
        """Every engine once."""
        return list({id(model.engine): model.engine for model in self._models.values()}.values())

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        self._leave_later()
        try:
            yield
        finally:
            if self._leaving is not None:
                self._leaving.cancel()
            await self._leave()

    async def _leave(self) -> None:
        """Leave the engines, so that they can give their memory back; the next request finds them again."""
        for engine in self.engines:
            await engine.close()

    def _leave_later(self) -> None:
        """Leave after a while in which no request comes."""

        async def leave() -> None:
            await asyncio.sleep(self._limits.idle_s)
            await self._leave()

        if self._leaving is not None:
            self._leaving.cancel()
        self._leaving = asyncio.create_task(leave(), name="leave the engines")

    async def _list(self, request: Request) -> Response:
        if not self._is_authorized(request):
            return _UNAUTHORIZED
        names = list(dict.fromkeys(model.name for model in self._models.values()))
        return _json(models_of(names, self._created))

    async def _answer(self, request: Request, route: Route) -> Response:
        if not self._is_authorized(request):
            return _UNAUTHORIZED
        if self._running >= self._limits.requests:
            message = f"{self._running} requests are being answered."
            return _error(ApiError(429, message, "requests", "rate_limit_exceeded"))
        self._enter()
        try:
            body = await self._body(request, _KINDS[route])
            model = body if isinstance(body, ApiError) else self._model(route, body.model)
            if isinstance(body, ApiError) or isinstance(model, ApiError):
                return _error(body if isinstance(body, ApiError) else cast("ApiError", model))
            return await self._served(request, Reply(route, model.name), model.engine, body)
        finally:
            self._leave_unless_busy()

    async def _served(self, request: Request, reply: Reply, engine: Engine, body: Common) -> Response:
        """Answer a request that is known to be served. An engine's error before the first text has a status."""
        begun = await unless_gone(request.receive, _begun(engine, body))
        if isinstance(begun, ApiError):
            return _error(begun)
        if begun is None:
            return Response(status_code=HUNG_UP)
        first, rest = begun
        if body.stream:
            return EventStream(self._events(reply, first, rest, body), rest)
        async with aclosing(rest):
            parts = await unless_gone(request.receive, _whole(first, rest))
        if isinstance(parts, ApiError):
            return _error(parts)
        return Response(status_code=HUNG_UP) if parts is None else _json(reply.whole(parts))

    def _enter(self) -> None:
        """Note that a request is being answered."""
        self._running += 1
        if self._leaving is not None:
            self._leaving.cancel()

    def _leave_unless_busy(self) -> None:
        """Note that a request has its answer."""
        self._running -= 1
        if not self._running:
            self._leave_later()

    async def _events(
        self, reply: Reply, first: AnswerPart, rest: AsyncGenerator[AnswerPart], body: Common
    ) -> AsyncGenerator[bytes]:
        """Yield the events of an answer; an error in the middle of it is the last one."""
        with_usage = body.stream_options is not None and body.stream_options.include_usage
        self._enter()
        try:
            async with aclosing(rest):
                for data in reply.events(first, is_first=True, with_usage=with_usage):
                    yield data
                async for part in rest:
                    for data in reply.events(part, is_first=False, with_usage=with_usage):
                        yield data
        except SparkError as error:
            yield event(of_engine(error).body())
        finally:
            self._leave_unless_busy()

    def _is_authorized(self, request: Request) -> bool:
        """Compare the token in constant time; llama.cpp's own header is taken as well."""
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        given = value.strip() if kind.casefold() == "bearer" else ""
        given = given or request.headers.get("x-api-key", "")
        return hmac.compare_digest(given.encode(), self._token)

    async def _body(self, request: Request, kind: type[Common]) -> Common | ApiError:
        limit = self._limits.body_bytes
        too_large = ApiError(413, f"The body is larger than {limit:,} bytes.", code="too_large")
        size = request.headers.get("content-length", "")
        if size.isdecimal() and int(size[:18]) > limit:
            return too_large
        data = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_s):
                async for chunk in request.stream():
                    data += chunk
                    if len(data) > limit:
                        return too_large
        except TimeoutError:
            return ApiError(408, f"The body did not come within {self._limits.body_s:g} seconds.", code="timeout")
        except ClientDisconnect:
            return ApiError(HUNG_UP, "The client hung up.")
        return decode(bytes(data), kind)

    def _model(self, route: Route, name: str) -> ServedModel | ApiError:
        if name in ANY_MODEL:
            return self._models[route]
        served = {model.name: model for model in self._models.values()}
        if name in served:
            return served[name]
        message = f"There is no model {name!r} here; {', '.join(served)} can be used."
        return ApiError(404, message, code="model_not_found", param="model")


async def _begun(engine: Engine, body: Common) -> tuple[AnswerPart, AsyncGenerator[AnswerPart]] | ApiError:
    """Begin an answer: return its first part and what follows, or why there is none."""
    try:
        model = await engine.start()
        request = await _request(engine, model, body)
        if isinstance(request, ApiError):
            return request
        line_limit_ms = (body.t_max_predict_ms or 0.0) if isinstance(body, InfillBody) else 0.0
        parts = answer(engine, request, body.stops, line_limit_ms=line_limit_ms)
        try:
            return await anext(parts), parts
        except BaseException:
            await parts.aclose()
            raise
    except SparkError as error:
        return of_engine(error)


async def _request(engine: Engine, model: ModelInfo, body: Common) -> CompletionRequest | ApiError:
    """Return the engine's request, or why it cannot be made."""
    parts = await asyncio.to_thread(prompt_parts, model, body)
    if isinstance(parts, ApiError):
        return parts
    tokens = prompt_tokens(parts, await engine.count_tokens(pieces(parts)))
    left_tokens = model.context_tokens - tokens - 1  # a vocabulary may put a token in front
    if left_tokens < 1:
        message = f"The prompt has {tokens:,} tokens; the context of {model.name} holds {model.context_tokens:,}."
        return invalid(message, code="context_length_exceeded")
    return engine_request(model, body, parts, max_tokens(body, left_tokens))


async def _whole(first: AnswerPart, rest: AsyncGenerator[AnswerPart]) -> list[AnswerPart] | ApiError:
    parts = [first]
    try:
        async for part in rest:
            parts.append(part)  # noqa: PERF401  what came before an error is of no use
    except SparkError as error:
        return of_engine(error)
    return parts


def _json(document: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(document), status, media_type="application/json")


def _error(error: ApiError) -> Response:
    return _json(error.body(), error.status)


_UNAUTHORIZED: Final = _error(ApiError(401, "The token is missing or wrong.", code="invalid_api_key"))


async def _health(_request: Request) -> Response:
    return _json({"status": "ok"})


async def _not_served(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _error(ApiError(status, f"{request.method} {request.url.path} is not served.", code="not_found"))


async def _bug(_request: Request, error: Exception) -> Response:
    _log.error("a request failed in an unforeseen way: %s", type(error).__name__)
    return _error(ApiError(500, "The endpoint failed.", "server_error"))
