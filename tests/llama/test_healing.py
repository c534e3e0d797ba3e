"""Token healing with the shipped model: what was typed stays typed, and where its tokens were cut does not matter."""

import time
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spark_lsp.engine.base import Chunk, CompletionRequest, PromptPart, Sampling, SpecialToken, TextPart
from spark_lsp.engine.fim import Order, build_prompt, family_named
from spark_lsp.llama.healing import MAX_LAST_WORD_TOKENS, LastWord, choose_path, last_word_of
from spark_lsp.llama.loading.gguf_model import TokenCache, Vocabulary
from spark_lsp.llama.runtime import ModelRuntime
from tests.llama.test_generation import LAUNCH, check, context_of, run

pytestmark = pytest.mark.model

PREFIX = "class Book:\n    def __init__(self, title, author):\n        self.title = title\n        self."
SUFFIX = "\n\n\ndef main():\n    pass\n"


@pytest.fixture(scope="module")
def runtime() -> Iterator[ModelRuntime]:
    model_runtime = ModelRuntime(LAUNCH, TokenCache())
    model_runtime.load()
    yield model_runtime
    model_runtime.unload()


@pytest.fixture(scope="module")
def vocabulary(runtime: ModelRuntime) -> Vocabulary:
    assert runtime.vocabulary is not None
    return runtime.vocabulary


def prompt_of(prefix: str, order: Order = "spm", *, heals: bool = True) -> tuple[PromptPart, ...]:
    family = family_named("qwen2.5-coder")
    assert family is not None
    parts = build_prompt(family, order, repository="", blocks=(), current_path="a.py", prefix=prefix, suffix=SUFFIX)
    return parts if heals else tuple(TextPart(part.text) if isinstance(part, TextPart) else part for part in parts)


def chunks_of(runtime: ModelRuntime, request: CompletionRequest) -> list[Chunk]:
    """Every chunk of an answer, one for each step that brought one."""
    generation = runtime.generation(request, time.perf_counter())
    chunks = []
    while (stop := generation.step()) is None:
        check(context_of(runtime))
        chunk = generation.take()
        chunks += [chunk] if chunk else []
    chunks.append(generation.last_chunk(stop))
    generation.close()
    return chunks


def answer(runtime: ModelRuntime, prefix: str, order: Order = "spm", tokens: int = 8) -> str:
    return "".join(chunk.text for chunk in chunks_of(runtime, CompletionRequest(prompt_of(prefix, order), tokens)))


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("entry.am", ".am"),
        ("total = entry", " entry"),
        ("return ", " "),
        ("if x:\n    ", "    "),
        ("if x:\n", ":\n"),
        ("print(", "("),
        ("self.", "."),
        ("", ""),
        ("x = '漢字", "'漢字"),
        ("é", "é"),
        ("x" * 100, ""),  # longer than any last word
    ],
)
def test_the_last_word_is_set_apart(vocabulary: Vocabulary, text: str, end: str) -> None:
    last_word = last_word_of(vocabulary, text, vocabulary.tokenize(text))
    word = last_word.text.decode("utf-8", "replace") if last_word else ""
    # A token may hold more than the word, so the last word may begin before it.
    assert word.endswith(end)
    assert bool(word) == bool(end)
    assert text.endswith(word)


@given(st.text("ab._( \n\té漢🦎", max_size=40))
def test_the_kept_tokens_and_the_last_word_give_the_text_back(vocabulary: Vocabulary, text: str) -> None:
    tokens = vocabulary.tokenize(text)
    last_word = last_word_of(vocabulary, text, tokens)
    if last_word is None:
        return
    kept = b"".join(vocabulary.piece(int(token)) for token in tokens[: len(tokens) - last_word.dropped])
    assert kept + last_word.text == text.encode()
    usual = b"".join(vocabulary.piece(int(token)) for token in last_word.tokens)
    assert usual in (last_word.text, last_word.text[:-1])
    assert len(last_word.tokens) <= MAX_LAST_WORD_TOKENS
    assert kept.decode() + last_word.text.decode() == text  # neither begins in the middle of a character


@pytest.mark.parametrize(
    "prefix", [b"a", b" re", b"\n", b"    ", "é".encode(), "漢".encode()[:2], b"\xff", b"\xf0\x9f"]
)
def test_beginning_with_finds_all_tokens_of_text(vocabulary: Vocabulary, prefix: bytes) -> None:
    expected = [token for token in range(vocabulary.size) if vocabulary.piece(token).startswith(prefix)]
    assert sorted(vocabulary.beginning_with(prefix).tolist()) == expected
    assert not any(vocabulary.is_special(token) for token in expected)


