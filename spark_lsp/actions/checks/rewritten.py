"""Check that rewritten Python keeps its signatures, docstrings and calls that may have an effect. Pure.

A simplified text must also have fewer parts than before.
"""

import ast
import builtins
import re
from collections import Counter
from typing import Final

from spark_lsp.actions.checks.functions import FUNCTION_TYPES, Function, called_name, parameters, parsed
from spark_lsp.actions.checks.lint import new_findings
from spark_lsp.actions.checks.outcomes import outcome_problem

_ERRORS: Final = frozenset(name for name in dir(builtins) if name.endswith(("Error", "Exception", "Warning")))
_WITHOUT_EFFECT: Final = _ERRORS | frozenset(
    ("all", "any", "bool", "dict", "enumerate", "frozenset", "iter", "len", "list", "map", "next", "range", "repr",
     "set", "str", "tuple", "zip",
     "append", "copy", "count", "decode", "encode", "endswith", "extend", "find", "format", "from_iterable", "get",
     "index", "insert", "isdigit", "isinstance", "items", "join", "keys", "ljust", "lower", "lstrip", "partition",
     "replace", "rjust", "rpartition", "rsplit", "rstrip", "setdefault", "split", "splitlines", "startswith", "strip",
     "title", "union", "update", "upper", "values", "zfill")
)  # fmt: skip
"""Calls that a simplified text may drop: they only affect the function's own values."""
_REORDERS: Final = re.compile(r"\b(?:renam|remov|delet|inlin|split|extract|mov|drop)\w*", re.IGNORECASE)
"""Words of an instruction that asks for the removal of a function."""
_ADDS: Final = re.compile(
    r"\s*(?:please\s+)?(?:add|log|print|raise|check|validate|guard|assert|insert|warn|rename)\b", re.IGNORECASE
)
"""Beginnings of an instruction that adds something and keeps everything else."""
_QUOTED: Final = re.compile(r"\"([^\"\n]{2,})\"")
_JOINED: Final = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b")
_NAMED: Final = re.compile(r"\b([A-Z]\w*(?:Error|Exception|Warning))\b|\b([a-z]\w*) module\b")
_SERIOUS: Final = frozenset(("F523", "F522", "F524", "F632", "F634", "F822", "F823", "F631", "F402"))


def lost_problem(before: str, after: str, instruction: str = "") -> str:
    """Say in one sentence what an edit dropped without an instruction; empty for nothing.

    ``instruction`` is the user's text; names in it may go.
    """
    old, new = parsed(before), parsed(after)
    if old is None or new is None:
        return ""
    checks = (
        _new_problem(before, after),
        _gone(old, new, instruction),
        _other_signature(old, new, instruction),
        _silenced(old, new, instruction),
        _shorter_call(old, new, instruction),
        outcome_problem(before, after, instruction),
    )
    return next((check for check in checks if check), "")


def asked_problem(before: str, after: str, instruction: str) -> str:
    """Say in one sentence which part of the instruction an edit ignores; empty if that cannot be seen."""
    old, new = parsed(before), parsed(after)
    if old is None or new is None:
        return ""
    return _not_added(old, new, instruction) or _not_asked(old, new, instruction)


def _new_problem(before: str, after: str) -> str:
    wrong = [finding for finding in new_findings(before, after) if finding.code in _SERIOUS]
    return f"The edit introduces a problem: {wrong[0].message}." if wrong else ""


def _gone(old: ast.Module, new: ast.Module, instruction: str) -> str:
    """Refuse a dropped call, a missing function or a duplicated one."""
    lost = _lost_calls(old, new)
    gone = sorted(name for name in lost if name not in _WITHOUT_EFFECT and not _names(instruction, name))
    if gone:
        return f"The call of {gone[0]} would be removed."
    counts = _counts(new)
    doubled = [name for name, count in counts.items() if count > _counts(old)[name] > 0]
    if doubled:
        return f"{doubled[0]} would be defined twice."
    missing = [name for name in _signatures(old) if name not in counts and not _names(instruction, name)]
    missing = [] if _REORDERS.search(instruction) else missing
    return f"{missing[0]} would be removed." if missing else ""


