"""The source of what follows from a changed signature: its calls, and ``self.name = name`` for a new parameter.

Every call is computed by ``update.references``; where one of them is not certain, none is offered.
"""

import ast
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Final

from spark_lsp.actions.base import BaselineText, Target
from spark_lsp.actions.python.analysis.scopes import arguments
from spark_lsp.actions.python.call_updates.signature_change import Changed, changed_at
from spark_lsp.actions.python.call_updates.update import updated_calls
from spark_lsp.actions.refusal import Refusal
from spark_lsp.edits.journal import difference
from spark_lsp.edits.next_edit import NOTHING, NextEdit, Silence, Situation
from spark_lsp.edits.rename_python import python_source
from spark_lsp.edits.rename_source import UNCERTAIN, SourceEdits
from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.text.syntax import Syntax, parse

MAX_BURSTS: Final = 3
"""How far back the change of a head may be."""


def signature_edits(situation: Situation) -> SourceEdits | Silence:
    """Return what a changed signature of a Python function leads to."""
    if situation.language.name != "python":
        return NOTHING
    for before in islice(situation.texts_before, MAX_BURSTS):
        target = _target(situation, before)
        changed = changed_at(target)
        if changed is None or not changed.change.difference:
            continue
        stored = _stored(situation, changed)
        if not (changed.is_certain and situation.is_whole):
            return SourceEdits(stored) if stored else UNCERTAIN
        calls = updated_calls(target, situation.view, situation.path)
        if isinstance(calls, Refusal):
            return SourceEdits(stored) if stored else UNCERTAIN
        own = _call_edits(situation.path, situation.text, calls.pop(situation.path, ()), changed)
        more = partial(_elsewhere, situation, calls, changed) if calls else None
        return SourceEdits((*stored, *own), more)
    return NOTHING


def _target(situation: Situation, before: str) -> Target:
    start = difference(before, situation.text, 0.0).start
    snapshot = Snapshot(situation.uri, situation.file, 0, situation.language.name, situation.text)
    target = Target.of(snapshot, Span(start, start))
    return replace(target, baseline=BaselineText(before, situation.changed_since_ns))


def _call_edits(path: str, text: str, edits: Iterable[Edit], changed: Changed) -> tuple[NextEdit, ...]:
    """Return one next edit for each call, however many places of it change."""
    syntax = parse(LANGUAGES["python"], text)
    if syntax is None:
        return ()
    by_call: dict[Span, list[Edit]] = {}
    for edit in edits:
        by_call.setdefault(_call_around(syntax, edit.span), []).append(edit)
    title = f"Update the call of {changed.callee}"
    next_edits = []
    for group in by_call.values():
        start, end = min(edit.span.start for edit in group), max(edit.span.end for edit in group)
        new_text, at = "", start
        for edit in sorted(group, key=lambda edit: edit.span):
            new_text += text[at : edit.span.start] + edit.new_text
            at = edit.span.end
        next_edits.append(NextEdit(path, text, Span(start, end), new_text, "signature", "computed", title))
    return tuple(next_edits)


def _call_around(syntax: Syntax, span: Span) -> Span:
    around = (node for node in syntax.ancestors_at(span.start) if node.kind == "call" and node.span.end >= span.end)
    call = next(around, None)
    return call.span if call is not None else span


def _elsewhere(situation: Situation, calls: dict[str, tuple[Edit, ...]], changed: Changed) -> tuple[NextEdit, ...]:
    return tuple(
        edit
        for path, edits in calls.items()
        for edit in _call_edits(path, situation.view.files[path].text, edits, changed)
    )


def _stored(situation: Situation, changed: Changed) -> tuple[NextEdit, ...]:
    """Return the assignments that keep new parameters of ``__init__``, where the others are kept like that."""
    source = python_source(situation.text) if changed.definition.name == "__init__" else None
    start = changed.definition.whole.span.start
    functions = (node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef)) if source else ()
    function = next((node for node in functions if source is not None and source.span(node).start == start), None)
    if source is None or function is None:
        return ()
    names = [argument.arg for argument in arguments(function.args)]
    kept = {name: node for node in function.body if (name := _kept(node, names[0])) in names}
    used = {node.id for statement in function.body for node in ast.walk(statement) if isinstance(node, ast.Name)}
    next_edits = []
    for parameter in changed.change.difference.added:
        place = names.index(parameter.name) if parameter.name in names else 0
        above = [name for name in names[:place] if name in kept]
        if parameter.name in used or not above or parameter.is_rest:
            continue
        edit = _stored_after(situation, source.span(kept[above[-1]]), names[0], parameter.name)
        next_edits += [edit] if edit is not None else []
    return tuple(next_edits)


def _stored_after(situation: Situation, statement: Span, receiver: str, name: str) -> NextEdit | None:
    """Return the line that keeps a parameter, below a statement that has a line of its own."""
    text = situation.text
    indent = text[text.rfind("\n", 0, statement.start) + 1 : statement.start]
    end = text.find("\n", statement.end)
    if indent.strip() or end < 0 or text[statement.end : end].strip():
        return None
    place = Span(end + 1, end + 1)
    line = f"{indent}{receiver}.{name} = {name}\n"
    return NextEdit(situation.path, text, place, line, "signature", "likely", f"Keep {name}")


def _kept(node: ast.stmt, receiver: str) -> str:
    """Return the name of ``self.name = name``, empty for any other statement."""
    target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
    if not isinstance(node, ast.Assign) or not isinstance(target, ast.Attribute):
        return ""
    is_plain = isinstance(node.value, ast.Name) and node.value.id == target.attr
    is_own = isinstance(target.value, ast.Name) and target.value.id == receiver
    return target.attr if is_plain and is_own else ""
