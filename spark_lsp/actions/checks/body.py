"""Check a body that a model wrote for a Python function: the names it uses, its returns and its calls. Pure."""

import ast
from collections import Counter
from typing import Final

from spark_lsp.actions.checks.functions import (
    FUNCTION_TYPES,
    Function,
    body_of,
    dotted,
    function_at,
    is_static,
    own_nodes,
    parameters,
    parsed,
)
from spark_lsp.actions.checks.kinds import attributes_of, classes_of, kinds_of
from spark_lsp.actions.checks.returns import always_leaves, return_problem

_GIVEN_ANYWAY: Final = frozenset(
    ("__aexit__", "__class_getitem__", "__deepcopy__", "__exit__", "__format__", "__get__", "__getattr__",
     "__init_subclass__", "__missing__", "__prepare__", "__reduce_ex__", "__set_name__", "__sizeof__")
)  # fmt: skip
"""Methods that Python always calls with arguments, which many implementations ignore."""
_LONG: Final = 6
_NEAR: Final = 0.85
"""Statements in a body, and how many of them another function has, that make the body a copy with small changes."""
_MANY_STATEMENTS: Final = 3
"""Statements in a body that make it a copy if another function has the same body."""


def body_problem(after: str, line: int) -> str:
    """Say in one sentence why a body of the function whose ``def`` is on a line is refused; empty if it is accepted."""
    tree = parsed(after)
    body_function = function_at(tree, line) if tree is not None else None
    if tree is None or body_function is None:
        return ""
    function, owner = body_function
    body = body_of(function)
    checks = (
        _nothing(function, body),
        _unused(function, body, is_method=owner is not None),
        _endless(function, body, is_method=owner is not None),
        return_problem(function, body, plain_classes(tree), kinds_of(tree, function, owner)),
        _copied(tree, function, body),
        _same_twice(function, body),
        _ends_without(function, body),
        _unknown_attribute(tree, function, owner),
    )
    return next((check for check in checks if check), "")


def signature_of_stub(text: str, line: int) -> tuple[list[str], str]:
    """Return the parameters that a body of the function on a line has to use, and its return type."""
    tree = parsed(text)
    body_function = function_at(tree, line) if tree is not None else None
    if body_function is None:
        return [], ""
    function, owner = body_function
    returned = ast.unparse(function.returns).strip("'") if function.returns is not None else ""
    return _wanted(function, is_method=owner is not None), "" if returned == "None" else returned


def _wanted(function: Function, *, is_method: bool) -> list[str]:
    """Return the parameters that a correct body has to use."""
    if function.name in _GIVEN_ANYWAY:
        return []
    given = parameters(function)
    if is_method and not is_static(function):
        given = given[1:]
    return [
        parameter.arg
        for parameter in given
        if not parameter.arg.startswith("_") and parameter is not function.args.kwarg
    ]


def _nothing(function: Function, body: list[ast.stmt]) -> str:
    """Refuse a body that does nothing."""
    idle = all(
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant | ast.Name))
        or (isinstance(statement, ast.Return) and (statement.value is None or _is_none(statement.value)))
        for statement in body
    )
    raised = body[0].exc if len(body) == 1 and isinstance(body[0], ast.Raise) else None
    error_name = dotted(raised.func if isinstance(raised, ast.Call) else raised) if raised is not None else ""
    return f"The body of {function.name} does nothing." if idle or error_name == "NotImplementedError" else ""


def _same_twice(function: Function, body: list[ast.stmt]) -> str:
    """Refuse a condition whose branches do the same."""
    for node in (inner for statement in body for inner in ast.walk(statement)):
        if isinstance(node, ast.If | ast.IfExp) and node.orelse:
            ways = [node.body, node.orelse] if isinstance(node, ast.If) else [[node.body], [node.orelse]]
            first, second = ([ast.dump(statement) for statement in way] for way in ways)
            if first == second:
                return f"A condition in the body of {function.name} makes no difference."
    return ""


def _ends_without(function: Function, body: list[ast.stmt]) -> str:
    """Refuse a body that returns a value on some paths and reaches its end on others."""
    returns = [node for node in own_nodes(body) if isinstance(node, ast.Return)]
    is_generator = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(body))
    gives = bool(returns) and all(return_.value is not None and not _is_none(return_.value) for return_ in returns)
    if is_generator or not gives or function.returns is not None or always_leaves(body):
        return ""
    return f"{function.name} returns a value on some paths and none on others."


