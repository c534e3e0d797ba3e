"""Resolves the numbers of prompt parts that a client sent before, in the engine process. Pure."""

import msgspec

from spark_lsp.engine.base import CompletionRequest, PromptPart, SpecialToken, TextPart
from spark_lsp.engine.wire import frames
from spark_lsp.errors import EngineProtocolError


class KeptParts:
    """The host's end of one connection. A part comes out as the very same object each time."""

    def __init__(self, most_chars: int = frames.KEPT_CHARS) -> None:
        self._most_chars = most_chars
        self._kept = frames.KnownParts(most_chars)

    def request(self, ask: frames.Generate) -> CompletionRequest:
        """Return the request with its whole prompt. Call it for every ``Generate`` frame, in order.

        Raises:
            EngineProtocolError: a number stands for nothing.
        """
        if ask.forgets_parts:
            self._kept = frames.KnownParts(self._most_chars)
        prompt = tuple([self._whole(part) for part in ask.parts])
        self._kept.shrink()
        return msgspec.structs.replace(ask.request, prompt=prompt)

    def _whole(self, part: int | SpecialToken | TextPart) -> PromptPart:
        if not isinstance(part, int):
            self._kept.add(part)
            return part
        try:
            return self._kept.use(part)
        except KeyError:
            raise EngineProtocolError(f"Part {part} of a prompt was never sent, or is forgotten.") from None
