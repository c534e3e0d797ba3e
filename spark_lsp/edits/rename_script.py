"""Rename follow-up for JavaScript and TypeScript in one file: the uses that a renaming leaves. Pure.

Proved as for Python: in the wholly renamed text, the new name has exactly the uses that the old one had.
"""

from typing import Final

from spark_lsp.actions.javascript.rename import Renaming, edits_of, suited
from spark_lsp.actions.javascript.scopes import Binding, FileScopes, Use, names_of
from spark_lsp.edits.python_bindings import Unclear
from spark_lsp.edits.renamed import Renamed
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.language import Language
from spark_lsp.text.syntax import Syntax, parse

LANGUAGE_NAMES: Final = frozenset({"javascript", "typescript", "tsx"})


def script_follow_ups(renamed: Renamed, language: Language) -> tuple[Edit, ...] | Unclear:
    """Return the edits of the text before the renaming that it has still to make."""
    syntax = parse(language, renamed.before)
    if syntax is None or syntax.error_count:
        return Unclear("the document does not parse")
    names = names_of(syntax.tree.root_node)
    use = _use_at(syntax, names, renamed.places[0])
    binding = use.binding if use is not None else None
    if binding is None:
        return Unclear("the file does not declare the name")
    edits = edits_of(Renaming(syntax, binding), renamed.new)
    if any(suited(Renaming(syntax, binding), name) != name for name in (renamed.old, renamed.new)):
        return Unclear("the case of a JSX name decides what it is")
    doubt = _doubt(binding, names, renamed) or _half(syntax, binding, edits, renamed)
    return doubt or tuple(edit for edit in edits if edit.span not in renamed.places)


def _half(syntax: Syntax, binding: Binding, edits: tuple[Edit, ...], renamed: Renamed) -> Unclear | None:
    """Return why the renaming that was begun is not that of the binding."""
    by_place = {edit.span: edit.new_text for edit in edits}
    if any(by_place.get(place) != renamed.new for place in renamed.places):
        return Unclear("not only one variable was renamed, or a property with it")
    definition = min(syntax.wrap(place.node).span for place in binding.declarations)
    if definition not in renamed.places:
        return Unclear("a use was changed, not what declares the name")
    if not _is_proved(syntax, edits, renamed, definition):
        return Unclear(f"{renamed.new} means something else as well")
    return None


def _doubt(binding: Binding, names: FileScopes, renamed: Renamed) -> Unclear | None:
    if any(use.name == "eval" and use.binding is None for use in names.uses):
        return Unclear("the file uses eval, so names may mean anything")
    if not binding.declarations:
        return Unclear(f"nothing declares {renamed.old}")
    if len({use.node.type for use in binding.declarations}) > 1 or binding.kind == "module":
        return Unclear(f"{renamed.old} is declared as two things")
    for use in binding.declarations:
        holder = use.node.parent
        if holder is not None and holder.type.endswith("_parameter") and len(holder.children) > 1:
            words = {child.type for child in holder.children}
            if words & {"accessibility_modifier", "readonly", "override_modifier"}:
                return Unclear(f"{renamed.old} is a property of the class as well")
    return None


def _is_proved(syntax: Syntax, edits: tuple[Edit, ...], renamed: Renamed, definition: Span) -> bool:
    after = parse(syntax.language, apply_edits(syntax.text, edits))
    if after is None or after.error_count:
        return False
    wanted: list[Span] = []
    growth = 0
    place = None
    for edit in edits:
        end = edit.span.start + growth + len(edit.new_text)
        wanted.append(Span(end - len(renamed.new), end))
        place = wanted[-1] if edit.span == definition else place
        growth += len(edit.new_text) - len(edit.span)
    use = _use_at(after, names_of(after.tree.root_node), place) if place is not None else None
    binding = use.binding if use is not None else None
    return binding is not None and sorted(after.wrap(use.node).span for use in binding.uses) == wanted


def _use_at(syntax: Syntax, names: FileScopes, place: Span) -> Use | None:
    byte = syntax.to_byte(place.start)
    return next((use for use in names.uses if use.node.start_byte == byte), None)
