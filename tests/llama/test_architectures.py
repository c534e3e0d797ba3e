"""Models that keep more than attention cells: recurrent, hybrid and sliding-window ones stay warm, and exact."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from spark_lsp.engine.base import CompletionRequest, PromptPart, SpecialToken, TextPart
from spark_lsp.engine.wire.frames import EngineLaunch
from spark_lsp.llama import prompt_slot as slot_module
from spark_lsp.llama.decode_baseline import DecodeBaseline
from spark_lsp.llama.kv import block_cache as block_cache_module
from spark_lsp.llama.kv.cells import Tokens
from spark_lsp.llama.kv.checkpoints import MIN_TAIL_STEP_TOKENS, TAIL_TOKENS
from spark_lsp.llama.loading.cache_shape import kv_values_per_token, state_bytes
from spark_lsp.llama.loading.gguf_model import GgufModel, TokenCache
from spark_lsp.llama.loading.native import L
from spark_lsp.llama.runtime import ModelRuntime
from tests.llama.random_models import HYBRID, RECURRENT, SLIDING, WINDOW_TOKENS, write
from tests.llama.test_sequences import ask, cached_prefix, context_of, prefill
from tests.llama.walk import BOUND, Walk, launch_of, small_and_exact

pytestmark = pytest.mark.model

ALL = (*HYBRID, *RECURRENT, *SLIDING)
WITH_STATE = (*HYBRID, *RECURRENT)
BLOCK_TOKENS = 256


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("architectures")
    return {architecture: write(folder / f"{architecture}.gguf", architecture) for architecture in ALL}


def launch(model: Path) -> EngineLaunch:
    return EngineLaunch(model_path=str(model), context_tokens=2048, threads=1)


def loaded(engine_launch: EngineLaunch) -> ModelRuntime:
    runtime = ModelRuntime(engine_launch, TokenCache())
    runtime.load()
    return runtime


@pytest.fixture(params=WITH_STATE)
def runtime(request: pytest.FixtureRequest, models: dict[str, Path]) -> Iterator[ModelRuntime]:
    model_runtime = loaded(launch(models[request.param]))
    yield model_runtime
    model_runtime.unload()


def typed(text: str) -> tuple[PromptPart, ...]:
    """A prompt whose last part grows as the user types."""
    return (*cached_prefix(1, 2, lines=12), SpecialToken("<|fim_prefix|>"), TextPart(text, heal=True))


@pytest.mark.parametrize("architecture", ALL)
@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_the_cache_is_what_it_says(
    architecture: str, seed: int, models: dict[str, Path], tmp_path: Path
) -> None:
    """The walk aborts decodes, evicts, saves, restores and drafts; every logit is compared with a fresh context's."""
    with small_and_exact():
        walk = Walk(seed, launch_of(seed, models[architecture], tmp_path / "kv"))
        for _ in range(200):
            walk.step()
        walk.end()
    assert walk.figures.compared_logits
    assert walk.figures.compared_answers
    assert walk.figures.counts["cached_tokens"]
    assert walk.figures.worst_difference <= BOUND


def test_a_key_prefills_a_few_tokens(runtime: ModelRuntime) -> None:
    """Without checkpoints a recurrent state could not drop the last answer, and each key prefilled the whole prompt."""
    text = "def write(path, text):\n    with open(path) as file:\n        file.wr"
    ask(runtime, typed(text))
    prefilled = []
    for key in "ite(text)\n        return":
        text += key
        prefilled.append(ask(runtime, typed(text)).prefill_tokens)
    for _ in range(6):  # and as the user deletes
        text = text[:-1]
        prefilled.append(ask(runtime, typed(text)).prefill_tokens)
    assert max(prefilled) <= 2 * (MIN_TAIL_STEP_TOKENS + TAIL_TOKENS), "twice where the last word is written otherwise"
    assert sum(prefilled) <= len(prefilled) * (MIN_TAIL_STEP_TOKENS + TAIL_TOKENS)


def test_a_second_document_shares_the_cached_prefix(runtime: ModelRuntime) -> None:
    whole = prefill(runtime, cached_prefix(1, 2, lines=12)).prompt_tokens
    usage = ask(runtime, typed("import os\n"))
    assert usage.cached_tokens == whole
    assert ask(runtime, typed("class Book:\n    pass\n")).cached_tokens == whole


def test_a_changed_file_costs_what_is_behind_the_last_checkpoint_before_it(
    runtime: ModelRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot_module, "SPACING_TOKENS", 128)
    whole = prefill(runtime, cached_prefix(1, 2, 3, 4, lines=12)).prompt_tokens
    usage = prefill(runtime, cached_prefix(1, 2, 3, 5, lines=12))
    assert usage.prefill_tokens <= whole // 4 + 128
    assert usage.cached_tokens >= whole * 3 // 4 - 128


