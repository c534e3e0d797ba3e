"""Find what certainly changes nothing, and what certainly cannot fail, among the points of a flow. Pure.

A call of a builtin or of a function that only computes reads its arguments and may fail, as an operator does. An
attribute of a standard module, and one that ``__init__`` gives every object, is there.
"""

import ast
import builtins
import sys
from functools import cache
from types import ModuleType
from typing import Final

from spark_lsp.actions.python.analysis.flow_graph import ControlFlowGraph, ProgramPoint
from spark_lsp.actions.python.analysis.purity import is_rebound
from spark_lsp.actions.python.analysis.scopes import names_of
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.actions.python.analysis.variable_readers import is_builtin

_COMPUTING: Final = frozenset(
    {
        *("abs", "ascii", "bin", "bool", "callable", "chr", "complex", "divmod", "float", "format", "getattr"),
        *("hasattr", "hash", "hex", "id", "int", "isinstance", "issubclass", "len", "oct", "ord", "range", "repr"),
        *("round", "slice", "str"),
    }
)
"""Builtins that run nothing but special methods of their arguments."""
_COMPARING: Final = frozenset({"max", "min"})
"""Builtins that do so when they are given two values or more: one value is iterated."""
_MAKING: Final = frozenset({"bytearray", "bytes", "dict", "frozenset", "list", "object", "set", "tuple"})
"""Builtins that do so when they are given nothing."""
_STANDARD: Final = frozenset(
    {
        *("base64.b64decode", "base64.b64encode", "binascii.hexlify", "binascii.unhexlify", "fnmatch.fnmatch"),
        *("functools.partial", "html.escape", "html.unescape", "operator.attrgetter", "operator.itemgetter"),
        *("os.fsdecode", "os.fsencode", "os.fspath", "os.path.abspath", "os.path.basename", "os.path.commonprefix"),
        *("os.path.dirname", "os.path.exists", "os.path.expanduser", "os.path.isabs", "os.path.isdir"),
        *("os.path.isfile", "os.path.islink", "os.path.join", "os.path.normcase", "os.path.normpath"),
        *("os.path.realpath", "os.path.relpath", "os.path.split", "os.path.splitext", "re.compile", "re.escape"),
        *("shlex.quote", "struct.calcsize", "struct.pack", "struct.unpack", "textwrap.dedent", "textwrap.indent"),
        *("urllib.parse.parse_qs", "urllib.parse.quote", "urllib.parse.quote_plus", "urllib.parse.unquote"),
        *("urllib.parse.urljoin", "urllib.parse.urlparse", "urllib.parse.urlsplit", "urllib.parse.urlunsplit"),
    }
)
"""Functions of the standard library that only compute, or look at files; none keeps anything between two calls that
can be seen, runs its arguments or goes through an iterator."""
_COMPUTING_MODULES: Final = frozenset({"math", "posixpath", "ntpath"})
_CHANGING_MODULES: Final = frozenset({"builtins", "locale", "random", "signal", "sys", "time", "warnings"})
"""Modules with attributes that are often assigned from elsewhere: ``sys.stdout``."""
MAX_CALLS: Final = 3
"""How many calls of functions of the document are followed."""
_COMPUTATIONS: Final = (
    *(ast.Return, ast.If, ast.Assign, ast.AnnAssign, ast.Pass, ast.Raise, ast.Try, ast.ExceptHandler),
    *(ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.IfExp, ast.Slice, ast.Dict, ast.keyword),
    *(ast.JoinedStr, ast.FormattedValue, ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)
"""Kinds of nodes that by themselves do nothing but compute."""


def quieted(graph: ControlFlowGraph, source: Source) -> ControlFlowGraph:
    """Make reads of calls that only compute, and joins of reads that cannot fail; return the graph."""
    if "*" in source.bindings:
        return graph  # any name may be another module's
    for point in graph.points:
        if point.kind == "use" and isinstance(point.node, ast.Name) and imported_module(source, point.name):
            _calm(point)
        elif point.kind == "effect" and isinstance(point.node, ast.Call) and computes(source, point.node):
            point.kind = "load"
        elif point.kind == "load" and isinstance(point.node, ast.Attribute) and module_attribute(source, point.node):
            _calm(point)
    return graph


def _calm(point: ProgramPoint) -> None:
    """Make a point nothing but a step of the flow."""
    point.kind = "join"
    if len(point.after) > 1 and point.guard in point.after:
        point.after.remove(point.guard)


def computes(source: Source, call: ast.Call, calls: int = MAX_CALLS) -> bool:
    """Whether a call changes nothing, whatever its arguments are; it may fail."""
    is_spread = any(isinstance(argument, ast.Starred) for argument in call.args)
    if is_spread or any(keyword.arg is None for keyword in call.keywords) or "*" in source.bindings:
        return False
    if isinstance(call.func, ast.Attribute):
        name = module_attribute(source, call.func)
        return name in _STANDARD or name.rpartition(".")[0] in _COMPUTING_MODULES
    if not isinstance(call.func, ast.Name) or call.keywords:
        return False
    if is_builtin(source, call.func):
        return _builtin_computes(call.func.id, len(call.args))
    function = _function(source, call.func)
    return function is not None and calls > 0 and _only_computes(source, function, calls - 1)


def _builtin_computes(name: str, given: int) -> bool:
    """Whether a builtin that is given so many values changes nothing."""
    is_enough = given > 0 if name in _COMPUTING else given > 1 and name in _COMPARING
    is_plain = (name == "type" and given == 1) or (name in _MAKING and given == 0)
    return is_enough or is_plain or _is_error(name)


def _is_error(name: str) -> bool:
    value = getattr(builtins, name, None)
    return isinstance(value, type) and issubclass(value, Exception)


def _function(source: Source, name: ast.Name) -> ast.FunctionDef | None:
    """Return the function of the module that a name means for certain: nothing else binds the name anywhere."""
    defined = [node for node in source.tree.body if isinstance(node, ast.FunctionDef) and node.name == name.id]
    if len(defined) != 1 or defined[0].decorator_list or source.bindings.get(name.id, 0) != 1:
        return None
    return defined[0]


def _only_computes(source: Source, function: ast.FunctionDef, calls: int) -> bool:
    """Whether the body of a function does nothing but compute what it returns."""
    local = names_of(function).local
    inner = [descendant for statement in function.body for descendant in ast.walk(statement)]
    reads = (node.id for node in inner if isinstance(node, ast.Name) and node.id not in local)
    return all(_is_computation(source, node, calls) for node in inner) and all(
        _is_fixed(source, name) for name in reads
    )


def _is_fixed(source: Source, name: str) -> bool:
    """Whether a name from outside a function always means the same: a builtin, or defined or imported once."""
    if name not in source.bindings:
        return hasattr(builtins, name)
    is_defined = any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name
        for node in source.tree.body
    )
    return source.bindings[name] == 1 and (is_defined or bool(imported_module(source, name)))


