"""``extract.variable`` for Python: name an expression, and equal ones that certainly have its value."""

import asyncio
from collections.abc import Container
from dataclasses import replace
from functools import partial

from spark_lsp.actions.assumption import PROVED, Assumed, graded, unless_assumed
from spark_lsp.actions.base import Needs, Proposal, Target, Tools, refused
from spark_lsp.actions.naming import NameGap
from spark_lsp.actions.python.analysis.module_introspection import seen_names
from spark_lsp.actions.python.analysis.quick_checks import is_python, selected_expression
from spark_lsp.actions.python.analysis.selection import expression_at
from spark_lsp.actions.python.analysis.source import source_of
from spark_lsp.actions.python.extract_function import UNFAITHFUL
from spark_lsp.actions.python.name_collisions import GivenNames
from spark_lsp.actions.python.name_extracted import proposal_for
from spark_lsp.actions.python.names import TakenNames, names_in_use
from spark_lsp.actions.python.plain_names import name_of_value
from spark_lsp.actions.python.prechecks import prechecked
from spark_lsp.actions.python.variable import Variable, variable_for
from spark_lsp.actions.refusal import NOT_READ, Refusal, refuses_too_deep
from spark_lsp.index.storage.view import IndexView
from spark_lsp.text.edit import apply_edits


class ExtractVariable:
    """The action."""

    id = "extract.variable"
    kind = "refactor.extract.variable"
    needs: Needs = "fim"

    def applies(self, target: Target) -> str:
        """Offer the action for a selected expression that is more than a name."""
        node = selected_expression(target) if is_python(target) else None
        return "Extract variable" if node is not None and node.type != "identifier" else ""

    def precheck(self, target: Target) -> Refusal | None:
        """Return the refusal that follows from the enclosing function or class alone."""
        return prechecked(target, variable_at)

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Compute the edits, request the name, and prove that the edits keep the meaning."""
        path, view = tools.context.path_of(target.snapshot), tools.context.view
        analysis = partial(_variable, target, path, view)
        variable, assumed = await asyncio.to_thread(graded, analysis, is_accepted=tools.accepts_assumptions)
        if isinstance(variable, Refusal):
            return refused(self.id, variable)
        taken: Container[str] = names_in_use(variable.source.tree)
        if variable.is_global:
            taken = TakenNames(names_in_use(variable.source.tree), GivenNames(path, view))
        return await proposal_for(
            self.id,
            target,
            tools,
            variable,
            plain=name_of_value(variable.node),
            taken=taken,
            gap_of=partial(_name_gap, variable),
            assumed=assumed,
            unfaithful=UNFAITHFUL,
        )


def _name_gap(variable: Variable, name: str) -> NameGap:
    text = apply_edits(variable.source.text, variable.edits(name))
    return NameGap(text[: variable.at] + text[variable.at + len(name) :], variable.at)


def _variable(target: Target, path: str, view: IndexView, assumed: Assumed) -> Variable | Refusal:
    variable = variable_at(target, assumed)
    return variable if isinstance(variable, Refusal) else unseen(variable, path, view, assumed)


@refuses_too_deep
def variable_at(target: Target, assumed: Assumed = PROVED) -> Variable | Refusal:
    """Return the variable for the selection, or in one sentence why there is none."""
    assert target.syntax is not None, "the caller has looked"
    source = source_of(target.syntax)
    if source is None:
        return NOT_READ
    piece = expression_at(source, target.span)
    if piece is None:
        return Refusal("selection", "The selection is not one expression.")
    return variable_for(source, piece, assumed)


def unseen(variable: Variable, path: str, view: IndexView, assumed: Assumed = PROVED) -> Variable | Refusal:
    """Return the variable with a name that no code in the workspace lists, or the place that would list any name."""
    if not variable.is_global:
        return variable
    seen = seen_names(variable.source, path, view, is_function=False)
    refusal = unless_assumed(seen.refusal, assumed)
    return refusal or (replace(variable, is_module_name=True) if seen.public or seen.refusal else variable)
