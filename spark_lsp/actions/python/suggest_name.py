"""``rename.suggest`` for Python: rename a local variable at every place in one edit."""

import asyncio
from functools import partial

from spark_lsp.actions.assumption import PROVED, Assumed, graded
from spark_lsp.actions.base import Needs, Proposal, Target, Tools, refused
from spark_lsp.actions.naming import NameGap
from spark_lsp.actions.python.analysis.quick_checks import assigned_name_at
from spark_lsp.actions.python.inline_variable import name_at
from spark_lsp.actions.python.names import free_name, named, names_in_use
from spark_lsp.actions.python.plain_names import name_of_value
from spark_lsp.actions.python.renaming import Renaming, renaming_of
from spark_lsp.actions.refusal import Refusal, refuses_too_deep

NO_BETTER_NAME = "value"
DULL_NAMES = frozenset({NO_BETTER_NAME, "number", "text", "data", "flag", "condition", "items", "mapping", "function"})
"""Names from the plain rule that say nothing about a value's purpose."""


class SuggestName:
    """The action."""

    id = "rename.suggest"
    kind = "refactor.rewrite.rename"
    needs: Needs = "fim"

    def applies(self, target: Target) -> str:
        """Offer the action on a name that a statement of the function assigns."""
        name = assigned_name_at(target)
        return f"Suggest a better name for {name}" if name else ""

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Find every place, request the name, and prove that nothing else changed."""
        analysis = partial(renaming_at, target)
        renaming, assumed = await asyncio.to_thread(graded, analysis, is_accepted=tools.accepts_assumptions)
        if isinstance(renaming, Refusal):
            return refused(self.id, renaming)
        taken = names_in_use(renaming.source.tree)
        task = name_of_value(renaming.value) if renaming.value is not None else NO_BETTER_NAME
        is_better = task not in DULL_NAMES and task != renaming.old and task not in taken
        plain = task if is_better else free_name(NO_BETTER_NAME, taken)
        name, usage = await named(target, tools, _name_place(renaming), taken, plain)
        if name == plain and not is_better:
            return refused(self.id, Refusal("name", f"No better name than {renaming.old} was found."))
        if not await asyncio.to_thread(renaming.is_faithful, name):
            return refused(
                self.id,
                Refusal("unfaithful", f"Renaming {renaming.old} would change what the function does."),
            )
        return Proposal(self.id, renaming.edits(name), usage=usage, assumptions=assumed)


@refuses_too_deep
def renaming_at(target: Target, assumed: Assumed = PROVED) -> Renaming | Refusal:
    """Return the renaming of the variable at the cursor, or in one sentence why there is none."""
    named = name_at(target)
    return named if isinstance(named, Refusal) else renaming_of(*named, assumed)


def _name_place(renaming: Renaming) -> NameGap:
    """Return the document without the name at its first place."""
    first = renaming.places[0]
    text = renaming.source.text
    return NameGap(text[: first.start] + text[first.end :], first.start)
