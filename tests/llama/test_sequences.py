"""Prefix and request slots with the shipped model: what is shared, kept, evicted first, and saved to disk."""

import dataclasses
import math
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from spark_lsp.engine.base import (
    BACKGROUND_PRIORITY,
    CompletionRequest,
    PrefillCost,
    PromptPart,
    Sampling,
    SpecialToken,
    TextPart,
    Usage,
)
from spark_lsp.engine.wire.frames import EngineLaunch
from spark_lsp.errors import EngineFailed
from spark_lsp.llama.generation import Generation
from spark_lsp.llama.kv import block_cache as block_cache_module
from spark_lsp.llama.kv import sequences as pool_module
from spark_lsp.llama.kv.block_cache import BLOCK_TOKENS
from spark_lsp.llama.kv.llama_context import MAX_DRAFT_TOKENS, SEQUENCES, Context
from spark_lsp.llama.kv.sequences import PREFIX_SLOTS, REQUEST_SLOTS, SlotPool
from spark_lsp.llama.loading.gguf_model import TokenCache
from spark_lsp.llama.runtime import CROWDED_TOKENS, ModelRuntime
from spark_lsp.llama.speculative.length_policy import LengthPolicy
from tests.llama.gguf_files import long_context
from tests.llama.test_generation import check

pytestmark = pytest.mark.model

LAUNCH = EngineLaunch(model_path=str(long_context()), context_tokens=4096, threads=1)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelRuntime]:
    monkeypatch.setattr(
        pool_module, "MIN_FOREIGN_MS", math.inf
    )  # which cells stay must not hang on this machine's speed
    model_runtime = ModelRuntime(LAUNCH, TokenCache())
    model_runtime.load()
    yield model_runtime
    model_runtime.unload()


def pool_of(runtime: ModelRuntime) -> SlotPool:
    assert runtime._generation_context is not None
    return runtime._generation_context.pool


def context_of(runtime: ModelRuntime) -> Context:
    return pool_of(runtime).context


def file(number: int, lines: int = 20) -> list[PromptPart]:
    """A file of the cached prefix, some 17 tokens a line."""
    text = "".join(f"def f_{number}_{line}(a, b):\n    return a + {line}\n" for line in range(lines))
    return [SpecialToken("<|file_sep|>"), TextPart(f"file_{number}.py\n{text}", stable=True)]


def cached_prefix(*numbers: int, lines: int = 20) -> tuple[PromptPart, ...]:
    return (
        SpecialToken("<|repo_name|>"),
        TextPart("r\n", stable=True),
        *(part for n in numbers for part in file(n, lines)),
    )


def fim_prompt(text: str) -> tuple[PromptPart, ...]:
    return (
        SpecialToken("<|fim_prefix|>"),
        SpecialToken("<|fim_suffix|>"),
        SpecialToken("<|fim_middle|>"),
        TextPart(text),
    )


def ask(runtime: ModelRuntime, prompt: tuple[PromptPart, ...], tokens: int = 4, **more: object) -> Usage:
    """Answer to the end, checking the mirrors after each step."""
    request = CompletionRequest(prompt, tokens, **more)  # type: ignore[arg-type]
    return finish(runtime.generation(request, time.perf_counter()), context_of(runtime))


def finish(generation: Generation, context: Context) -> Usage:
    while (stop := generation.step()) is None:
        check(context)
    check(context)
    usage = generation.last_chunk(stop).usage
    generation.close()
    assert usage is not None
    return usage


def prefill(runtime: ModelRuntime, prompt: tuple[PromptPart, ...]) -> Usage:
    """Make a cached prefix resident."""
    return ask(runtime, prompt, 0, priority=BACKGROUND_PRIORITY)


def lengths(context: Context, which: range) -> list[int]:
    return sorted(len(context.mirrors[slot]) for slot in which if len(context.mirrors[slot]))


