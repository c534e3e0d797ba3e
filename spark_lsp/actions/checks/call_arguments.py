"""Check that new lines change nothing but arguments of the calls of one function; in every language. Pure."""

from collections.abc import Iterator
from typing import Final

from tree_sitter import Node

from spark_lsp.text.edit import Span
from spark_lsp.text.syntax import Syntax

CALLS: Final = frozenset(
    ("call", "call_expression", "method_invocation", "new_expression", "object_creation_expression")
)
_ARGUMENTS: Final = "(arguments)"


def called_name(call: Node) -> str:
    """Return the last name of a called expression."""
    fields = ("function", "name", "constructor", "type")
    called = next((held for field in fields if (held := call.child_by_field_name(field)) is not None), None)
    while called is not None and called.named_child_count and called.type != "identifier":
        last = called.child_by_field_name("attribute") or called.child_by_field_name("property")
        last = last or called.child_by_field_name("field") or called.child_by_field_name("name")
        called = last or called.named_children[-1]
    return _text(called) if called is not None else ""


def other_change(before: Syntax, old: Span, after: Syntax, new: Span, name: str) -> str:
    """Say in one sentence what differs between the lines besides arguments of calls of ``name``; empty for nothing.

    Each original argument must remain, unless the call now has fewer arguments.
    """
    old_tokens, old_calls = _split(before, old, name)
    new_tokens, new_calls = _split(after, new, name)
    if old_tokens != new_tokens:
        return f"More than the arguments of {name} would change."
    for was, now in zip(old_calls, new_calls, strict=True):
        lost = [argument for argument in was if argument not in now]
        if lost and len(now) >= len(was):
            return f"The argument {lost[0]} of {name} would be removed."
    return ""


def _split(syntax: Syntax, span: Span, name: str) -> tuple[list[str], list[list[str]]]:
    """Return the tokens of lines, with one mark for the arguments of each call of ``name``, and those arguments."""
    tokens: list[str] = []
    calls: list[list[str]] = []
    for node in _leaves(syntax, syntax.tree.root_node, span, name):
        if node.parent is not None and _is_arguments(node, name):
            tokens.append(_ARGUMENTS)
            calls.append([_text(argument) for argument in node.named_children if "comment" not in argument.type])
        elif text := _text(node).strip():
            tokens.append(text)
    return tokens, calls


def _leaves(syntax: Syntax, node: Node, span: Span, name: str) -> Iterator[Node]:
    stack = [node]
    while stack:
        current = stack.pop()
        place = syntax.wrap(current).span
        if place.end <= span.start or span.end <= place.start:
            continue
        if not current.child_count or _is_arguments(current, name):
            yield current
        else:
            stack += reversed(current.children)


def _is_arguments(node: Node, name: str) -> bool:
    parent = node.parent
    if parent is None or parent.type not in CALLS or called_name(parent) != name:
        return False
    arguments = parent.child_by_field_name("arguments")
    return arguments is not None and arguments.id == node.id


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
