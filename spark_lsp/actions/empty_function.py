"""Find the function around a cursor that has no body yet. Reads the syntax tree, never the index or a model.

Never returns an intended stub (abstract, overload, protocol, ``.pyi``) or a function that is complete without
statements, such as a constructor that only stores its parameters.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import tree_sitter

from spark_lsp.actions.layout import columns, indent_of, line_end, line_start
from spark_lsp.text.edit import Span
from spark_lsp.text.syntax import Node, Syntax

_FUNCTIONS: Final = frozenset(
    (
        "arrow_function", "closure_expression", "compact_constructor_declaration", "constructor_declaration",
        "func_literal", "function_declaration", "function_definition", "function_expression", "function_item",
        "generator_function", "generator_function_declaration", "lambda_expression", "method_declaration",
        "method_definition",
    )
)  # fmt: skip
_HOLDERS: Final = {
    "assignment_expression": "right",
    "decorated_definition": "definition",
    "export_statement": "declaration",
    "expression_statement": "",
    "field_definition": "value",
    "lexical_declaration": "",
    "pair": "value",
    "public_field_definition": "value",
    "variable_declaration": "",
    "variable_declarator": "value",
}
"""Wrappers of a function, and the field that contains it; "" for an only child."""

_ABSTRACT: Final = frozenset(
    ("abstractmethod", "abstractproperty", "abstractclassmethod", "abstractstaticmethod", "overload")
)
_ABSTRACT_BASES: Final = frozenset(("ABC", "ABCMeta", "Protocol"))

_SAYS_SO = r"""(?:["'`][^"'`$]*(?:implement|todo|stub|unfinished)[^"'`$]*["'`])"""
_THROWS = rf"throw\s+(?:new\s+)?(?:\w*(?:NotImplemented|Unsupported)\w*\s*\(.*\)|[\w.:]+\s*[({{]\s*{_SAYS_SO}?\s*[)}}])"
_PLACEHOLDERS: Final = {
    "python": r"pass|\.\.\.|raise\s+NotImplementedError\b.*",
    "javascript": rf"{_THROWS}|throw\s+{_SAYS_SO}",
    "typescript": rf"{_THROWS}|throw\s+{_SAYS_SO}",
    "tsx": rf"{_THROWS}|throw\s+{_SAYS_SO}",
    "rust": rf"(?:(?:std|core)::)?(?:(?:todo|unimplemented)!\s*[({{\[].*[)}}\]]|panic!\s*\(\s*{_SAYS_SO}\s*\))",
    "go": rf"panic\(\s*{_SAYS_SO}\s*\)",
    "java": _THROWS,
    "cpp": _THROWS,
}
"""Placeholders for a missing body, by language. A ``throw`` counts if it says that something is not implemented."""


@dataclass(frozen=True, slots=True)
class EmptyFunction:
    """A function without a body.

    ``interior`` is the text of the body; ``kept`` are the docstring and the comments in it, in order;
    ``placeholder`` is the statement in place of a body, None if there is none.
    """

    name: str
    node: Node
    interior: Span
    kept: tuple[Span, ...]
    placeholder: Span | None
    has_docstring: bool
    in_braces: bool


def empty_function(syntax: Syntax, span: Span) -> EmptyFunction | None:
    """Return the innermost function around a cursor or selection if it has no body."""
    raw = _innermost(syntax, span)
    body = raw.child_by_field_name("body") if raw else None
    if raw is None or body is None or _is_complete(raw):
        return None
    function, block = syntax.wrap(raw), syntax.wrap(body)
    in_braces = not syntax.language.indents_blocks
    if in_braces and not re.fullmatch(r"\{.*\}", block.span.text(syntax.text), re.DOTALL):
        return None
    parts = [syntax.wrap(part) for part in _parts(body)]
    kept = [part.span for part in parts if "comment" in part.kind]
    statements = [part for part in parts if "comment" not in part.kind]
    has_docstring = not in_braces and bool(statements) and _is_docstring(statements[0])
    if has_docstring:
        kept = sorted([*kept, statements.pop(0).span])
    if len(statements) > 1 or (statements and not _is_placeholder(syntax, statements[0])):
        return None
    if in_braces:
        interior = Span(block.span.start + 1, block.span.end - 1)
    else:
        start = syntax.wrap([child for child in raw.children if child.type == ":"][-1]).span.end
        if not parts:
            kept = list(_comments_below(syntax.text, start, columns(indent_of(syntax.text, function.span.start))))
        interior = Span(start, max([start, *(part.span.end for part in parts), *(comment.end for comment in kept)]))
    placeholder = statements[0].span if statements else None
    return EmptyFunction(_name(raw), function, interior, tuple(kept), placeholder, has_docstring, in_braces)


def _innermost(syntax: Syntax, span: Span) -> tree_sitter.Node | None:
    start, end, column = _anchor(syntax, span)
    for node in syntax.ancestors_at(start):
        function = _held(node.raw)
        starts_at = columns(indent_of(syntax.text, node.span.start))
        if function is not None and end <= node.span.end and (column is None or starts_at < column):
            return function
    return None


def _anchor(syntax: Syntax, span: Span) -> tuple[int, int, int | None]:
    """Return the part that must be in the function, and the column of a cursor below its last statement."""
    text, at = syntax.text, span.start
    chosen = span.text(text)
    if chosen.strip():
        return at + len(chosen) - len(chosen.lstrip()), at + len(chosen.rstrip()), None
    before, after = text[line_start(text, at) : at], text[at : line_end(text, at)]
    content = (before + after).strip()
    if syntax.language.indents_blocks and (not content or content.startswith("#")) and syntax.region_at(at) != "string":
        column = columns(before) if not content else columns(indent_of(text, at + len(after)))
        above = _end_of_code_above(text, line_start(text, at))
        return above, above, column
    if content and not after[:1].strip():
        at += len(after) - len(after.lstrip()) if not before.strip() else len(before.rstrip()) - len(before) - 1
    return at, at, None


def _end_of_code_above(text: str, start: int) -> int:
    """Return the last character above a line's start that is neither white space nor in a line comment."""
    while start > 0:
        end, start = start - 1, line_start(text, start - 1)
        line = text[start:end].rstrip()
        if line and not line.lstrip().startswith("#"):
            return start + len(line) - 1
    return 0


