"""The words of a text and its windows, compared with a simple implementation."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.index.parse import windows
from spark_lsp.index.parse.windows import WINDOW_LINES, FileWords, WordInput, words_of, words_of_all
from spark_lsp.index.parse.words import sorted_places

pieces = st.sampled_from(["ab", "abc", "long_name", "if", "x", "größe", "é", "12", "3d", "“q”", " ", ".", "\n", "\n\n"])
texts = st.lists(pieces, max_size=120).map("".join)


def windows_of(words: FileWords) -> list[set[str]]:
    names = [raw.decode() for raw in words.raw_names()]
    members = iter(np.frombuffer(words.members, np.uint16).tolist())
    return [{names[next(members)] for _ in range(size)} for size in np.frombuffer(words.sizes, np.uint16).tolist()]


def plain_windows(text: str) -> list[set[str]]:
    lines = text.split("\n")
    cuts = ["\n".join(lines[start : start + WINDOW_LINES]) for start in range(0, len(lines), WINDOW_LINES)]
    return [{word for word in re.findall(r"\w+", cut) if word.isidentifier()} for cut in cuts]


@given(texts)
def test_windows_hold_the_names_of_their_lines(text: str) -> None:
    text = text.replace("“", " ").replace("”", " ")  # bytes alone do not end a word at such a sign
    found_windows = windows_of(words_of(text.encode(), text.encode()))
    expected = [{word for word in window if len(word) >= windows.WORD_LENGTH} for window in plain_windows(text)]
    assert found_windows == (expected if any(expected) or found_windows else [])


@given(texts)
def test_uses_are_counted_in_code_without_reserved_words_and_what_the_file_defines(text: str) -> None:
    code = re.sub(r"long_name|\.", lambda match: " " * len(match[0]), text)
    words = words_of(text.encode(), code.encode(), reserved=[b"if"], own=["abc", "abc", "nowhere"])
    standing = re.findall(r"\w[\w“”]*|[“”][\w“”]*", text.replace(".", " "))
    counts = Counter(word for word in standing if word.isidentifier() and word != "if")
    counts.subtract({"abc": 2})
    blank = {word for word in counts if word.startswith("long_name")}
    assert words.uses() == {word: count for word, count in counts.items() if count > 0 and word not in blank}


@pytest.mark.slow
@given(st.lists(st.tuples(texts, st.sampled_from([b"if", b"ab"]), st.lists(pieces, max_size=3)), max_size=6))
def test_many_texts_at_once_are_counted_as_each_alone(several: list[tuple[str, bytes, list[str]]]) -> None:
    wanted = [WordInput(text.encode(), text.encode(), frozenset([word]), own) for text, word, own in several]
    assert words_of_all(wanted) == [words_of_all([text])[0] for text in wanted]


def test_long_words_are_told_apart_by_all_their_letters() -> None:
    words = [f"{'a' * before}{letter}{'a' * (length - before)}" for length in (7, 8, 20, 63, 64, 65, 90)
             for before in (0, length // 2, length) for letter in "bc"]  # fmt: skip
    source = " ".join(words * 2).encode()
    assert words_of(source, source).uses() == dict.fromkeys(words, 2)


@given(st.lists(st.integers(0, 40) | st.integers(0, 2**64 - 1), max_size=30))
def test_keys_that_are_nearly_the_same_are_told_apart(keys: list[int]) -> None:
    order = sorted_places(np.array(keys, np.uint64)).tolist()
    assert order == sorted(range(len(keys)), key=keys.__getitem__)


def test_names_beyond_the_limits_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    source = b"often often often once twice twice\n" * 2
    monkeypatch.setattr(windows, "USES_LIMIT", 2)
    assert words_of(source, source).uses() == {"often": 6, "twice": 4}
    monkeypatch.setattr(windows, "WORDS_LIMIT", 1)
    words = words_of(source, source)
    assert (words.raw_names(), windows_of(words)) == ([b"often"], [{"often"}])
    monkeypatch.setattr(windows, "WINDOWS_LIMIT", 2)
    assert len(windows_of(words_of(source * 100, source * 100))) == 2
