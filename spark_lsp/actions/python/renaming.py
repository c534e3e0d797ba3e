"""Find every place of a local variable for a renaming, or why some may be missed. Pure."""

import ast
from dataclasses import dataclass

from spark_lsp.actions.assumption import PROVED, Assumed
from spark_lsp.actions.python.analysis.bytecode import same_code
from spark_lsp.actions.python.analysis.control_flow import control_flow_of
from spark_lsp.actions.python.analysis.scopes import FUNCTIONS, arguments, names_of
from spark_lsp.actions.python.analysis.source import Scope, Source
from spark_lsp.actions.python.analysis.variable_readers import code_reader, variable_reader
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit, Span, apply_edits


@dataclass(frozen=True, slots=True)
class Renaming:
    """The places of a local variable's name, and the value of its first assignment."""

    source: Source
    old: str
    places: tuple[Span, ...]
    value: ast.expr | None

    def edits(self, name: str) -> tuple[Edit, ...]:
        """Return one edit for each place."""
        return tuple(Edit(place, name) for place in self.places)

    def is_faithful(self, name: str) -> bool:
        """Whether the edited document equals the old one if the new name is replaced by the old one."""
        try:
            after = ast.parse(apply_edits(self.source.text, self.edits(name)))
        except (SyntaxError, ValueError, RecursionError):
            return False
        for node in ast.walk(after):
            if isinstance(node, ast.Name) and node.id == name:
                node.id = self.old
        same = ast.dump(after) == ast.dump(self.source.tree)
        return same and same_code(self.source.text, apply_edits(self.source.text, self.edits(name)), self.old, name)


def renaming_of(source: Source, name: ast.Name, assumed: Assumed = PROVED) -> Renaming | Refusal:
    """Return every place of a local variable, or in one sentence why it cannot be renamed here."""
    scope = owner_of(source, name)
    if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
        return Refusal("owner", f"{name.id} belongs to no function, so others may use it.")
    if any(parameter.arg == name.id for parameter in arguments(scope.args)):
        return Refusal("owner", f"{name.id} is a parameter, so callers may use it.")
    points = [
        point for point in control_flow_of(scope).points if point.name == name.id and point.kind in {"bind", "unbind"}
    ]
    if not all(isinstance(point.node, ast.Name) for point in points) or name.id in names_of(scope).written:
        return Refusal("assignment", f"{name.id} is also bound by something other than an assignment.")
    reader = variable_reader(source, scope, ast.walk(scope)) or code_reader(source, scope, assumed=assumed)
    if reader is not None:
        return reader
    uses = [node for node in ast.walk(scope) if isinstance(node, ast.Name) and node.id == name.id]
    mine = [node for node in uses if owner_of(source, node) is scope and not _is_loop_name(source, node, scope)]
    places = tuple(sorted({source.span(node) for node in mine}))
    if not all(len(place) for place in places) or len(places) != len(mine):
        return Refusal("placement", f"{name.id} is used in an unknown place.")
    return Renaming(source, name.id, places, _first_value(source, mine))


def owner_of(source: Source, name: ast.Name) -> Scope:
    """Return the scope that owns a name."""
    scope = source.scope_of(name)
    for node in [scope, *source.scopes_around(scope)]:
        if isinstance(node, ast.ClassDef) and node is scope and name.id in names_of(node).local:
            return node
        if isinstance(node, FUNCTIONS) and name.id in names_of(node).local:
            return node
    return source.tree


def _is_loop_name(source: Source, name: ast.Name, scope: Scope) -> bool:
    """Whether a name is the loop name of a comprehension, which is another variable.

    The first iterable of a comprehension is evaluated in the outer scope.
    """
    is_first_iterable = False
    for child, parent in source.around(name):
        if parent is scope:
            return False
        if isinstance(parent, ast.comprehension):
            is_first_iterable = child is parent.iter
        generators = getattr(parent, "generators", None)
        if isinstance(generators, list) and not (is_first_iterable and child is generators[0]):
            targets = {node.id for part in generators for node in ast.walk(part.target) if isinstance(node, ast.Name)}
            if name.id in targets:
                return True
    return False


def _first_value(source: Source, names: list[ast.Name]) -> ast.expr | None:
    for name in names:
        parent = source.parent(name)
        if isinstance(parent, ast.Assign | ast.AnnAssign) and isinstance(name.ctx, ast.Store):
            return parent.value
    return None