def plain_classes(tree: ast.Module) -> set[str]:
    """Return the classes of a file whose objects are not plain values."""
    return {statement.name for statement in tree.body if isinstance(statement, ast.ClassDef) and not statement.bases}


def _is_none(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _unused(function: Function, body: list[ast.stmt], *, is_method: bool) -> str:
    """Refuse a body that ignores a parameter."""
    wanted = _wanted(function, is_method=is_method)
    nodes = [node for statement in body for node in ast.walk(statement)]
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    if {"locals", "super", "vars"} & used:
        return ""
    ignored = [name for name in wanted if name not in used]
    return f"The body of {function.name} does not use {', '.join(ignored)}." if ignored else ""


def _endless(function: Function, body: list[ast.stmt], *, is_method: bool) -> str:
    """Refuse a body that always calls its own function."""
    own = {f"self.{function.name}", f"cls.{function.name}"} if is_method else {function.name}
    if is_method and function.name.startswith("__"):
        own |= {f"{parameter.arg}.{function.name}" for parameter in parameters(function)}
    for statement in body:
        branches = isinstance(statement, ast.If | ast.For | ast.AsyncFor | ast.While | ast.Try | ast.Match)
        always: list[ast.AST] = [statement]
        if branches:
            parts = (getattr(statement, name, None) for name in ("test", "iter", "subject"))
            always = [part for part in parts if isinstance(part, ast.expr)]
        if any(_certainly_calls(part, own) for part in always):
            return f"The body of {function.name} always calls {function.name} again."
        leaves = any(isinstance(node, ast.Return | ast.Raise) for node in own_nodes([statement]))
        if leaves:
            return ""
    return ""


def _certainly_calls(node: ast.AST, names: set[str]) -> bool:
    """Whether evaluating a node always calls one of some functions."""
    if isinstance(node, ast.Call) and dotted(node.func) in names:
        return True
    later = (ast.Lambda, ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp, ast.ClassDef, *FUNCTION_TYPES)
    if isinstance(node, later):
        return False
    if isinstance(node, ast.IfExp):
        both = _certainly_calls(node.body, names) and _certainly_calls(node.orelse, names)
        return both or _certainly_calls(node.test, names)
    if isinstance(node, ast.BoolOp):
        return _certainly_calls(node.values[0], names)
    return any(_certainly_calls(child, names) for child in ast.iter_child_nodes(node))


def _copied(tree: ast.Module, function: Function, body: list[ast.stmt]) -> str:
    """Refuse a long body that another function of the file has."""
    count = sum(isinstance(node, ast.stmt) for statement in body for node in ast.walk(statement))
    if count < _MANY_STATEMENTS:
        return ""
    dumps = [ast.dump(statement) for statement in body]
    own = _simple(body)
    for node in ast.walk(tree):
        if not isinstance(node, FUNCTION_TYPES) or node.name == function.name or _holds(function, node):
            continue
        same = (own & _simple(body_of(node))).total()
        is_near = own.total() >= _LONG and same >= own.total() * _NEAR
        if [ast.dump(statement) for statement in body_of(node)] == dumps or is_near:
            return f"The body of {function.name} is that of {node.name}."
    return ""


def _holds(outer: Function, inner: Function) -> bool:
    """Whether one of two functions contains the other."""
    return any(node is inner for node in ast.walk(outer)) or any(node is outer for node in ast.walk(inner))


def _simple(body: list[ast.stmt]) -> Counter[str]:
    """Return the statements of a body that contain no other statements."""
    nodes = [node for statement in body for node in ast.walk(statement) if isinstance(node, ast.stmt)]
    return Counter(ast.dump(statement) for statement in nodes if not hasattr(statement, "body"))


def _unknown_attribute(tree: ast.Module, function: Function, owner: ast.ClassDef | None) -> str:
    """Refuse an attribute of ``self`` or of a parameter that its class, known in full from the file, does not have."""
    for name, held in classes_of(function, owner, tree):
        known = attributes_of(tree, held)
        for node in ast.walk(function) if known is not None else ():
            if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load):
                continue
            is_own = isinstance(node.value, ast.Name) and node.value.id == name
            if is_own and known is not None and node.attr not in known and not hasattr(object, node.attr):
                return f"{held.name} has no {node.attr}."
    return ""
