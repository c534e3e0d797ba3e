"""``update.references`` with a model: after a signature has changed, adapt every call that the index knows.

All calls change or none: if one call cannot be adapted, the others stay. The user confirms the change.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from spark_lsp.actions.base import FileEdits, Needs, Proposal, Target, Tools, refused
from spark_lsp.actions.changed_signature import SignatureAt, signature_at
from spark_lsp.actions.chat.edit_lines import Task, edit_lines
from spark_lsp.actions.chat.region import statement_lines
from spark_lsp.actions.checks.call_arguments import CALLS, called_name
from spark_lsp.actions.checks.calls import unfit_call
from spark_lsp.actions.definition import DefinitionNode
from spark_lsp.actions.model_answer import added
from spark_lsp.actions.python.call_updates.signature_change import changed_at
from spark_lsp.actions.refusal import STILL_INDEXING
from spark_lsp.engine.base import Usage
from spark_lsp.errors import Reason
from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.language import language_of_path
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.text.syntax import Syntax, parse

MAX_CALLS: Final = 40
"""Calls; more would take minutes, and search and replace is the better tool then."""


class UpdateReferences:
    """The action."""

    id = "update.references"
    kind = "refactor.rewrite.signature"
    needs: Needs = "chat"

    def applies(self, target: Target) -> str:
        """Offer the action on a signature that may have changed; its calls are searched once the action is chosen."""
        signature = _signature(target)
        return f"Update the calls of {signature.definition.name}" if signature else ""

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Have the model rewrite each statement that calls the function, with the checks of any rewrite."""
        signature = _signature(target)
        if signature is None or target.syntax is None:
            return Proposal(self.id, (), Reason.EMPTY, "No signature has changed here.")
        if not tools.context.is_whole:
            return refused(self.id, STILL_INDEXING)
        definition = signature.definition
        places = list(_places(target, tools, definition))
        if not places or len(places) > MAX_CALLS:
            message = f"{len(places)} statements call {definition.name}, {MAX_CALLS} at most can be changed at once."
            return Proposal(self.id, (), Reason.EMPTY, message if places else f"Nothing calls {definition.name}.")
        task = Task(self.id, _task(signature), callee=definition.name)
        usage = Usage()
        own: list[Edit] = []
        others: dict[str, tuple[Target, list[Edit]]] = {}
        for path, place, region in places:
            answer = await edit_lines(place, tools, region, task)
            usage = added(usage, answer.usage)
            line = place.snapshot.text.count("\n", 0, region.start) + 1
            if answer.reason == Reason.EMPTY:
                problem = await asyncio.to_thread(_unfit, place, tools, region, definition.name)
                if not problem:
                    continue
                answer = Proposal(self.id, (), Reason.trimmed("check"), problem)
            if not answer.edits:
                return replace(answer, message=f"{path}:{line}: {answer.message}", usage=usage)
            if place is target:
                own += answer.edits
            else:
                others.setdefault(path, (place, []))[1].extend(answer.edits)
        if not own and not others:
            return Proposal(self.id, (), Reason.EMPTY, f"Every call of {definition.name} fits already.", usage)
        files = tuple(FileEdits(path, updated.snapshot.text, tuple(edits)) for path, (updated, edits) in others.items())
        return Proposal(self.id, tuple(own), usage=usage, files=files, asks=True)


def _signature(target: Target) -> SignatureAt | None:
    """Return the function whose signature the cursor is on, unless its calls can be updated without a model."""
    signature = signature_at(target)
    if signature is None or signature.is_unchanged:
        return None
    changed = changed_at(target, signature)
    return signature if changed is None or (changed.change.difference and not changed.is_certain) else None


def _places(target: Target, tools: Tools, definition: DefinitionNode) -> Iterator[tuple[str, Target, Span]]:
    """Yield the statements that call a function: those of its own file, then those of other files that name it."""
    assert target.syntax is not None, "the caller has looked"
    own_path = tools.context.path_of(target.snapshot)
    for region in _regions(target.syntax, definition):
        yield own_path, target, region
    view = tools.context.view
    for path in sorted(view.referencing.get(definition.name, ())):
        entry = view.files.get(path)
        language = language_of_path(path)
        if entry is None or path == own_path or language is not target.syntax.language:
            continue
        syntax = parse(language, entry.text)
        if syntax is None:
            continue
        root = target.snapshot.path
        for _ in own_path.split("/"):
            root = root.parent if root is not None else None
        place = root / path if root is not None else None
        uri = place.as_uri() if place is not None else path
        snapshot = Snapshot(uri, place, 0, target.snapshot.language, entry.text)
        user = Target.of(snapshot, Span(0, 0))
        for region in _regions(syntax, definition):
            yield path, user, region


def _regions(syntax: Syntax, definition: DefinitionNode) -> list[Span]:
    """Return each statement of a file that calls a function, including calls in its own body."""
    regions: list[Span] = []
    stack = [syntax.tree.root_node]
    while stack:
        node = stack.pop()
        stack += reversed(node.named_children)
        if node.type in CALLS and called_name(node) == definition.name:
            region = statement_lines(syntax, syntax.wrap(node).span)
            known = region is None or any(span.start <= region.start and region.end <= span.end for span in regions)
            if region is not None and not known:
                regions.append(region)
    return regions


def _unfit(place: Target, tools: Tools, region: Span, name: str) -> str:
    """Return why a call that the model left unchanged does not fit the function, if that is known; Python only."""
    text = place.snapshot.text
    if place.syntax is None or place.syntax.language.name != "python":
        return ""
    first = text.count("\n", 0, region.start) + 1
    return unfit_call(text, tools.context.view, name, range(first, first + region.text(text).count("\n") + 1))


def _task(signature: SignatureAt) -> str:
    name = signature.definition.name
    was = f"was declared as `{signature.was}` when its calls were written, and " if signature.was else ""
    return (
        f"The function {name} {was}is now declared as `{signature.now}`. "
        "Change its calls in these lines so that they fit. "
        "Leave everything else, and calls that fit already, exactly as they are."
    )
