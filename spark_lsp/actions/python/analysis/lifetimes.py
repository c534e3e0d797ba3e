"""Decide whether an object acts when it is finalized, such as a file or a temporary folder. Pure.

Such an object must not be finalized earlier or later than before. The result of a function in another file is assumed
to be plain unless its name says otherwise; a class is assumed to be plain only if it is known.
"""

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from spark_lsp.actions.assumption import Assumed
from spark_lsp.actions.python.analysis.scopes import FUNCTIONS, target_names
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.actions.python.analysis.walks import named_by, nodes_of
from spark_lsp.actions.refusal import Refusal

_PLAIN_CLASSES: Final = frozenset(
    {
        *("ABC", "BytesIO", "ChainMap", "ConfigParser", "Counter", "Decimal", "Element", "Enum", "Flag", "Fraction"),
        *("Generic", "IntEnum", "IntFlag", "Mock", "MagicMock", "NamedTuple", "Namespace", "Node", "OrderedDict"),
        *("Path", "Protocol", "PurePath", "PurePosixPath", "PureWindowsPath", "PosixPath", "Random", "SimpleNamespace"),
        *("StrEnum", "StringIO", "Struct", "Template", "TypedDict", "UUID", "UserDict", "UserList", "UserString"),
        *("ArgumentParser", "Event", "Lock", "RLock", "Condition", "Semaphore", "Queue", "Logger", "Formatter"),
        *("Message", "EmailMessage", "Charset", "Header", "Timer", "Thread", "Parameter", "Signature"),
    }
)
"""Classes of the standard library whose objects do nothing when they are finalized."""
_RESOURCE_WORDS: Final = frozenset(
    {
        *("acquire", "client", "connect", "connection", "cursor", "fdopen", "finalize", "lock", "makefile", "mmap"),
        *("open", "opened", "pipe", "popen", "proxy", "ref", "resource", "scandir", "session", "socket", "socketpair"),
        *("spawn", "stream", "temp", "temporary", "temporaryfile", "transaction", "urlopen", "weak", "weakref"),
    }
)
"""Words in the name of a callee that stand for something open, locked or watched."""
_PLAIN_CALLS: Final = frozenset({"Lock", "RLock", "isopen"})
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_WATCHERS: Final = frozenset({"__del__", "finalize", "gc", "getrefcount", "weakref"})
MAX_STEPS: Final = 4
"""Functions and classes of the document to follow."""


def lifetime_refusal(source: Source, node: ast.AST | None, message: str, assumed: Assumed) -> Refusal | None:
    """Refuse what may make an object that does something when it dies; that it does not may be assumed of the unknown.

    What opens or holds something by its name, or has ``__del__``, is refused in any case.
    """
    if not has_lifetime(source, node):
        return None
    if _Makers(source, is_doubt_counted=False).makes(node):
        return Refusal("lifetime", message)
    return None if "lifetime" in assumed else Refusal("lifetime", message, assumption="lifetime")


def has_lifetime(source: Source, node: ast.AST | None) -> bool:
    """Whether an expression may create an object that acts when it is finalized."""
    return _Makers(source).makes(node)


@dataclass(frozen=True, slots=True)
class _Makers:
    """Follows what is called; ``followed`` are the functions that it is in, which add nothing by calling themselves.

    Without ``is_doubt_counted`` only what is known to have a lifetime counts.
    """

    source: Source
    steps: int = MAX_STEPS
    is_doubt_counted: bool = True
    followed: frozenset[int] = frozenset()

    def makes(self, node: ast.AST | None) -> bool:
        """Whether an expression may make such an object."""
        return _has_lifetime(self, node)

    def within(self, definition: ast.AST) -> "_Makers":
        """Return the same one step further in."""
        return replace(self, steps=self.steps - 1, followed=self.followed | {id(definition)})


def _has_lifetime(makers: _Makers, node: ast.AST | None) -> bool:
    if isinstance(node, ast.Call):
        return makers.is_doubt_counted if makers.steps == 0 else _makes(makers, node)
    parts: list[ast.expr | None] = []
    if isinstance(node, ast.Await | ast.NamedExpr | ast.Starred):
        parts = [node.value]
    elif isinstance(node, ast.IfExp):
        parts = [node.body, node.orelse]
    elif isinstance(node, ast.BoolOp | ast.Dict):
        parts = [*node.values]
    elif isinstance(node, ast.Tuple | ast.List | ast.Set):
        parts = [*node.elts]
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
        parts = [node.elt]
    return any(_has_lifetime(makers, part) for part in parts)


def _makes(makers: _Makers, call: ast.Call) -> bool:
    name = named_by(call.func)
    if not name or name in _PLAIN_CALLS:
        return False
    definition = _definition(makers.source, name)
    if definition is not None:
        return id(definition) not in makers.followed and _defined_makes(makers.within(definition), definition)
    value = getattr(builtins, name, None)
    if isinstance(call.func, ast.Name) and value is not None and name != "open":
        return False
    if {word.lower() for word in _WORD.findall(name)} & _RESOURCE_WORDS:
        return True
    return makers.is_doubt_counted and (_is_watched(makers.source) or _is_unknown_class(name))


def _defined_makes(makers: _Makers, definition: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if isinstance(definition, ast.ClassDef):
        return _class_has_lifetime(makers, definition)
    return _returns(makers, definition)


def _is_unknown_class(name: str) -> bool:
    is_class = name.lstrip("_")[:1].isupper() and not name.isupper()
    return is_class and not _is_plain_class(name)


def _is_plain_class(name: str) -> bool:
    value = getattr(builtins, name, None)
    return name in _PLAIN_CLASSES or isinstance(value, type) or name.endswith(("Error", "Exception", "Warning"))


def _class_has_lifetime(makers: _Makers, node: ast.ClassDef) -> bool:
    bound = {getattr(statement, "name", "") for statement in node.body}
    if "__del__" in bound or (makers.is_doubt_counted and _is_watched(makers.source)):
        return True
    for base in node.bases:
        core = base.value if isinstance(base, ast.Subscript) else base
        name = named_by(core)
        definition = _definition(makers.source, name)
        if isinstance(definition, ast.ClassDef) and makers.steps:
            if id(definition) not in makers.followed and _class_has_lifetime(makers.within(definition), definition):
                return True
        elif makers.is_doubt_counted and not _is_plain_class(name):
            return True
    return False


def _returns(makers: _Makers, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function of the document may return such an object; a generator cleans up at its end, so it counts."""
    own = list(nodes_of(function))
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own):
        return any(isinstance(node, ast.Try | ast.With | ast.AsyncWith) for node in own)
    returned = [node.value for node in own if isinstance(node, ast.Return)]
    named = {expression.id for expression in returned if isinstance(expression, ast.Name)}
    returned += [node.value for node in own if isinstance(node, ast.Assign) and target_names(node.targets) & named]
    return any(_has_lifetime(makers, expression) for expression in returned)


def _definition(source: Source, name: str) -> ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Return the document's definition of a name; a class before a function."""
    return next(_definitions(source, name), None)


def _definitions(source: Source, name: str) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    definitions = [
        node
        for node in ast.walk(source.tree)
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and getattr(node, "name", "") == name
    ]
    yield from (node for node in definitions if isinstance(node, ast.ClassDef))
    yield from (node for node in definitions if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _is_watched(source: Source) -> bool:
    """Whether the document observes the finalization of objects."""
    for node in ast.walk(source.tree):
        names = (
            [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else [named_by(node)]
        )
        if _WATCHERS & {*names, getattr(node, "module", None)}:
            return True
    return False
