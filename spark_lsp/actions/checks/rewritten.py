"""What rewritten Python lines must keep: heads, docstrings and the calls that may have an effect. Pure.

A simpler text must also be simpler: fewer parts than before.
"""

import ast
import builtins
import re
from collections import Counter
from typing import Final

from spark_lsp.actions.checks.functions import FUNCTION_TYPES, Function, called_name, parameters, parsed
from spark_lsp.actions.checks.lint import new_findings

_WITHOUT_EFFECT: Final = frozenset(dir(builtins)) | frozenset(
    ("append", "copy", "count", "decode", "encode", "endswith", "extend", "find", "format", "from_iterable", "get",
     "index", "insert", "isdigit", "isinstance", "items", "join", "keys", "ljust", "lower", "lstrip", "partition",
     "replace", "rjust", "rpartition", "rsplit", "rstrip", "setdefault", "split", "splitlines", "startswith", "strip",
     "title", "union", "update", "upper", "values", "zfill")
)  # fmt: skip
"""Calls that a simpler text may do without: what they do stays within the function's own values."""
_REORDERS: Final = re.compile(r"\b(?:renam|remov|delet|inlin|split|extract|mov|drop)\w*", re.IGNORECASE)
"""What a user asks for who wants a function to go."""
_SERIOUS: Final = frozenset(("F523", "F522", "F524", "F632", "F634", "F822", "F823", "F631", "F402"))


def lost_problem(before: str, after: str, told: str = "") -> str:
    """Return in one sentence what an edit dropped without being told to; empty when nothing is.

    ``told`` is what the user asked for: what it names may go.
    """
    old, new = parsed(before), parsed(after)
    if old is None or new is None:
        return ""
    checks = (
        _new_problem(before, after),
        _gone(old, new, told),
        _other_head(old, new, told),
        _silenced(old, new, told),
    )
    return next((each for each in checks if each), "")


def _new_problem(before: str, after: str) -> str:
    wrong = [each for each in new_findings(before, after) if each.code in _SERIOUS]
    return f"The edit brings a problem: {wrong[0].message}." if wrong else ""


def _gone(old: ast.Module, new: ast.Module, told: str) -> str:
    """Refuse when a call is dropped, a function is gone or is there twice."""
    gone = sorted(
        name for name in _called(old) - _called(new) if name not in _WITHOUT_EFFECT and not _names(told, name)
    )
    if gone:
        return f"The call of {gone[0]} would be gone."
    counts = _counts(new)
    doubled = [name for name, count in counts.items() if count > _counts(old)[name] > 0]
    if doubled:
        return f"{doubled[0]} would be defined once more."
    missing = [name for name in _heads(old) if name not in counts and not _names(told, name)]
    missing = [] if _REORDERS.search(told) else missing
    return f"{missing[0]} would be gone." if missing else ""


def _other_head(old: ast.Module, new: ast.Module, told: str) -> str:
    kept = _heads(new)
    for name, head in _heads(old).items():
        if name in kept and kept[name] != head and not _speaks_of_head(told, head):
            return f"The head of {name} would be another."
    return ""


def _silenced(old: ast.Module, new: ast.Module, told: str) -> str:
    """Refuse when a docstring is gone, a parameter is not set or an error is not raised any more."""
    kept = _docstrings(new)
    for name, said in _docstrings(old).items():
        if said and name in kept and not kept[name] and "doc" not in told.lower():
            return f"The docstring of {name} would be gone."
    functions = _functions(new)
    for name, each in _functions(old).items():
        unset = _set_parameters(each) - _set_parameters(functions[name]) if name in functions else set()
        unset = {word for word in unset if word in _read(functions[name]) and not _names(told, word)}
        if unset:
            return f"{min(unset)} would not be set any more."
    lost = _raised(old) - _raised(new)
    is_meant = any(_names(told, each) for each in lost) or "rais" in told.lower()
    return f"{min(lost)} would not be raised any more." if lost and not is_meant else ""


def _set_parameters(function: Function) -> set[str]:
    """Return the parameters that a function gives another value: a default for None, say."""
    stored = {each.id for each in ast.walk(function) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    return stored & {each.arg for each in parameters(function)}


def _read(function: Function) -> set[str]:
    return {each.id for each in ast.walk(function) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}


def size_problem(before: str, after: str) -> str:
    """Return in one sentence that a text is no simpler than before; empty when it is."""
    old, new = parsed(before), parsed(after)
    if old is None or new is None:
        return ""
    return "" if _size(new) < _size(old) else "The model's text is no simpler."


def _size(tree: ast.AST) -> int:
    return sum(1 for each in ast.walk(tree) if not isinstance(each, ast.expr_context))


def _called(tree: ast.AST) -> set[str]:
    return {name for each in ast.walk(tree) if isinstance(each, ast.Call) and (name := called_name(each))}


def _names(told: str, name: str) -> bool:
    return bool(re.search(rf"\b{re.escape(name)}\b", told))


def _functions(tree: ast.AST) -> dict[str, Function]:
    """Return the functions of a text whose names are there once."""
    found = [each for each in ast.walk(tree) if isinstance(each, FUNCTION_TYPES)]
    counts = _counts(tree)
    return {each.name: each for each in found if counts[each.name] == 1}


def _counts(tree: ast.AST) -> Counter[str]:
    return Counter(each.name for each in ast.walk(tree) if isinstance(each, FUNCTION_TYPES))


def _heads(tree: ast.AST) -> dict[str, str]:
    """Return how each function is called: parameters and defaults, decorators, no annotations."""
    heads = {}
    for name, each in _functions(tree).items():
        args = each.args
        places = [argument.arg for argument in [*args.posonlyargs, *args.args]]
        named = [argument.arg for argument in args.kwonlyargs]
        stars = [argument.arg for argument in (args.vararg, args.kwarg) if argument]
        values = [ast.unparse(value) for value in [*args.defaults, *args.kw_defaults] if value is not None]
        decorators = [ast.unparse(decorator) for decorator in each.decorator_list]
        kind = type(each).__name__
        heads[name] = f"{kind}({', '.join(places)}; {', '.join(named)}; {stars}; {values}; {decorators})"
    return heads


def _speaks_of_head(told: str, head: str) -> bool:
    words = r"\b(?:parameters?|arguments?|signature|decorat\w*|async|default|keyword)\b"
    named = any(_names(told, word) for word in re.findall(r"\w+", head) if len(word) > 2)
    return bool(re.search(words, told, re.IGNORECASE)) or named


def _docstrings(tree: ast.AST) -> dict[str, str]:
    return {name: ast.get_docstring(each) or "" for name, each in _functions(tree).items()}


def _raised(tree: ast.AST) -> set[str]:
    raised = [each.exc for each in ast.walk(tree) if isinstance(each, ast.Raise) and each.exc is not None]
    return {name for each in raised if (name := called_name(each) if isinstance(each, ast.Call) else "")}