def _other_signature(old: ast.Module, new: ast.Module, instruction: str) -> str:
    kept = _signatures(new)
    for name, signature in _signatures(old).items():
        if name in kept and kept[name] != signature and not _mentions_signature(instruction, signature):
            return f"The signature of {name} would change."
    return ""


def _silenced(old: ast.Module, new: ast.Module, instruction: str) -> str:
    """Refuse a dropped docstring, a parameter that is no longer set or an error that is no longer raised."""
    kept = _docstrings(new)
    for name, docstring in _docstrings(old).items():
        if docstring and name in kept and not kept[name] and "doc" not in instruction.lower():
            return f"The docstring of {name} would be removed."
    functions = _functions(new)
    for name, function in _functions(old).items():
        unset = _set_parameters(function) - _set_parameters(functions[name]) if name in functions else set()
        unset = {word for word in unset if word in _read(functions[name]) and not _names(instruction, word)}
        if unset:
            return f"{min(unset)} would no longer be set."
    if _causes(new) < _causes(old) and "from" not in instruction:
        return "An error would have another cause."
    lost = _raised(old) - _raised(new)
    is_meant = any(_names(instruction, error) for error in lost) or "rais" in instruction.lower()
    return f"{min(lost)} would no longer be raised." if lost and not is_meant else ""


def argument_problem(before: str, after: str, instruction: str) -> str:
    """Say in one sentence which argument a remaining call lost; empty for none."""
    old, new = parsed(before), parsed(after)
    return "" if old is None or new is None else _shorter_call(old, new, instruction)


def _shorter_call(old: ast.Module, new: ast.Module, instruction: str) -> str:
    """Refuse a remaining call that lost a keyword argument."""
    kept, called = _keywords(new), _called(new)
    lost = sorted(
        keyword for keyword in _keywords(old) - kept if keyword[0] in called and not _names(instruction, keyword[1])
    )
    lost = [(name, word) for name, word in lost if not any(keyword[0] == name for keyword in kept - _keywords(old))]
    return f"The argument {lost[0][1]} of {lost[0][0]} would be removed." if lost else ""


def _keywords(tree: ast.AST) -> set[tuple[str, str]]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {(called_name(call), word.arg) for call in calls for word in call.keywords if word.arg}


def _not_added(old: ast.Module, new: ast.Module, instruction: str) -> str:
    """Refuse a dropped name if the instruction only adds something."""
    if not _ADDS.match(instruction):
        return ""
    gone = sorted(name for name in _lost_calls(old, new) if not _names(instruction, name))
    if gone:
        return f"The call of {gone[0]} would be removed."
    for name, function in _functions(new).items():
        before = _functions(old).get(name)
        words = {parameter.arg for parameter in parameters(before)} & _read(before) if before else set()
        unread = sorted(word for word in words - _read(function) if not _names(instruction, word))
        if unread:
            return f"{unread[0]} would no longer be used."
    for kind, word in ((ast.Return, "return"), (ast.If, "condition"), (ast.Yield, "yield")):
        if _count(new, kind) < _count(old, kind):
            return f"A {word} would be removed."
    return ""


def _count(tree: ast.AST, kind: type[ast.AST]) -> int:
    return sum(isinstance(node, kind) for node in ast.walk(tree))


def _not_asked(old: ast.Module, new: ast.Module, instruction: str) -> str:
    """Refuse if a quoted text, an error or a module of the instruction is not in the result."""
    was, now = ast.unparse(old), ast.unparse(new)
    quoted = [match[1] for match in _QUOTED.finditer(instruction)]
    quoted += _JOINED.findall(_QUOTED.sub("", instruction))
    named = [match[1] or match[2] for match in _NAMED.finditer(instruction)]
    missing = [name for name in quoted if name not in was + now]
    missing += [name for name in named if not _names(was, name) and not _names(now, name)]
    return f"{missing[0]} is missing, although the instruction asks for it." if missing else ""


