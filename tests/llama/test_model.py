"""Vocabulary and metadata of real files, without weights."""

from collections.abc import Iterator
from pathlib import Path

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.llama.loading.describe import probe
from spark_lsp.llama.loading.gguf_model import GgufModel, TokenCache
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
    assert model.kv_values_per_token() > 0
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
