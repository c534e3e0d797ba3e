"""The promises of every engine, tested on every engine: the scripted one always, llama.cpp if the model is there."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from spark_lsp.engine.base import (
    BACKGROUND_PRIORITY,
    Chunk,
    CompletionRequest,
    Engine,
    PromptPart,
    Sampling,
    SpecialToken,
    TextPart,
)
from spark_lsp.engine.fim import FileBlock, build_prompt, family_named, pieces, prompt_tokens
from spark_lsp.engine.local.local_engine import LocalEngine
from spark_lsp.engine.remote.remote_engine import RemoteEngine
from spark_lsp.engine.remote.setup import RemoteLaunch
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.errors import EngineStarting, ModelNoFim
from tests.engine.conftest import shipped
from tests.engine.real_endpoint import real_endpoint

ENDLESS = Sampling(grammar='root ::= "a" root')
"""A grammar that can never be complete, so that the model never ends by itself."""

PATIENCE_S = 60

NOBODY = "http://127.0.0.1:9"
"""The discard port, where nobody listens."""

LAST_WORD_TOKENS = 2
"""What is read again before the cursor, so that its tokens can be chosen together with the answer's."""


def _answer(request: CompletionRequest) -> str:
    return "a" * 200_000 if request.sampling.grammar else "return left + right\n"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real_endpoint(tmp_path_factory.mktemp("server") / "log", context_tokens=4096) as address:
        yield address


def _made(request: pytest.FixtureRequest) -> Engine:
    if request.param == "fake":
        return ScriptedEngine(_answer)
    if request.param == "local":
        return LocalEngine(shipped())
    return RemoteEngine(RemoteLaunch(urls=(request.getfixturevalue("url"),), context_tokens=4096))


@pytest.fixture(
    params=["fake", pytest.param("local", marks=pytest.mark.model), pytest.param("remote", marks=pytest.mark.model)]
)
async def engine(request: pytest.FixtureRequest, shared_runtime: Path) -> AsyncIterator[Engine]:
    body = _made(request)
    async with asyncio.timeout(PATIENCE_S):
        await body.start()
        yield body
        await body.close()


def prompt(prefix: str = "def add(left, right):\n    ", suffix: str = "\n\n\nadd(1, 2)\n") -> tuple[PromptPart, ...]:
    family = family_named("qwen2.5-coder")
    assert family is not None
    other_block = FileBlock("lib/other.py", "def sub(left, right):\n    return left - right\n" * 8, stable=True)
    return build_prompt(
        family, "spm", repository="sample", blocks=[other_block], current_path="main.py", prefix=prefix, suffix=suffix
    )


async def collect(engine: Engine, request: CompletionRequest) -> list[Chunk]:
    return [chunk async for chunk in engine.generate(request)]


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: LocalEngine(shipped()), id="local", marks=pytest.mark.model),
        pytest.param(
            lambda: RemoteEngine(RemoteLaunch(urls=("http://127.0.0.1:9",), context_tokens=4096)), id="remote"
        ),
    ],
)
async def test_closing_ends_a_start_for_all_who_wait_and_cancels_none_of_them(
    make: Callable[[], Engine], shared_runtime: Path
) -> None:
    built = make()
    waiting = [asyncio.create_task(built.start()) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await built.close()
    async with asyncio.timeout(PATIENCE_S):
        ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ends] == [EngineStarting, EngineStarting]


def tells_what_is_resident(engine: Engine) -> None:
    """Skip a test that needs an engine with known cached tokens; the tests' server does not report them."""
    if isinstance(engine, RemoteEngine):
        pytest.skip("llama_cpp.server does not say what it had cached")


async def settled(engine: Engine) -> None:
    """Wait until the engine is idle."""
    while (await engine.status()).busy:
        pass


async def test_a_started_engine_describes_its_model(engine: Engine) -> None:
    info = await engine.start()
    assert engine.model == info
    assert info.family == "qwen2.5-coder"
    assert info.fim_order == "spm"
    assert info.context_tokens > 0
    status = await engine.status()
    assert status.running
    assert status.model == info
    assert status.clients == 1


async def test_one_final_chunk_carries_stop_and_usage(engine: Engine) -> None:
    parts = prompt()
    chunks = await collect(engine, CompletionRequest(parts, 24))
    *others, last = chunks
    assert all(chunk.stop is None for chunk in others)
    assert last.stop in {"end", "stop_token", "max_tokens"}
    assert last.usage is not None
    assert last.usage.generated_tokens == sum(chunk.tokens for chunk in chunks) <= 24
    assert last.usage.prompt_tokens == last.usage.cached_tokens + last.usage.prefill_tokens
    assert all(0 < chunk.probability <= 1 for chunk in chunks)
    assert all(sum(length for length, _ in chunk.scores) <= len(chunk.text) for chunk in chunks)
    assert all(min((score for _, score in chunk.scores), default=1.0) == chunk.probability for chunk in chunks)


async def test_the_first_chunk_tells_the_cost_so_far(engine: Engine) -> None:
    first, *rest = await collect(engine, CompletionRequest(prompt(), 24, sampling=ENDLESS))
    assert first.usage is not None
    assert first.usage.prompt_tokens > 0
    assert rest[-1].stop == "max_tokens"


async def test_counts_are_exact(engine: Engine) -> None:
    parts = prompt()
    counts = await engine.count_tokens(pieces(parts))
    last = (await collect(engine, CompletionRequest(parts, 1)))[-1]
    assert last.usage is not None
    assert last.usage.prompt_tokens == prompt_tokens(parts, counts)
    assert await engine.count_tokens([]) == []
    assert await engine.count_tokens(["", "a"]) == [0, 1]


