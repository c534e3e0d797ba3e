"""Run one trial: an action at a random place in a module, and its outcome: a new text or a refusal."""

import ast
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from spark_lsp.actions.assumption import PROVED, Assumed
from spark_lsp.actions.base import Target
from spark_lsp.actions.check import failure
from spark_lsp.actions.python.extract_function import UNFAITHFUL, extraction_at, plain_name
from spark_lsp.actions.python.extract_function import unseen as function_unseen
from spark_lsp.actions.python.extract_variable import unseen as variable_unseen
from spark_lsp.actions.python.extract_variable import variable_at
from spark_lsp.actions.python.inline_variable import inlining_at
from spark_lsp.actions.python.names import free_name, words_of
from spark_lsp.actions.python.suggest_name import renaming_at
from spark_lsp.actions.refusal import Refusal
from spark_lsp.index.storage.view import EMPTY_VIEW, IndexView
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.snapshot import LineTable, Snapshot

Edits = tuple[Edit, ...]
EditFunctions = Mapping[str, Callable[[str, Span], Edits | Refusal]]
"""Computes the edits of an action at a selection, or the refusal."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``text`` is the edited module, None if the action refused; ``message`` says why, or what was done."""

    action: str
    text: str | None
    message: str
    place: str = ""


def target_in(text: str, span: Span) -> Target:
    """Return a selection in a Python document that belongs to no file."""
    path = Path("/w/main.py")
    return Target.of(Snapshot("file:///w/main.py", path, 1, "python", text), span)


def extract_function(
    text: str, span: Span, path: str = "main.py", view: IndexView = EMPTY_VIEW, assumed: Assumed = PROVED
) -> Edits | Refusal:
    """Extract a function by the plain rule's name."""
    extraction = extraction_at(target_in(text, span), assumed)
    extraction = extraction if isinstance(extraction, Refusal) else function_unseen(extraction, path, view, assumed)
    if isinstance(extraction, Refusal):
        return extraction
    name = free_name(extraction.suited(plain_name(extraction)), words_of(text))
    return extraction.edits(name) if extraction.is_faithful(name) else UNFAITHFUL


def extract_variable(
    text: str, span: Span, path: str = "main.py", view: IndexView = EMPTY_VIEW, assumed: Assumed = PROVED
) -> Edits | Refusal:
    """Extract a variable."""
    variable = variable_at(target_in(text, span), assumed)
    variable = variable if isinstance(variable, Refusal) else variable_unseen(variable, path, view, assumed)
    if isinstance(variable, Refusal):
        return variable
    name = free_name(variable.suited("found"), words_of(text))
    return variable.edits(name) if variable.is_faithful(name) else UNFAITHFUL


def inline_variable(text: str, span: Span, assumed: Assumed = PROVED) -> Edits | Refusal:
    """Inline the variable at a place."""
    inlining = inlining_at(target_in(text, span), assumed)
    if isinstance(inlining, Refusal):
        return inlining
    return inlining.edits() if inlining.is_faithful() else UNFAITHFUL


def suggest_name(text: str, span: Span, assumed: Assumed = PROVED) -> Edits | Refusal:
    """Rename the variable at a place."""
    renaming = renaming_at(target_in(text, span), assumed)
    if isinstance(renaming, Refusal):
        return renaming
    name = free_name("renamed", words_of(text))
    return renaming.edits(name) if renaming.is_faithful(name) else UNFAITHFUL


class MakesEdits(Protocol):
    """Makes the edits of an action at a selection, with these assumptions, or says why not."""

    def __call__(self, text: str, span: Span, *, assumed: Assumed = PROVED) -> Edits | Refusal:
        """Return the edits, or the refusal."""
        ...


ACTIONS: Final[dict[str, MakesEdits]] = {
    "extract.function": extract_function,
    "extract.variable": extract_variable,
    "inline.variable": inline_variable,
    "rename.suggest": suggest_name,
}


def edit_functions_in(view: IndexView, path: str) -> EditFunctions:
    """Return a function that computes the edits of a file in a workspace."""
    finders = {"extract.function": extract_function, "extract.variable": extract_variable}
    return {**ACTIONS} | {action: partial(make, path=path, view=view) for action, make in finders.items()}


NEEDS_A_NAME: Final = frozenset({"inline.variable", "rename.suggest"})


def attempt(action: str, text: str, span: Span, edit_functions: EditFunctions = ACTIONS) -> Outcome:
    """Try an action on a selection, with the checks of every edit."""
    edits = edit_functions[action](text, span)
    line = text.count("\n", 0, span.start) + 1
    place = f"line {line}: {span.text(text)[:60]!r}"
    if isinstance(edits, Refusal):
        return Outcome(action, None, edits.message, place)
    problem = failure(text, target_in(text, span).syntax, edits)
    if problem:
        return Outcome(action, None, f"check: {problem}", place)
    return Outcome(action, apply_edits(text, edits), "applied", place)


def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return all functions of a module with a usable body, in order."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def places(text: str, function: ast.AST, dice: random.Random, action: str) -> Span | None:
    """Return a random selection within a function that suits the action; None if there is none."""
    if action in NEEDS_A_NAME:
        spans = list(_names(text, function))
    elif action == "extract.function" and dice.random() > EXPRESSION_SHARE:
        spans = list(_statements(text, function, dice))
    else:
        spans = list(_expressions(text, function))
    return dice.choice(spans) if spans else None


EXPRESSION_SHARE: Final = 0.25


def _statements(text: str, function: ast.AST, dice: random.Random) -> Iterator[Span]:
    lines = LineTable.of(text)
    for node in ast.walk(function):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if not isinstance(block, list) or not block or not isinstance(block[0], ast.stmt):
                continue
            first = dice.randrange(len(block))
            last = min(len(block) - 1, first + dice.choice((0, 1, 2, 3, 9)))
            low, high = block[first], block[last]
            start = min([low.lineno, *(decorator.lineno for decorator in getattr(low, "decorator_list", []))])
            yield Span(lines.starts[start - 1], lines.ends[(high.end_lineno or high.lineno) - 1])


def _names(text: str, function: ast.AST) -> Iterator[Span]:
    """Yield the names in plain assignments."""
    lines = LineTable.of(text)
    for node in ast.walk(function):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                start = lines.starts[target.lineno - 1] + target.col_offset
                yield Span(start, start)


def _expressions(text: str, function: ast.AST) -> Iterator[Span]:
    lines = LineTable.of(text)
    rows = text.splitlines()
    kinds = (ast.BinOp, ast.Call, ast.Compare, ast.BoolOp, ast.IfExp, ast.ListComp, ast.Subscript, ast.Attribute)
    for node in ast.walk(function):
        if (
            isinstance(node, kinds)
            and isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
            and node.end_lineno
            and node.end_col_offset is not None
        ):
            if not (rows[node.lineno - 1].isascii() and rows[node.end_lineno - 1].isascii()):
                continue
            start = lines.starts[node.lineno - 1] + node.col_offset
            end = lines.starts[node.end_lineno - 1] + node.end_col_offset
            if start < end:
                yield Span(start, end)
