"""A Python document as an ``ast`` tree, with the offsets, parents and scopes of its nodes. Pure."""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from spark_lsp.actions.python.analysis.context_managers import managers_of
from spark_lsp.actions.python.analysis.fstrings import find_fstring_spans
from spark_lsp.actions.python.analysis.node_kinds import is_analysed
from spark_lsp.actions.python.analysis.scopes import FUNCTIONS, bound_by
from spark_lsp.text.edit import Span
from spark_lsp.text.snapshot import LineTable
from spark_lsp.text.syntax import Syntax
from spark_lsp.warning_filters import ignored_warnings

Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
_PLACED = ast.expr | ast.stmt | ast.excepthandler | ast.arg | ast.keyword | ast.alias | ast.pattern
MAX_CHARACTERS = 1_500_000
"""Characters; ``ast`` takes seconds to parse a longer document."""


@dataclass
class Source:
    """One document. Node identity matters: it answers only about nodes of its own ``tree``."""

    text: str
    tree: ast.Module
    lines: LineTable
    fstring_spans: dict[int, Span] = field(default_factory=dict)
    """The positions of nodes that ``ast`` reports wrongly, see ``fstrings``."""

    def span(self, node: ast.AST) -> Span:
        """Return the span of a node, with decorators for a definition."""
        kept = self.fstring_spans.get(id(node))
        if kept is not None:
            return kept
        first = min([node, *getattr(node, "decorator_list", [])], key=lambda part: (part.lineno, part.col_offset))
        start = self._offset(first.lineno, first.col_offset)
        if first is not node:
            start = self.text.rindex("@", 0, start)
        end_line, end_column = getattr(node, "end_lineno", None), getattr(node, "end_col_offset", None)
        assert isinstance(node, _PLACED), "placed"
        assert end_line is not None, "ast.parse places every node"
        assert end_column is not None, "ast.parse places every node"
        return Span(start, self._offset(end_line, end_column))

    def keyword_start(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
        """Return where ``def`` or ``class`` begins, after the decorators."""
        return self._offset(node.lineno, node.col_offset)

    def text_of(self, node: ast.AST) -> str:
        """Return the text of a node."""
        return self.span(node).text(self.text)

    def parent(self, node: ast.AST) -> ast.AST | None:
        """Return the node around a node."""
        return self._parents.get(id(node))

    def around(self, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        """Yield (child, parent) from a node outwards."""
        parent = self.parent(node)
        while parent is not None:
            yield node, parent
            node, parent = parent, self.parent(parent)

    def scope_of(self, node: ast.AST) -> Scope:
        """Return the scope in which a node runs: decorators, defaults and bases run in the outer one."""
        for child, parent in self.around(node):
            body = getattr(parent, "body", None)
            is_in_body = child is body or (isinstance(body, list) and any(child is statement for statement in body))
            if isinstance(parent, (*FUNCTIONS, ast.ClassDef)) and is_in_body:
                return parent
            if isinstance(parent, ast.Module):
                return parent
        return self.tree

    def scopes_around(self, scope: Scope) -> Iterator[Scope]:
        """Yield the scopes around a scope from the nearest to the module."""
        while not isinstance(scope, ast.Module):
            scope = self.scope_of(scope)
            yield scope

    def statement_of(self, node: ast.AST) -> ast.stmt:
        """Return the statement that contains a node, itself for a statement."""
        while not isinstance(node, ast.stmt):
            parent = self.parent(node)
            assert parent is not None, "every expression stands in a statement"
            node = parent
        return node

    def top_statement_of(self, node: ast.AST) -> ast.stmt:
        """Return the statement of the module that a node belongs to."""
        top = node
        for _child, parent in self.around(node):
            if not isinstance(parent, ast.Module):
                top = parent
        assert isinstance(top, ast.stmt), "a module holds statements"
        return top

    def block_of(self, statement: ast.stmt) -> list[ast.stmt]:
        """Return the list of statements that contains a statement."""
        parent = self.parent(statement)
        for _name, value in ast.iter_fields(parent) if parent else ():
            if isinstance(value, list) and any(member is statement for member in value):
                return value
        return [statement]

    @cached_property
    def managers(self) -> dict[str, bool]:
        """Context managers of the document, and whether they may suppress an error."""
        return managers_of(self.tree)

    @cached_property
    def bindings(self) -> Counter[str]:
        """How often each name is bound anywhere in the document, in whatever scope."""
        return Counter(name for node in ast.walk(self.tree) for name in bound_by(node))

    @cached_property
    def modules(self) -> dict[tuple[str, int], str]:
        """What ``import`` statements of the module bind, by name and number of the alias: the full module names."""
        aliases = [alias for node in self.tree.body if isinstance(node, ast.Import) for alias in node.names]
        return {
            (alias.asname or alias.name.split(".")[0], n): "" if alias.asname and "." in alias.name else alias.name
            for n, alias in enumerate(aliases)
        }

    @cached_property
    def _parents(self) -> dict[int, ast.AST]:
        return {id(child): parent for parent in ast.walk(self.tree) for child in ast.iter_child_nodes(parent)}

    def _offset(self, line: int, column: int) -> int:
        """Return the offset of a 1-based line and a column in bytes, as ``ast`` has them."""
        start = self.lines.starts[line - 1]
        end = self.lines.ends[line - 1]
        content = self.text[start:end]
        if content.isascii():
            return start + column
        return start + len(content.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "replace"))


def source_of(syntax: Syntax) -> Source | None:
    """Parse a document; None if it does not compile, is too long, or has a kind of node that is not analysed."""
    text = syntax.text
    if len(text) > MAX_CHARACTERS or "\0" in text:
        return None
    try:
        with ignored_warnings():
            tree = ast.parse(text)
            compile(text, "document", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None
    if not is_analysed(tree):
        return None
    source = Source(text, tree, LineTable.of(text))
    if sys.version_info < (3, 12):
        find_fstring_spans(source.tree, source.span, syntax, source.fstring_spans)
    return source
