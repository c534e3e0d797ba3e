"""Decoding with the shipped model: the mirror tells the truth, and a warm cache changes nothing."""

import threading
import time
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spark_lsp.engine.base import (
    BACKGROUND_PRIORITY,
    Chunk,
    CompletionRequest,
    PrefillCost,
    Sampling,
    SpecialToken,
    TextPart,
)
from spark_lsp.engine.wire.frames import EngineLaunch
from spark_lsp.errors import EngineFailed, SparkError
from spark_lsp.llama.generation import Generation
from spark_lsp.llama.kv.llama_context import SCRATCH, SEQUENCES, Context
from spark_lsp.llama.kv.speed import CHUNK_MS, TILE_TOKENS
from spark_lsp.llama.loading.fit import BATCH_TOKENS, plan_of
from spark_lsp.llama.loading.gguf_model import GgufModel, TokenCache
from spark_lsp.llama.loading.load import shape_of
from spark_lsp.llama.loading.threads import ThreadBudget, threads_for
from spark_lsp.llama.runtime import ModelRuntime
from spark_lsp.llama.scheduler import UNATTENDED_S, Job, Scheduler
from tests.llama.gguf_files import SHIPPED

pytestmark = pytest.mark.model

LAUNCH = EngineLaunch(model_path=str(SHIPPED), context_tokens=2048, threads=1)
TEXTS = [
    "import os\n\n\ndef read(path):\n",
    "def write(path, text):\n    with open(path) as file:\n        ",
    "class Book:\n    def __init__(self, title):\n        self.",
    "",
    "é漢🦎",
    "x = [\n" + "    1,\n" * 50,
]


@pytest.fixture(scope="module")
def runtime() -> Iterator[ModelRuntime]:
    model_runtime = ModelRuntime(LAUNCH, TokenCache())
    model_runtime.load()
    yield model_runtime
    model_runtime.unload()
    model_runtime.unload()


def request_of(before: int, after: int, cut: int, max_tokens: int = 6) -> CompletionRequest:
    text = TEXTS[after]
    prompt = (
        SpecialToken("<|repo_name|>"),
        TextPart("sample\n", stable=True),
        SpecialToken("<|file_sep|>"),
        TextPart(TEXTS[before], stable=True),
        SpecialToken("<|fim_prefix|>"),
        SpecialToken("<|fim_suffix|>"),
        SpecialToken("<|fim_middle|>"),
        TextPart(text[: max(1, len(text) - cut)]),
    )
    return CompletionRequest(prompt, max_tokens)


def context_of(runtime: ModelRuntime) -> Context:
    assert runtime._generation_context is not None
    return runtime._generation_context.pool.context


def check(context: Context) -> None:
    """See that the mirrors hold what llama.cpp does, and that no cell is lost or counted twice."""
    assert [len(mirror) for mirror in context.mirrors] == [context.resident(index) for index in range(SEQUENCES)]
    places = np.concatenate([mirror._places[: len(mirror)] for mirror in context.mirrors])
    assert context.cells.capacity - context.cells.free == len(np.unique(places))


def run(generation: Generation, context: Context, most_steps: int = 10_000) -> str:
    """Step until the end or a number of steps, checking the mirror after each."""
    text = ""
    for _ in range(most_steps):
        stop = generation.step()
        check(context)
        text += (generation.take() or Chunk("", 0)).text
        if stop is not None:
            text += generation.last_chunk(stop).text
            break
    generation.close()
    return text


REQUESTS = st.tuples(st.integers(0, len(TEXTS) - 1), st.integers(0, len(TEXTS) - 1), st.integers(0, 3))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(REQUESTS, st.integers(1, 8)), min_size=1, max_size=4), last=REQUESTS)
def test_warm_equals_cold_after_any_history(
    runtime: ModelRuntime, steps: list[tuple[tuple[int, int, int], int]], last: tuple[int, int, int]
) -> None:
    context = context_of(runtime)
    for prompt_tokens, most_steps in steps:  # answers that end, and answers that are left in the middle
        run(runtime.generation(request_of(*prompt_tokens), time.perf_counter()), context, most_steps)
    warm = logits_after(runtime, request_of(*last))
    context.clear()
    # The same tokens in other batches round differently, by up to 0.2; a wrong cache differs by whole numbers.
    assert np.abs(logits_after(runtime, request_of(*last)) - warm).max() <= 0.3