@settings(max_examples=30, deadline=None)
@given(text=st.sampled_from(["entry.am", "return ", "x:\n        ", "_acc", "'漢"]), seed=st.integers(0, 1000))
def test_the_likeliest_path_counts(vocabulary: Vocabulary, text: str, seed: int) -> None:
    last_word = last_word_of(vocabulary, text, vocabulary.tokenize(text))
    assert last_word is not None
    rows = np.random.default_rng(seed).normal(0, 4, (len(last_word.tokens) + 1, vocabulary.size)).astype(np.float32)
    scratch = np.empty(vocabulary.size, np.float32)
    path = choose_path(vocabulary, last_word, lambda row: rows[row], Sampling(), scratch)
    every = paths(vocabulary, last_word, rows)
    best = max(every, key=lambda key: every[key])
    assert (path.kept, path.token) == best
    assert path.probability == pytest.approx(every[best] / sum(every.values()), rel=1e-3)
    if path.token is not None:
        piece = vocabulary.piece(path.token)
        before = b"".join(vocabulary.piece(int(token)) for token in last_word.tokens[: path.kept])
        assert len(before) + path.typed == len(last_word.text)
        assert before + piece[: path.typed] == last_word.text
    hot = Sampling(temperature=1.0, seed=seed)
    drawn = choose_path(vocabulary, last_word, lambda row: rows[row], hot, scratch)
    assert (drawn.kept, drawn.token) in every
    assert drawn == choose_path(vocabulary, last_word, lambda row: rows[row], hot, scratch)


def paths(vocabulary: Vocabulary, last_word: LastWord, rows: np.ndarray) -> dict[tuple[int, int | None], float]:
    """Every way to write a last word and its probability, by looking at each token."""
    shares = np.exp(rows.astype(np.float64))
    shares /= shares.sum(axis=1, keepdims=True)
    before, rest = 1.0, last_word.text
    scores: dict[tuple[int, int | None], float] = {}
    for kept, token in enumerate([*last_word.tokens.tolist(), -1]):
        if not rest:
            scores[kept, None] = before
            break
        for candidate_token in range(vocabulary.size):
            if vocabulary.piece(candidate_token).startswith(rest) and candidate_token != token:
                scores[kept, candidate_token] = before * shares[kept, candidate_token]
        before *= shares[kept, token]
        rest = rest[len(vocabulary.piece(token)) :]
    return scores


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 40), order=st.sampled_from(["psm", "spm"]))
def test_a_cut_in_what_the_model_writes_changes_nothing(
    runtime: ModelRuntime, vocabulary: Vocabulary, cut: int, order: Order
) -> None:
    """Where the model writes the typed part in one token itself, it says the same behind any cut of that token."""
    chunks = chunks_of(runtime, CompletionRequest(prompt_of(PREFIX, order), 12))
    pieces = [chunk.text for chunk in chunks if chunk.text]
    whole = "".join(pieces)
    cut %= len(whole)
    begun = next(number for number in range(len(pieces)) if len("".join(pieces[: number + 1])) > cut)
    start = len("".join(pieces[:begun]))
    typed = whole[start:cut]
    if not typed.strip() or not typed.isalpha():
        return
    prefix = PREFIX + whole[:cut]
    last_word = last_word_of(vocabulary, prefix, vocabulary.tokenize(prefix))
    if last_word is None or last_word.text.decode() != typed:
        return  # the last word holds more than the token, so other ways to write it may be likelier
    answer_text = answer(runtime, prefix, order, 12)
    expected = whole[cut:]
    assert answer_text[: len(pieces[begun]) - len(typed)] == expected[: len(pieces[begun]) - len(typed)]


@pytest.mark.parametrize("order", ["psm", "spm"])
@pytest.mark.parametrize("typed", ["title", "ti", "t", "", "title = ", "title =", "title\n        "])
def test_the_typed_text_is_never_said_again(runtime: ModelRuntime, order: Order, typed: str) -> None:
    chunks = chunks_of(runtime, CompletionRequest(prompt_of(PREFIX + typed, order), 8))
    text = "".join(chunk.text for chunk in chunks)
    scores = [score for chunk in chunks for score in chunk.scores]
    assert sum(length for length, _ in scores) == len(text)
    assert len(scores) == sum(chunk.tokens for chunk in chunks) <= 8
    assert all(0 < probability <= 1 for _, probability in scores)
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.prompt_tokens == usage.cached_tokens + usage.prefill_tokens


@pytest.mark.parametrize("order", ["psm", "spm"])
@pytest.mark.parametrize("typed", ["title = '漢", "# é", "# 🦎", "title = 'Žlu", "# naïve", "# 漢字 "])
def test_characters_of_many_bytes_stay_whole(runtime: ModelRuntime, order: Order, typed: str) -> None:
    assert not answer(runtime, PREFIX + typed, order).startswith("�")