def test_drafts_are_accepted_and_change_nothing(models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that repeats itself is drafted from its own text."""
    for architecture in WITH_STATE:
        runtime = loaded(launch(models[architecture]))
        request = CompletionRequest(typed("x = 1\n" * 8), 24)
        alone = answer(runtime, msgspec.structs.replace(request, speculate=False))
        context_of(runtime).clear()
        generation_context = runtime._generation_context
        assert generation_context is not None
        monkeypatch.setattr(generation_context.completion_length_policy, "length", lambda _n_past, most: min(most, 4))
        assert answer(runtime, request) == alone, architecture
        runtime.unload()


def answer(runtime: ModelRuntime, request: CompletionRequest) -> list[int]:
    generation = runtime.generation(request, 0.0)
    while generation.step() is None:
        pass
    generation.close()
    tokens: list[int] = generation.answer.tokens.tolist()
    return tokens


@pytest.mark.parametrize("architecture", ALL)
def test_a_cached_prefix_comes_back_from_disk(
    architecture: str, models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_cache_module, "BLOCK_TOKENS", BLOCK_TOKENS)
    monkeypatch.setattr(slot_module, "SPACING_TOKENS", BLOCK_TOKENS // 2)
    kept = msgspec.structs.replace(launch(models[architecture]), cache_folder=str(tmp_path), cache_bytes=1 << 30)
    first = loaded(kept)
    whole = prefill(first, cached_prefix(1, 2, 3, lines=12)).prompt_tokens
    cold = answer(first, CompletionRequest(typed("import os\n"), 8))
    first.unload()
    second = loaded(kept)
    usage = prefill(second, cached_prefix(1, 2, 3, lines=12))
    assert usage.restored_tokens == whole
    assert usage.prefill_tokens == 0
    assert answer(second, CompletionRequest(typed("import os\n"), 8)) == cold
    second.unload()


def test_a_sequence_from_disk_does_not_end_where_its_window_is_missing(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """llama.cpp writes the cells of a sliding window for the end of a sequence only."""
    monkeypatch.setattr(block_cache_module, "BLOCK_TOKENS", BLOCK_TOKENS)
    kept = msgspec.structs.replace(launch(models["gemma3"]), cache_folder=str(tmp_path), cache_bytes=1 << 30)
    first = loaded(kept)
    prefill(first, cached_prefix(1, 2, lines=14))
    first.unload()
    second = loaded(kept)
    prefill(second, cached_prefix(1, 2, lines=14))
    context = context_of(second)
    (sequence,) = [slot for slot, mirror in enumerate(context.mirrors) if len(mirror)]
    places = {context.restorable(sequence, length) for length in range(1, len(context.mirrors[sequence]))}
    assert places == {0, BLOCK_TOKENS}
    assert BLOCK_TOKENS > WINDOW_TOKENS
    assert context.truncate(sequence, BLOCK_TOKENS + 9) == BLOCK_TOKENS
    second.unload()


@pytest.mark.parametrize("architecture", ALL)
def test_sizes_from_metadata_are_those_of_llama_cpp(architecture: str, models: dict[str, Path]) -> None:
    runtime = loaded(launch(models[architecture]))
    context = context_of(runtime)
    model = GgufModel(str(models[architecture]), gpu_layers=0, vocab_only=True)
    context.decode(1, typed_tokens(64))
    partial, whole = (L.llama_state_seq_get_size_ext(context.handle, 1, flags) for flags in (1, 0))
    if architecture in WITH_STATE:
        assert 0 <= partial - state_bytes(model) <= 256, "the state and its header"
    else:
        assert state_bytes(model) == 0
    if architecture not in SLIDING:
        context.decode(1, typed_tokens(64))
        longer = L.llama_state_seq_get_size_ext(context.handle, 1, 0)
        each_token = (longer - whole) / 64 / 2  # an f16 takes two bytes
        assert 0 <= each_token - kv_values_per_token(model) <= 16, "and a cell's position"
    model.close()
    runtime.unload()


def typed_tokens(count: int) -> Tokens:
    return np.arange(100, 100 + count, dtype=np.int32)


@pytest.mark.parametrize("architecture", ALL)
def test_the_bare_loop_measures_the_same_place_again_and_again(architecture: str, models: dict[str, Path]) -> None:
    baseline = DecodeBaseline(launch(models[architecture]))
    place = baseline.hold(cached_prefix(1, lines=12))
    for _ in range(2):
        assert baseline.prefill_ms(20) > 0
        assert baseline.decode_ms(3) > 0
        assert baseline._context.resident(1) == place
    baseline.close()
