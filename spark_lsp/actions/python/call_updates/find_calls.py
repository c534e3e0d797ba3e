"""Find all calls of a function in a workspace, or why they are not certain.

Reads texts from the index, and the time of a file that an editor has open, so it must run on a worker thread.
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Literal

from spark_lsp.actions.base import Target
from spark_lsp.actions.python.analysis.call_sites import (
    CallIssue,
    Calls,
    Imports,
    KnownFunction,
    binds,
    calls_through_imports,
    imports_of,
    looked_up,
    own_calls,
    passes_on,
)
from spark_lsp.actions.python.analysis.class_hierarchy import ClassHierarchy, class_hierarchy_of, judged
from spark_lsp.actions.python.analysis.classes import Classes, classes_of, files_mentioning, modules_of
from spark_lsp.actions.python.analysis.receivers import Receivers
from spark_lsp.actions.python.analysis.scopes import names_of
from spark_lsp.actions.python.analysis.source import Source, source_of
from spark_lsp.actions.python.call_updates.constructors import INIT, constructor_calls, constructors_of
from spark_lsp.actions.python.call_updates.methods import Method, method_calls
from spark_lsp.actions.python.call_updates.same_name_methods import same_name_method
from spark_lsp.actions.refusal import Refusal
from spark_lsp.index.storage.view import FileEntry, IndexView
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import Syntax, parse

MAX_FILES: Final = 400
"""Files; more take seconds to read, and a name in so many files is seldom that of one function."""


@dataclass(frozen=True, slots=True)
class CalledIn:
    """The calls in one file; ``is_uncertain`` if they may already fit the new signature."""

    path: str
    source: Source
    syntax: Syntax
    calls: Sequence[ast.Call]
    is_uncertain: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """The function whose calls are searched, in the file that defines it. ``is_plain`` applies to methods only."""

    path: str
    source: Source
    function: ast.FunctionDef | ast.AsyncFunctionDef
    is_plain: bool = True

    @property
    def owner(self) -> ast.ClassDef | None:
        """The class of a method."""
        around = self.source.parent(self.function)
        return around if isinstance(around, ast.ClassDef) else None


def called_in(target: Target, view: IndexView, wanted: Wanted) -> list[CalledIn] | Refusal:
    """Return the calls of a function by file, its own file first."""
    assert target.syntax is not None, "the caller has read it"
    name, source = wanted.function.name, wanted.source
    if wanted.owner is not None and name == INIT:
        return _made_in(target, view, wanted, wanted.owner)
    scope = source.scope_of(wanted.function)
    if wanted.owner is None and not isinstance(scope, ast.Module):
        own = CalledIn(wanted.path, source, target.syntax, (), _own_uncertainty(target, source, {name}))
        return _filled([own], [own_calls(source, wanted.function, name)])
    files = _files_read(target, view, wanted, files_mentioning(view, name), {name})
    if isinstance(files, Refusal):
        return files
    files_with_calls = (
        _of_method(files, wanted, view) if wanted.owner is not None else _of_function(files, wanted, view)
    )
    return _filled(files, files_with_calls)


def _files_read(
    target: Target, view: IndexView, wanted: Wanted, paths: frozenset[str], names: AbstractSet[str]
) -> list[CalledIn] | Refusal:
    """Read the document and the files that mention the names, unless one looks up a name by its text."""
    assert target.syntax is not None, "the caller has read it"
    files = [CalledIn(wanted.path, wanted.source, target.syntax, (), _own_uncertainty(target, wanted.source, names))]
    others = sorted(paths - {wanted.path})
    if others and wanted.path not in view.files:
        return Refusal("calls", f"{wanted.path} is not in the index, so its importers are not known.")
    if len(others) > MAX_FILES:
        return Refusal("calls", f"{min(names)} is in {len(others)} files; at most {MAX_FILES} can be searched.")
    for path in others:
        read = _read(view.files[path], target, wanted.path)
        if isinstance(read, Refusal):
            return read
        files.append(read)
    for file in files:
        for name in sorted(names):
            if line := looked_up(file.source, name):
                return Refusal("reflection", f"{file.path}:{line}: {name} is looked up by the text of its name.")
    return files


def _made_in(target: Target, view: IndexView, wanted: Wanted, owner: ast.ClassDef) -> list[CalledIn] | Refusal:
    """Return the calls that create a class's objects."""
    assert target.syntax is not None, "the caller has read it"
    known = classes_of({wanted.path: wanted.source}, view)
    meaning = known.meaning(wanted.path, ast.Name(owner.name, ast.Load()))
    inits = [node for node in ast.walk(owner) if binds(node, INIT) and wanted.source.scope_of(node) is owner]
    if meaning is None or known.body(meaning) is not owner or len(inits) > 1 or INIT in names_of(owner).used:
        return Refusal("calls", f"{wanted.path}:{owner.lineno}: {owner.name} may be another class as well.")
    hierarchy = class_hierarchy_of(known, meaning, partial(files_mentioning, view))
    constructors = constructors_of(known, hierarchy) if isinstance(hierarchy, ClassHierarchy) else hierarchy
    if isinstance(constructors, Refusal):
        return constructors
    names = {subclass.name for subclass in constructors.subclasses}
    paths = {
        class_at.path
        for class_at in (*constructors.hierarchy.own, *constructors.hierarchy.above)
        if class_at.origin == "workspace"
    }
    paths = paths.union(*(files_mentioning(view, name) for name in names))
    files = _files_read(target, view, wanted, frozenset(paths), names)
    if isinstance(files, Refusal):
        return files
    known = classes_of({file.path: file.source for file in files}, view)
    uncertainty = _own_uncertainty(target, wanted.source, names | {INIT, "cls", "type"})
    files[0] = replace(files[0], is_uncertain=uncertainty)
    return _filled(files, [constructor_calls(known, file.path, file.source, constructors) for file in files])