async def test_text_can_not_become_a_special_token(engine: Engine) -> None:
    bare, spelled = await engine.count_tokens(["x = 1\n", "x = 1\n<|fim_middle|>"])
    assert spelled > bare + 1
    parts = prompt(prefix="a = '<|fim_middle|><|endoftext|>'\n")
    last = (await collect(engine, CompletionRequest(parts, 1)))[-1]
    assert last.usage is not None
    assert last.usage.prompt_tokens == prompt_tokens(parts, await engine.count_tokens(pieces(parts)))


async def test_any_text_can_be_asked_about(engine: Engine) -> None:
    odd = "\x00\ud800 é 漢字 🦎\r\n\u2028\ufeff"
    assert (await engine.count_tokens([odd]))[0] > 0
    assert (await collect(engine, CompletionRequest(prompt(prefix=odd), 2)))[-1].stop is not None


async def test_closing_the_iterator_stops_the_model(engine: Engine) -> None:
    stream = engine.generate(CompletionRequest(prompt(), 3000, sampling=ENDLESS))
    assert (await anext(stream)).text
    await stream.aclose()
    await settled(engine)
    assert (await collect(engine, CompletionRequest(prompt(), 4)))[-1].stop is not None


async def test_cancelling_the_task_stops_the_model(engine: Engine) -> None:
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in engine.generate(CompletionRequest(prompt(), 3000, sampling=ENDLESS)):
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settled(engine)


async def test_a_newer_request_of_the_same_key_supersedes(engine: Engine) -> None:
    older = engine.generate(CompletionRequest(prompt(), 3000, sampling=ENDLESS, key="main.py"))
    await anext(older)
    newer = await collect(engine, CompletionRequest(prompt("def add("), 4, key="main.py"))
    assert newer[-1].stop in {"end", "stop_token", "max_tokens"}
    rest = [chunk async for chunk in older]
    assert rest[-1].stop == "cancelled"
    assert rest[-1].usage is not None


async def test_another_key_does_not_supersede(engine: Engine) -> None:
    generate = engine.generate(CompletionRequest(prompt(), 40, sampling=ENDLESS, key="one.py"))
    await anext(generate)
    two = await collect(engine, CompletionRequest(prompt("def add("), 4, key="two.py"))
    assert two[-1].stop != "cancelled"
    assert [chunk async for chunk in generate][-1].stop == "max_tokens"


async def test_an_urgent_request_overtakes(engine: Engine) -> None:
    background = engine.generate(CompletionRequest(prompt(), 60, sampling=ENDLESS, priority=BACKGROUND_PRIORITY))
    begun = await anext(background)
    urgent = await collect(engine, CompletionRequest(prompt("def add("), 4))
    assert urgent[-1].stop is not None
    rest = [chunk async for chunk in background]
    assert rest[-1].stop == "max_tokens"
    assert text_of([begun, *rest]) == "a" * len(text_of([begun, *rest]))


async def test_the_deadline_keeps_what_is_there(engine: Engine) -> None:
    if isinstance(engine, ScriptedEngine):
        engine.hold()
        engine.step(3)
    chunks = await collect(engine, CompletionRequest(prompt(), 3500, sampling=ENDLESS, deadline_ms=250))
    assert chunks[-1].stop == "deadline"
    assert text_of(chunks).startswith("a")


async def test_max_tokens_zero_only_reads_the_prompt(engine: Engine) -> None:
    tells_what_is_resident(engine)
    parts = prompt("def read_only(")
    assert [chunk.stop for chunk in await collect(engine, CompletionRequest(parts, 0))] == ["max_tokens"]
    last = (await collect(engine, CompletionRequest(parts, 1)))[-1]
    assert last.usage is not None
    assert last.usage.prefill_tokens <= 1 + LAST_WORD_TOKENS


async def test_what_is_resident_is_not_read_again(engine: Engine) -> None:
    tells_what_is_resident(engine)
    await engine.unload()
    await engine.start()
    request = CompletionRequest(prompt("def add(left, right):\n    ret"), 16)
    cold = await collect(engine, request)
    warm = await collect(engine, request)
    assert cold[-1].usage is not None
    assert warm[-1].usage is not None
    assert cold[-1].usage.cached_tokens == 0
    assert warm[-1].usage.cached_tokens >= warm[-1].usage.prompt_tokens - 1 - LAST_WORD_TOKENS
    typed = (await collect(engine, CompletionRequest(prompt("def add(left, right):\n    return"), 16)))[-1]
    assert typed.usage is not None
    assert typed.usage.prefill_tokens < 8
    assert text_of(warm) == text_of(cold)


async def test_an_unknown_special_token_is_no_fim(engine: Engine) -> None:
    with pytest.raises(ModelNoFim, match=r"<\|nope\|>"):
        await collect(engine, CompletionRequest((SpecialToken("<|nope|>"), TextPart("a")), 4))
    with pytest.raises(ModelNoFim):
        await collect(engine, CompletionRequest((SpecialToken("def"), TextPart("a")), 4))


async def test_unload_gives_back_and_start_loads_again(engine: Engine) -> None:
    await engine.unload()
    assert engine.model is None
    assert (await engine.start()).family == "qwen2.5-coder"
    assert (await collect(engine, CompletionRequest(prompt(), 2)))[-1].stop is not None


async def test_a_closed_engine_says_that_it_is_starting(engine: Engine) -> None:
    await engine.close()
    await engine.close()
    assert engine.model is None
    with pytest.raises(EngineStarting):
        await engine.count_tokens(["a"])
    with pytest.raises(EngineStarting):
        await collect(engine, CompletionRequest(prompt(), 2))
    await engine.start()
    assert (await collect(engine, CompletionRequest(prompt(), 2)))[-1].stop is not None
