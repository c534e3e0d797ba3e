"""Turn a selection into consecutive statements or one expression. Pure.

White space and comments at the ends are ignored; half a statement is no selection.
"""

import ast
import re
from dataclasses import dataclass

from spark_lsp.actions.layout import line_end, line_start
from spark_lsp.actions.python.analysis.scopes import COMPREHENSIONS
from spark_lsp.actions.python.analysis.source import Scope, Source
from spark_lsp.text.edit import Span

_ONLY_COMMENTS = re.compile(r"(?:\s|#[^\n]*|\\\r?\n)*")


@dataclass(frozen=True, slots=True)
class Piece:
    """The selected code. ``span`` is the text that moves: for statements, without white space at its ends."""

    nodes: tuple[ast.stmt, ...] | tuple[ast.expr]
    span: Span
    scope: Scope
    replaced: Span | None = None
    """For an expression, the text that its call replaces if that is more: with parentheses around it."""

    @property
    def is_expression(self) -> bool:
        """Whether it has a value."""
        return isinstance(self.nodes[0], ast.expr)


def trimmed(text: str, span: Span) -> Span:
    """Return a span without the white space at its ends."""
    content = span.text(text)
    start = span.start + len(content) - len(content.lstrip())
    return Span(start, max(start, span.start + len(content.rstrip())))


def statements_at(source: Source, span: Span) -> Piece | None:
    """Return the whole statements that a selection contains, with their comments; None if there are none."""
    text, chosen = source.text, trimmed(source.text, span)
    if chosen.start == chosen.end:
        return None
    block = _block_at(source, source.tree.body, chosen)
    inside = [
        statement
        for statement in block
        if source.span(statement).end > chosen.start and source.span(statement).start < chosen.end
    ]
    if not inside:
        return None
    first, last = source.span(inside[0]), source.span(inside[-1])
    if first.start < chosen.start or last.end > chosen.end:
        return None
    start = line_start(text, chosen.start)
    end = line_end(text, max(chosen.end, last.end))
    gaps = [Span(start, first.start), Span(last.end, end)]
    if not all(_ONLY_COMMENTS.fullmatch(gap.text(text).replace(";", "", 1)) for gap in gaps):
        return None
    head = source.text_of(inside[0])
    if isinstance(inside[0], ast.If) and head.startswith("elif"):
        return None
    start += len(text[start:end]) - len(text[start:end].lstrip())
    return Piece(tuple(inside), Span(start, end), source.scope_of(inside[0]))


def expression_at(source: Source, span: Span) -> Piece | None:
    """Return the expression that a selection contains, with or without parentheses around it; None if there is none."""
    chosen = trimmed(source.text, span)
    while True:
        expression = _expression_with(source, chosen)
        if expression is not None:
            own = _own_span(source, expression, chosen)
            return Piece((expression,), own, source.scope_of(expression), _replaced(source.text, own, span))
        content = chosen.text(source.text)
        if not (content.startswith("(") and content.endswith(")")) or len(content) < 3:
            return None
        chosen = trimmed(source.text, Span(chosen.start + 1, chosen.end - 1))


def _replaced(text: str, own: Span, selected: Span) -> Span | None:
    """Return the selection with the parentheses that it contains around an expression, if they belong to no call."""
    wide = trimmed(text, selected)
    before = text[wide.start - 1 : wide.start]
    return wide if wide != own and not (before.isalnum() or before in {"_", ")", "]", '"', "'", "}"}) else None


def is_whole_call_bracket(source: Source, node: ast.expr) -> bool:
    """Whether a generator shares its parentheses with the call whose only argument it is."""
    parent = source.parent(node)
    return (
        isinstance(node, ast.GeneratorExp)
        and isinstance(parent, ast.Call)
        and parent.args == [node]
        and not parent.keywords
        and source.span(node).end == source.span(parent).end
    )


def _own_span(source: Source, node: ast.expr, chosen: Span) -> Span:
    if is_whole_call_bracket(source, node):
        return Span(chosen.start + 1, chosen.end - 1)
    return chosen


def _block_at(source: Source, block: list[ast.stmt], chosen: Span) -> list[ast.stmt]:
    """Return the innermost list of statements around the selection."""
    for statement in block:
        span = source.span(statement)
        if (
            span.start <= chosen.start
            and chosen.end <= span.end
            and (span.start, span.end) != (chosen.start, chosen.end)
        ):
            for inner in _blocks(statement):
                first, last = source.span(inner[0]), source.span(inner[-1])
                lead = source.text[min(chosen.start, first.start) : first.start]
                begins = line_start(source.text, first.start) <= chosen.start or _ONLY_COMMENTS.fullmatch(lead)
                if begins and chosen.end <= line_end(source.text, last.end):
                    return _block_at(source, inner, chosen)
    return block


def _blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    holders = [statement, *getattr(statement, "handlers", []), *getattr(statement, "cases", [])]
    blocks = [getattr(holder, name, None) for holder in holders for name in ("body", "orelse", "finalbody")]
    return [block for block in blocks if isinstance(block, list) and block]


def _expression_with(source: Source, chosen: Span) -> ast.expr | None:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.expr) and _may_be(source, node) and source.span(node) == chosen:
            return node
    return None


def _may_be(source: Source, node: ast.expr) -> bool:
    """Whether an expression stands for a value; targets, slices and parts of f-strings do not."""
    if isinstance(node, ast.Starred | ast.Slice | ast.FormattedValue):
        return False
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return False
    parent = source.parent(node)
    if isinstance(node, ast.Tuple) and isinstance(parent, ast.Subscript):
        return not any(isinstance(element, ast.Slice | ast.Starred) for element in node.elts)
    if isinstance(parent, ast.JoinedStr | ast.pattern) or (
        isinstance(parent, ast.FormattedValue) and parent.value is not node
    ):
        return False
    return not isinstance(parent, ast.AnnAssign) or node is not parent.annotation


def loop_names(source: Source, node: ast.AST, scope: Scope) -> set[str]:
    """Return the loop names of the comprehensions around a node that are bound at the node."""
    names: set[str] = set()
    for child, parent in source.around(node):
        if parent is scope:
            break
        if isinstance(parent, ast.comprehension):
            continue
        if isinstance(parent, COMPREHENSIONS):
            known = parent.generators
            if isinstance(child, ast.comprehension):
                known = known[: known.index(child) + 1]
                is_first_iterable = child is parent.generators[0] and _is_within(source, node, child.iter)
                if is_first_iterable:
                    continue
            names |= {
                descendant.id
                for generator in known
                for descendant in ast.walk(generator.target)
                if isinstance(descendant, ast.Name) and isinstance(descendant.ctx, ast.Store)
            }
    return names


def _is_within(source: Source, node: ast.AST, holder: ast.AST) -> bool:
    return node is holder or any(parent is holder for _child, parent in source.around(node))
