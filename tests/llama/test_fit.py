"""How large a context is made, and what the user is told."""

from dataclasses import replace

import pytest

from spark_lsp.errors import ModelUnusable
from spark_lsp.llama.fit import (
    CPU_CONTEXT,
    SMALLEST_CONTEXT,
    Wanted,
    available_bytes,
    compute_threads,
    fit_context,
    halved,
)

GIB = 1024**3

PLENTY = Wanted(
    asked_tokens=16_384,
    trained_tokens=131_072,
    on_gpu=False,
    weights_bytes=GIB,
    kv_bytes_per_token=28 * 1024,
    memory_limit_bytes=0,
    available_bytes=64 * GIB,
)


def test_what_fits_is_given_without_a_word() -> None:
    fit = fit_context(PLENTY)
    assert (fit.context_tokens, fit.notes) == (16_384, ())


def test_the_trained_context_is_a_limit() -> None:
    fit = fit_context(replace(PLENTY, trained_tokens=8192))
    assert fit.context_tokens == 8192
    assert fit.notes == ("The context is 8,192 tokens because the model was trained for no more.",)


def test_without_a_gpu_there_is_a_limit() -> None:
    asked = replace(PLENTY, asked_tokens=131_072)
    assert fit_context(asked).context_tokens == CPU_CONTEXT
    assert "without a GPU" in fit_context(asked).notes[0]
    assert fit_context(replace(asked, on_gpu=True)).context_tokens == 131_072


def test_memory_is_a_limit() -> None:
    fit = fit_context(replace(PLENTY, available_bytes=GIB + 512 * 1024 * 1024))
    assert SMALLEST_CONTEXT <= fit.context_tokens < 16_384
    assert fit.context_tokens % 256 == 0
    assert "free memory holds no more" in fit.notes[0]


def test_the_users_limit_is_named() -> None:
    fit = fit_context(replace(PLENTY, memory_limit_bytes=GIB + 256 * 1024 * 1024))
    assert fit.context_tokens < 16_384
    assert "engine.memoryLimitBytes allows no more" in fit.notes[0]


def test_a_limit_above_what_is_free_does_not_bind() -> None:
    fit = fit_context(replace(PLENTY, available_bytes=2 * GIB, memory_limit_bytes=64 * GIB))
    assert all("memoryLimitBytes" not in note for note in fit.notes)


@pytest.mark.parametrize("change", [{"available_bytes": GIB}, {"memory_limit_bytes": 1}], ids=["free", "limit"])
def test_too_little_for_the_smallest_is_an_error_with_numbers(change: dict[str, int]) -> None:
    with pytest.raises(ModelUnusable, match=r"needs at least 1,112 MiB, and [\d,]+ MiB are (free|allowed)"):
        fit_context(replace(PLENTY, **change))


def test_a_model_of_a_tiny_context_is_taken_as_it_is() -> None:
    assert fit_context(replace(PLENTY, trained_tokens=512)).context_tokens == 512


def test_halving_ends() -> None:
    sizes = [32_768]
    while sizes[-1]:
        sizes.append(halved(sizes[-1]))
    assert sizes == [32_768, 16_384, 8192, 4096, 2048, 0]
    assert halved(3000) == 2048
    assert halved(512) == 0


def test_the_machine_is_looked_at() -> None:
    assert available_bytes() > 0
    assert compute_threads(0) >= 1
    assert compute_threads(3) == 3
