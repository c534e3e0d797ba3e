"""Write an extracted function and its call, and prove that they keep the selection's meaning. Pure.

The selection's own text moves, comments included; only its indentation changes.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass

from spark_lsp.actions.layout import columns, indent_of, indent_unit, line_end, line_start, newline_of
from spark_lsp.actions.python.analysis.selection import Piece
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.actions.python.extraction import ExtractionPlan
from spark_lsp.actions.python.signature import Signature, signature_of
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.syntax import Syntax

USUAL_LINE_COLUMNS = 88
MAX_LINE_COLUMNS = 120


@dataclass(frozen=True, slots=True)
class Extraction:
    """Everything that the edits of an extracted function need except its name."""

    source: Source
    syntax: Syntax
    piece: Piece
    plan: ExtractionPlan
    is_private: bool = False
    """Whether the name has to begin with ``_``, because other code imports all public names of the module."""

    lead: str = ""
    """The required beginning of the name, because an unknown base class may have a method of the shorter name."""

    def suited(self, name: str) -> str:
        """Return a name that fits the place."""
        if self.lead and not name.startswith(f"{self.lead}_"):
            return f"{self.lead}_{name.strip('_')}"
        return f"_{name}" if self.is_private and not name.startswith("_") else name

    def edits(self, name: str) -> tuple[Edit, ...]:
        """Return the edits: the call in place of the selection, and the function before or after the outer one."""
        call = Edit(self.piece.replaced or self.piece.span, self._call(name))
        return (self._definition(name), call)

    def is_faithful(self, name: str) -> bool:
        """Whether the function contains the selection's statements, and nothing else of the document changed."""
        try:
            after = ast.parse(apply_edits(self.source.text, self.edits(name)))
        except (SyntaxError, ValueError, RecursionError):
            return False
        functions = [node for node in ast.walk(after) if _is_function(node) and getattr(node, "name", "") == name]
        if len(functions) != 1:
            return False
        _take_out(after, functions[0])
        inner = list(getattr(functions[0], "body", []))
        if self.plan.globals:
            inner = inner[1:]
        if self.plan.results and not self.plan.returns:
            inner = inner[:-1]
        if self.piece.is_expression:
            moved = [node.value for node in inner if isinstance(node, ast.Return) and node.value is not None]
        else:
            moved = inner
        same = [ast.dump(expression) for expression in moved] == [ast.dump(node) for node in self.piece.nodes]
        return same and self._rest_is_same(after, name)

    def _rest_is_same(self, after: ast.Module, name: str) -> bool:
        """Whether the document without the function and its call equals the old one without the selection."""
        before = ast.parse(self.source.text)
        gone = {_place(node) for node in self.piece.nodes}
        _blank(before, lambda node: _place(node) in gone)
        _blank(after, lambda node: self._is_call(node, name))
        return ast.dump(before) == ast.dump(after)

    def _is_call(self, node: ast.AST, name: str) -> bool:
        """Whether a node is the whole replacement of the selection."""
        if not isinstance(node, ast.expr if self.piece.is_expression else ast.stmt):
            return False
        value: ast.AST | None = node if self.piece.is_expression else getattr(node, "value", None)
        while isinstance(value, ast.Await | ast.YieldFrom):
            value = value.value
        if not isinstance(value, ast.Call):
            return False
        called = value.func
        return (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) == name

    def _call(self, name: str) -> str:
        plan = self.plan
        called = f"{plan.receiver}.{name}" if plan.receiver else name
        text = f"{called}({', '.join(plan.parameters)})"
        waits = "await " if plan.is_async else "yield from " if plan.is_generator else ""
        if self.piece.is_expression:
            holder = self.source.parent(self.piece.nodes[0])
            stands_free = isinstance(holder, ast.Return | ast.Assign | ast.Expr | ast.keyword | ast.Call)
            is_callee = isinstance(holder, ast.Call) and holder.func is self.piece.nodes[0]
            is_alone = not waits or isinstance(self.piece.nodes[0], ast.Await)
            is_alone = is_alone or (plan.is_async and stands_free and not is_callee) or self._is_in_brackets()
            return waits + text if is_alone else f"({waits}{text})"
        if plan.returns:
            return f"return ({waits}{text})" if plan.is_generator else f"return {waits}{text}"
        return f"{', '.join(plan.results)} = {waits}{text}" if plan.results else waits + text

    def _is_in_brackets(self) -> bool:
        """Whether parentheses directly enclose the replaced text."""
        text, span = self.source.text, self.piece.replaced or self.piece.span
        return text[: span.start].endswith("(") and text.startswith(")", span.end)

    def _definition(self, name: str) -> Edit:
        source, text = self.source, self.source.text
        newline = newline_of(text)
        if self.plan.form == "function":
            top = source.top_statement_of(self.piece.nodes[0])
            at = _above_comments(text, line_start(text, source.span(top).start))
            lead = [""] * max(0, 2 - _blank_lines_above(text, at)) if at else []
            return Edit(Span(at, at), newline.join([*lead, *self._lines(name, ""), "", "", ""]))
        span = source.span(self.piece.scope)
        at = _below_comments(text, line_end(text, span.end), indent_of(text, span.start))
        lines = self._lines(name, indent_of(text, span.start))
        return Edit(Span(at, at), newline.join(["", "", *lines]))

    def _lines(self, name: str, outer: str) -> list[str]:
        """Return the lines of the new function, without line ends."""
        text, plan = self.source.text, self.plan
        unit = indent_unit(text, "python")
        inner = outer + unit
        signature = signature_of(self.source, self.piece, plan)
        lines = [f"{outer}@classmethod"] if plan.form == "class method" else []
        lines += _header(text, outer, unit, f"{'async ' if plan.is_async else ''}def {name}", signature)
        if plan.globals:
            lines.append(f"{inner}global {', '.join(plan.globals)}")
        if self.piece.is_expression:
            lines += self._returned(inner)
        else:
            lines += self._moved(inner)
            if plan.results and not plan.returns:
                lines.append(f"{inner}return {', '.join(plan.results)}")
        return lines

    def _returned(self, inner: str) -> list[str]:
        lines = self._moved(inner)
        content = "\n".join(lines).strip()
        try:
            ast.parse(content, mode="eval")
        except (SyntaxError, ValueError):
            lines = [f"{inner}({lines[0].lstrip()}", *lines[1:]]
            lines[-1] += f"\n{inner})" if "#" in lines[-1] else ")"
        first, *rest = "\n".join(lines).split("\n")
        return [f"{inner}return {first.lstrip()}", *rest]

    def _moved(self, inner: str) -> list[str]:
        """Return the selection's lines with another indentation; the content of strings stays as it is."""
        text, span = self.source.text, self.piece.span
        outer = indent_of(text, span.start)
        fixed = lines_in_strings(self.syntax, span)
        lines, at = [], span.start
        for number, line in enumerate(span.text(text).split("\n")):
            content = line.removesuffix("\r")
            if number == 0:
                lines.append(inner + content)
            elif at in fixed or not content.startswith(outer) or not content.strip():
                lines.append(content)
            else:
                lines.append(inner + content[len(outer) :])
            at += len(line) + 1
        return lines


