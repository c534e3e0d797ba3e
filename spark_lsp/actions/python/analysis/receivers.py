"""Infer the possible classes of an object from annotations and constructor calls in its file. Pure.

An annotation is assumed to be correct.
"""

import ast
from collections.abc import Iterator
from typing import Final

from spark_lsp.actions.python.analysis.call_sites import binds, dotted
from spark_lsp.actions.python.analysis.classes import ClassAt, Classes, says_nothing
from spark_lsp.actions.python.analysis.scopes import COMPREHENSIONS, FUNCTIONS, names_of, target_names
from spark_lsp.actions.python.analysis.source import Scope, Source
from spark_lsp.actions.python.analysis.walks import first_parameter, nodes_of

PossibleClasses = frozenset[ClassAt]
NOTHING: Final[PossibleClasses] = frozenset()
"""The classes of an unknown object."""

_LITERALS: Final[dict[type[ast.AST], str]] = {
    ast.Dict: "dict",
    ast.DictComp: "dict",
    ast.JoinedStr: "str",
    ast.List: "list",
    ast.ListComp: "list",
    ast.Set: "set",
    ast.SetComp: "set",
    ast.Tuple: "tuple",
}
_WRAPPED: Final = frozenset({"Annotated", "ClassVar", "Final", "Optional", "Union"})


class Receivers:
    """Answers about the objects of one file."""

    def __init__(self, classes: Classes, path: str, source: Source) -> None:
        self._classes = classes
        self._path = path
        self._source = source

    def classes_of(self, node: ast.AST, steps: int = 4) -> PossibleClasses:
        """Return the possible classes of an expression's value; nothing if they are not known."""
        if isinstance(node, ast.Constant):
            return NOTHING if node.value is None else frozenset({_built_in(type(node.value).__name__)})
        if type(node) in _LITERALS:
            return frozenset({_built_in(_LITERALS[type(node)])})
        if isinstance(node, ast.Call):
            return self._made(node)
        if isinstance(node, ast.Attribute) and steps:
            return self._of_attribute(node, steps)
        return self._of_name(node, steps) if isinstance(node, ast.Name) else NOTHING

    def named_by(self, annotation: ast.AST | None) -> PossibleClasses:
        """Return the classes in an annotation; nothing if it may be anything else too."""
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            try:
                return self.named_by(ast.parse(annotation.value, mode="eval").body)
            except (SyntaxError, ValueError):
                return NOTHING
        if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
            return self._any_of([annotation.left, annotation.right])
        if isinstance(annotation, ast.Subscript):
            return self._of_subscript(annotation)
        meaning = self._classes.meaning(self._path, annotation) if annotation is not None else None
        return frozenset({meaning}) if meaning is not None and not says_nothing(meaning) else NOTHING

    def _any_of(self, annotations: list[ast.expr]) -> PossibleClasses:
        receivers = [
            self.named_by(annotation)
            for annotation in annotations
            if not (isinstance(annotation, ast.Constant) and annotation.value is None)
        ]
        return NOTHING.union(*receivers) if all(receivers) else NOTHING

    def _of_subscript(self, node: ast.Subscript) -> PossibleClasses:
        name = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
        if name not in _WRAPPED:
            return self.named_by(node.value)
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return self._any_of(inner[:1] if name == "Annotated" else inner)

    def _made(self, call: ast.Call) -> PossibleClasses:
        """Return the class of an object that a call of its class creates."""
        meaning = self._classes.meaning(self._path, call.func)
        if meaning is None or meaning.origin == "outside" or says_nothing(meaning):
            return NOTHING
        for class_at in (meaning, *self._classes.ancestors(meaning)):
            if class_at is None or class_at.origin == "outside":
                return NOTHING
            body = self._classes.body(class_at)
            if body is not None and (body.keywords or body.decorator_list or "__new__" in names_of(body).bound):
                return NOTHING
        return frozenset({meaning})

    def _of_name(self, node: ast.Name, steps: int) -> PossibleClasses:
        scope = self._owner(node)
        if scope is None:
            return NOTHING
        names = names_of(scope)
        if node.id in names.written | names.written_globals or node.id in names.globals:
            return NOTHING
        if node.id == first_parameter(scope) and isinstance(self._source.parent(scope), ast.ClassDef):
            return self._of_object(scope)
        bound = list(_bindings(self._source, scope, node.id))
        annotated = [
            binder.annotation for binder in bound if isinstance(binder, ast.AnnAssign | ast.arg) and binder.annotation
        ]
        if annotated:
            receivers = [self.named_by(annotation) for annotation in annotated]
        else:
            values = [binder.value if isinstance(binder, ast.Assign) else None for binder in bound]
            receivers = [
                self.classes_of(value, steps - 1) if value is not None and steps else NOTHING for value in values
            ]
        return NOTHING.union(*receivers) if all(receivers) else NOTHING

    def _owner(self, node: ast.Name) -> Scope | None:
        """Return the function or module that a variable belongs to."""
        for _child, parent in self._source.around(node):
            if isinstance(parent, COMPREHENSIONS) and node.id in target_names(g.target for g in parent.generators):
                return None
        scope: Scope = self._source.scope_of(node)
        for enclosing in (scope, *self._source.scopes_around(scope)):
            names = names_of(enclosing)
            if node.id in names.globals or (isinstance(enclosing, ast.ClassDef) and enclosing is scope):
                return None
            if not isinstance(enclosing, ast.ClassDef) and node.id in names.local:
                return enclosing
        return None

    def _of_object(self, method: Scope) -> PossibleClasses:
        """Return the class of a method's ``self``."""
        holder = self._source.parent(method)
        named = method.name if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) else "__new__"
        if getattr(method, "decorator_list", []) and not _is_ordinary(method):
            return NOTHING
        if named in {"__new__", "__init_subclass__", "__class_getitem__"} or not isinstance(holder, ast.ClassDef):
            return NOTHING
        name = first_parameter(method)
        if any(isinstance(node, ast.Name) and node.id == name and _is_stored(node) for node in ast.walk(method)):
            return NOTHING
        meaning = self._classes.meaning(self._path, ast.Name(holder.name, ast.Load()))
        return frozenset({meaning}) if meaning is not None and self._classes.body(meaning) is holder else NOTHING

    def _of_attribute(self, node: ast.Attribute, steps: int) -> PossibleClasses:
        """Return the classes that a class declares for an attribute of its objects."""
        holders = self.classes_of(node.value, steps - 1)
        if len(holders) != 1:
            return NOTHING
        holder = next(iter(holders))
        for class_at in (holder, *self._classes.bases(holder)):
            body = self._classes.body(class_at) if class_at is not None else None
            source = self._classes.read(class_at.path) if class_at is not None and body is not None else None
            if class_at is None or body is None or source is None:
                return NOTHING
            annotations = [declaration.annotation for declaration in _declared(body, node.attr, source)]
            if annotations:
                there = Receivers(self._classes, class_at.path, source)
                receivers = [there.named_by(annotation) for annotation in annotations]
                return NOTHING.union(*receivers) if all(receivers) else NOTHING
        return NOTHING


