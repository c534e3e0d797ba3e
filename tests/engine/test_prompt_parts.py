"""Prompts by number: the host resolves them, a text is sent once, and memory is limited."""

import asyncio

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_lsp.engine.base import CompletionRequest, PromptPart, SpecialToken, TextPart
from spark_lsp.engine.wire import frames
from spark_lsp.engine.wire.prompt_parts import SentParts, clean
from spark_lsp.errors import EngineProtocolError
from spark_lsp.llama.parts import KeptParts

TEXTS = ["", "é", "x" * 63, "y" * 64, "z" * 65, "\ud800" * 70, "?" * 70, "long " * 40, "much longer " * 90]
PARTS: list[PromptPart] = [
    *(TextPart(text, stable=stable) for text in TEXTS for stable in (True, False)),
    *(SpecialToken(text) for text in ("", "<|a|>", "<|b|>", "z" * 65)),
]
PROMPTS = st.lists(st.sampled_from(PARTS), max_size=8)


def journey(frame: frames.Generate) -> frames.Generate:
    """Return what the host receives for a frame."""

    async def read() -> frames.ClientFrame | None:
        reader = asyncio.StreamReader()
        reader.feed_data(frames.encode(frame))
        return await frames.read_client_frame(reader)

    read_back = asyncio.run(read())
    assert isinstance(read_back, frames.Generate)
    return read_back


def cleaned(part: PromptPart) -> PromptPart:
    return TextPart(clean(part.text), stable=part.stable) if isinstance(part, TextPart) else part


def again(part: PromptPart) -> PromptPart:
    """Return an equal part of new objects, like that of a caller that builds its prompt again."""
    return msgspec.structs.replace(part, text="".join(list(part.text)))


@settings(deadline=None)
@given(st.lists(st.tuples(PROMPTS, st.booleans()), max_size=12), st.integers(0, 3000))
def test_the_host_resolves_what_the_client_was_asked(asked: list[tuple[list[PromptPart], bool]], limit: int) -> None:
    sent, kept = SentParts(limit), KeptParts(limit)
    for number, (prompt, lost) in enumerate(asked):
        request = CompletionRequest(tuple(again(part) for part in prompt), number, key="k")
        frame = sent.ask(number, request)
        if lost:  # too large to be sent, say
            sent = SentParts(limit)
            continue
        whole = kept.request(msgspec.msgpack.decode(msgspec.msgpack.encode(frame), type=frames.Generate))
        assert whole == msgspec.structs.replace(request, prompt=tuple(cleaned(part) for part in prompt))
        assert sent._kept._chars == kept._kept._chars <= limit
        assert len(sent._numbers) == len(kept._kept._parts) == len(sent._kept._parts)


def test_a_text_travels_once_and_stays_the_same_object() -> None:
    sent, kept = SentParts(), KeptParts()
    cached_prefix = [TextPart(f"{number} " * 300, stable=True) for number in range(50)]
    first = journey(sent.ask(1, CompletionRequest((SpecialToken("<|a|>"), *cached_prefix, TextPart("def f")), 4)))
    before = kept.request(first).prompt
    second = sent.ask(2, CompletionRequest((SpecialToken("<|a|>"), *map(again, cached_prefix), TextPart("def fo")), 4))
    assert all(isinstance(part, int) for part in second.parts[:-1])
    assert len(frames.encode(second)) < 600
    after = kept.request(journey(second)).prompt
    assert all(old is new for old, new in zip(before[:-1], after[:-1], strict=True))
    assert after[-1] == TextPart("def fo")


@pytest.mark.parametrize("number", [-1, 0, 1, 2**40])
def test_a_number_that_stands_for_nothing_is_an_error(number: int) -> None:
    kept = KeptParts()
    kept.request(frames.Generate(1, CompletionRequest((), 1), (TextPart("x" * 64),), forgets_parts=True))
    assert kept.request(frames.Generate(2, CompletionRequest((), 1), (0,))).prompt == (TextPart("x" * 64),)
    with pytest.raises(EngineProtocolError, match="never sent"):
        kept.request(frames.Generate(3, CompletionRequest((), 1), (number,), forgets_parts=number == 0))


def test_drafts_are_fit_to_travel() -> None:
    frame = SentParts().ask(1, CompletionRequest((SpecialToken("<|a|>"),), 1, drafts=("a\ud800b",)))
    assert journey(frame).request.drafts == ("a?b",)
