"""``inline.variable`` for Python: replace a variable by its value. Needs no model."""

import ast
import asyncio
from typing import Final

from spark_lsp.actions.base import Needs, Proposal, Target, Tools, refused
from spark_lsp.actions.python.analysis.quick_checks import function_around, identifier_at, is_assigned, is_python
from spark_lsp.actions.python.analysis.source import Source, source_of
from spark_lsp.actions.python.inlining import Inlining, inlining_of
from spark_lsp.actions.python.prechecks import prechecked
from spark_lsp.actions.refusal import NOT_READ, TOO_DEEP, Refusal
from spark_lsp.text.syntax import Node

NO_VARIABLE: Final = Refusal("selection", "There is no variable here.")
UNFAITHFUL: Final = Refusal("unfaithful", "The value cannot replace the name.")


class InlineVariable:
    """The action."""

    id = "inline.variable"
    kind = "refactor.inline"
    needs: Needs = "none"

    def applies(self, target: Target) -> str:
        """Offer the action on a name that a statement of the function assigns."""
        raw = identifier_at(target) if is_python(target) else None
        function = function_around(target, raw) if raw is not None else None
        if raw is None or function is None or raw.text is None:
            return ""
        return f"Inline {raw.text.decode()}" if is_assigned(function, raw.text) else ""

    def precheck(self, target: Target) -> Refusal | None:
        """Return the refusal that follows from the enclosing function or class alone."""
        return prechecked(target, inlining_at)

    async def propose(self, target: Target, tools: Tools) -> Proposal:  # noqa: ARG002 - the protocol hands them to every action
        """Compute the edits and prove that they keep the meaning."""
        inlining = await asyncio.to_thread(inlining_at, target)
        if isinstance(inlining, Refusal):
            return refused(self.id, inlining)
        if not await asyncio.to_thread(inlining.is_faithful):
            return refused(self.id, UNFAITHFUL)
        return Proposal(self.id, inlining.edits())


def inlining_at(target: Target) -> Inlining | Refusal:
    """Return how to inline the name at the cursor, or in one sentence why that is impossible."""
    raw = identifier_at(target)
    if raw is None or target.syntax is None:
        return NO_VARIABLE
    try:
        source = source_of(target.syntax)
        if source is None:
            return NOT_READ
        name = name_with(source, target.syntax.wrap(raw))
        return inlining_of(source, name) if name else NO_VARIABLE
    except RecursionError:
        return TOO_DEEP


def name_with(source: Source, node: Node) -> ast.Name | None:
    """Return the ``ast`` name at the position of a syntax node."""
    names = (descendant for descendant in ast.walk(source.tree) if isinstance(descendant, ast.Name))
    return next((name for name in names if source.span(name) == node.span), None)