def logits_after(runtime: ModelRuntime, request: CompletionRequest) -> np.ndarray:
    """Prefill a prompt and return the logits behind it."""
    context = context_of(runtime)
    run(runtime.generation(msgspec.structs.replace(request, max_tokens=1), time.perf_counter()), context)
    return context.logits().copy()


@pytest.mark.parametrize(("attention_ms", "read_tokens"), [(9.0, TILE_TOKENS), (0.0, 44)])
def test_a_few_tokens_are_prefilled_as_a_whole_tile_where_that_is_quicker(
    runtime: ModelRuntime, monkeypatch: pytest.MonkeyPatch, attention_ms: float, read_tokens: int
) -> None:
    context = context_of(runtime)
    context.clear()
    monkeypatch.setattr(context, "has_tiles", True)  # as with fused attention
    monkeypatch.setattr(context.rates, "learn", lambda *_: None)
    monkeypatch.setattr(context.rates, "prefill_cost", PrefillCost(0.1, attention_ms))
    words = [TextPart(" a" * 300), TextPart(" b" * 44)]
    run(runtime.generation(CompletionRequest((words[0],), 1), time.perf_counter()), context)
    generation = runtime.generation(CompletionRequest(tuple(words), 1), time.perf_counter())
    warm = run(generation, context)
    usage = generation.last_chunk("max_tokens").usage
    assert usage is not None
    assert (usage.prefill_tokens, usage.cached_tokens) == (read_tokens, 344 - read_tokens)
    context.clear()
    assert run(runtime.generation(CompletionRequest(tuple(words), 1), time.perf_counter()), context) == warm


@pytest.mark.parametrize(("is_idle", "share"), [(True, 1.0), (False, 0.5)])
def test_background_prefill_takes_the_whole_machine_while_nobody_waits(
    runtime: ModelRuntime, monkeypatch: pytest.MonkeyPatch, *, is_idle: bool, share: float
) -> None:
    context = context_of(runtime)
    context.clear()
    monkeypatch.setattr(context, "_share", ThreadBudget(2, fixed=True))
    monkeypatch.setattr(context.rates, "learn", lambda *_: None)
    monkeypatch.setattr(
        context.rates, "prefill_cost", PrefillCost(CHUNK_MS / TILE_TOKENS, 0.0)
    )  # a tile takes a whole batch
    request = CompletionRequest((TextPart(" a" * 1000, stable=True),), 0, priority=BACKGROUND_PRIORITY)
    generation = runtime.generation(request, time.perf_counter())
    assert generation.step(is_idle=is_idle) is None
    assert len(context.mirrors[generation.prompt.slot]) == (context.ubatch_tokens if is_idle else TILE_TOKENS)
    assert context._threads == 2 * share
    generation.close()
    context.clear()


def test_two_answers_taken_in_turns_are_as_alone(runtime: ModelRuntime) -> None:
    context = context_of(runtime)
    alone = [run(runtime.generation(request_of(0, at, 0), time.perf_counter()), context) for at in (1, 2)]
    turns = [runtime.generation(request_of(0, at, 0), time.perf_counter()) for at in (1, 2)]
    texts = ["", ""]
    running = {0, 1}
    while running:
        for at in sorted(running):
            stop = turns[at].step()
            check(context)
            if stop is not None:
                texts[at] += turns[at].last_chunk(stop).text
                running.remove(at)
    assert texts == alone


def test_an_aborted_decode_keeps_what_was_finished_and_goes_on(runtime: ModelRuntime) -> None:
    context = context_of(runtime)
    request = request_of(5, 1, 0)
    whole = run(runtime.generation(request, time.perf_counter()), context)
    context.clear()
    generation = runtime.generation(request, time.perf_counter())
    context.abort.set()
    assert generation.step() is None
    check(context)
    assert context.cells.free == context.cells.capacity
    context.abort.clear()
    assert run(generation, context) == whole


def test_every_misuse_is_refused_before_the_library_sees_it(runtime: ModelRuntime) -> None:
    model = GgufModel(str(SHIPPED), gpu_layers=0, vocab_only=False)
    plan = plan_of(shape_of(model), gpu_layers=0, kv_type="f16", prompt_tokens=256)
    context = Context(model, plan, ThreadBudget(2, fixed=True))
    for bad in (
        np.empty(0, np.int32),
        np.zeros(BATCH_TOKENS + 1, np.int32),
        np.array([-1], np.int32),
        np.array([10**6], np.int32),
    ):
        with pytest.raises(EngineFailed):
            context.decode(SCRATCH, bad)
    with pytest.raises(EngineFailed, match="rows of logits"):
        context.decode(SCRATCH, np.zeros(1, np.int32), outputs=2)
    with pytest.raises(EngineFailed, match="no logits"):
        context.logits()
    while context.cells.free:
        context.decode(SCRATCH, np.zeros(100 if context.cells.free == context.capacity else 1, np.int32))
    with pytest.raises(EngineFailed, match="full"):
        context.decode(SCRATCH, np.zeros(1, np.int32), outputs=1)
    with pytest.raises(EngineFailed, match="no logits"):
        context.logits()
    context.close()
    context.close()
    model.close()
    for prompt in ((), (TextPart(""),)):
        with pytest.raises(EngineFailed, match="empty"):
            runtime.generation(CompletionRequest(prompt, 1), time.perf_counter())