def _filled(files: Sequence[CalledIn], found_calls: Sequence[Calls]) -> list[CalledIn] | Refusal:
    filled = []
    for file, calls in zip(files, found_calls, strict=False):
        if isinstance(calls, CallIssue):
            return Refusal("calls", f"{file.path}:{calls.line}: {calls.message}.")
        filled.append(replace(file, calls=calls))
    return filled


def _of_function(files: Sequence[CalledIn], wanted: Wanted, view: IndexView) -> list[Calls]:
    name = wanted.function.name
    definers = frozenset(view.definitions[name].paths() if name in view.definitions else ())
    ways = [KnownFunction(name, frozenset({wanted.path}), definers, modules_of(view, file.path)) for file in files[1:]]
    homes = frozenset({wanted.path})
    while True:
        ways = [replace(way, homes=homes) for way in ways]
        more = homes | {file.path for file, way in zip(files[1:], ways, strict=True) if passes_on(file.source, way)}
        if more == homes:
            break
        homes = more
    calls: list[Calls] = [own_calls(wanted.source, wanted.function, name)]
    for file, way in zip(files[1:], ways, strict=True):
        ways_in = imports_of(file.source, way)
        if isinstance(ways_in, Imports):
            calls.append(calls_through_imports(file.source, name, ways_in))
        else:
            calls.append(ways_in)
    return calls


def _of_method(files: Sequence[CalledIn], wanted: Wanted, view: IndexView) -> list[Calls]:
    name, owner = wanted.function.name, wanted.owner
    assert owner is not None, "the caller has looked"
    if name in names_of(owner).used:
        return [CallIssue(wanted.function.lineno, f"{name} is passed on in its class")]
    classes = classes_of({file.path: file.source for file in files}, view)
    meaning = classes.meaning(wanted.path, ast.Name(owner.name, ast.Load()))
    is_clear = meaning is not None and classes.body(meaning) is owner
    hierarchy = (
        class_hierarchy_of(classes, meaning, partial(files_mentioning, view))
        if is_clear and meaning is not None
        else None
    )
    hierarchy = hierarchy if isinstance(hierarchy, ClassHierarchy) else None
    same_name_owner = same_name_method(classes, view, wanted.path, wanted.function, hierarchy)
    if isinstance(same_name_owner, CallIssue):
        return [same_name_owner]
    method = Method(name, owner.name, wanted.is_plain, partial(_is_class, view), same_name_owner)
    return [
        method_calls(
            file.source,
            method,
            owner if file.path == wanted.path else None,
            modules_of(view, file.path),
            partial(_judged, classes, hierarchy, Receivers(classes, file.path, file.source), name),
        )
        for file in files
    ]


def _judged(
    classes: Classes, hierarchy: ClassHierarchy | None, receivers: Receivers, name: str, node: ast.expr
) -> Literal["own", "other", "unknown"]:
    return judged(classes, hierarchy, receivers.classes_of(node), name) if hierarchy is not None else "unknown"


def _is_class(view: IndexView, name: str) -> bool:
    return any(definition.kind == "class" for _, definition in view.definitions.get(name, ()))


def _read(entry: FileEntry, target: Target, own_path: str) -> CalledIn | Refusal:
    text = entry.text
    syntax = parse(LANGUAGES["python"], text)
    source = source_of(syntax) if syntax is not None and text else None
    if syntax is None or source is None:
        return Refusal("unreadable", f"{entry.path} does not compile, or has changed on disk.")
    assert target.baseline is not None, "there is no change without it"
    return CalledIn(entry.path, source, syntax, (), _written_ns(entry, target, own_path) >= target.baseline.since_ns)


def _written_ns(entry: FileEntry, target: Target, own_path: str) -> int:
    """Return when a file was last written; for a document that differs from its file, the present."""
    if entry.mtime_ns:
        return entry.mtime_ns
    root: Path | None = target.snapshot.path
    for _ in own_path.split("/"):
        root = root.parent if root is not None else None
    if root is None:
        return sys.maxsize
    try:
        place = root / entry.path
        same = place.read_bytes() == entry.text.encode("utf-8", "surrogatepass")
        return place.stat().st_mtime_ns if same else sys.maxsize
    except OSError:
        return sys.maxsize


def _own_uncertainty(target: Target, source: Source, names: AbstractSet[str]) -> bool:
    """Whether the document's calls differ from those when it was opened."""
    before = target.baseline_syntax
    earlier = source_of(before) if before is not None else None
    return earlier is None or list(_said(earlier, names)) != list(_said(source, names))


def _said(source: Source, names: AbstractSet[str]) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "type")
            if called in names:
                yield ast.dump(node)
