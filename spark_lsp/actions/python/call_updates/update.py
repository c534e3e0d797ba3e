"""``update.references`` for Python: adapt all calls to the new signature, or none, without a model.

Applies if the new arguments follow from the old ones. The user confirms the change.
"""

import ast
import asyncio
from dataclasses import replace
from itertools import pairwise

from spark_lsp.actions.base import FileEdits, Needs, Proposal, Target, Tools, refused
from spark_lsp.actions.check import failure
from spark_lsp.actions.python.analysis.source import Source, source_of
from spark_lsp.actions.python.call_updates.find_calls import CalledIn, Wanted, called_in
from spark_lsp.actions.python.call_updates.hidden_callers import hidden_caller
from spark_lsp.actions.python.call_updates.rewrite_call import Change, rewrite_call
from spark_lsp.actions.python.call_updates.signature_change import Changed, changed_at
from spark_lsp.actions.python.call_updates.text_lookups import looked_up_in
from spark_lsp.actions.refusal import NOT_READ, STILL_INDEXING, Refusal, refuses_too_deep
from spark_lsp.errors import Reason
from spark_lsp.index.storage.view import IndexView
from spark_lsp.text.edit import Edit


class UpdateCalls:
    """The action."""

    id = "update.references"
    kind = "refactor.rewrite.signature"
    needs: Needs = "none"

    def applies(self, target: Target) -> str:
        """Offer the action on a signature whose change determines the new arguments of its calls."""
        changed = changed_at(target)
        is_new = changed is not None and changed.change.difference and changed.is_certain
        return f"Update the calls of {changed.callee}" if changed is not None and is_new else ""

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Compute the edits of all calls."""
        if not tools.context.is_whole:
            return refused(self.id, STILL_INDEXING)
        view, path = tools.context.view, tools.context.path_of(target.snapshot)
        edits = await asyncio.to_thread(updated_calls, target, view, path)
        if isinstance(edits, Refusal):
            return refused(self.id, edits)
        own = edits.pop(path, ())
        texts = {file: view.files[file].text for file in edits}
        files = tuple(FileEdits(file, texts[file], edits) for file, edits in edits.items())
        if not own and not files:
            return Proposal(self.id, (), Reason.EMPTY, "Every call that the index knows fits already.")
        return Proposal(self.id, own, files=files, asks=True)


@refuses_too_deep
def updated_calls(target: Target, view: IndexView, path: str) -> dict[str, tuple[Edit, ...]] | Refusal:
    """Return the edits by file, or in one sentence why there are none."""
    changed = changed_at(target)
    if changed is None or not changed.is_certain:
        return Refusal("calls", "The new arguments of the calls cannot be computed.")
    files = _called(target, changed, view, path)
    return files if isinstance(files, Refusal) else _edits(files, changed.change)


def _called(target: Target, changed: Changed, view: IndexView, path: str) -> list[CalledIn] | Refusal:
    """Return the calls of the function by file."""
    source = source_of(target.syntax) if target.syntax is not None else None
    function = _function(source, changed) if source is not None else None
    if source is None or function is None:
        return NOT_READ
    is_plain = not {"@staticmethod", "@classmethod"}.intersection(changed.decorators)
    wanted = Wanted(path, source, function, is_plain)
    files = called_in(target, view, wanted)
    is_local = wanted.owner is None and not isinstance(source.scope_of(function), ast.Module)
    if isinstance(files, Refusal) or is_local:
        return files
    name = wanted.owner.name if wanted.owner is not None and function.name == "__init__" else function.name
    hidden = hidden_caller(view, name)
    return hidden or looked_up_in(view, wanted) or files


def _edits(files: list[CalledIn], change: Change) -> dict[str, tuple[Edit, ...]] | Refusal:
    edits_by_file: dict[str, tuple[Edit, ...]] = {}
    for file in files:
        edits = _edits_of(file, change)
        if isinstance(edits, Refusal):
            return edits
        if edits:
            edits_by_file[file.path] = edits
    return edits_by_file


def _function(source: Source, changed: Changed) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    start = changed.definition.whole.span.start
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and source.span(node).start == start:
            return node
    return None


def _edits_of(file: CalledIn, change: Change) -> tuple[Edit, ...] | Refusal:
    """Return the edits of one file's calls."""
    changed: list[Edit] = []
    for call in file.calls:
        edits = rewrite_call(file.syntax, file.source.span(call), change, is_uncertain=file.is_uncertain)
        if isinstance(edits, Refusal):
            return replace(edits, message=f"{file.path}:{call.lineno}: this call cannot be updated. {edits.message}")
        if edits and any(_is_text(parent) for _, parent in file.source.around(call)):
            message = f"{file.path}:{call.lineno}: this call cannot be updated. It is within a string."
            return Refusal("placement", message)
        changed += edits
    changed.sort(key=lambda edit: edit.span)
    if any(first.span.end > second.span.start for first, second in pairwise(changed)):
        return Refusal("placement", f"{file.path}: a call is nested in another changed call.")
    problem = failure(file.source.text, file.syntax, changed) if changed else ""
    return Refusal("unfaithful", f"{file.path}: {problem}") if problem else tuple(changed)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr)