def _built_in(name: str) -> ClassAt:
    return ClassAt(name, "", "python")


def _is_stored(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _is_ordinary(method: ast.AST) -> bool:
    names = {ast.unparse(decorator) for decorator in getattr(method, "decorator_list", [])}
    return names <= {"property", "override", "typing.override", "cache", "abstractmethod", "cached_property"}


def _bindings(source: Source, scope: Scope, name: str) -> Iterator[ast.AST]:
    """Yield the nodes that assign a variable of a scope: an assignment, a parameter, or any other node."""
    rest = (scope.args.vararg, scope.args.kwarg) if isinstance(scope, FUNCTIONS) else ()
    for node in nodes_of(scope):
        if not binds(node, name) or isinstance(getattr(node, "ctx", None), ast.Del):
            continue
        parent = source.parent(node)
        is_target = isinstance(parent, ast.Assign) and any(node is target for target in parent.targets)
        if parent is not None and (is_target or (isinstance(parent, ast.AnnAssign) and parent.target is node)):
            yield parent
        elif isinstance(node, ast.arg) and any(node is parameter for parameter in rest):
            yield scope
        else:
            yield node


def _declared(body: ast.ClassDef, name: str, source: Source) -> Iterator[ast.AnnAssign]:
    """Yield the statements of a class that declare the type of an attribute."""
    for node in ast.walk(body):
        if not isinstance(node, ast.AnnAssign):
            continue
        target, scope = node.target, source.scope_of(node)
        if isinstance(target, ast.Name):
            is_it = target.id == name and scope is body
        else:
            is_it = isinstance(target, ast.Attribute) and target.attr == name and source.parent(scope) is body
            is_it = is_it and dotted(getattr(target, "value", node)) == first_parameter(scope)
        if is_it:
            yield node
