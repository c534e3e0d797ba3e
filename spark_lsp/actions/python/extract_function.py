"""``extract.function`` for Python: a selection of statements, or an expression, becomes a function or a method.

Parameters, results and control flow are computed; the model only chooses the name. An edit that cannot be made
correctly is refused.
"""

import ast
import asyncio
import re
from collections.abc import Container
from dataclasses import replace
from functools import partial
from typing import Final

from spark_lsp.actions.assumption import PROVED, Assumed, graded, unless_assumed
from spark_lsp.actions.base import Needs, Proposal, Target, Tools, refused
from spark_lsp.actions.naming import NameGap
from spark_lsp.actions.python.analysis.class_introspection import seen_methods
from spark_lsp.actions.python.analysis.module_introspection import seen_names
from spark_lsp.actions.python.analysis.quick_checks import is_python, selected_expression, selected_statements
from spark_lsp.actions.python.analysis.selection import expression_at, statements_at
from spark_lsp.actions.python.analysis.source import source_of
from spark_lsp.actions.python.analysis.variable_readers import code_reader
from spark_lsp.actions.python.extraction import plan
from spark_lsp.actions.python.function_text import Extraction
from spark_lsp.actions.python.name_collisions import GivenNames, borrowed_method, inherited_names
from spark_lsp.actions.python.name_extracted import proposal_for
from spark_lsp.actions.python.names import TakenNames, words_of
from spark_lsp.actions.python.plain_names import name_of_comment, name_of_value
from spark_lsp.actions.python.prechecks import prechecked
from spark_lsp.actions.refusal import NOT_READ, Refusal, refuses_too_deep
from spark_lsp.index.storage.view import IndexView
from spark_lsp.text.edit import Edit, apply_edits

TOO_SMALL: Final = frozenset({"identifier", "integer", "float", "string", "true", "false", "none"})
NO_SELECTION: Final = Refusal("selection", "The selection is neither whole statements nor one expression.")
UNFAITHFUL: Final = Refusal("unfaithful", "Moving the selection would change what it does.")


class ExtractFunction:
    """The action."""

    id = "extract.function"
    kind = "refactor.extract.function"
    needs: Needs = "fim"

    def applies(self, target: Target) -> str:
        """Offer the action for whole statements and for expressions that are more than a name or a constant."""
        if not is_python(target):
            return ""
        if selected_statements(target):
            return "Extract function"
        node = selected_expression(target)
        return "Extract function" if node is not None and node.type not in TOO_SMALL else ""

    def precheck(self, target: Target) -> Refusal | None:
        """Return the refusal that follows from the enclosing function or class alone."""
        return prechecked(target, extraction_at)

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Compute the function, request its name, and prove that the edit keeps the meaning."""
        path, view = tools.context.path_of(target.snapshot), tools.context.view
        analysis = partial(_extraction, target, path, view)
        extraction, assumed = await asyncio.to_thread(graded, analysis, is_accepted=tools.accepts_assumptions)
        if isinstance(extraction, Refusal):
            return refused(self.id, extraction)
        taken = await asyncio.to_thread(_taken, extraction, path, view)
        return await proposal_for(
            self.id,
            target,
            tools,
            extraction,
            plain=plain_name(extraction),
            taken=taken,
            gap_of=partial(_name_gap, extraction),
            assumed=assumed,
            unfaithful=UNFAITHFUL,
        )


def _extraction(target: Target, path: str, view: IndexView, assumed: Assumed) -> Extraction | Refusal:
    extraction = extraction_at(target, assumed)
    return extraction if isinstance(extraction, Refusal) else unseen(extraction, path, view, assumed)


@refuses_too_deep
def extraction_at(target: Target, assumed: Assumed = PROVED) -> Extraction | Refusal:
    """Return the extraction for the selection, or in one sentence why there is none."""
    assert target.syntax is not None, "the caller has looked"
    source = source_of(target.syntax)
    if source is None:
        return NOT_READ
    piece = statements_at(source, target.span) or expression_at(source, target.span)
    if piece is None:
        return NO_SELECTION
    plan_or_refusal = plan(source, piece, assumed)
    return (
        plan_or_refusal
        if isinstance(plan_or_refusal, Refusal)
        else Extraction(source, target.syntax, piece, plan_or_refusal)
    )


def unseen(extraction: Extraction, path: str, view: IndexView, assumed: Assumed = PROVED) -> Extraction | Refusal:
    """Return the function with a name that no code in the workspace lists, or the place that would list any name."""
    owner = extraction.source.parent(extraction.piece.scope)
    reader = code_reader(extraction.source, extraction.piece.scope, path, view, assumed)
    if reader is not None:
        return reader
    if extraction.plan.form == "function":
        seen = seen_names(extraction.source, path, view, is_function=True)
        refusal = unless_assumed(seen.refusal, assumed)
        return refusal or replace(extraction, is_private=seen.public or seen.refusal is not None)
    assert isinstance(owner, ast.ClassDef), "a method stands in a class"
    method = getattr(extraction.piece.scope, "name", "")
    seen = seen_methods(extraction.source, path, owner, view)
    _names, is_whole = inherited_names(extraction.source, path, owner, view)
    is_private = seen.public or seen.refusal is not None
    suited = replace(extraction, is_private=is_private, lead="" if is_whole else f"_{method.strip('_').lower()}")
    return (
        unless_assumed(seen.refusal, assumed) or borrowed_method(extraction.source, path, owner, method, view) or suited
    )


def plain_name(extraction: Extraction) -> str:
    """Return a name without a model: from a comment, from the result, or from the action."""
    first = extraction.piece.nodes[0]
    if isinstance(first, ast.expr):
        return f"_get_{name_of_value(first)}"
    comment = re.match(r"#+\s*(.*)", extraction.piece.span.text(extraction.source.text))
    name = name_of_comment(comment[1]) if comment else ""
    if name:
        return f"_{name}"
    if extraction.plan.results and len(extraction.plan.results) <= 2:
        return f"_compute_{'_and_'.join(result.strip('_') for result in extraction.plan.results)}".lower()
    around = getattr(extraction.piece.scope, "name", "run").strip("_").lower() or "run"
    return f"_{around}_part"


def _taken(extraction: Extraction, path: str, view: IndexView) -> Container[str]:
    """Return the names in use: words of the document, names from other files, and for a method inherited ones."""
    words = words_of(extraction.source.text)
    if extraction.plan.form == "function":
        return TakenNames(words, GivenNames(path, view))
    owner = extraction.source.parent(extraction.piece.scope)
    inherited = (
        inherited_names(extraction.source, path, owner, view)[0] if isinstance(owner, ast.ClassDef) else frozenset()
    )
    return TakenNames(words | inherited, TakenNames(view.definitions, GivenNames(path, view)))


def _name_gap(extraction: Extraction, name: str) -> NameGap:
    """Return the document with the edit but without the function's name, and the offset of its definition."""
    definition, call = extraction.edits(name)
    at = definition.new_text.index(f"def {name}") + len("def ")
    without = Edit(definition.span, definition.new_text[:at] + definition.new_text[at + len(name) :])
    text = apply_edits(extraction.source.text, [without, Edit(call.span, call.new_text)])
    grown = len(call.new_text) - len(call.span) if call.span.start < definition.span.start else 0
    return NameGap(text, definition.span.start + grown + at)