@pytest.mark.parametrize(("pays_for_all", "kept"), [(True, 2), (False, 4)])
def test_old_cached_prefixes_go_where_each_decode_pays_for_them(
    runtime: ModelRuntime, monkeypatch: pytest.MonkeyPatch, *, pays_for_all: bool, kept: int
) -> None:
    """With plain attention. The one that serves until the new one is prefilled stays: returning to it is free."""
    context = context_of(runtime)
    monkeypatch.setattr(context, "pays_for_all", pays_for_all)
    monkeypatch.setattr(pool_module, "MAX_RESIDENT_REQUEST_TOKENS", 0)
    for number in range(4):
        prefill(runtime, cached_prefix(number))
        assert context.cells.capacity - context.cells.free == sum(lengths(context, PREFIX_SLOTS)) - sharing(context)
    assert len(lengths(context, PREFIX_SLOTS)) == kept
    assert prefill(runtime, cached_prefix(2)).prefill_tokens == 0


@pytest.mark.parametrize(("pays_for_all", "kept"), [(True, 2), (False, 4)])
def test_old_request_slots_go_where_each_decode_pays_for_them(
    runtime: ModelRuntime, monkeypatch: pytest.MonkeyPatch, *, pays_for_all: bool, kept: int
) -> None:
    """The document before the current one keeps its slot: people go to and fro between two files."""
    context = context_of(runtime)
    monkeypatch.setattr(context, "pays_for_all", pays_for_all)
    whole = prefill(runtime, cached_prefix(1, 2)).prompt_tokens
    texts = ["".join(f"{name}_{n} = {n}\n" for n in range(40)) for name in "abcd"]
    for text in texts:
        assert ask(runtime, cached_prefix(1, 2) + fim_prompt(text)).prefill_tokens > 100
    assert len(lengths(context, REQUEST_SLOTS)) == kept
    assert ask(runtime, cached_prefix(1, 2) + fim_prompt(texts[-2])).prefill_tokens <= 8
    if pays_for_all:
        longest = max(lengths(context, REQUEST_SLOTS))
        assert context.capacity - context.cells.free <= longest + (longest - whole), (
            "the cached prefix and two requests"
        )


def test_short_idle_request_slots_may_stay(runtime: ModelRuntime) -> None:
    prefill(runtime, cached_prefix(1, 2, 3))
    for name in "abcd":
        ask(runtime, cached_prefix(1, 2, 3) + fim_prompt(f"{name} = "), 2)
    assert len(lengths(context_of(runtime), REQUEST_SLOTS)) == 4


def sharing(context: Context) -> int:
    """Return how many cells are counted once more for each further cached prefix that they belong to."""
    places = np.concatenate([context.mirrors[slot].places for slot in PREFIX_SLOTS])
    return len(places) - len(np.unique(places))


def test_a_request_slot_shares_the_cached_prefix_and_typing_costs_the_key(runtime: ModelRuntime) -> None:
    whole = prefill(runtime, cached_prefix(1, 2))
    assert whole.prefill_tokens == whole.prompt_tokens
    first = ask(runtime, cached_prefix(1, 2) + fim_prompt("x = "))
    assert first.cached_tokens == whole.prompt_tokens
    typed = ask(runtime, cached_prefix(1, 2) + fim_prompt("x = f_1_2"))
    assert typed.prefill_tokens <= 8
    context = context_of(runtime)
    assert lengths(context, PREFIX_SLOTS) == [whole.prompt_tokens]
    used = context.capacity - context.cells.free
    assert used < whole.prompt_tokens + 40, "the cached prefix's cells are there once"


def test_two_documents_in_turn_keep_a_request_slot_each(runtime: ModelRuntime) -> None:
    prefill(runtime, cached_prefix(1))
    long_a, long_b = ("".join(f"{name}_{n} = {n}\n" for n in range(40)) for name in "ab")
    for text in (long_a, long_b):
        assert ask(runtime, cached_prefix(1) + fim_prompt(text)).prefill_tokens > 100
    for text in (long_a, long_b, long_a):
        assert ask(runtime, cached_prefix(1) + fim_prompt(text + "c")).prefill_tokens <= 8
        assert ask(runtime, cached_prefix(1) + fim_prompt(text)).prefill_tokens <= 8


