"""Name what an extraction creates, and offer its edits under that name if they keep the meaning."""

import asyncio
from collections.abc import Callable, Container
from typing import Protocol

from spark_lsp.actions.assumption import Assumed
from spark_lsp.actions.base import Proposal, Target, Tools, refused
from spark_lsp.actions.naming import NameGap
from spark_lsp.actions.python.names import free_name, named
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit


class Extracted(Protocol):
    """A function or variable to be made out of a selection."""

    def suited(self, name: str) -> str:
        """Return a name that fits the place."""
        ...

    def edits(self, name: str) -> tuple[Edit, ...]:
        """Return the edits that create it under a name."""
        ...

    def is_faithful(self, name: str) -> bool:
        """Whether the edited document does what it did."""
        ...


async def proposal_for(
    action: str,
    target: Target,
    tools: Tools,
    extracted: Extracted,
    *,
    plain: str,
    taken: Container[str],
    gap_of: Callable[[str], NameGap],
    assumed: Assumed,
    unfaithful: Refusal,
) -> Proposal:
    """Return the edits under the model's name, else under the plain one, or the refusal if they do other things.

    ``gap_of`` returns the edited document with a gap in place of a name.
    """
    plain = free_name(extracted.suited(plain), taken)
    gap = await asyncio.to_thread(gap_of, plain)
    name, usage = await named(target, tools, gap, taken, plain)
    if name != extracted.suited(name):
        name = free_name(extracted.suited(name), taken)
    if not await asyncio.to_thread(extracted.is_faithful, name):
        return refused(action, unfaithful)
    return Proposal(action, extracted.edits(name), usage=usage, assumptions=assumed)
