"""A prompt as tokens: part by part, so that equal parts have equal tokens, with the end at the cursor set apart.

Special tokens are only ever taken by their own name. Never decodes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spark_lsp.engine.base import CompletionRequest, PromptPart, SpecialToken, TextPart
from spark_lsp.errors import ModelNoFim
from spark_lsp.llama.healing import LastWord, last_word_of
from spark_lsp.llama.kv.cells import TokenRun, Tokens, TokenSegment
from spark_lsp.llama.loading.gguf_model import TokenCache, Vocabulary


@dataclass(frozen=True)
class PromptTokens:
    """The tokens of a prompt. The segments lack its ``last_word``: it follows them, as a begun answer does."""

    segments: tuple[TokenSegment, ...]
    stable: int
    """How many leading segments hold the cached prefix."""
    is_stable: bool
    """Whether every piece is stable."""
    last_word: LastWord | None = None

    @cached_property
    def run(self) -> TokenRun:
        """The whole prompt, the last word as its text is usually written."""
        return self.ending_in(self.last_word.tokens) if self.last_word else TokenRun(self.segments, stable=self.stable)

    def ending_in(self, tokens: Tokens) -> TokenRun:
        """Return the prompt with other tokens at the end in place of the last word's."""
        end = [TokenSegment(b"\1" + tokens.tobytes(), tokens)] if len(tokens) else []
        return TokenRun([*self.segments, *end], stable=self.stable)


def prompt_tokens(
    vocabulary: Vocabulary, cache: TokenCache, prompt: Sequence[PromptPart], *, heals: bool = False
) -> PromptTokens:
    """Turn a prompt into tokens. With ``heals`` the end of the piece marked for it is set apart as the last word.

    Raises:
        ModelNoFim: a special token is not in the vocabulary.
    """
    segments: list[TokenSegment] = []
    stable, last_word = 0, None
    if vocabulary.begin is not None:
        segments.append(_control_segment(vocabulary.begin))
    for part in prompt:
        if isinstance(part, SpecialToken):
            token = vocabulary.special_token(part.text)
            if token is None:
                raise ModelNoFim(
                    f"The model has no special token {part.text}.",
                    fix="Choose a model that was trained to fill in the middle, such as Qwen2.5-Coder.",
                )
            segments.append(_control_segment(token))
        elif part.text:
            key, tokens = cache.tokens(vocabulary, part.text)
            if heals and part.heal:
                last_word = last_word_of(vocabulary, part.text, tokens)
            if last_word and part.heal:
                tokens, key = tokens[: len(tokens) - last_word.dropped], key + b"\1" + bytes([last_word.dropped])
            if len(tokens):
                segments.append(TokenSegment(key, tokens))
            stable = len(segments) if part.stable else stable
    is_stable = all(part.stable for part in prompt if isinstance(part, TextPart))
    return PromptTokens(tuple(segments), stable, is_stable, last_word)


def has_cached_prefix(request: CompletionRequest) -> bool:
    """Whether a prompt shows anything of a workspace."""
    return any(part.stable for part in request.prompt if isinstance(part, TextPart))


def _control_segment(token: int) -> TokenSegment:
    return TokenSegment(b"\0" + token.to_bytes(4, "big"), np.array([token], np.int32))