@pytest.mark.parametrize("prefix", ["", "\n", " ", "x"])
def test_hardly_any_prefix(runtime: ModelRuntime, prefix: str) -> None:
    for order in ("psm", "spm"):
        run(
            runtime.generation(CompletionRequest(prompt_of(prefix, order), 4), time.perf_counter()), context_of(runtime)
        )


@pytest.mark.parametrize("order", ["psm", "spm"])
@pytest.mark.parametrize("typed", ["", "au", "author = a", "author = author\n        "])
def test_drafts_change_nothing(runtime: ModelRuntime, order: Order, typed: str) -> None:
    request = CompletionRequest(prompt_of(PREFIX + typed, order), 16)
    plain = "".join(chunk.text for chunk in chunks_of(runtime, msgspec.structs.replace(request, speculate=False)))
    assert "".join(chunk.text for chunk in chunks_of(runtime, request)) == plain


@pytest.mark.parametrize("order", ["psm", "spm"])
def test_answers_in_turns_are_as_alone(runtime: ModelRuntime, order: Order) -> None:
    context = context_of(runtime)
    requests = [CompletionRequest(prompt_of(PREFIX + typed, order), 8) for typed in ("ti", "author = ", "title\n    ")]
    context.clear()
    alone = [run(runtime.generation(request, time.perf_counter()), context) for request in requests]
    turns = [runtime.generation(request, time.perf_counter()) for request in requests]
    texts = [""] * len(turns)
    running = set(range(len(turns)))
    while running:
        for at in sorted(running):
            for last_word in range(1, 5):
                context.truncate(last_word, 0)  # as when other answers need the cells
            stop = turns[at].step()
            check(context)
            if stop is not None:
                texts[at] += turns[at].last_chunk(stop).text
                turns[at].close()
                running.remove(at)
        if not any(len(mirror) for mirror in context.mirrors):
            continue
        break
    for at in sorted(running):
        texts[at] += run(turns[at], context)
    assert texts == alone


@pytest.mark.parametrize("order", ["psm", "spm"])
def test_an_aborted_decode_goes_on(runtime: ModelRuntime, order: Order) -> None:
    context = context_of(runtime)
    request = CompletionRequest(prompt_of(PREFIX + "auth", order), 6)
    context.clear()
    whole = run(runtime.generation(request, time.perf_counter()), context)
    context.clear()
    generation = runtime.generation(request, time.perf_counter())
    context.abort.set()
    assert generation.step() is None
    context.abort.clear()
    assert run(generation, context) == whole


@pytest.mark.parametrize("order", ["psm", "spm"])
def test_a_key_in_a_word_reads_only_the_word(runtime: ModelRuntime, order: Order) -> None:
    """All before the word, and in this order all behind it too, is what the last key read."""
    context_of(runtime).clear()
    word = "author"
    for cut in range(1, len(word)):
        usage = chunks_of(runtime, CompletionRequest(prompt_of(PREFIX + word[:cut], order), 2))[-1].usage
        assert usage is not None
        assert cut == 1 or usage.prefill_tokens <= 5


def test_a_prompt_that_was_only_read_is_cached(runtime: ModelRuntime) -> None:
    context_of(runtime).clear()
    for order in ("psm", "spm"):
        prompt = prompt_of(PREFIX + "autho", order)
        chunks_of(runtime, CompletionRequest(prompt, 0))
        usage = chunks_of(runtime, CompletionRequest(prompt, 2))[-1].usage
        assert usage is not None
        assert usage.prefill_tokens <= 4


def test_a_grammar_is_not_healed(runtime: ModelRuntime) -> None:
    request = CompletionRequest(prompt_of(PREFIX + "auth"), 8, sampling=Sampling(grammar='root ::= "or!"'))
    assert "".join(chunk.text for chunk in chunks_of(runtime, request)) == "or!"


def test_candidates_go_on_behind_the_typed_text(runtime: ModelRuntime) -> None:
    prompt = prompt_of(PREFIX + "auth")
    texts = set()
    for seed in range(6):
        chunks = chunks_of(runtime, CompletionRequest(prompt, 6, sampling=Sampling(temperature=0.8, seed=seed)))
        texts.add("".join(chunk.text for chunk in chunks))
    assert len(texts) > 1
    assert any(text.startswith("or") for text in texts)


def test_only_text_that_is_marked_is_healed(runtime: ModelRuntime) -> None:
    run(
        runtime.generation(
            CompletionRequest((SpecialToken("<|fim_prefix|>"), TextPart("retu")), 2), time.perf_counter()
        ),
        context_of(runtime),
    )
    generation = runtime.generation(CompletionRequest((TextPart("retu"),), 2), time.perf_counter())
    assert generation.prompt.prompt.last_word is None
    generation.close()
