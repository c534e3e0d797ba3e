"""Vocabulary and metadata of real files, without weights."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.engine.wire.frames import EngineLaunch
from spark_lsp.llama.loading.cache_shape import kv_values_per_token
from spark_lsp.llama.loading.describe import probe
from spark_lsp.llama.loading.gguf_model import GgufModel, TokenCache
from spark_lsp.llama.runtime import ModelRuntime
from tests.llama.gguf_files import SHIPPED, rewrite, with_chat

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def model() -> Iterator[GgufModel]:
    loaded = GgufModel(str(SHIPPED), gpu_layers=0, vocab_only=True)
    yield loaded
    loaded.close()
    loaded.close()


def test_the_shipped_model_describes_itself(model: GgufModel) -> None:
    assert model.architecture == "qwen3"
    assert model.name == "spark-nano"
    assert model.trained_context_tokens == gguf.GGUFReader(SHIPPED).fields["qwen3.context_length"].contents()
    assert kv_values_per_token(model) > 0
    family = model.family()
    assert family is not None
    assert family.name == "qwen2.5-coder"
    assert model.fim_order() == "spm"
    assert model.text("no.such.key") == ""
    assert model.number("no_such_key", 7) == 7


def test_special_tokens_are_taken_by_name_only(model: GgufModel) -> None:
    vocabulary = model.vocabulary
    middle = vocabulary.special_token("<|fim_middle|>")
    assert middle is not None
    assert vocabulary.is_special(middle)
    assert vocabulary.piece(middle) == b""
    for text in ("def", "<|fim_middle|> ", "<|fim_middle|><|fim_middle|>", "", "<|no|>"):
        assert vocabulary.special_token(text) is None
    end = vocabulary.special_token("<|endoftext|>")
    assert end is not None
    assert vocabulary.ends_generation(end)
    assert vocabulary.piece(-1) == vocabulary.piece(vocabulary.size) == b""


@given(st.text(max_size=60) | st.text("<|fim_mdle>\n ", max_size=60))
def test_tokens_give_their_text_back_and_hold_no_control(model: GgufModel, text: str) -> None:
    tokens = model.vocabulary.tokenize(text)
    assert b"".join(model.vocabulary.piece(int(token)) for token in tokens).decode() == text
    assert not any(model.vocabulary.is_special(int(token)) for token in tokens)


def test_the_cache_forgets_the_oldest(model: GgufModel) -> None:
    cache = TokenCache(most_tokens=8)
    key, first = cache.tokens(model.vocabulary, "a")
    assert cache.tokens(model.vocabulary, "a")[1] is first
    for number in range(20):
        cache.tokens(model.vocabulary, f"word {number}")
    again_key, again = cache.tokens(model.vocabulary, "a")
    assert again is not first
    assert again_key == key
    assert again.tolist() == first.tolist()


def test_other_spellings_are_other_families(tmp_path: Path) -> None:
    starcoder = {
        "<|fim_prefix|>": "<fim_prefix>",
        "<|fim_suffix|>": "<fim_suffix>",
        "<|fim_middle|>": "<fim_middle>",
        "<|repo_name|>": "<repo_name>",
        "<|file_sep|>": "<file_sep>",
    }
    path = rewrite(tmp_path / "other.gguf", rename=starcoder, drop=("spark.fim_order",))
    model = GgufModel(str(path), gpu_layers=0, vocab_only=True)
    family = model.family()
    assert family is not None
    assert family.name == "starcoder2"
    assert model.fim_order() == "psm"
    assert model.fingerprint() != GgufModel(str(SHIPPED), gpu_layers=0, vocab_only=True).fingerprint()
    model.close()


def test_chat_template_is_told_whole_with_the_special_tokens_that_it_may_name(tmp_path: Path) -> None:
    template = "{{ bos_token }}" + "{# a template longer than a kilobyte #}" * 50 + "<|fim_prefix|>"
    facts = probe(str(with_chat(tmp_path / "chat.gguf", template)))
    assert facts.has_chat_template
    assert facts.chat_template == template
    assert "<|fim_prefix|>" in facts.special_token_texts
    assert all("\n" not in text and text for text in facts.special_token_texts)
    shipped = probe(str(SHIPPED))
    assert (shipped.has_chat_template, shipped.chat_template, shipped.special_token_texts) == (False, "", ())


def test_counting_goes_on_beside_a_model_that_comes_and_goes(model: GgufModel) -> None:
    runtime = ModelRuntime(EngineLaunch(model_path=str(SHIPPED), context_tokens=1024, threads=1), TokenCache())
    texts = [f"def area_{number}(width, height):\n" for number in range(200)]
    expected = {text: len(model.vocabulary.tokenize(text)) for text in texts}
    assert runtime.count_tokens(texts[0]) is None, "nothing is loaded"
    is_over = Event()

    def count() -> list[str]:
        wrong = []
        while not is_over.is_set():
            wrong += [text for text in texts if runtime.count_tokens(text) not in {None, expected[text]}]
        return wrong

    with ThreadPoolExecutor(1) as counter:
        counting = counter.submit(count)
        for _ in range(3):
            runtime.load()
            assert runtime.count_tokens(texts[0]) == expected[texts[0]]
            runtime.unload()
        is_over.set()
        assert counting.result() == []
    assert runtime.count_tokens(texts[0]) is None
