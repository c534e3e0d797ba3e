"""Check that rewritten Python keeps the errors it catches, its returned constants, passed strings and formats. Pure.

Small models drop a ``try`` around a body, one ``return None`` of several, or the function of a regular expression.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from spark_lsp.actions.checks.conversions import conversion_problem
from spark_lsp.actions.checks.functions import FUNCTION_TYPES, Function, called_name, parsed

_ABOUT_ERRORS = re.compile(r"\b(?:except\w*|errors?|catch\w*|handl\w*|rais\w*|try)\b", re.IGNORECASE)
_ABOUT_RETURNS = re.compile(r"\breturn\w*\b", re.IGNORECASE)


def outcome_problem(before: str, after: str, instruction: str = "") -> str:
    """Say in one sentence which outcome of a function has changed; empty for none.

    ``instruction`` is the user's text; outcomes that it mentions may change.
    """
    old, new = parsed(before), parsed(after)
    if old is None or new is None:
        return ""
    kept, were = _functions(new), _functions(old)
    for name, functions in were.items():
        if len(functions) != len(kept.get(name, ())):
            continue
        for was, now in zip(functions, kept[name], strict=True):
            problem = _not_caught(was, now, instruction) or _not_returned(was, now, instruction)
            problem = problem or _given_elsewhere(was, now, instruction) or conversion_problem(was, now, instruction)
            if problem:
                return problem
    return ""


def _functions(tree: ast.AST) -> dict[str, list[Function]]:
    """Return the functions by name, in the order of the text."""
    functions: dict[str, list[Function]] = defaultdict(list)
    for node in sorted(_all_functions(tree), key=lambda function: function.lineno):
        functions[node.name].append(node)
    return functions


def _all_functions(tree: ast.AST) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, FUNCTION_TYPES):
            yield node


def _not_caught(old: Function, new: Function, instruction: str) -> str:
    lost = sorted(_caught(old) - _caught(new))
    if not lost or _ABOUT_ERRORS.search(instruction) or any(error in instruction for error in lost):
        return ""
    return f"{lost[0]} would no longer be caught."


def _caught(function: Function) -> set[str]:
    """Return the errors that ``except`` and ``suppress`` catch, by last name; bare ``except`` is ``BaseException``."""
    caught: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.ExceptHandler):
            caught |= _last_names(node.type) if node.type is not None else {"BaseException"}
        elif isinstance(node, ast.Call) and called_name(node) == "suppress":
            for argument in node.args:
                caught |= _last_names(argument)
    return caught


def _last_names(node: ast.expr) -> set[str]:
    if isinstance(node, ast.Tuple):
        return {name for element in node.elts for name in _last_names(element)}
    return {node.attr} if isinstance(node, ast.Attribute) else {node.id} if isinstance(node, ast.Name) else set()


def _not_returned(old: Function, new: Function, instruction: str) -> str:
    """Report a returned constant that no return value contains now; ``True`` and ``False`` may become a condition."""
    if _ABOUT_RETURNS.search(instruction):
        return ""
    kept = {ast.dump(part) for value in _returned(new) for part in ast.walk(value)}
    ends_plainly = not isinstance(new.body[-1], ast.Return | ast.Raise)
    for value in _returned(old):
        is_plain = isinstance(value, ast.Constant) and not isinstance(value.value, bool)
        is_end = isinstance(value, ast.Constant) and value.value is None and ends_plainly
        if is_plain and not is_end and ast.dump(value) not in kept:
            return f"{ast.unparse(value)} would no longer be returned."
    return ""


def _returned(function: Function) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return):
            yield node.value or ast.Constant(None)


def _given_elsewhere(old: Function, new: Function, instruction: str) -> str:
    """Refuse a string that is passed to another function: for example a pattern to one that takes it literally."""
    was, now = _callees(old), _callees(new)
    for text, callees in was.items():
        others = now.get(text, set())
        if others and not others & callees and not any(name in instruction for name in others):
            return f"{text} would be passed to {min(others)} and no longer to {min(callees)}."
    return ""


def _callees(function: Function) -> dict[str, set[str]]:
    callees: dict[str, set[str]] = defaultdict(set)
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and (name := called_name(node)):
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and len(argument.value) > 1:
                    callees[repr(argument.value)].add(name)
    return callees
