"""Decide whether a context manager may suppress an error, so that code after its ``with`` runs. Pure.

Examines context managers of the document; judges others by name, and assumes that an unknown one may suppress.
"""

import ast
import re
from collections.abc import Mapping
from typing import Final

NO_MANAGERS: Final[Mapping[str, bool]] = {}
_NEVER_SUPPRESSES: Final = frozenset(
    {
        *("open", "closing", "nullcontext", "Lock", "RLock", "lock", "_lock", "TemporaryDirectory", "urlopen"),
        *("NamedTemporaryFile", "TemporaryFile", "SpooledTemporaryFile", "catch_warnings", "redirect_stdout"),
        *("redirect_stderr", "ThreadPoolExecutor", "ProcessPoolExecutor", "Pool", "popen", "Popen", "socket"),
        *("ZipFile", "TarFile", "localcontext", "scandir", "memoryview", "StringIO", "BytesIO", "fdopen"),
    }
)
_RESOURCES: Final = frozenset(
    {"open", "opened", "lock", "locked", "connect", "connection", "session", "transaction", "cursor", "temp"}
)
"""Words in the names of context managers that never suppress an error."""
_SUPPRESSORS: Final = frozenset(
    {"catch", "handle", "ignore", "ignoring", "quiet", "quietly", "retry", "safe", "skip", "suppress", "swallow", "try"}
)
"""Words in the names of those that do suppress errors, whatever else is in the name."""
_WORD: Final = re.compile(r"[A-Z]?[a-z]+")


def may_suppress(manager: ast.expr, managers: Mapping[str, bool]) -> bool:
    """Whether a context manager may suppress an error; ``managers`` has the document's own, by name."""
    called = manager.func if isinstance(manager, ast.Call) else manager
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    if name in managers:
        return managers[name]
    words = {word.lower() for word in _WORD.findall(name)}
    return name not in _NEVER_SUPPRESSES and (not words & _RESOURCES or bool(words & _SUPPRESSORS))


def managers_of(tree: ast.AST) -> dict[str, bool]:
    """Return the context managers of a document by name, and whether they may suppress an error."""
    managers: dict[str, bool] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            decorators = {getattr(decorator, "attr", getattr(decorator, "id", "")) for decorator in node.decorator_list}
            if decorators & {"contextmanager", "asynccontextmanager"}:
                managers[node.name] = managers.get(node.name, False) or _catches_at_yield(node)
        elif isinstance(node, ast.ClassDef):
            exits = [
                statement for statement in node.body if getattr(statement, "name", "") in {"__exit__", "__aexit__"}
            ]
            if exits:
                managers[node.name] = managers.get(node.name, False) or any(map(_may_return_true, exits))
    return managers


def _catches_at_yield(function: ast.AST) -> bool:
    """Whether a generator may continue after an error at its ``yield``."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Try | ast.With | ast.AsyncWith):
            continue
        if not any(isinstance(descendant, ast.Yield) for part in node.body for descendant in ast.walk(part)):
            continue
        if not isinstance(node, ast.Try):
            catches = any(may_suppress(item.context_expr, NO_MANAGERS) for item in node.items)
        else:
            leaves = any(isinstance(descendant, ast.Return) for part in node.finalbody for descendant in ast.walk(part))
            catches = leaves or any(not isinstance(handler.body[-1], ast.Raise) for handler in node.handlers)
        if catches:
            return True
    return False


def _may_return_true(method: ast.AST) -> bool:
    values = [node.value for node in ast.walk(method) if isinstance(node, ast.Return)]
    return any(value is not None and not (isinstance(value, ast.Constant) and not value.value) for value in values)