def test_a_completion_without_a_cached_prefix_leaves_its_stable_part_as_one(runtime: ModelRuntime) -> None:
    ask(runtime, cached_prefix(1, 2) + fim_prompt("x"))
    grown = prefill(runtime, cached_prefix(1, 2, 3))
    assert grown.prefill_tokens < grown.prompt_tokens / 2
    assert lengths(context_of(runtime), PREFIX_SLOTS) == [grown.prompt_tokens]


def test_another_cached_prefix_is_prefilled_while_the_old_one_serves(runtime: ModelRuntime) -> None:
    old = prefill(runtime, cached_prefix(1, 2, 3))
    request = CompletionRequest(cached_prefix(1, 4, 5), 0, priority=BACKGROUND_PRIORITY)
    generation = runtime.generation(request, time.perf_counter())
    assert generation.step() is None
    assert ask(runtime, cached_prefix(1, 2, 3) + fim_prompt("y")).cached_tokens == old.prompt_tokens
    new = finish(generation, context_of(runtime))
    assert new.cached_tokens > new.prompt_tokens / 4, "what both have in common is not read again"
    assert ask(runtime, cached_prefix(1, 4, 5) + fim_prompt("y")).cached_tokens == new.prompt_tokens
    assert ask(runtime, cached_prefix(1, 2, 3) + fim_prompt("z")).cached_tokens >= old.prompt_tokens


def test_when_cells_run_out_request_slots_go_first_and_then_the_oldest_cached_prefix(
    runtime: ModelRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context_of(runtime), "pays_for_all", False)  # else old cached prefixes go before cells run out
    first, second = (prefill(runtime, cached_prefix(n, lines=75)) for n in (1, 2))
    ask(runtime, cached_prefix(1, lines=75) + fim_prompt("x = 1\n" * 30))
    context = context_of(runtime)
    assert lengths(context, REQUEST_SLOTS)
    third = prefill(runtime, cached_prefix(3, lines=75))
    assert len(lengths(context, PREFIX_SLOTS)) == 3, "there was room for it"
    fourth = prefill(runtime, cached_prefix(4, lines=75))
    assert not lengths(context, REQUEST_SLOTS)
    assert lengths(context, PREFIX_SLOTS) == sorted(prefix.prompt_tokens for prefix in (first, third, fourth))
    assert ask(runtime, cached_prefix(1, lines=75) + fim_prompt("x")).cached_tokens == first.prompt_tokens, (
        "used after the second"
    )
    assert ask(runtime, cached_prefix(2, lines=75) + fim_prompt("x")).cached_tokens < second.prompt_tokens / 2


def test_of_a_cached_prefix_that_is_being_replaced_stays_what_prompts_show(runtime: ModelRuntime) -> None:
    old = prefill(runtime, cached_prefix(1, 2, 3, lines=45))
    shown = ask(runtime, cached_prefix(1, 2, lines=45) + fim_prompt("x"))
    assert old.prompt_tokens - shown.prompt_tokens > 600, "a file that was opened cuts the old cached prefix there"
    new = prefill(runtime, cached_prefix(4, 5, 6, 7, lines=45))
    context = context_of(runtime)
    assert new.prompt_tokens + old.prompt_tokens > context.capacity, "only one of them would fit beside the other"
    assert ask(runtime, cached_prefix(1, 2, lines=45) + fim_prompt("xy")).prefill_tokens <= 8
    assert ask(runtime, cached_prefix(4, 5, 6, 7, lines=45) + fim_prompt("x")).cached_tokens == new.prompt_tokens