def _held(raw: tree_sitter.Node) -> tree_sitter.Node | None:
    """Return the function that a node is, or the only thing that it contains."""
    node: tree_sitter.Node | None = raw
    while node is not None and node.type not in _FUNCTIONS:
        field = _HOLDERS.get(node.type)
        if field is None:
            return None
        only = node.named_children[0] if len(node.named_children) == 1 else None
        node = node.child_by_field_name(field) if field else only
    return node


def _is_complete(function: tree_sitter.Node) -> bool:
    """Whether the function is intentionally without statements."""
    parent = function.parent
    decorators = [child for child in parent.children if child.type == "decorator"] if parent else []
    if any(_last_name(decorator) in _ABSTRACT for decorator in decorators):
        return True
    holder = parent.parent if parent and parent.type == "decorated_definition" else parent
    owner = holder.parent if holder else None
    bases = owner.child_by_field_name("superclasses") if owner and owner.type == "class_definition" else None
    if bases and any(_last_name(base) in _ABSTRACT_BASES for base in bases.named_children):
        return True
    parameters = function.child_by_field_name("parameters")
    takes_over = parameters and any(
        child.type == "accessibility_modifier" for node in parameters.named_children for child in node.children
    )
    return bool(takes_over) or any(child.type == "field_initializer_list" for child in function.children)


def _last_name(raw: tree_sitter.Node) -> str:
    """Return ``c`` of ``@a.b.c(…)``, ``b.c[T]`` and ``metaclass=c``."""
    head = re.split(r"[(\[]", _text(raw), maxsplit=1)[0]
    return re.split(r"[.=@\s]+", head.strip())[-1]


def _parts(body: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    for child in body.named_children:
        if child.type == "statement_list":
            yield from _parts(child)
        else:
            yield child


def _is_docstring(node: Node) -> bool:
    children = node.raw.named_children
    return node.kind == "expression_statement" and [child.type for child in children] in (
        ["string"],
        ["concatenated_string"],
    )


def _is_placeholder(syntax: Syntax, statement: Node) -> bool:
    pattern = _PLACEHOLDERS.get(syntax.language.name, "(?!)")
    content = statement.span.text(syntax.text)
    return bool(re.fullmatch(rf"(?:{pattern})\s*;?", content, re.DOTALL | re.IGNORECASE))


def _comments_below(text: str, offset: int, column: int) -> Iterator[Span]:
    """Yield the comments in the place of a body: on the header's line, or below it with more indentation."""
    end = line_end(text, offset)
    rest = text[offset:end]
    if rest.strip().startswith("#"):
        yield Span(offset + len(rest) - len(rest.lstrip()), end)
    while (start := text.find("\n", end) + 1) > 0:
        end = line_end(text, start)
        line = text[start:end]
        indent = len(line) - len(line.lstrip())
        if line.strip() and not (line.strip().startswith("#") and columns(line[:indent]) > column):
            return
        if line.strip():
            yield Span(start + indent, end)


def _name(function: tree_sitter.Node) -> str:
    parent = function.parent
    named = function.child_by_field_name("name") or function.child_by_field_name("declarator")
    if named is None and parent is not None:
        held = next((parent.child_by_field_name(field) for field in ("name", "key", "left", "property")
                     if parent.child_by_field_name(field)), None)  # fmt: skip
        named = held if parent.type in _HOLDERS else None
    while named is not None and (inner := named.child_by_field_name("declarator")) is not None:
        named = inner
    return _text(named) if named is not None and "abstract" not in named.type else "function"


def _text(raw: tree_sitter.Node) -> str:
    return raw.text.decode("utf-8", "replace") if raw.text else ""
