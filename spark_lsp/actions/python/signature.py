"""Find the type annotations of a function's names that are valid in another place too. Pure."""

import ast
import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spark_lsp.actions.python.analysis.scopes import FUNCTIONS, names_of, target_names
from spark_lsp.actions.python.analysis.selection import Piece
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.actions.python.analysis.walks import nodes_of
from spark_lsp.actions.python.extraction import ExtractionPlan
from spark_lsp.actions.python.narrowing import may_be_narrowed, narrowed_type

_PLAIN = (
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Constant,
    ast.BinOp,
    ast.BitOr,
    ast.Tuple,
    ast.List,
    ast.Load,
)
"""Nodes in a type that do nothing when they are evaluated."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A parameter list, its receiver first, and the text after it: empty, or an arrow and a type."""

    parameters: tuple[str, ...]
    arrow: str


def signature_of(source: Source, piece: Piece, plan: ExtractionPlan) -> Signature:
    """Return the new function's signature, with the types that the outer function states."""
    types = _known_types(source, piece)
    can_say = _Visible(source, piece, plan)
    parts = [receiver for receiver in [plan.receiver] if receiver]
    for name in plan.parameters:
        kind = types.get(name)
        node = narrowed_type(source, piece, name, kind.node) if kind else None
        text = kind.text if kind and node is kind.node else ast.unparse(node) if node is not None else ""
        parts.append(f"{name}: {text}" if node is not None and can_say(node) else name)
    return Signature(tuple(parts), _arrow(source, piece, plan, types, can_say))


@dataclass(frozen=True, slots=True)
class _Type:
    node: ast.expr
    text: str


def _known_types(source: Source, piece: Piece) -> dict[str, _Type]:
    scope = piece.scope
    if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
        return {}
    types: dict[str, _Type] = {}
    for parameter in [*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs]:
        if parameter.annotation is not None:
            types[parameter.arg] = _Type(parameter.annotation, _one_line(source, parameter.annotation))
    for more, form in ((scope.args.vararg, "tuple[{}, ...]"), (scope.args.kwarg, "dict[str, {}]")):
        if more is not None and more.annotation is not None:
            types[more.arg] = _Type(more.annotation, form.format(_one_line(source, more.annotation)))
    for node in nodes_of(scope):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            types.setdefault(node.target.id, _Type(node.annotation, _one_line(source, node.annotation)))
    return types


def _one_line(source: Source, node: ast.expr) -> str:
    text = source.text_of(node)
    return ast.unparse(node) if "\n" in text or "#" in text else text


def _arrow(source: Source, piece: Piece, plan: ExtractionPlan, types: dict[str, _Type], can_say: "_Visible") -> str:
    scope = piece.scope
    if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef) or plan.is_generator or piece.is_expression:
        return ""
    if plan.returns:
        is_plain = scope.returns is not None and can_say(scope.returns) and not _yields(scope)
        return f" -> {_one_line(source, scope.returns)}" if is_plain and scope.returns is not None else ""
    if not plan.results:
        return " -> None" if scope.returns is not None or types else ""
    known = [
        types[name]
        for name in plan.results
        if name in types and can_say(types[name].node) and not may_be_narrowed(types[name].node)
    ]
    if len(known) < len(plan.results):
        return ""
    texts = [known_type.text for known_type in known]
    return f" -> {texts[0]}" if len(texts) == 1 else f" -> tuple[{', '.join(texts)}]"


def _yields(scope: ast.AST) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in nodes_of(scope))


class _Visible:
    """Decides whether a type can be evaluated at the place of the new function."""

    def __init__(self, source: Source, piece: Piece, plan: ExtractionPlan) -> None:
        top = source.top_statement_of(piece.nodes[0])
        self._hidden: set[str] = set()
        for scope in [piece.scope, *source.scopes_around(piece.scope)]:
            if isinstance(scope, FUNCTIONS) or (isinstance(scope, ast.ClassDef) and plan.form == "function"):
                self._hidden |= names_of(scope).local
        before = source.tree.body[: source.tree.body.index(top)]
        self._known = set(dir(builtins)) | set(_bound_by(before))
        owner = source.parent(piece.scope)
        if plan.form != "function" and isinstance(owner, ast.ClassDef):
            self._known |= set(_bound_by(owner.body))
        self._is_lazy = any(
            isinstance(statement, ast.ImportFrom)
            and statement.module == "__future__"
            and statement.names[0].name == "annotations"
            for statement in before
        )

    def __call__(self, annotation: ast.expr) -> bool:
        if not all(isinstance(node, _PLAIN) for node in ast.walk(annotation)):
            return False
        names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
        return not names & self._hidden and (self._is_lazy or names <= self._known)


def _bound_by(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield the names that statements certainly bind when they run one after another."""
    for statement in statements:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.split(".")[0] for alias in statement.names)
        elif isinstance(statement, ast.Assign):
            yield from target_names(statement.targets)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            yield from target_names([statement.target])
