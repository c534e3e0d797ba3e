"""Everyday selections of JavaScript and TypeScript, by the same plain rules as those of Python. Nothing is run."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.check import failure
from spark_lsp.actions.javascript import extract_function, extract_variable, inline, rename
from spark_lsp.actions.javascript.piece import piece_at
from spark_lsp.actions.javascript.scopes import Use, names_of
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.language import language_of_path
from spark_lsp.text.syntax import Syntax, parse

Edits = tuple[Edit, ...]
SUFFIXES: Final = frozenset({".cjs", ".js", ".mjs", ".ts"})
MAX_CHARACTERS: Final = 100_000
MAX_LINES_APART: Final = 3
NO_PIECE: Final = Refusal("selection", "The selection is neither whole statements nor one expression.")
_LEAVES: Final = frozenset({"break_statement", "continue_statement", "return_statement", "yield_expression"})
_FUNCTIONS: Final = frozenset({"arrow_function", "function_declaration", "function_expression", "method_definition"})
_PLAIN: Final = frozenset(
    {"false", "identifier", "null", "number", "spread_element", "string", "this", "true", "undefined"}
)


def outcomes(action: str, count: int, dice: random.Random, folder: Path) -> Iterator[str]:
    """Yield for so many selections why the action refuses them, empty where it does not."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and not path.name.endswith(".min.js"))
    while count > 0:
        syntax = _parsed(dice.choice(files))
        functions = [node for node in _nodes(syntax.tree.root_node) if node.type in _FUNCTIONS] if syntax else []
        spans = list(SPANS[action](syntax, dice.choice(functions), dice)) if syntax and functions else []
        if syntax is None or not spans:
            continue
        count -= 1
        outcome = EDITS[action](syntax, dice.choice(spans))
        if isinstance(outcome, Refusal):
            yield outcome.message
        else:
            problem = failure(syntax.text, syntax, outcome)
            yield f"check: {problem}" if problem else ""


def _parsed(path: Path) -> Syntax | None:
    """Parse a file; None for one that is very long, minified, a declaration or broken."""
    text = path.read_text("utf-8", "replace")
    language = language_of_path(path)
    is_minified = len(text) > 200 * (text.count("\n") + 1)
    if language is None or len(text) > MAX_CHARACTERS or is_minified or path.name.endswith(".d.ts"):
        return None
    syntax = parse(language, text)
    return None if syntax is None or syntax.error_count else syntax


def _nodes(root: Node) -> Iterator[Node]:
    todo = [root]
    while todo:
        node = todo.pop()
        yield node
        todo += node.named_children


def statements(syntax: Syntax, function: Node, dice: random.Random) -> Iterator[Span]:
    """Yield 2 to 4 statements in the middle of a block that control does not leave."""
    for node in _nodes(function):
        block = [child for child in node.named_children if child.type != "comment"]
        if node.type != "statement_block" or len(block) < MAX_LINES_APART:
            continue
        first = dice.randrange(1, len(block) - 1)
        chosen = block[first : first + dice.randint(2, 4)]
        if not any(inner.type in _LEAVES for part in chosen for inner in _nodes(part)):
            yield Span(syntax.wrap(chosen[0]).span.start, syntax.wrap(chosen[-1]).span.end)


def operands(syntax: Syntax, function: Node, _dice: random.Random) -> Iterator[Span]:
    """Yield arguments and operands that are more than a name or a constant."""
    for node in _nodes(function):
        parts: list[Node] = []
        if node.type == "arguments":
            parts = node.named_children
        elif node.type == "binary_expression":
            sides = (node.child_by_field_name("left"), node.child_by_field_name("right"))
            parts = [side for side in sides if side is not None]
        yield from (syntax.wrap(part).span for part in parts if part.type not in _PLAIN and part.type != "comment")


def short_lived(syntax: Syntax, function: Node, _dice: random.Random) -> Iterator[Span]:
    """Yield variables that are declared with a value and read once, within three lines."""
    uses = [use for use in names_of(syntax.tree.root_node).uses if use.binding is not None]
    for use in _declared(uses, function):
        shared = [candidate for candidate in uses if candidate.binding is use.binding and candidate is not use]
        distances = [shared_use.node.start_point.row - use.node.start_point.row for shared_use in shared]
        if len(shared) == 1 and 0 < distances[0] <= MAX_LINES_APART and shared[0].access == "read":
            yield syntax.wrap(use.node).span


def local_names(syntax: Syntax, function: Node, _dice: random.Random) -> Iterator[Span]:
    """Yield locals where they are declared; a parameter is none."""
    uses = [use for use in names_of(syntax.tree.root_node).uses if use.binding is not None]
    yield from (syntax.wrap(use.node).span for use in _declared(uses, function))


def _declared(uses: list[Use], function: Node) -> Iterator[Use]:
    """Yield where a function declares variables by statements with a value."""
    for use in uses:
        parent = use.node.parent
        is_within = function.start_byte < use.node.start_byte and use.node.end_byte <= function.end_byte
        if is_within and use.access == "declare" and parent is not None and parent.type == "variable_declarator":
            is_name = parent.child_by_field_name("name") == use.node
            if is_name and parent.child_by_field_name("value") is not None:
                yield use


def _function_edits(syntax: Syntax, span: Span) -> Edits | Refusal:
    piece = piece_at(syntax, span)
    plan = extract_function.plan_of(piece) if piece is not None else NO_PIECE
    return plan if isinstance(plan, Refusal) else extract_function.edits_of(plan, "extracted")


def _variable_edits(syntax: Syntax, span: Span) -> Edits | Refusal:
    piece = piece_at(syntax, span)
    naming = extract_variable.naming_of(piece) if piece is not None and piece.is_expression else NO_PIECE
    return naming if isinstance(naming, Refusal) else extract_variable.edits_of(naming, "extracted")


def _inline_edits(syntax: Syntax, span: Span) -> Edits | Refusal:
    inlining = inline.inlining_of(syntax, span.start)
    return inlining if isinstance(inlining, Refusal) else inline.edits_of(inlining)


def _rename_edits(syntax: Syntax, span: Span) -> Edits | Refusal:
    renaming = rename.renaming_of(syntax, span.start)
    return renaming if isinstance(renaming, Refusal) else rename.edits_of(renaming, "renamed")


SPANS: Final[dict[str, Callable[[Syntax, Node, random.Random], Iterator[Span]]]] = {
    "extract.function": statements,
    "extract.variable": operands,
    "inline.variable": short_lived,
    "rename.suggest": local_names,
}
EDITS: Final[dict[str, Callable[[Syntax, Span], Edits | Refusal]]] = {
    "extract.function": _function_edits,
    "extract.variable": _variable_edits,
    "inline.variable": _inline_edits,
    "rename.suggest": _rename_edits,
}
