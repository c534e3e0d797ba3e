"""Random walks over the running model, and what they found: the mirrors tell the truth whatever happened before."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from spark_lsp.engine.base import BACKGROUND_PRIORITY, CompletionRequest
from spark_lsp.errors import EngineStarting
from spark_lsp.llama.kv.llama_context import Context
from spark_lsp.llama.loading.gguf_model import TokenCache
from spark_lsp.llama.loading.native import last_errors
from spark_lsp.llama.runtime import ModelRuntime
from tests.llama.test_sequences import LAUNCH, ask, cached_prefix, context_of, fim_prompt, finish, prefill
from tests.llama.walk import BOUND, Walk, launch_of, small_and_exact, wide

pytestmark = pytest.mark.model


@pytest.fixture
def runtime() -> Iterator[ModelRuntime]:
    model_runtime = ModelRuntime(LAUNCH, TokenCache())
    model_runtime.load()
    yield model_runtime
    model_runtime.unload()


@pytest.fixture(scope="module")
def wide_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wide(tmp_path_factory.mktemp("models") / "wide.gguf")


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_the_cache_is_what_it_says(seed: int, wide_model: Path, tmp_path: Path) -> None:
    """Shortened; ``make fuzz`` takes 10,000 steps. What goes wrong can be seen again by its seed."""
    with small_and_exact():
        walk = Walk(seed, launch_of(seed, wide_model, tmp_path / "kv"))
        for _ in range(150):
            walk.step()
        walk.end()
    figures = walk.figures
    assert figures.compared_answers
    assert figures.compared_logits
    assert figures.worst_difference <= BOUND


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_an_answer_whose_model_is_unloaded_ends_with_an_error(runtime: ModelRuntime, steps: int) -> None:
    generation = runtime.generation(CompletionRequest(cached_prefix(1) + fim_prompt("x"), 40), time.perf_counter())
    for _ in range(steps):
        assert generation.step() is None
    runtime.unload()
    with pytest.raises(EngineStarting, match="unloaded"):
        generation.step()
    runtime.load()
    with pytest.raises(EngineStarting, match="unloaded"):
        generation.step()
    assert generation.last_chunk("cancelled").usage is not None
    generation.close()
    assert ask(runtime, cached_prefix(1) + fim_prompt("x")).cached_tokens == 0


def test_a_cached_prefix_that_is_being_read_is_not_grown_into_another_one(runtime: ModelRuntime) -> None:
    generation = runtime.generation(
        CompletionRequest(cached_prefix(1, 2, 3), 0, priority=BACKGROUND_PRIORITY), time.perf_counter()
    )
    assert generation.step() is None
    ask(runtime, cached_prefix(1, 2, 5) + fim_prompt("x"))
    usage = finish(generation, context_of(runtime))
    assert usage.cached_tokens + usage.prefill_tokens == usage.prompt_tokens
    assert ask(runtime, cached_prefix(1, 2, 3) + fim_prompt("x")).cached_tokens == usage.prompt_tokens


def test_a_file_that_cannot_be_taken_back_costs_reading_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launch = msgspec.structs.replace(LAUNCH, cache_folder=str(tmp_path / "kv"), cache_bytes=1 << 30)
    whole, part = cached_prefix(1, 2, lines=15), cached_prefix(1, lines=15)
    with small_and_exact():
        first = ModelRuntime(launch, TokenCache())
        first.load()
        prefill(first, whole)
        first.unload()
        second = ModelRuntime(launch, TokenCache())
        second.load()
        known = prefill(second, part).prompt_tokens
        with monkeypatch.context() as patch:
            patch.setattr(Context, "load", lambda *_: False)
            generation = second.generation(
                CompletionRequest(whole, 0, priority=BACKGROUND_PRIORITY), time.perf_counter()
            )
            usage = finish(generation, context_of(second))
        assert usage.restored_tokens == 0
        assert 0 < usage.cached_tokens < known, "what was there of a chunk is lost with it"
        assert usage.prefill_tokens >= usage.prompt_tokens - usage.cached_tokens
        assert (
            context_of(second).mirrors[generation.prompt.slot].tokens.tolist() == generation.prompt.run.tokens.tolist()
        )
        second.unload()


def test_an_aborted_decode_is_no_error_of_the_library(runtime: ModelRuntime) -> None:
    generation = runtime.generation(CompletionRequest(cached_prefix(1) + fim_prompt("x"), 4), time.perf_counter())
    last_errors()
    context_of(runtime).abort.set()
    assert generation.step() is None
    context_of(runtime).abort.clear()
    assert last_errors() == []
    generation.close()
