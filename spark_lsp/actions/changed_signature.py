"""Find the function whose signature is at the cursor, in the current text and in the text that was opened. Pure."""

from dataclasses import dataclass

from spark_lsp.actions.base import Target
from spark_lsp.actions.definition import CALLABLES, DefinitionNode, definition_at, same_definition, signature_text


@dataclass(frozen=True, slots=True)
class SignatureAt:
    """``definition`` is the function now, ``baseline`` the function when the document was opened; None if not known."""

    definition: DefinitionNode
    now: str
    baseline: DefinitionNode | None = None
    was: str = ""
    """The signature in the baseline text, decorators included, with blanks folded as in ``now``. Empty if not known."""

    @property
    def is_unchanged(self) -> bool:
        """Whether the signature is known to be unchanged."""
        return self.was == self.now


def signature_at(target: Target) -> SignatureAt | None:
    """Return the function whose signature the cursor is on."""
    if target.syntax is None:
        return None
    definition = definition_at(target.syntax, target.span.start, CALLABLES)
    head = signature_text(target.syntax, definition) if definition is not None else ""
    if definition is None or not head or target.span.start > definition.whole.span.start + len(head.rstrip()):
        return None
    before = target.baseline_syntax
    earlier = same_definition(definition, target.syntax, before) if before is not None else None
    if before is None or earlier is None:
        return SignatureAt(definition, _folded(head))
    return SignatureAt(definition, _folded(head), earlier, _folded(signature_text(before, earlier)))


def _folded(head: str) -> str:
    return " ".join(head.split()).rstrip("{ ")
