"""``rename.suggest`` for JavaScript and TypeScript: rename a local variable at every place. Pure."""

from dataclasses import dataclass

from tree_sitter import Node

from spark_lsp.actions.base import Target
from spark_lsp.actions.javascript.file_uses import file_uses
from spark_lsp.actions.javascript.flow import ancestors
from spark_lsp.actions.javascript.inline import use_at
from spark_lsp.actions.javascript.pitfalls import binding_problem, gives_its_name
from spark_lsp.actions.javascript.scopes import FUNCTIONS, HOISTED, Binding, names_of
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit
from spark_lsp.text.syntax import Syntax


@dataclass(frozen=True, slots=True, eq=False)
class Renaming:
    """A local and its file."""

    syntax: Syntax
    binding: Binding


def is_inner(target: Target) -> bool:
    """Whether a cursor is within a function; cheap."""
    assert target.syntax is not None, "the caller has looked"
    return any(node.kind in FUNCTIONS for node in target.syntax.ancestors_at(target.span.start))


def renaming_of(syntax: Syntax, offset: int) -> Renaming | Refusal:  # noqa: PLR0911 - a list of reasons
    """Return the local under a cursor, or in one sentence why it cannot be renamed safely."""
    names = names_of(syntax.tree.root_node)
    use = use_at(syntax, names, offset)
    binding = use.binding if use is not None else None
    if binding is None:
        return Refusal("selection", "There is no name of this file here.")
    if binding.scope is names.program or binding.kind in {"import", "type", "module"}:
        return Refusal("owner", f"{binding.name} is not local: other files may use it.")
    problem = binding_problem(binding, names)
    if problem:
        return problem
    if any(_is_exported(use.node) for use in binding.declarations):
        return Refusal("owner", f"{binding.name} is exported: other code may use it.")
    if any(name_use.name == "eval" and name_use.binding is None for name_use in names.uses):
        return Refusal("scope", "The file uses eval, so names may mean anything.")
    if any(_is_property(use.node) for use in binding.declarations):
        return Refusal("owner", f"{binding.name} is a property of the class as well.")
    is_maker = binding.kind in {"function", "class", "self"} or any(_names_function(use.node) for use in binding.uses)
    if is_maker and file_uses(names).asks_for_names:
        return Refusal("name", f"{binding.name} names a function or class, and the file reads such names.")
    return Renaming(syntax, binding)


def suited(renaming: Renaming, name: str) -> str:
    """Return a name that fits the uses: in ``<…>`` an upper-case letter makes it a component."""
    is_element = any(
        use.node.parent is not None and use.node.parent.type.startswith(("jsx_opening", "jsx_closing", "jsx_self"))
        for use in renaming.binding.uses
    )
    return name[:1].upper() + name[1:] if is_element else name


def _is_property(node: Node) -> bool:
    """Whether a constructor parameter declares a property: ``private count: number``."""
    holder = node.parent
    marks = {"accessibility_modifier", "readonly", "override_modifier"}
    return (
        holder is not None
        and holder.type.endswith("_parameter")
        and any(child.type in marks for child in holder.children)
    )


def _names_function(node: Node) -> bool:
    """Whether an anonymous function or class is assigned to a variable there."""
    holder = node.parent
    return holder is not None and any(gives_its_name(child) for child in holder.named_children if child.id != node.id)


def _is_exported(node: Node) -> bool:
    """Whether a declaration is exported, from the file or from a namespace."""
    for parent in ancestors(node):
        if parent.type == "export_statement":
            return True
        if parent.type in {"statement_block", "class_body", "program"} or parent.type in FUNCTIONS - HOISTED:
            return False
        if parent.type in HOISTED and parent.child_by_field_name("name") != node:
            return False
    return False


def edits_of(renaming: Renaming, name: str) -> tuple[Edit, ...]:
    """Return the edits that rename every use; a property of the same name keeps its name."""
    edits = []
    for use in sorted(renaming.binding.uses, key=lambda use: use.node.start_byte):
        is_short = use.node.type.startswith("shorthand_property_identifier")
        written = f"{use.name}: {name}" if is_short else name
        edits.append(Edit(renaming.syntax.wrap(use.node).span, written))
    return tuple(edits)


def head_of(renaming: Renaming) -> str:
    """Return the text before the declared name, from the beginning of its line."""
    syntax = renaming.syntax
    start = syntax.wrap(renaming.binding.declarations[0].node).span.start
    line = syntax.text.rfind("\n", 0, start) + 1
    short = renaming.binding.declarations[0].node.type.startswith("shorthand_property_identifier")
    return syntax.text[line:start] + (f"{renaming.binding.name}: " if short else "")
