"""Rename follow-up for Python: the places that a renaming still leaves under the old name. Pure.

The binding is read from the text before the renaming, where nothing is half renamed. Proved by the opposite way: in the
wholly renamed text, the new name has exactly the places that the old one had.
"""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from spark_lsp.actions.python.analysis.source import Source, source_of
from spark_lsp.edits.python_attributes import attribute_at
from spark_lsp.edits.python_bindings import Binding, Bindings, Unclear
from spark_lsp.edits.renamed import Renamed
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import parse

UNREADABLE: Final = Unclear("the document does not compile")


@dataclass(frozen=True, slots=True)
class FollowUps:
    """What a renaming leaves: ``places`` are spans of the text before it, without those that are renamed already.

    ``is_shared`` where other files may use the name: it belongs to the module.
    """

    renamed: Renamed
    places: tuple[Span, ...]
    is_shared: bool


def follow_ups(renamed: Renamed) -> FollowUps | Unclear:
    """Return the places in the renamed document that still have the old name."""
    if any(name.startswith("__") for name in (renamed.old, renamed.new)):
        return Unclear("Python mangles names that begin with two underscores")
    source = python_source(renamed.before)
    binding = _binding(source, renamed.old, renamed.places[0]) if source is not None else UNREADABLE
    if isinstance(binding, Unclear) or source is None:
        return binding if isinstance(binding, Unclear) else UNREADABLE
    if not set(renamed.places) <= binding.spans:
        return Unclear("not only one variable was renamed")
    definition = binding.first_definition
    if definition is None or definition.span not in renamed.places:
        return Unclear("a use was changed, not what gives the name its meaning")
    spans = binding.spans | _exported(source, binding, renamed.old)
    problem = _problem(renamed.before, renamed.old, renamed.new, spans, definition.span)
    left = tuple(sorted(spans - set(renamed.places)))
    return problem or FollowUps(renamed, left, isinstance(binding.owner, ast.Module))


def _binding(source: Source, name: str, place: Span) -> Binding | Unclear:
    """Return the variable or attribute whose name stands at a place."""
    bindings = Bindings(source)
    if source.text[: place.start].rstrip().endswith("."):
        return attribute_at(bindings, name, place)
    binding = bindings.at(name, place)
    is_of_class = isinstance(binding, Binding) and isinstance(binding.owner, ast.ClassDef)
    return attribute_at(bindings, name, place) if is_of_class else binding


@lru_cache(maxsize=8)
def python_source(text: str) -> Source | None:
    """Parse a Python text; None if it does not compile. Cached, because a text is parsed more than once."""
    syntax = parse(LANGUAGES["python"], text)
    return source_of(syntax) if syntax is not None else None


def _problem(before: str, old: str, new: str, spans: Iterable[Span], definition: Span) -> Unclear | None:
    ordered = sorted(spans)
    after_text = apply_edits(before, [Edit(span, new) for span in ordered])
    source = python_source(after_text)
    if source is None:
        return Unclear("the renamed text does not compile")
    after = moved(ordered, len(new) - len(old))
    binding = _binding(source, new, after[ordered.index(definition)])
    if isinstance(binding, Unclear):
        return binding
    if binding.spans | _exported(source, binding, new) != set(after):
        return Unclear(f"{new} means something else as well")
    return None


def moved(spans: Sequence[Span], growth: int) -> list[Span]:
    """Return spans in order as they are once each of them has grown."""
    return [Span(span.start + number * growth, span.end + (number + 1) * growth) for number, span in enumerate(spans)]


def _exported(source: Source, binding: Binding, name: str) -> frozenset[Span]:
    """Return where ``__all__`` says the name of a module's binding."""
    if not isinstance(binding.owner, ast.Module):
        return frozenset()
    spans: set[Span] = set()
    for statement in source.tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        value = getattr(statement, "value", None)
        if not any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            continue
        for node in ast.walk(value) if isinstance(value, ast.List | ast.Tuple) else ():
            if isinstance(node, ast.Constant) and node.value == name:
                span = source.span(node)
                text = span.text(source.text)
                if text[1:-1] == name:
                    spans.add(Span(span.start + 1, span.end - 1))
    return frozenset(spans)
