"""Check that a fix keeps the names that its lines read, their statements and their text conversions. Pure.

A rule that a linter can fix changes only the form of code, so anything missing was dropped by the model.
"""

import ast
import builtins
import re
from collections.abc import Set as AbstractSet
from typing import Final

from spark_lsp.actions.base import Diagnostic
from spark_lsp.actions.checks.conversions import conversion_problem
from spark_lsp.actions.checks.differences import edits_between
from spark_lsp.actions.checks.functions import parsed

_SAME_STATEMENTS: Final = frozenset(("RET505", "RET506", "RET507", "RET508", "SIM102", "SIM114", "PLR5501"))
"""Layout rules: statements without branches must stay the same."""
_FIELD: Final = re.compile(r"\{[^{}]*\}|%(?:\(\w+\))?[-+ #0]*[\d.*]*[a-zA-Z]")
_WORD: Final = re.compile(r"[^\W_]+")
_WANTED: Final = re.compile(r"(?:Consider|Use|Replace with|Rewrite as) `([^`]*)`")
_INSTEAD: Final = re.compile(r"Use `(\w+)` instead of `(\w+)`")
LineNumbers = set[int]


def kept_problem(before: str, after: str, diagnostic: Diagnostic, may_go: AbstractSet[str] = frozenset()) -> str:
    """Say in one sentence what the fix of a finding dropped; empty for nothing.

    ``may_go`` are names that the rule itself is about.
    """
    old, new = parsed(before), parsed(after)
    if old is None or new is None:
        return ""
    was, now = _changed(before, after)
    if diagnostic.code in _SAME_STATEMENTS and (_plain(old) != _plain(new) or _conditions(old) != _conditions(new)):
        return "The edit changes more than the layout of the lines."
    lost = sorted(
        _read(old, was) - _read(new, now) - _own(old, was) - _named_in(diagnostic) - set(dir(builtins)) - may_go
    )
    if lost:
        return f"{lost[0]} would no longer be used."
    if _causes(new) < _causes(old):
        return "The cause of an error would be removed."
    return _format_problem(old, new, was, now) if diagnostic.code.startswith("UP03") else ""


def _format_problem(old: ast.Module, new: ast.Module, was: LineNumbers, now: LineNumbers) -> str:
    """Say which conversion or which literal text of a formatted value is gone."""
    if problem := conversion_problem(old, new):
        return problem
    new_text = " ".join(_strings(new, now))
    gone = [
        word for string in _strings(old, was) for word in _WORD.findall(_FIELD.sub(" ", string)) if word not in new_text
    ]
    return f"{gone[0]} would be removed from the formatted text." if gone else ""


def _causes(tree: ast.Module) -> int:
    """Return how many errors are raised ``from`` something."""
    return sum(isinstance(node, ast.Raise) and node.cause is not None for node in ast.walk(tree))


def instead_problem(before: str, after: str, diagnostic: Diagnostic) -> str:
    """Return that a word was not replaced by the one that a diagnostic suggests; empty if it was."""
    instead = _INSTEAD.search(diagnostic.message)
    if instead is None or diagnostic.span.text(before) != instead[2]:
        return ""
    was, now = _changed(before, after)
    is_done = _is_replaced(before, after, was, now, instead[1], instead[2])
    return "" if is_done else "The problem is still there."


def still_there(before: str, after: str, diagnostic: Diagnostic, words: AbstractSet[str]) -> str:
    """Return that the text of a finding occurs as often as before, if the rule requires that it changes.

    ``words`` are those that the rule removes: each word of the text must occur less often.
    """
    reported = diagnostic.span.text(before)
    own = words & set(re.findall(r"\w+", reported))
    was, now = _changed(before, after)
    patterns = [re.compile(rf"\b{word}\b") for word in sorted(own)]
    is_there = any(_count(pattern, after, now) >= _count(pattern, before, was) for pattern in patterns)
    is_same = bool(reported) and after.count(reported) >= before.count(reported)
    return "The problem is still there." if is_same or is_there else ""


def _changed(before: str, after: str) -> tuple[LineNumbers, LineNumbers]:
    """Return the numbers of the lines that an edit removes, and of those that it adds."""
    was: LineNumbers = set()
    now: LineNumbers = set()
    grown = 0
    for edit in edits_between(before, after):
        first = before.count("\n", 0, edit.span.start) + 1
        count, added = edit.span.text(before).count("\n"), edit.new_text.count("\n")
        was |= set(range(first, first + max(count, 1)))
        now |= set(range(first + grown, first + grown + added))
        grown += added - count
    return was, now


def _inside(tree: ast.AST, lines: LineNumbers) -> list[ast.AST]:
    return [node for node in ast.walk(tree) if getattr(node, "lineno", 0) in lines]


def _read(tree: ast.AST, lines: LineNumbers) -> set[str]:
    nodes = _inside(tree, lines)
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def _strings(tree: ast.AST, lines: LineNumbers) -> list[str]:
    nodes = _inside(tree, lines)
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def _own(tree: ast.AST, lines: LineNumbers) -> set[str]:
    """Return the names that the lines themselves assign, which a rewritten form may not need.

    Includes methods that the rewritten form replaces.
    """
    nodes = _inside(tree, lines)
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    stored |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    return stored | {node.attr for node in nodes if isinstance(node, ast.Attribute) and id(node) in called}


def _named_in(diagnostic: Diagnostic) -> set[str]:
    """Return the words that a diagnostic names, without the replacement that it suggests."""
    wanted = _WANTED.match(diagnostic.message)
    kept = set(re.findall(r"\w+", wanted[1])) if wanted else set()
    return set(re.findall(r"\w+", diagnostic.message)) - kept


def _conditions(tree: ast.AST) -> set[str]:
    """Return the parts of all conditions, without the operators that join or negate them."""
    parts: set[str] = set()
    waiting = [node.test for node in ast.walk(tree) if isinstance(node, ast.If | ast.While | ast.IfExp)]
    while waiting:
        test = waiting.pop()
        if isinstance(test, ast.BoolOp):
            waiting += test.values
        elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            waiting.append(test.operand)
        else:
            parts.add(ast.dump(test))
    return parts


def _plain(tree: ast.AST) -> list[str]:
    """Return the statements that contain no other statements."""
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and not hasattr(node, "body")]
    return sorted(ast.dump(statement) for statement in statements)


def _count(pattern: re.Pattern[str], text: str, lines: LineNumbers) -> int:
    return sum(len(pattern.findall(line)) for number, line in enumerate(text.split("\n"), 1) if number in lines)


def _is_replaced(before: str, after: str, was: LineNumbers, now: LineNumbers, new: str, old: str) -> bool:
    """Whether the changed lines contain one word more often than before, and the other one less often."""
    word = {name: re.compile(rf"\b{name}\b") for name in (new, old)}
    fewer = _count(word[old], after, now) < _count(word[old], before, was)
    return fewer and _count(word[new], after, now) > _count(word[new], before, was)
