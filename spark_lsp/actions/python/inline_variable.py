"""``inline.variable`` for Python: replace a variable by its value. Needs no model."""

import ast
import asyncio
from functools import partial
from typing import Final

from spark_lsp.actions.assumption import PROVED, Assumed, graded
from spark_lsp.actions.base import Needs, Proposal, Target, Tools, refused
from spark_lsp.actions.python.analysis.quick_checks import assigned_name_at, identifier_at
from spark_lsp.actions.python.analysis.source import Source, source_of
from spark_lsp.actions.python.inlining import Inlining, inlining_of
from spark_lsp.actions.python.prechecks import prechecked
from spark_lsp.actions.refusal import NOT_READ, Refusal, refuses_too_deep

NO_VARIABLE: Final = Refusal("selection", "There is no variable here.")
UNFAITHFUL: Final = Refusal("unfaithful", "The value cannot replace the name.")


class InlineVariable:
    """The action."""

    id = "inline.variable"
    kind = "refactor.inline"
    needs: Needs = "none"

    def applies(self, target: Target) -> str:
        """Offer the action on a name that a statement of the function assigns."""
        name = assigned_name_at(target)
        return f"Inline {name}" if name else ""

    def precheck(self, target: Target) -> Refusal | None:
        """Return the refusal that follows from the enclosing function or class alone."""
        return prechecked(target, inlining_at)

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Compute the edits and prove that they keep the meaning."""
        analysis = partial(inlining_at, target)
        inlining, assumed = await asyncio.to_thread(graded, analysis, is_accepted=tools.accepts_assumptions)
        if isinstance(inlining, Refusal):
            return refused(self.id, inlining)
        if not await asyncio.to_thread(inlining.is_faithful):
            return refused(self.id, UNFAITHFUL)
        return Proposal(self.id, inlining.edits(), assumptions=assumed)


@refuses_too_deep
def inlining_at(target: Target, assumed: Assumed = PROVED) -> Inlining | Refusal:
    """Return how to inline the name at the cursor, or in one sentence why that is impossible."""
    named = name_at(target)
    return named if isinstance(named, Refusal) else inlining_of(*named, assumed)


def name_at(target: Target) -> tuple[Source, ast.Name] | Refusal:
    """Return the document and its ``ast`` name at the cursor, or in one sentence why there is none."""
    raw = identifier_at(target)
    if raw is None or target.syntax is None:
        return NO_VARIABLE
    source = source_of(target.syntax)
    if source is None:
        return NOT_READ
    span = target.syntax.wrap(raw).span
    names = (node for node in ast.walk(source.tree) if isinstance(node, ast.Name))
    name = next((name for name in names if source.span(name) == span), None)
    return NO_VARIABLE if name is None else (source, name)