def _is_computation(source: Source, node: ast.AST, calls: int) -> bool:
    """Whether a node by itself changes nothing and goes through no iterator."""
    if isinstance(node, ast.Call):
        return computes(source, node, calls)
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Compare):
        return not any(isinstance(sign, ast.In | ast.NotIn) for sign in node.ops)
    if isinstance(node, ast.Attribute | ast.Subscript | ast.Tuple | ast.List):
        return isinstance(node.ctx, ast.Load)
    return isinstance(node, _COMPUTATIONS)


def module_attribute(source: Source, node: ast.Attribute) -> str:
    """Return the full name of an attribute of a standard module that nothing in the document assigns; else empty."""
    parts = [node.attr]
    value = node.value
    while isinstance(value, ast.Attribute):
        parts.append(value.attr)
        value = value.value
    module = imported_module(source, value.id) if isinstance(value, ast.Name) else ""
    if not module or module in _CHANGING_MODULES or any(is_rebound(source, part) for part in parts):
        return ""
    return _full_name(module, tuple(reversed(parts)), frozenset(source.modules.values()))


def imported_module(source: Source, name: str) -> str:
    """Return the root of the standard module that a name means for certain: imports at the top alone bind it."""
    modules = {source.modules[place] for place in source.modules if place[0] == name}
    count = sum(place[0] == name for place in source.modules)  # several imports may bind one name: os, os.path
    roots = {module.split(".")[0] for module in modules}
    if len(roots) != 1 or source.bindings.get(name, 0) != count:
        return ""
    root = next(iter(roots))
    return root if root in sys.stdlib_module_names else ""


@cache
def _full_name(root: str, parts: tuple[str, ...], imported: frozenset[str]) -> str:
    """Return the name of an attribute as far as this interpreter knows its module; nothing is imported for it."""
    module = root
    value: object = sys.modules.get(root)
    for part in parts:
        if value is None or not hasattr(value, part):
            return ""
        value = getattr(value, part)
        is_module = isinstance(value, ModuleType)
        if is_module and f"{module}.{part}" not in imported and f"{module}.{part}" != "os.path":
            return ""  # there only if something else has imported it
        module = f"{module}.{part}"
    return module