def test_half_a_character_waits_for_its_other_half(runtime: ModelRuntime) -> None:
    grammar = Sampling(grammar='root ::= "漢🦎é漢🦎é"')
    request = CompletionRequest((SpecialToken("<|fim_prefix|>"), TextPart("x")), 60, sampling=grammar)
    generation = runtime.generation(request, time.perf_counter())
    pieces = []
    while (stop := generation.step()) is None:
        pieces.append((generation.take() or Chunk("", 0)).text)
    pieces.append(generation.last_chunk(stop).text)
    generation.close()
    assert "".join(pieces) == "漢🦎é漢🦎é"


class Heard:
    """What one job reported."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.errors: list[SparkError] = []
        self.begun = threading.Event()
        self.ended = threading.Event()

    def job(self, client: int, request: CompletionRequest) -> Job:
        return Job(client, request, self._tell, self._fail)

    def _tell(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)
        self.begun.set()
        if chunk.stop is not None:
            self.ended.set()

    def _fail(self, error: SparkError) -> None:
        self.errors.append(error)
        self.ended.set()


def test_the_scheduler_ends_every_job_exactly_once() -> None:
    runtime = ModelRuntime(LAUNCH, TokenCache())
    scheduler = Scheduler(runtime)
    scheduler.start()
    endless = Sampling(grammar='root ::= "a" root')
    plans = [
        request_of(0, 1, 0),
        CompletionRequest(request_of(0, 2, 0).prompt, 500, sampling=endless, key="k"),
        CompletionRequest(request_of(1, 2, 0).prompt, 3, key="k"),
        CompletionRequest(request_of(1, 0, 0).prompt, 5, priority=BACKGROUND_PRIORITY),
        CompletionRequest((SpecialToken("<|no|>"),), 5),
        CompletionRequest((TextPart("a" * 100_000),), 5),
        CompletionRequest(request_of(2, 0, 0).prompt, 500, sampling=endless, priority=1),
    ]
    heard = [Heard() for _ in plans]
    jobs = [listener.job(1, plan) for listener, plan in zip(heard, plans, strict=True)]
    for job in jobs:
        scheduler.submit(job)
    assert heard[-1].begun.wait(60)
    scheduler.stop(jobs[-1], "deadline")
    scheduler.stop(jobs[-1], "cancelled")
    assert all(listener.ended.wait(60) for listener in heard)
    resident = scheduler.call(runtime.resident_tokens).result(60)
    assert resident > 0
    scheduler.end(runtime.unload)
    late = Heard()
    scheduler.submit(late.job(1, plans[0]))
    assert late.errors
    for listener in heard:
        assert len(listener.errors) + sum(chunk.stop is not None for chunk in listener.chunks) == 1
    stops = [listener.chunks[-1].stop if listener.chunks else None for listener in heard]
    assert stops[1] == "cancelled"
    assert stops[-1] == "deadline"
    assert stops[4] is stops[5] is None
    assert not scheduler.busy


def test_background_work_holds_back_for_a_while_after_an_answer() -> None:
    scheduler = Scheduler(ModelRuntime(LAUNCH, TokenCache()))
    assert scheduler._is_unattended()
    scheduler._foreground_at = time.perf_counter()
    assert not scheduler._is_unattended()
    scheduler._foreground_at -= UNATTENDED_S
    assert scheduler._is_unattended()


def test_threads_follow_what_others_leave() -> None:
    assert [threads_for(8, free) for free in (-1.0, 0.2, 1.4, 3.6, 20.0)] == [1, 1, 1, 4, 8]
    assert ThreadBudget(3, fixed=True).threads() == 3
    share = ThreadBudget(4, fixed=False)
    assert share.threads() == 4
    share._looked -= 1.0
    assert 1 <= share.threads() <= 4