def lines_in_strings(syntax: Syntax, span: Span) -> set[int]:
    """Return the starts of those lines of a piece that begin within a string."""
    byte = syntax.bytes_map.to_bytes
    numbers: set[int] = set()
    raw = syntax.tree.root_node.descendant_for_byte_range(byte(span.start), byte(span.end))
    stack = [raw] if raw is not None else []
    while stack:
        node = stack.pop()
        if node.start_point[0] == node.end_point[0]:
            continue
        if node.type != "string":
            stack.extend(node.children)
            continue
        place = syntax.wrap(node).span
        at = syntax.text.find("\n", place.start)
        while 0 <= at < place.end:
            numbers.add(at + 1)
            at = syntax.text.find("\n", at + 1)
    return numbers


def _header(text: str, outer: str, unit: str, start: str, signature: Signature) -> list[str]:
    """Return the ``def`` line, or three lines if it is longer than the document's lines."""
    longest = max((len(line) for line in text.splitlines()), default=0)
    limit = min(max(longest, USUAL_LINE_COLUMNS), MAX_LINE_COLUMNS)
    inside = ", ".join(signature.parameters)
    line = f"{outer}{start}({inside}){signature.arrow}:"
    if columns(outer) + len(line) - len(outer) <= limit or not inside:
        return [line]
    return [f"{outer}{start}(", f"{outer}{unit}{inside}", f"{outer}){signature.arrow}:"]


def _above_comments(text: str, at: int) -> int:
    """Return where the comments directly above a line of the module start."""
    while at > 0:
        previous = line_start(text, at - 1)
        if not text[previous:at].startswith("#") or text[previous:at].startswith("#!"):
            return at
        at = previous
    return at


def _blank_lines_above(text: str, at: int) -> int:
    above = text[:at].replace("\r\n", "\n").rstrip(" \t")
    return len(above) - len(above.rstrip("\n")) - 1


def _below_comments(text: str, at: int, outer: str) -> int:
    """Return the end of the indented comments below a function."""
    while at < len(text):
        start = text.find("\n", at) + 1
        if not start:
            return at
        end = line_end(text, start)
        line = text[start:end]
        if not line.lstrip().startswith("#") or columns(
            indent_of(text, start + len(line) - len(line.lstrip()))
        ) <= columns(outer):
            return at
        at = end
    return at


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def _place(node: ast.AST) -> tuple[int, int, int, int, str]:
    if not isinstance(node, ast.stmt | ast.expr):
        return (0, 0, 0, 0, "")
    return (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0, type(node).__name__)


def _take_out(tree: ast.AST, gone: ast.AST) -> None:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and any(member is gone for member in body):
            body[:] = [member for member in body if member is not gone]


def _blank(tree: ast.AST, is_gone: Callable[[ast.AST], bool]) -> None:
    """Replace ignored nodes by the same mark, and consecutive statements by one mark."""
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                kept: list[ast.AST] = []
                for member in value:
                    if isinstance(member, ast.AST) and is_gone(member):
                        if not (kept and isinstance(kept[-1], ast.Pass) and isinstance(member, ast.stmt)):
                            kept.append(ast.Pass())
                    else:
                        kept.append(member)
                setattr(node, name, kept)
            elif isinstance(value, ast.AST) and is_gone(value):
                setattr(node, name, ast.Pass())
