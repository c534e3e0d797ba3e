"""Sends each prompt part once, and later by its number, from the client of an engine process.

So a keystroke sends what is new in the prompt, however long its cached prefix is. Pure.
"""

import msgspec

from spark_lsp.engine.base import CompletionRequest, PromptPart, SpecialToken, TextPart
from spark_lsp.engine.wire import frames


class SentParts:
    """The client's end of one connection: what the host knows by number. Every ask it makes must be sent, in order."""

    def __init__(self, most_chars: int = frames.KEPT_CHARS) -> None:
        self._kept = frames.KnownParts(most_chars)
        self._numbers: dict[PromptPart, int] = {}
        self._forgets_parts = True

    def ask(self, request_id: int, request: CompletionRequest) -> frames.Generate:
        """Return the frame of a request, with only those texts of its prompt that are new."""
        parts = tuple([self._sent(part) for part in request.prompt])
        for part in self._kept.shrink():
            del self._numbers[part]
        forgets_parts, self._forgets_parts = self._forgets_parts, False
        drafts = tuple([clean(text) for text in request.drafts])
        return frames.Generate(
            request_id, msgspec.structs.replace(request, prompt=(), drafts=drafts), parts, forgets_parts
        )

    def _sent(self, part: PromptPart) -> int | SpecialToken | TextPart:
        number = self._numbers.get(part)
        if number is not None:
            self._kept.use(number)
            return number
        number = self._kept.add(part)
        if number is not None:
            self._numbers[part] = number
        return (
            part if isinstance(part, SpecialToken) else TextPart(clean(part.text), stable=part.stable, heal=part.heal)
        )


def clean(text: str) -> str:
    """Return a text of the same length without lone surrogates, which have no place in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
