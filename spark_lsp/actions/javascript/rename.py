"""``rename.suggest`` for JavaScript and TypeScript: every place of a local, written again with another name. Pure."""

from dataclasses import dataclass

from spark_lsp.actions.base import Target
from spark_lsp.actions.javascript.inline import use_at
from spark_lsp.actions.javascript.scopes import FUNCTIONS, Binding, names_of
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit
from spark_lsp.text.syntax import Syntax


@dataclass(frozen=True, slots=True, eq=False)
class Renaming:
    """A local and the file that it is in."""

    syntax: Syntax
    binding: Binding


def is_inner(target: Target) -> bool:
    """Whether a cursor stands within a function; cheap."""
    assert target.syntax is not None, "the caller has looked"
    return any(node.kind in FUNCTIONS for node in target.syntax.ancestors_at(target.span.start))


def renaming_of(syntax: Syntax, offset: int) -> Renaming | Refusal:
    """Return the local under a cursor, or in one sentence why it cannot be renamed safely."""
    names = names_of(syntax.tree.root_node)
    use = use_at(syntax, names, offset)
    binding = use.binding if use is not None else None
    if binding is None:
        return Refusal("selection", "There is no name of this file here.")
    if binding.scope is names.program or binding.kind in {"import", "type", "module"}:
        return Refusal("owner", f"{binding.name} is no local: other files may use it.")
    if any(each.name == "eval" and each.binding is None for each in names.uses):
        return Refusal("scope", "With eval, no one can know what a name means.")
    return Renaming(syntax, binding)


def edits_of(renaming: Renaming, name: str) -> tuple[Edit, ...]:
    """Return the edits that rename every use; a property that shares the name keeps its own."""
    edits = []
    for use in sorted(renaming.binding.uses, key=lambda use: use.node.start_byte):
        is_short = use.node.type.startswith("shorthand_property_identifier")
        written = f"{use.name}: {name}" if is_short else name
        edits.append(Edit(renaming.syntax.wrap(use.node).span, written))
    return tuple(edits)


def head_of(renaming: Renaming) -> str:
    """Return the text in front of the name where it is declared, up to the beginning of its line."""
    syntax = renaming.syntax
    start = syntax.wrap(renaming.binding.declarations[0].node).span.start
    line = syntax.text.rfind("\n", 0, start) + 1
    short = renaming.binding.declarations[0].node.type.startswith("shorthand_property_identifier")
    return syntax.text[line:start] + (f"{renaming.binding.name}: " if short else "")