def test_the_end_of_a_cached_prefix_that_is_being_replaced_goes_where_each_decode_pays_for_it(
    runtime: ModelRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_of(runtime)
    monkeypatch.setattr(context, "pays_for_all", True)
    old = prefill(runtime, cached_prefix(1, 2, 3, 4, lines=30))
    ask(runtime, cached_prefix(1, 2, 3, 4, lines=30) + fim_prompt("before = 1"))
    request = CompletionRequest(cached_prefix(1, 3, 4, 5, lines=30), 0, priority=BACKGROUND_PRIORITY)
    generation = runtime.generation(request, time.perf_counter())
    assert generation.step() is None
    ask(runtime, cached_prefix(1, lines=30) + fim_prompt("x"))
    assert context.capacity - context.cells.free < old.prompt_tokens, (
        "file 1 is shared, 2 to 4 are gone with the request slot"
    )
    new = finish(generation, context)
    assert new.cached_tokens >= old.prompt_tokens / 5
    assert ask(runtime, cached_prefix(1, lines=30) + fim_prompt("xy")).prefill_tokens <= 8
    assert ask(runtime, cached_prefix(1, 3, 4, 5, lines=30) + fim_prompt("x")).cached_tokens == new.prompt_tokens


def test_a_cached_prefix_that_was_lost_while_it_was_prefilled_is_not_counted_twice(runtime: ModelRuntime) -> None:
    context = context_of(runtime)
    generation = runtime.generation(
        CompletionRequest(cached_prefix(1, 2, 3, lines=40), 0, priority=BACKGROUND_PRIORITY), time.perf_counter()
    )
    generation.step()
    generation.step()
    context.clear()
    generation.prompt.release()
    usage = finish(generation, context)
    assert usage.cached_tokens + usage.prefill_tokens == usage.prompt_tokens


def test_the_cached_prefix_of_another_workspace_is_not_trimmed(
    runtime: ModelRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_of(runtime)
    monkeypatch.setattr(context, "pays_for_all", True)
    other_prefix = prefill(runtime, cached_prefix(8, 9, lines=30))
    generation = runtime.generation(
        CompletionRequest(cached_prefix(1, 2, lines=30), 0, priority=BACKGROUND_PRIORITY), time.perf_counter()
    )
    assert generation.step() is None
    ask(runtime, cached_prefix(1, lines=30) + fim_prompt("x"))
    finish(generation, context)
    assert ask(runtime, cached_prefix(8, 9, lines=30) + fim_prompt("x")).cached_tokens == other_prefix.prompt_tokens


@pytest.mark.parametrize(("slope_ms", "stays"), [(0.1, True), (2.0, False)])
def test_foreign_cells_go_where_a_long_prompt_would_be_prefilled_over_them(
    runtime: ModelRuntime, monkeypatch: pytest.MonkeyPatch, *, slope_ms: float, stays: bool
) -> None:
    context = context_of(runtime)
    monkeypatch.setattr(context, "pays_for_all", True)
    monkeypatch.setattr(context.rates, "learn", lambda *_: None)
    monkeypatch.setattr(context.rates, "prefill_cost", PrefillCost(1.0, slope_ms))
    monkeypatch.setattr(pool_module, "MIN_FOREIGN_MS", 100.0)
    other_prefix = cached_prefix(8, 9, lines=30)
    result = prefill(runtime, other_prefix)
    ask(runtime, cached_prefix(1, 2, lines=30) + fim_prompt("x"))
    again = ask(runtime, other_prefix + fim_prompt("x"))
    assert (again.cached_tokens >= result.prompt_tokens) == stays
    ask(runtime, other_prefix + fim_prompt("xy"))
    assert context.cells.capacity - context.cells.free < again.prompt_tokens * (3 if stays else 1.1)


class AlwaysLong(LengthPolicy):
    """Drafts as long as there are cells for, whatever this machine's clock says."""

    def length(self, n_past: int, most: int) -> int:
        return most


def test_old_request_slots_make_way_for_drafts(runtime: ModelRuntime) -> None:
    assert runtime._generation_context is not None
    runtime._generation_context = dataclasses.replace(runtime._generation_context, rewrite_length_policy=AlwaysLong())
    prefix = cached_prefix(1, 2, 3, lines=50)
    prefill(runtime, prefix)
    region = "def area(width, height):\n    return width * height\n" * 4
    for number in range(4):  # request slots that fill the rest of the cells
        ask(runtime, prefix + fim_prompt(f"x_{number} = 1\n" * 100))
    context = context_of(runtime)
    prefill(runtime, (SpecialToken("<|repo_name|>"), TextPart(" the" * (context.cells.free - 80), stable=True)))
    assert context.cells.free < MAX_DRAFT_TOKENS + 57, "the prompt takes 56 of them, and drafts need a row more"
    grammar = Sampling(grammar=f'root ::= "{region}"'.replace("\n", "\\n"))
    usage = ask(runtime, prefix + fim_prompt(region), 60, drafts=(region,), sampling=grammar)
    assert usage.accepted_draft_tokens > usage.generated_tokens / 2
    assert usage.decode_steps < usage.generated_tokens / 2


def test_a_prompt_without_a_workspace_leaves_a_full_context_alone() -> None:
    runtime = ModelRuntime(msgspec.structs.replace(LAUNCH, context_tokens=10_000), TokenCache())
    runtime.load()
    alone = ask_text(runtime, fim_prompt("def area(width, height):\n    return "))
    prefill(runtime, cached_prefix(*range(1, 13), lines=40))
    context = context_of(runtime)
    held = [len(mirror) for mirror in context.mirrors]
    assert sum(held) > CROWDED_TOKENS
    assert ask_text(runtime, fim_prompt("def area(width, height):\n    return ")) == alone
    assert [len(mirror) for mirror in context.mirrors] == held
    runtime.unload()


def test_a_prompt_larger_than_the_context_is_refused_and_costs_nobody_anything(runtime: ModelRuntime) -> None:
    kept = prefill(runtime, cached_prefix(1))
    with pytest.raises(EngineFailed, match="context holds"):
        ask(runtime, cached_prefix(2, lines=1000))
    assert ask(runtime, cached_prefix(1) + fim_prompt("x")).cached_tokens == kept.prompt_tokens


def test_more_answers_than_request_slots_all_end_as_alone(runtime: ModelRuntime) -> None:
    prompts = [fim_prompt(f"value_{n} = ") for n in range(len(REQUEST_SLOTS) + 2)]
    alone = [ask_text(runtime, prompt) for prompt in prompts]
    context = context_of(runtime)
    context.clear()
    begun = [runtime.generation(CompletionRequest(prompt, 6), time.perf_counter()) for prompt in prompts]
    for generation in begun:  # each preempts the one before
        for _ in range(2):
            assert generation.step() is None
            check(context)
    texts = []
    for generation in reversed(begun):
        while (stop := generation.step()) is None:
            check(context)
        texts.append(generation.last_chunk(stop).text)
        generation.close()
    assert texts[::-1] == alone


def ask_text(runtime: ModelRuntime, prompt: tuple[PromptPart, ...], tokens: int = 6) -> str:
    generation = runtime.generation(CompletionRequest(prompt, tokens), time.perf_counter())
    while (stop := generation.step()) is None:
        pass
    text = generation.last_chunk(stop).text
    generation.close()
    return text


class TestDisk:
    """Cached prefixes that outlive the engine."""

    @pytest.fixture
    def launch(self, tmp_path: Path) -> EngineLaunch:
        return msgspec.structs.replace(LAUNCH, cache_folder=str(tmp_path / "kv"), cache_bytes=1 << 30)

    def test_a_cached_prefix_comes_back_from_disk_and_gives_the_same_logits(self, launch: EngineLaunch) -> None:
        prefix = cached_prefix(1, 2, lines=75)
        before = ModelRuntime(launch, TokenCache())
        before.load()
        whole = prefill(before, prefix)
        assert whole.prompt_tokens > BLOCK_TOKENS, "more than one chunk"
        ask(before, prefix + fim_prompt("x"), 1)
        logits = context_of(before).logits().copy()
        before.unload()
        after = ModelRuntime(launch, TokenCache())
        after.load()
        again = prefill(after, prefix)
        assert again.restored_tokens == again.prompt_tokens
        assert again.prefill_tokens == 0
        ask(after, prefix + fim_prompt("x"), 1)
        assert np.abs(context_of(after).logits() - logits).max() <= 0.1
        after.unload()

    def test_a_completion_takes_its_cached_prefix_from_disk_too(self, launch: EngineLaunch) -> None:
        prefix = cached_prefix(1, 2, lines=75)
        for expected in (0, 2000):
            runtime = ModelRuntime(launch, TokenCache())
            runtime.load()
            usage = ask(runtime, prefix + fim_prompt("x"))
            assert usage.restored_tokens >= expected
            assert usage.cached_tokens + usage.prefill_tokens == usage.prompt_tokens
            runtime.unload()

    def test_a_damaged_file_is_prefilled_as_nothing(self, launch: EngineLaunch) -> None:
        prefix = cached_prefix(1, 2, lines=75)
        runtime = ModelRuntime(launch, TokenCache())
        runtime.load()
        prefill(runtime, prefix)
        runtime.unload()
        files = [path for path in Path(launch.cache_folder).iterdir() if path.is_file()]
        assert len(files) == 2
        for block_file in files:
            block_file.write_bytes(block_file.read_bytes()[:-1000])
        runtime = ModelRuntime(launch, TokenCache())
        runtime.load()
        usage = prefill(runtime, prefix)
        assert usage.restored_tokens == 0
        assert usage.prefill_tokens == usage.prompt_tokens
        runtime.unload()

    def test_a_cached_prefix_that_has_to_go_is_saved_before(self, launch: EngineLaunch) -> None:
        runtime = ModelRuntime(launch, TokenCache())
        runtime.load()
        first = prefill(runtime, cached_prefix(1, lines=75))
        for number in (2, 3, 4):
            prefill(runtime, cached_prefix(number, lines=75))
        again = prefill(runtime, cached_prefix(1, lines=75))
        assert again.restored_tokens > first.prompt_tokens / 2
        assert again.prefill_tokens == 0
        runtime.unload()

    def test_a_cached_prefix_whose_sequence_is_taken_is_saved_before(self, launch: EngineLaunch) -> None:
        runtime = ModelRuntime(launch, TokenCache())
        runtime.load()
        first = prefill(runtime, cached_prefix(0))
        for number in range(1, len(PREFIX_SLOTS) + 1):
            prefill(runtime, cached_prefix(number))
        assert len(lengths(context_of(runtime), PREFIX_SLOTS)) == len(PREFIX_SLOTS)
        again = prefill(runtime, cached_prefix(0))
        assert again.restored_tokens == first.prompt_tokens - (again.cached_tokens - again.restored_tokens) > 300
        runtime.unload()

    @pytest.mark.parametrize(("is_awaited", "blocks"), [(True, 0), (False, 2)])
    def test_a_request_does_not_wait_until_an_evicted_prefix_is_saved(
        self, launch: EngineLaunch, monkeypatch: pytest.MonkeyPatch, *, is_awaited: bool, blocks: int
    ) -> None:
        monkeypatch.setattr(block_cache_module, "MAX_AWAITED_SAVE_S", 0.0)
        runtime = ModelRuntime(launch, TokenCache())
        runtime.load()
        prefill(runtime, cached_prefix(1, 2, lines=75))
        [slot] = [slot for slot in PREFIX_SLOTS if len(context_of(runtime).mirrors[slot])]
        pool_of(runtime).ensure_free(context_of(runtime).capacity, REQUEST_SLOTS[0] if is_awaited else slot + 1)
        assert len(list(Path(launch.cache_folder).glob("*.kv"))) == blocks
        runtime.unload()

    def test_saving_an_evicted_prefix_ends_where_a_request_comes(self, launch: EngineLaunch) -> None:
        runtime = ModelRuntime(launch, TokenCache())
        runtime.load()
        prefill(runtime, cached_prefix(1, 2, lines=75))
        [slot] = [slot for slot in PREFIX_SLOTS if len(context_of(runtime).mirrors[slot])]
        context_of(runtime).abort.set()
        pool_of(runtime).ensure_free(context_of(runtime).capacity, slot + 1)
        context_of(runtime).abort.clear()
        assert not list(Path(launch.cache_folder).glob("*.kv"))
        runtime.unload()


def test_there_are_sequences_for_all_roles() -> None:
    assert {*REQUEST_SLOTS} & {*PREFIX_SLOTS} == set()
    assert max(*REQUEST_SLOTS, *PREFIX_SLOTS) == SEQUENCES - 1