def _set_parameters(function: Function) -> set[str]:
    """Return the parameters that a function assigns, for example a default for None."""
    stored = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return stored & {parameter.arg for parameter in parameters(function)}


def _read(function: Function) -> set[str]:
    return {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def size_problem(before: str, after: str) -> str:
    """Say in one sentence that a text is no simpler than before; empty if it is."""
    old, new = parsed(before), parsed(after)
    if old is None or new is None:
        return ""
    return "" if _size(new) < _size(old) else "The model's text is no simpler."


def _size(tree: ast.AST) -> int:
    return sum(1 for node in ast.walk(tree) if not isinstance(node, ast.expr_context))


def _lost_calls(old: ast.Module, new: ast.Module) -> set[str]:
    """Return the calls that are gone: from the whole text, or from a function that remains."""
    lost = _called(old) - _called(new)
    kept = _by_path(new)
    for path, function in _by_path(old).items():
        if path in kept:
            lost |= _called(function) - _called(kept[path]) - _moved(old, new)
    return lost


def _moved(old: ast.Module, new: ast.Module) -> set[str]:
    """Return the new calls of functions, which may have taken over dropped code."""
    fresh = _by_path(new).keys() - _by_path(old).keys()
    return {name for path in fresh for name in _called(_by_path(new)[path])}


def _by_path(tree: ast.AST, above: str = "") -> dict[str, Function]:
    """Return the functions of a text by their dotted names."""
    functions: dict[str, Function] = {}
    for node in ast.iter_child_nodes(tree):
        name = getattr(node, "name", "") if isinstance(node, (*FUNCTION_TYPES, ast.ClassDef)) else ""
        path = f"{above}.{name}" if name else above
        if isinstance(node, FUNCTION_TYPES):
            functions[path] = node
        functions |= _by_path(node, path)
    return functions


def _called(tree: ast.AST) -> set[str]:
    return {name for node in ast.walk(tree) if isinstance(node, ast.Call) and (name := called_name(node))}


def _names(instruction: str, name: str) -> bool:
    return bool(re.search(rf"\b{re.escape(name)}\b", instruction))


def _functions(tree: ast.AST) -> dict[str, Function]:
    """Return the functions of a text whose names are unique."""
    functions = [node for node in ast.walk(tree) if isinstance(node, FUNCTION_TYPES)]
    counts = _counts(tree)
    return {node.name: node for node in functions if counts[node.name] == 1}


def _counts(tree: ast.AST) -> Counter[str]:
    return Counter(node.name for node in ast.walk(tree) if isinstance(node, FUNCTION_TYPES))


def _signatures(tree: ast.AST) -> dict[str, str]:
    """Return how to call each function: parameters and defaults, decorators, no annotations."""
    signatures = {}
    for name, function in _functions(tree).items():
        args = function.args
        places = [argument.arg for argument in [*args.posonlyargs, *args.args]]
        named = [argument.arg for argument in args.kwonlyargs]
        stars = [argument.arg for argument in (args.vararg, args.kwarg) if argument]
        values = [ast.unparse(value) for value in [*args.defaults, *args.kw_defaults] if value is not None]
        decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
        kind = type(function).__name__
        signatures[name] = f"{kind}({', '.join(places)}; {', '.join(named)}; {stars}; {values}; {decorators})"
    return signatures


def _mentions_signature(instruction: str, signature: str) -> bool:
    words = r"\b(?:parameters?|arguments?|signature|decorat\w*|async|default|keyword)\b"
    named = any(_names(instruction, word) for word in re.findall(r"\w+", signature) if len(word) > 2)
    return bool(re.search(words, instruction, re.IGNORECASE)) or named


def _docstrings(tree: ast.AST) -> dict[str, str]:
    return {name: ast.get_docstring(function) or "" for name, function in _functions(tree).items()}


def _causes(tree: ast.AST) -> int:
    return sum(isinstance(node, ast.Raise) and node.cause is not None for node in ast.walk(tree))


def _raised(tree: ast.AST) -> set[str]:
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc is not None]
    return {
        name for expression in raised if (name := called_name(expression) if isinstance(expression, ast.Call) else "")
    }
