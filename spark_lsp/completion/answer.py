"""The answer to a request: a suggestion or none, the reason, and the tokens and times that it took."""

from dataclasses import dataclass

from spark_lsp.engine.base import Usage
from spark_lsp.trace import TraceRecord


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text to insert at the cursor, replacing ``replaced`` characters after it. ``id`` names it to the feedback."""

    text: str
    replaced: int
    id: int


@dataclass(frozen=True, slots=True)
class CompletionAnswer:
    """The answer to one request. ``final`` is False while the model still speaks.

    ``others`` are further candidates, for a user who asked by hand.
    """

    suggestion: Suggestion | None
    reason: str
    final: bool
    usage: Usage = Usage()
    record: TraceRecord | None = None
    others: tuple[Suggestion, ...] = ()
