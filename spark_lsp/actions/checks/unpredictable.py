"""Find out whether a function's result depends on chance, time or the machine, so no test can name it. Pure.

In Python the module's own functions are followed by name, in other languages only the function's text is searched. What
other modules do is not looked at.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Final

from spark_lsp.actions.checks.functions import FUNCTION_TYPES, Function, dotted

_MODULES: Final = frozenset(("random", "secrets", "uuid", "tempfile", "getpass", "socket", "platform"))
"""Modules of the standard library of which any use makes a result unpredictable."""
_NAMES: Final = frozenset(
    (
        "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns",
        "time.process_time", "time.localtime", "time.gmtime", "time.ctime", "datetime.datetime.now",
        "datetime.datetime.today", "datetime.datetime.utcnow", "datetime.date.today", "os.urandom", "os.getpid",
        "os.getcwd", "os.environ", "os.getenv", "os.listdir", "os.scandir", "threading.get_ident", "numpy.random",
    )
)  # fmt: skip
_SCRIPT_CALLS: Final = re.compile(
    r"\b(?:Math\.random|Date\.now|performance\.now|crypto\.\w+|process\.(?:env|pid|cwd|hrtime))\b|\bnew Date\(\)"
)
_GO_CALLS: Final = re.compile(r"\b(?:rand\.\w+|time\.(?:Now|Since|Until)|os\.(?:Getenv|Getpid|Getwd|Hostname))\b")
_CALLS: Final = {"go": _GO_CALLS, "javascript": _SCRIPT_CALLS, "typescript": _SCRIPT_CALLS, "tsx": _SCRIPT_CALLS}
_MAX_CALLS: Final = 3  # functions of the module in a row that are followed


def unpredictable_call(language: str, text: str) -> str:
    """Return the first such call in the text of a Go, JavaScript or TypeScript function; empty for none."""
    calls = _CALLS.get(language)
    match = calls.search(text) if calls is not None else None
    return match[0] if match else ""


def unpredictable_source(function: Function, module: ast.Module) -> str:
    """Return the first use of chance, time or the machine by its full name, ``random.choice``; empty for none."""
    own = {node.name: node for node in module.body if isinstance(node, FUNCTION_TYPES)}
    return _source(function, _imported(module), own, _MAX_CALLS)


def _source(function: Function, imported: Mapping[str, str], own: Mapping[str, Function], calls: int) -> str:
    called: list[Function] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Name | ast.Attribute):
            name = _full_name(node, imported)
            if name.split(".")[0] in _MODULES or any(name == known or name.startswith(known + ".") for known in _NAMES):
                return name
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in own:
            called.append(own[node.func.id])
    sources = (_source(callee, imported, own, calls - 1) for callee in called if calls and callee is not function)
    return next((source for source in sources if source), "")


def _full_name(node: ast.Name | ast.Attribute, imported: Mapping[str, str]) -> str:
    """Return a chain of names with its import written out; empty where the first name is not imported."""
    first, _, rest = dotted(node).partition(".")
    if first not in imported:
        return ""
    return f"{imported[first]}.{rest}" if rest else imported[first]


def _imported(module: ast.Module) -> dict[str, str]:
    """Return the full names of what a module imports, by local name."""
    return dict(_imports(module))


def _imports(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (first, first)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"
