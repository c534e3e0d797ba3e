"""Find the names that rewritten code must keep for the rest of the workspace, and where it must end. Pure.

Reads the syntax trees of the text before and after, and the index; never calls a model.
"""

from collections import Counter

from spark_lsp.actions.check import failure
from spark_lsp.actions.scan import scan
from spark_lsp.index.parse.symbols import symbols_of
from spark_lsp.index.storage.view import IndexView
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.syntax import Syntax, parse


def problem_of(text: str, syntax: Syntax | None, edit: Edit, view: IndexView, path: str) -> str:
    """Say in one sentence why new lines must not replace the old ones; empty if they may."""
    problem = failure(text, syntax, [edit])
    if problem or syntax is None:
        return problem
    old = edit.span.text(text)
    language = syntax.language.name
    if _is_balanced(old, language) and not _is_balanced(edit.new_text, language):
        return "The model's text opens or closes brackets that the old lines did not."
    if _indent(old) != _indent(edit.new_text) and edit.new_text.strip():
        return "The model's text does not begin at the indentation of the old lines."
    after = parse(syntax.language, apply_edits(text, [edit]))
    if after is None:
        return "The edited document can no longer be parsed."
    lost = lost_names(syntax, after, edit, view, path)
    return f"{', '.join(lost)} would be removed, but other code uses it." if lost else ""


def lost_names(before: Syntax, after: Syntax, edit: Edit, view: IndexView, path: str) -> list[str]:
    """Return the names that the old lines define, the new ones do not, and other code uses."""
    new_span = Span(edit.span.start, edit.span.start + len(edit.new_text))
    gone = _defined(before, edit.span) - _defined(after, new_span)
    outside = symbols_of(after).references
    inside = _words(after, new_span)
    return sorted(
        name
        for name in gone
        if outside.get(name, 0) > inside[name] or any(user != path for user in view.referencing.get(name, ()))
    )


def _defined(syntax: Syntax, span: Span) -> set[str]:
    """Return the names of functions, classes and top-level values whose definitions are in a span."""
    inside = (
        definition
        for definition in symbols_of(syntax).definitions
        if span.start <= definition.span.start and definition.span.end <= span.end
    )
    return {definition.name for definition in inside if definition.kind != "variable" or not definition.container}


def _words(syntax: Syntax, span: Span) -> Counter[str]:
    part = parse(syntax.language, span.text(syntax.text))
    return Counter(symbols_of(part).references) if part else Counter()


def _is_balanced(text: str, language: str) -> bool:
    scanned = scan(text + "\n", language)
    return not scanned.closed and scanned.lines[-1].depth == 0 and not scanned.lines[-1].in_string


def _indent(text: str) -> str:
    line = next((line for line in text.split("\n") if line.strip()), "")
    return line[: len(line) - len(line.lstrip(" \t"))]
