"""The engine for OpenAI-compatible endpoints: llama.cpp's server, vLLM, Ollama, LM Studio, one or several of them.

Sends nothing before the user has allowed each host. Uses the endpoint that the workspace prefers, and others while it
fails; a request is repeated only if no text of its answer has arrived. Token counts are estimates, rather too high.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

import msgspec

from spark_lsp.engine.base import Chunk, CompletionRequest, EngineStatus, ModelInfo, PrefillCost, SpecialToken
from spark_lsp.engine.fim import FimFamily
from spark_lsp.engine.remote.event_stream import AnswerReader, next_item
from spark_lsp.engine.remote.hosts import Health, address_of, ranked, to_ask
from spark_lsp.engine.remote.http import EndpointFailure, RemoteLink, RemoteModelRow
from spark_lsp.engine.remote.prompt_text import CHAT_TEMPLATE, END, MESSAGE, estimated_tokens
from spark_lsp.engine.remote.request import body_of
from spark_lsp.engine.remote.response import Event
from spark_lsp.engine.remote.setup import RemoteLaunch, check_consent, family_of, health_notes, key_of
from spark_lsp.engine.starting import SharedStart
from spark_lsp.errors import EngineFailed, ModelNoFim, SettingsError, SparkError
from spark_lsp.trace import bug

__all__ = ["RemoteEngine", "RemoteLaunch"]

UNKNOWN_CONTEXT_TOKENS: Final = 8_192
"""Taken for the context of a server that does not tell: what the usual ones are started with at least."""

MAX_PROMPT_TOKENS: Final = 32_768
"""Longest prompt unless the user says otherwise: it travels whole at every request, some 4 bytes a token."""

_ROUNDS: Final = 3
_BACK_OFF: Final = 3.0  # times longer in each round
_KEPT_SHARE: Final = 0.95  # counts are estimates, so the last tokens of a context are not planned for
_RETRY_S: Final = 5.0
_SLOW_WEIGHT: Final = 0.2
_MIN_READ: Final = 64
_FIRST_COST_MS: Final = 0.2  # a small GPU reads some 5,000 tokens a second; it is measured from the first answer on
_MIN_COST_MS: Final = 0.005


class RemoteEngine:
    """Remote endpoints as an ``engine.base.Engine``; the methods are documented there. Belongs to one event loop."""

    def __init__(self, launch: RemoteLaunch) -> None:
        self._launch = launch
        self._endpoints: list[Health] = []
        self._links: dict[str, RemoteLink] = {}
        self._base: ModelInfo | None = None
        self._family: FimFamily | None = None
        self._served = ""
        self._starting = SharedStart(
            self._start_once, retry_s=_RETRY_S, waiting="The remote endpoints are being contacted."
        )
        self._by_key: dict[str, asyncio.Queue[Event | EndpointFailure | None]] = {}
        self._running = 0
        self._cost = PrefillCost(_FIRST_COST_MS)
        self._floor_ms = 0.0
        """What an answer takes that nothing is read for, as far as the question for the model showed."""
        self._shown: tuple[tuple[str, ...], ModelInfo] | None = None

    async def start(self) -> ModelInfo:
        """Check settings and consent, find an endpoint that answers, describe its model."""
        known = self.model
        return known if known is not None else await self._starting.join()

    @property
    def model(self) -> ModelInfo | None:
        """The served model, with what is wrong at the moment among its warnings."""
        base = self._base
        if base is None:
            return None
        warnings = health_notes(self._endpoints)
        if self._shown is None or self._shown[0] != warnings:
            self._shown = warnings, msgspec.structs.replace(base, warnings=warnings)
        return self._shown[1]

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Estimate; never asks the network."""
        self._reached()
        return estimated_tokens(texts)

    async def generate(self, request: CompletionRequest) -> AsyncGenerator[Chunk]:
        """Stream an answer; closing the iterator closes the connection."""
        self._reached()
        self._refuse_unknown_controls(request)
        loop = asyncio.get_running_loop()
        reader = AnswerReader(request, loop.time)
        queue = self._supersede(request.key)
        feeding = asyncio.create_task(self._feed(request, queue))
        self._running += 1
        try:
            ended = False
            while not ended:
                for chunk in reader.take(await next_item(queue, reader.seconds_left())):
                    ended = chunk.stop is not None
                    yield self._with_cost(chunk)
        finally:
            self._running -= 1
            if self._by_key.get(request.key) is queue:
                del self._by_key[request.key]
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)

    async def status(self) -> EngineStatus:
        """Describe the endpoints without asking them."""
        model = self.model
        current = self._endpoints[0].address.url if self._endpoints else ""
        for endpoint in to_ask(self._endpoints, asyncio.get_running_loop().time()):
            current = endpoint.address.url
            break
        return EngineStatus(
            running=model is not None,
            socket=current,
            model=model,
            clients=int(model is not None),
            busy=self._running > 0,
            prefill_cost=self._cost,
        )

    async def restart(self) -> ModelInfo:
        """Close all connections and ask the endpoints again. Their servers run on."""
        await self.close()
        return await self.start()

    async def unload(self) -> None:
        """Forget what was learned of the endpoints; the next ``start`` asks again. Servers keep theirs."""
        self._base = None

    async def close(self) -> None:
        """Close all connections. A later ``start`` begins over."""
        await self._starting.cancel()
        self._base = None
        links, self._links = list(self._links.values()), {}
        for link in links:
            await link.close()

    # -- finding an endpoint -----------------------------------------------------------------------------------------

    def _reached(self) -> None:
        """See that there is a model, or that there will be one, and say why there is none now."""
        if self._base is None:
            raise self._starting.refusal()

    async def _start_once(self) -> ModelInfo:
        addresses = ranked([address_of(url) for url in self._launch.urls], self._launch.workspace)
        await asyncio.to_thread(check_consent, addresses)
        key = key_of(self._launch.api_key_env)
        known = {endpoint.address: endpoint for endpoint in self._endpoints}
        self._endpoints = [known.get(address) or Health(address) for address in addresses]
        for address in addresses:
            old = self._links.pop(address.url, None)
            if old is not None:
                await old.close()
            self._links[address.url] = RemoteLink(address, key, self._launch.ca_file, self._launch.answer_s)
        self._base, self._shown = self._described(await self._ask_for_model()), None
        model = self.model
        assert model is not None, "it was described just now"
        return model

    async def _ask_for_model(self) -> RemoteModelRow:
        """Return the row of the wanted model, or of the first one that an endpoint serves."""
        now = asyncio.get_running_loop().time()
        problems: list[str] = []
        fix = ""
        for endpoint in to_ask(self._endpoints, now):
            asked_at = asyncio.get_running_loop().time()
            rows = await self._links[endpoint.address.url].models()
            self._floor_ms = (asyncio.get_running_loop().time() - asked_at) * 1000
            if isinstance(rows, EndpointFailure):
                endpoint.failed(rows.words, asyncio.get_running_loop().time())
                problems.append(f"{endpoint.address.host} {rows.words}")
                fix = fix or rows.fix
                continue
            endpoint.answered()
            wanted = self._launch.model
            row = next((row for row in rows if wanted in {"", row.id}), None)
            if row is not None or wanted:  # some servers list none, or list it by another name, and serve it
                return row or RemoteModelRow(wanted)
            problems.append(f"{endpoint.address.host} serves no model")
        if not problems:
            raise SettingsError("spark.backend.urls is empty.")
        raise EngineFailed(
            f"No remote endpoint can be used: {'; '.join(problems)}.",
            fix=fix or "Check spark.backend.urls and the server.",
        )

    def _described(self, row: RemoteModelRow) -> ModelInfo:
        self._served = row.id
        family, order, notes = family_of(self._launch.template, row.id)
        self._family = family
        served = row.context_tokens or UNKNOWN_CONTEXT_TOKENS
        context = self._launch.context_tokens or min(served, MAX_PROMPT_TOKENS)
        if not self._launch.context_tokens and not row.context_tokens:
            notes.append(f"The endpoint does not say how long its context is; {context:,} tokens are assumed.")
        notes += [
            f"The connection to {endpoint.address.host} is not encrypted."
            for endpoint in self._endpoints
            if not endpoint.address.is_encrypted and not endpoint.address.is_local
        ]
        identity = msgspec.json.encode((self._launch.urls, row.id, self._launch.template))
        return ModelInfo(
            name=row.id,
            path=self._endpoints[0].address.url,
            family=family.name if family else "",
            fim_order=order,
            architecture="remote",
            vocabulary_size=0,
            trained_context_tokens=max(context, served),
            context_tokens=int(context * _KEPT_SHARE),
            has_chat_template=True,
            size_bytes=0,
            fingerprint=hashlib.blake2b(identity, digest_size=16).hexdigest(),
            notes=tuple(notes),
            chat_template=CHAT_TEMPLATE,
            special_token_texts=(MESSAGE, END),
        )

    # -- one answer --------------------------------------------------------------------------------------------------

    def _refuse_unknown_controls(self, request: CompletionRequest) -> None:
        family = (*self._family.required, *self._family.stops) if self._family else ()
        for part in request.prompt:
            if isinstance(part, SpecialToken) and part.text not in {*family, MESSAGE, END}:
                raise ModelNoFim(
                    f"The model {self._served} has no special token {part.text}, judging by its name.",
                    fix="Name its family in spark.backend.template.",
                )

    def _supersede(self, key: str) -> "asyncio.Queue[Event | EndpointFailure | None]":
        """Return the queue of a new answer, and end an older one with the same key."""
        queue: asyncio.Queue[Event | EndpointFailure | None] = asyncio.Queue()
        if key:
            older = self._by_key.get(key)
            if older is not None:
                older.put_nowait(None)
            self._by_key[key] = queue
        return queue

    async def _feed(self, request: CompletionRequest, queue: "asyncio.Queue[Event | EndpointFailure | None]") -> None:
        """Fill the queue, and whatever happens put an end into it: somebody waits there."""
        try:
            await self._ask_all(request, queue)
        except SparkError as error:
            queue.put_nowait(EndpointFailure(str(error).rstrip("."), fix=error.fix))
        except Exception as error:  # noqa: BLE001  somebody waits for the end, and the fault is reported
            queue.put_nowait(EndpointFailure("The remote endpoints could not be contacted"))
            bug("asking remote endpoints failed", error=type(error).__name__)

    async def _ask_all(
        self, request: CompletionRequest, queue: "asyncio.Queue[Event | EndpointFailure | None]"
    ) -> None:
        """Put the events of one answer into the queue, from whichever endpoint gives them, and at last the failure."""
        failure = EndpointFailure("cannot be reached")
        host = ""
        for number in range(_ROUNDS):
            again: list[float] = []
            for endpoint in to_ask(self._endpoints, asyncio.get_running_loop().time()):
                problem = await self._ask(endpoint, request, queue)
                if problem is None:
                    return
                failure, host = problem, endpoint.address.host
                if failure.again_s is not None:
                    again.append(failure.again_s)
            if not again or number == _ROUNDS - 1:
                break
            await asyncio.sleep(min(again) * _BACK_OFF**number)
        queue.put_nowait(_named(failure, host))

    async def _ask(
        self, endpoint: Health, request: CompletionRequest, queue: "asyncio.Queue[Event | EndpointFailure | None]"
    ) -> EndpointFailure | None:
        """Ask one endpoint; return its failure when it gave no text, else None: the answer is in the queue."""
        link = self._links[endpoint.address.url]
        plain = endpoint.plain
        while True:
            path, body = body_of(request, self._served, plain=plain)
            has_text = False
            failure: EndpointFailure | None = None
            async with aclosing(link.stream(path, body)) as events:
                async for event in events:
                    if isinstance(event, EndpointFailure):
                        failure = event
                        break
                    endpoint.answered(plain=plain)
                    has_text = has_text or bool(event.text)
                    queue.put_nowait(event)
            if failure is None:
                queue.put_nowait(Event(is_last=True))
                return None
            if failure.refuses_fields and not plain and not has_text:
                plain = True  # remembered when it helps
                continue
            endpoint.failed(failure.words, asyncio.get_running_loop().time())
            if has_text:
                queue.put_nowait(_named(failure, endpoint.address.host))
                return None
            return failure

    def _with_cost(self, chunk: Chunk) -> Chunk:
        """Learn from a final chunk what reading costs, and tell what is known."""
        usage = chunk.usage
        if usage is None:
            return chunk
        if chunk.stop is not None and usage.prefill_tokens >= _MIN_READ and usage.first_token_ms > 0:
            self._floor_ms = min(self._floor_ms, usage.first_token_ms)
            sample = max(_MIN_COST_MS, (usage.first_token_ms - self._floor_ms) / usage.prefill_tokens)
            cost = self._cost.base_ms * (1 - _SLOW_WEIGHT) + sample * _SLOW_WEIGHT
            self._cost = PrefillCost(cost)
        return msgspec.structs.replace(chunk, usage=msgspec.structs.replace(usage, prefill_cost=self._cost))


def _named(failure: EndpointFailure, host: str) -> EndpointFailure:
    """Put the host before a failure's words."""
    return EndpointFailure(f"The remote endpoint {host} {failure.words}".replace("  ", " "), fix=failure.fix)
