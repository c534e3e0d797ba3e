"""Rename follow-up in other files: where they import a renamed function, class or variable of a Python module.

Reads texts of the index; belongs on a worker thread. Any file that leaves a doubt is left alone as a whole.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from spark_lsp.actions.python.analysis.call_sites import KnownFunction, dotted, inner_module, module_of
from spark_lsp.actions.python.analysis.classes import files_mentioning, modules_of
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.edits.next_edit import NextEdit, Situation
from spark_lsp.edits.python_bindings import Bindings, Unclear
from spark_lsp.edits.rename_python import moved, python_source
from spark_lsp.edits.renamed import Renamed
from spark_lsp.text.edit import Edit, Span, apply_edits

MAX_FILES: Final = 60
"""Files; more take longer to read than anyone waits for the next edit."""


@dataclass(frozen=True, slots=True)
class _Uses:
    """Where a file says the name: spans of its text, and whether other files can import the name from it."""

    spans: frozenset[Span]
    passes_on: bool = False


@dataclass(slots=True)
class _ImportedName:
    """How a file comes to the name: its places by imports of it, and the modules that it may be read from."""

    spans: set[Span] = field(default_factory=set)
    modules: dict[str, list[ast.alias]] = field(default_factory=dict)
    passes_on: bool = False


def elsewhere(situation: Situation, renamed: Renamed) -> Iterator[NextEdit]:
    """Yield the places of other files, file by file, each in order of text."""
    if not situation.is_whole:
        return
    paths = sorted(files_mentioning(situation.view, renamed.old) - {situation.path})
    if len(paths) > MAX_FILES:
        return
    sources = {path: source for path in paths if (source := python_source(situation.read(path))) is not None}
    homes = frozenset({situation.path})
    uses_by_path: dict[str, _Uses] = {}
    while True:
        uses_by_path = {
            path: uses
            for path, source in sources.items()
            if (uses := _uses(source, renamed.old, path, homes, situation)) is not None and uses.spans
        }
        more = homes | {path for path, uses in uses_by_path.items() if uses.passes_on}
        if more == homes:
            break
        homes = more
    for path, uses in uses_by_path.items():
        if _is_proved(sources[path].text, renamed, path, homes, uses, situation):
            text = sources[path].text
            for span in sorted(uses.spans):
                title = f"Rename {renamed.old} to {renamed.new}"
                yield NextEdit(path, text, span, renamed.new, "rename", "computed", title)


def _uses(source: Source, name: str, path: str, homes: frozenset[str], situation: Situation) -> _Uses | None:
    """Return the places of the name in a file that imports it; None where it is not certain."""
    bindings = Bindings(source)
    imports = _imports(bindings, KnownFunction(name, homes, frozenset(), modules_of(situation.view, path)))
    if imports is None:
        return None
    spans = set(imports.spans)
    for module, aliases in imports.modules.items():
        through = _module_places(bindings, name, module, aliases)
        if through is None:
            return None
        spans |= through
    if imports.passes_on:
        spans |= _exported_names(source, name)
    return _Uses(frozenset(spans), imports.passes_on)


def _imports(bindings: Bindings, known: KnownFunction) -> _ImportedName | None:
    """Return how a file imports the name; None where an import may be another one of that name."""
    imports = _ImportedName()
    for node in ast.walk(bindings.source.tree):
        if isinstance(node, ast.ImportFrom):
            if not _take_from(bindings, node, known, imports):
                return None
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if known.means(alias.name) == "home":
                    imports.modules.setdefault(alias.asname or alias.name, []).append(alias)
    return imports


def _take_from(bindings: Bindings, node: ast.ImportFrom, known: KnownFunction, imports: _ImportedName) -> bool:
    """Take in a ``from`` import; False where what it brings is not certain."""
    for alias in node.names:
        means = known.means(module_of(node))
        if alias.name in {known.name, "*"} and (means == "several" or (alias.name == "*" and means == "home")):
            return False
        if alias.name == known.name and means == "home":
            imports.spans |= _alias_places(bindings, alias, known.name)
            is_top = node in bindings.source.tree.body
            imports.passes_on = imports.passes_on or (alias.asname in {None, known.name} and is_top)
        elif alias.name != "*" and known.means(inner_module(node, alias.name)) == "home":
            imports.modules.setdefault(alias.asname or alias.name, []).append(alias)
    return True


def _alias_places(bindings: Bindings, alias: ast.alias, name: str) -> frozenset[Span]:
    """Return the places of a name that an import brings; of one with another name here the import alone."""
    start = bindings.source.span(alias).start
    own = frozenset({Span(start, start + len(name))})
    if alias.asname not in {None, name}:
        return own
    binding = bindings.of_node(name, alias)
    if isinstance(binding, Unclear):
        return frozenset()
    if alias.asname is not None:
        return own
    return binding.spans | own if sum(place.defines for place in binding.places) == 1 else frozenset()


def _module_places(bindings: Bindings, name: str, module: str, aliases: list[ast.alias]) -> frozenset[Span] | None:
    """Return where the name is read from an imported module; None where the module's name means more than that."""
    source = bindings.source
    root = module.split(".", maxsplit=1)[0]
    binding = bindings.of_node(root, aliases[0])
    if isinstance(binding, Unclear) or any(
        place.defines and not isinstance(place.node, ast.alias) for place in binding.places
    ):
        return None
    own = {id(place.node) for place in binding.places}
    spans: set[Span] = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr == name and dotted(node.value) == module:
            first: ast.expr = node
            while isinstance(first, ast.Attribute):
                first = first.value
            if id(first) in own:
                end = source.span(node).end
                spans.add(Span(end - len(name), end))
    return frozenset(spans)


def _exported_names(source: Source, name: str) -> frozenset[Span]:
    spans = set()
    for statement in source.tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            for node in ast.walk(statement):
                if isinstance(node, ast.Constant) and node.value == name:
                    span = source.span(node)
                    if span.text(source.text)[1:-1] == name:
                        spans.add(Span(span.start + 1, span.end - 1))
    return frozenset(spans)


def _is_proved(
    text: str, renamed: Renamed, path: str, homes: frozenset[str], uses: _Uses, situation: Situation
) -> bool:
    """Whether the new name has exactly the places of the old one once they are renamed."""
    ordered = sorted(uses.spans)
    source = python_source(apply_edits(text, [Edit(span, renamed.new) for span in ordered]))
    if source is None:
        return False
    after = _uses(source, renamed.new, path, homes, situation)
    return after is not None and sorted(after.spans) == moved(ordered, len(renamed.new) - len(renamed.old))
