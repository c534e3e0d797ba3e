"""Find code that reads a function's variables by name, or the function's own code object. Pure.

Such code would see a new variable, another name or a moved statement.
"""

import ast
from collections.abc import Iterable
from typing import Final

from spark_lsp.actions.assumption import PROVED, Assumed
from spark_lsp.actions.python.analysis.classes import files_mentioning
from spark_lsp.actions.python.analysis.scopes import FUNCTIONS, names_of
from spark_lsp.actions.python.analysis.source import Scope, Source
from spark_lsp.actions.python.analysis.walks import FRAME_NAMES, looks_at_frames, named_by
from spark_lsp.actions.refusal import Refusal
from spark_lsp.index.storage.view import IndexView

_NAMESPACES: Final = frozenset({"dir", "locals", "vars"})
"""Builtins that return the variables of the calling function if they have no argument."""
_EVALUATORS: Final = frozenset({"eval", "exec"})
"""Builtins that read the variables of the calling function unless they receive a namespace."""
CODE_READERS: Final = frozenset(
    {
        *("__code__", "co_code", "co_consts", "co_freevars", "co_names", "co_varnames", "findsource"),
        *("getclosurevars", "getsource", "getsourcelines", "get_instructions", "disassemble", "dis"),
    }
)
"""Names of functions that read the code or the source of their argument."""
_HARMLESS_FIELDS: Final = frozenset(
    {
        *("co_argcount", "co_filename", "co_firstlineno", "co_kwonlyargcount", "co_name", "co_posonlyargcount"),
        "co_qualname",
    }
)
"""Fields of a code object that say nothing of the body."""
_FRAME_VARIABLES: Final = frozenset({"co_varnames", "f_locals", "formatargvalues", "getargvalues"})
"""Names of attributes with the variables of a frame."""
HARMLESS_DECORATORS: Final = frozenset(
    {
        *("abstractmethod", "asynccontextmanager", "cache", "cached_property", "classmethod", "contextmanager"),
        *("deleter", "final", "fixture", "getter", "lru_cache", "overload", "override", "property", "setter"),
        *("singledispatch", "staticmethod", "total_ordering", "wraps"),
    }
)


def variable_reader(source: Source, scope: Scope, nodes: Iterable[ast.AST]) -> Refusal | None:
    """Return the node of a function that reads its variables by name; None if there is none."""
    frames: set[str] = set()
    if any(named_by(node) in _FRAME_VARIABLES for node in ast.walk(source.tree)):
        frames = looks_at_frames(source.tree) | FRAME_NAMES
    for node in nodes:
        name = named_by(node)
        if isinstance(node, ast.Name) and name in _NAMESPACES | _EVALUATORS and _reads_variables(source, node):
            return Refusal("reflection", f"{_title(scope)} calls {name}, which can see its local variables.")
        if isinstance(node, ast.Name | ast.Attribute) and name in frames:
            return Refusal("reflection", f"{_title(scope)} uses {name}, which can see its variables.")
    return None


def code_reader(
    source: Source, scope: Scope, path: str = "", view: IndexView | None = None, assumed: Assumed = PROVED
) -> Refusal | None:
    """Return what may read a function's own code or source; None if nothing does.

    In the document a reader counts if the function is decorated, or is passed on as a value. In another file it
    counts beside the function's name, or if the file defines a decorator of the function; that it does not read this
    function may be assumed.
    """
    name = getattr(scope, "name", "")
    decorators = {
        named_by(decorator.func if isinstance(decorator, ast.Call) else decorator) for decorator in _decorators(scope)
    }
    decorators -= HARMLESS_DECORATORS
    if not name:
        return None
    readers = [node for node in ast.walk(source.tree) if _is_code_reader(source, node)]
    within = {node.name for node in ast.walk(scope) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    if readers and (decorators or any(_is_passed_on(source, function) for function in {name, *within})):
        line = getattr(readers[0], "lineno", 0)
        return Refusal("reflection", f"{named_by(readers[0])} in line {line} may read the code of {name}.")
    if view is None or "reflection" in assumed:
        return None
    defining = {definer for word in decorators for definer in _paths_of(view, word)}
    for reader in sorted(CODE_READERS):
        reading = files_mentioning(view, reader) - {path}
        for other_path in sorted((reading & files_mentioning(view, name)) | (reading & defining)):
            message = f"{other_path} uses {reader}, which may read the code of {name}."
            return Refusal("reflection", message, assumption="reflection")
    return None


def _is_code_reader(source: Source, node: ast.AST) -> bool:
    """Whether a node names what reads code: not a function of the document by the same name, nor a mere count."""
    name = named_by(node)
    if name not in CODE_READERS:
        return False
    if isinstance(node, ast.Name):
        return not any(
            isinstance(statement, ast.FunctionDef | ast.ClassDef) and statement.name == name
            for statement in source.tree.body
        )
    around = source.parent(node)
    return not (name == "__code__" and isinstance(around, ast.Attribute) and around.attr in _HARMLESS_FIELDS)


def _decorators(scope: Scope) -> list[ast.expr]:
    return list(getattr(scope, "decorator_list", []))


def _paths_of(view: IndexView, name: str) -> Iterable[str]:
    return view.definitions[name].paths() if name in view.definitions else ()


def _is_passed_on(source: Source, name: str) -> bool:
    """Whether a function is used as a value anywhere, not only called."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name | ast.Attribute) and named_by(node) == name and isinstance(node.ctx, ast.Load):
            holder = source.parent(node)
            if not isinstance(holder, ast.Call) or holder.func is not node:
                return True
    return False


def is_builtin(source: Source, node: ast.Name) -> bool:
    """Whether a name is not bound in the document, so that it can only be a builtin."""
    scope = source.scope_of(node)
    if node.id in names_of(scope).bound:
        return False
    return not any(
        node.id in names_of(enclosing).bound
        for enclosing in source.scopes_around(scope)
        if isinstance(enclosing, (*FUNCTIONS, ast.Module))
    )


def _reads_variables(source: Source, node: ast.Name) -> bool:
    if not is_builtin(source, node):
        return False
    call = source.parent(node)
    if not isinstance(call, ast.Call) or call.func is not node:
        return True
    is_spread = any(isinstance(argument, ast.Starred) for argument in call.args) or any(
        not keyword.arg for keyword in call.keywords
    )
    given = len(call.args) + len(call.keywords)
    return is_spread or given < (1 if node.id in _NAMESPACES else 2)


def _title(scope: Scope) -> str:
    return "The function" if isinstance(scope, FUNCTIONS) else "The module"
