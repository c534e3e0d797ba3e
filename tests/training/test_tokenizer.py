"""The tokenizer that ships: its special tokens, and that llama.cpp cuts as it does."""

import json

import pytest

from models.training.llama import differing_texts
from models.training.tokenizer import HARD_TEXTS, PRE_TOKENIZER, SPECIAL_TOKENS, TOKENIZER, Vocabulary
from spark_lsp.engine.fim import family_of


def test_the_special_tokens_are_there_and_make_the_family() -> None:
    added = json.loads(TOKENIZER.read_text("utf-8"))["added_tokens"]
    assert {row["content"]: row["id"] for row in added} == {text: number for number, text in enumerate(SPECIAL_TOKENS)}
    assert all(row["special"] for row in added)
    family = family_of(lambda text: text in SPECIAL_TOKENS)
    assert family is not None
    assert family.name == "qwen2.5-coder"
    assert set(family.stops) <= set(SPECIAL_TOKENS)


def test_the_cuts_are_those_of_llama_cpp() -> None:
    kept = json.loads(TOKENIZER.read_text("utf-8"))["pre_tokenizer"]["pretokenizers"]
    assert kept[0]["pattern"] == {"Regex": PRE_TOKENIZER}
    assert TOKENIZER.stat().st_size < 1_000_000


def test_text_never_becomes_a_special_token() -> None:
    pytest.importorskip("tokenizers")
    vocabulary = Vocabulary(TOKENIZER)
    for text in [*HARD_TEXTS, *SPECIAL_TOKENS]:
        ids = vocabulary.encode(text)
        assert not set(ids) & set(range(len(SPECIAL_TOKENS)))
        assert vocabulary.decode(ids) == text
    with pytest.raises(KeyError):
        vocabulary.special_token("the")


@pytest.mark.model
def test_llama_cpp_gives_the_same_ids() -> None:
    pytest.importorskip("tokenizers")
    code = TOKENIZER.parent.joinpath("siblings.py").read_text("utf-8")
    assert differing_texts(Vocabulary(TOKENIZER), [*HARD_TEXTS, code]) == []
