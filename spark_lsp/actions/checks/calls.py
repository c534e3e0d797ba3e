"""Check that new calls fit the functions they call: the number of arguments, and the names of keyword arguments.

Examines only calls whose function is certain: in the file, in its class, or imported from the one workspace file
that defines it.
"""

import ast
from collections import Counter
from collections.abc import Mapping

from spark_lsp.actions.checks.functions import FUNCTION_TYPES, Function, dotted, is_static, parsed
from spark_lsp.index.storage.view import IndexView


def call_problem(before: str, after: str, view: IndexView) -> str:
    """Say in one sentence which new call does not fit its function; empty if all fit."""
    old, tree = parsed(before), parsed(after)
    if tree is None:
        return ""
    known = Counter(ast.dump(node) for node in ast.walk(old) if isinstance(node, ast.Call)) if old else Counter()
    functions = _functions(tree, view)
    for owner, call in _calls(tree):
        dump = ast.dump(call)
        if known[dump] > 0:
            known[dump] -= 1
            continue
        function, bound = _called(call, owner, functions)
        problem = misfit(call, function, bound=bound) if function is not None else ""
        if problem:
            return problem
    return ""


def unfit_call(text: str, view: IndexView, name: str, lines: range) -> str:
    """Say in one sentence which call of ``name`` in these lines (counted from 1) does not fit; empty if all fit."""
    tree = parsed(text)
    functions = _functions(tree, view) if tree is not None else {}
    for owner, call in _calls(tree) if tree is not None else ():
        if call.lineno in lines and dotted(call.func).rpartition(".")[2] == name:
            function, bound = _called(call, owner, functions)
            problem = misfit(call, function, bound=bound) if function is not None else ""
            if problem:
                return problem
    return ""


def misfit(call: ast.Call, function: Function, *, bound: bool) -> str:
    """Say in one sentence why a call does not fit a function's parameters; ``bound`` if the first one is implicit."""
    if any(isinstance(argument, ast.Starred) for argument in call.args) or any(
        keyword.arg is None for keyword in call.keywords
    ):
        return ""
    args = function.args
    places = [*args.posonlyargs, *args.args][int(bound) :]
    name = dotted(call.func) or function.name
    if len(call.args) > len(places) and args.vararg is None:
        return f"{name} takes {len(places)} positional arguments, but the call has {len(call.args)}."
    by_name = {parameter.arg for parameter in [*args.args, *args.kwonlyargs]}
    for keyword in call.keywords:
        if keyword.arg not in by_name and args.kwarg is None:
            return f"{name} has no parameter {keyword.arg}."
    taken = {parameter.arg for parameter in places[: len(call.args)]} | {keyword.arg for keyword in call.keywords}
    optional = {parameter.arg for parameter in places[len(places) - len(args.defaults) :]} if args.defaults else set()
    named = [parameter.arg for parameter, value in zip(args.kwonlyargs, args.kw_defaults, strict=True) if value is None]
    missing = [parameter.arg for parameter in places if parameter.arg not in taken | optional]
    missing += [name for name in named if name not in taken]
    return f"{name} is called without {', '.join(missing)}." if missing else ""


KnownFunctions = Mapping[str, Function]
"""Functions by the names that call them: ``name``, ``Class`` for its ``__init__``, ``Class.method``."""


def _functions(tree: ast.Module, view: IndexView) -> KnownFunctions:
    functions: dict[str, Function] = {}
    for node in tree.body:
        if isinstance(node, FUNCTION_TYPES) and not node.decorator_list:
            functions[node.name] = node
        elif isinstance(node, ast.ClassDef):
            functions |= _of_class(node)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                imported = _defined(alias.name, view)
                if imported is not None:
                    functions[alias.asname or alias.name] = imported
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    stored |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return {name: function for name, function in functions.items() if name not in stored}


def _of_class(node: ast.ClassDef) -> dict[str, Function]:
    own = {statement.name: statement for statement in node.body if isinstance(statement, FUNCTION_TYPES)}
    plain = {
        f"{node.name}.{name}": method
        for name, method in own.items()
        if all(dotted(decorator) == "classmethod" for decorator in method.decorator_list)
    }
    if "__init__" in own and "__new__" not in own and not node.keywords:
        plain[node.name] = own["__init__"]
    return plain


def _defined(name: str, view: IndexView) -> Function | None:
    """Return the only function of a name at the top level of a workspace file; for a class, its ``__init__``."""
    places = [(path, definition) for path, definition in view.definitions.get(name, ()) if not definition.container]
    if len(places) != 1 or places[0][1].kind not in {"function", "class"}:
        return None
    path = places[0][0]
    tree = parsed(view.files[path].text) if path in view.files else None
    body = tree.body if tree is not None else []
    classes = [statement for statement in body if isinstance(statement, ast.ClassDef) and statement.name == name]
    if classes:
        return None if classes[0].decorator_list else _of_class(classes[0]).get(name)
    named = [statement for statement in body if isinstance(statement, FUNCTION_TYPES) and statement.name == name]
    return named[0] if len(named) == 1 and not named[0].decorator_list else None


def _calls(tree: ast.Module) -> list[tuple[str, ast.Call]]:
    """Return all calls, each with the name of the enclosing class of the file."""
    calls = []
    for node in tree.body:
        name = node.name if isinstance(node, ast.ClassDef) else ""
        calls += [(name, descendant) for descendant in ast.walk(node) if isinstance(descendant, ast.Call)]
    return calls


def _called(call: ast.Call, owner: str, functions: KnownFunctions) -> tuple[Function | None, bool]:
    name = dotted(call.func)
    if owner and name.startswith(("self.", "cls.")) and name.count(".") == 1:
        function = functions.get(f"{owner}.{name.partition('.')[2]}")
        return function, function is not None and not is_static(function)
    function = functions.get(name) if name and "." not in name else None
    return function, function is not None and function.name == "__init__"
