"""Add imports to an edited Python file for the names that nothing defines. Pure.

Imports among other statements move to the top, and new unused imports are removed. An undefined name that no known
module provides is a reason to refuse the edit.
"""

import ast
from dataclasses import dataclass

from spark_lsp.actions.checks.import_block import Needed, hoisted, with_imports, without_unused
from spark_lsp.actions.checks.lint import UNUSED_IMPORT, new_findings, undefined_names
from spark_lsp.actions.checks.supply import supplied
from spark_lsp.index.storage.view import IndexView


@dataclass(frozen=True, slots=True)
class Completed:
    """The text of a file with the imports that an edit needs, or in one sentence why it is refused."""

    text: str
    problem: str = ""


def completed(before: str, after: str, path: str, view: IndexView) -> Completed:
    """Return the edited text with its imports in order; ``before`` is the file before the edit, ``path`` its path."""
    try:
        ast.parse(before)
        ast.parse(after)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Completed(after)  # a file that does not parse is not judged
    moved = hoisted(before, after)
    if moved.problem:
        return Completed(after, moved.problem)
    try:
        text = with_imports(moved.text, moved.imports)
    except SyntaxError:
        return Completed(after, "The model's text contains only imports.")
    missing = undefined_names(before, text)
    wanted = {name: supplied(name, path, before, view, text) for name in missing}
    unknown = [name for name, needed in wanted.items() if needed is None]
    if unknown:
        return Completed(text, f"{_listed(unknown)} {'is' if len(unknown) == 1 else 'are'} not defined anywhere.")
    text = with_imports(text, [imported for imported in wanted.values() if imported is not None])
    return Completed(_without_unused(before, text))


def _without_unused(before: str, text: str) -> str:
    unused = [finding.name for finding in new_findings(before, text) if finding.code == UNUSED_IMPORT]
    names = [_bound(name) for name in unused]
    return without_unused(before, text, names) if names else text


def _bound(statement: str) -> str:
    """Return the name that an unused import binds, as pyflakes writes it: ``a.b``, ``a.b as c``, ``from.name``."""
    name = statement.rpartition(" as ")[2]
    return Needed(name).bound if " as " in statement or "." not in statement else statement.rpartition(".")[2]


def _listed(names: list[str]) -> str:
    return ", ".join(names)
