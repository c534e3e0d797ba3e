"""Check a Python test that a model wrote: it calls the tested function, asserts something and does no harm.

Never runs the test; only users run generated code, after they have seen it.
"""

import ast
import re
import textwrap
from typing import Final

from spark_lsp.actions.checks.calls import misfit
from spark_lsp.actions.checks.functions import FUNCTION_TYPES, Function, called_name, dotted, own_nodes, parsed

_HARMFUL: Final = frozenset(
    ("eval", "exec", "input", "os.kill", "os.remove", "os.removedirs", "os.rmdir", "os.system", "os.unlink",
     "shutil.rmtree", "socket.socket", "subprocess.Popen", "subprocess.call", "subprocess.check_call",
     "subprocess.check_output", "subprocess.run", "sys.exit", "exit", "quit")
)  # fmt: skip
"""Calls that do not belong in a test of one function."""
MAX_ASSERTIONS: Final = 3
"""Assertions in a test; a small model never stops, and each further assertion is more likely to fail."""
_ASSERTION = re.compile(r"[ \t]*(?:assert |self\.assert|with pytest\.raises)")


def test_problem(after: str, name: str, tested: str, function: Function | None) -> str:
    """Say in one sentence why a test named ``name`` of the function ``tested`` is refused; empty if it is accepted.

    ``function`` is the definition of the tested function, if it is known.
    """
    tree = parsed(after)
    test = _named(tree, name) if tree is not None else None
    if test is None:
        return "" if tree is None else f"{name} is no longer a test of the file."
    calls = [node for node in ast.walk(test) if isinstance(node, ast.Call)]
    own = [call for call in calls if called_name(call) == tested]
    harmful = next((dotted(call.func) for call in calls if dotted(call.func) in _HARMFUL), "")
    uses_self = any(isinstance(node, ast.Name) and node.id == "self" for node in ast.walk(test))
    checks = (
        f"{name} uses self, and it is not a method." if uses_self and not _is_method(tree, test) else "",
        "" if own else f"{name} never calls {tested}.",
        f"{name} calls {harmful}." if harmful else "",
        "" if _asserts(test, tested) else f"{name} asserts nothing about {tested}.",
        _contradiction(test),
        _of_nothing(test, tested, function),
        _misfit(test, own, function),
    )
    return next((check for check in checks if check), "")


def _misfit(test: Function, own: list[ast.Call], function: Function | None) -> str:
    if function is None or function.decorator_list:
        return ""
    expected = _expecting_errors(test)
    problems = (misfit(call, function, bound=False) for call in own if id(call) not in expected)
    return next((problem for problem in problems if problem), "")


def _named(tree: ast.AST | None, name: str) -> Function | None:
    functions = (
        [node for node in ast.walk(tree) if isinstance(node, FUNCTION_TYPES) and node.name == name] if tree else []
    )
    return functions[-1] if functions else None


def _is_method(tree: ast.AST | None, test: Function) -> bool:
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)] if tree else []
    return any(statement is test for owner in classes for statement in owner.body)


def _asserts(test: Function, tested: str) -> bool:
    """Whether the test asserts something about the tested function's result, directly or through a variable."""
    tainted: set[str] = set()
    for node in _in_order(test):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if _speaks_of(node.value, tested, tainted):
                tainted |= {
                    descendant.id
                    for target in targets
                    for descendant in ast.walk(target)
                    if isinstance(descendant, ast.Name)
                }
        elif isinstance(node, ast.For | ast.comprehension) and _speaks_of(node.iter, tested, tainted):
            tainted |= {descendant.id for descendant in ast.walk(node.target) if isinstance(descendant, ast.Name)}
        elif any(_speaks_of(asserted, tested, tainted) for asserted in _asserted(node)):
            return True
    return False


def _asserted(node: ast.AST) -> list[ast.AST]:
    """Return what a node asserts something about; nothing for a node without an assertion."""
    if isinstance(node, ast.Assert):
        return [node.test]
    if isinstance(node, ast.Call) and _is_assertion(node):
        return [node]
    if isinstance(node, ast.With | ast.AsyncWith) and any(_is_raises(item.context_expr) for item in node.items):
        return list(node.body)
    return []


def _in_order(test: Function) -> list[ast.AST]:
    placed = [node for node in ast.walk(test) if hasattr(node, "lineno")]
    return sorted(placed, key=lambda node: (getattr(node, "lineno", 0), getattr(node, "col_offset", 0)))


def _speaks_of(node: ast.AST, tested: str, tainted: set[str]) -> bool:
    for descendant in ast.walk(node):
        if isinstance(descendant, ast.Call) and called_name(descendant) == tested:
            return True
        if isinstance(descendant, ast.Name) and descendant.id in tainted:
            return True
    return False


def _is_assertion(call: ast.Call) -> bool:
    name = called_name(call)
    return name.startswith("assert") and isinstance(call.func, ast.Attribute)


def _is_raises(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and called_name(node) in {"raises", "assertRaises", "assertRaisesRegex", "warns"}


def _expecting_errors(test: Function) -> set[int]:
    """Return the calls that are expected to fail."""
    blocks = [node for node in ast.walk(test) if isinstance(node, ast.With | ast.AsyncWith)]
    inside = [
        body for block in blocks if any(_is_raises(item.context_expr) for item in block.items) for body in block.body
    ]
    return {id(node) for body in inside for node in ast.walk(body)}


def _contradiction(test: Function) -> str:
    """Refuse a test that asserts two different values for one call."""
    spellings: dict[str, str] = {}
    for node in test.body:
        compare = node.test if isinstance(node, ast.Assert) else None
        if (
            isinstance(compare, ast.Compare)
            and isinstance(compare.ops[0], ast.Eq)
            and isinstance(compare.left, ast.Call)
        ):
            call, value = ast.unparse(compare.left), ast.unparse(compare.comparators[0])
            if spellings.setdefault(call, value) != value:
                return f"{test.name} asserts two values of {call}."
    return ""


def _of_nothing(test: Function, tested: str, function: Function | None) -> str:
    """Refuse a test that compares a result that is nothing, a generator object or a function with a value."""
    nodes = list(own_nodes(function.body)) if function is not None else []
    is_generator = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in nodes)
    gives = any(map(_gives, nodes))
    is_manager = function is not None and any(
        dotted(decorator).endswith("contextmanager") for decorator in function.decorator_list
    )
    is_maker = function is not None and not function.decorator_list and _returns_functions(function, nodes)
    if function is None or (not is_generator and not is_maker and (function.decorator_list or gives)):
        return ""
    names = {
        target.id
        for node in ast.walk(test)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and called_name(node.value) == tested
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(test):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.Is):
            side = node.left
            is_own = isinstance(side, ast.Call) and called_name(side) == tested
            is_own = is_own or (isinstance(side, ast.Name) and side.id in names)
            value = node.comparators[0]
            is_none = isinstance(value, ast.Constant) and value.value is None
            if is_own and is_maker:
                return f"{tested} returns a function, but {test.name} compares it with a value."
            if is_own and not is_none and not is_generator:
                return f"{tested} returns nothing, but {test.name} asserts a value."
            if is_own and is_none and is_generator:
                return f"{tested} returns a value, but {test.name} asserts that it does not."
            if is_own and is_manager:
                return f"{tested} is a context manager, but {test.name} compares its result."
    return ""


def _returns_functions(function: Function, nodes: list[ast.AST]) -> bool:
    """Whether all that a function returns are functions that it defines."""
    own = {node.name for node in ast.walk(function) if isinstance(node, FUNCTION_TYPES) and node is not function}
    values = [node.value for node in nodes if isinstance(node, ast.Return)]
    return bool(values) and all(
        isinstance(value, ast.Lambda) or (isinstance(value, ast.Name) and value.id in own) for value in values
    )


def _gives(node: ast.AST) -> bool:
    return isinstance(node, ast.Yield | ast.YieldFrom) or (isinstance(node, ast.Return) and node.value is not None)


def without_repeats(body: str) -> str:
    """Return the lines of a test's body without repeated statements."""
    lines, seen = [], set()
    for line in body.split("\n"):
        stripped = line.strip()
        is_assertion = stripped.startswith(("assert ", "self.assert")) and not stripped.endswith(("(", ",", "\\"))
        if not (is_assertion and stripped in seen):
            lines.append(line)
        seen.add(stripped)
    return "\n".join(lines)


def has_enough(raw: str) -> bool:
    """Whether a model has written the first lines of more assertions than are kept."""
    return len({line.strip() for line in raw.split("\n")[:-1] if _ASSERTION.match(line)}) > MAX_ASSERTIONS


def repaired(body: str, tested: str, function: Function) -> str:
    """Return a test's body with its first assertions, without repeats, and with generator results in a list."""
    return _first(_in_lists(without_repeats(body), tested, function))


def _first(body: str) -> str:
    """Return the lines up to the last assertion that is kept; a body that does not parse is unchanged."""
    tree = parsed(textwrap.dedent(body))
    lines = body.split("\n")
    count = end = 0
    for node in tree.body if tree is not None else []:
        is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _is_assertion(node.value)
        is_with = isinstance(node, ast.With) and any(_is_raises(item.context_expr) for item in node.items)
        count += isinstance(node, ast.Assert) or is_call or is_with
        if count == MAX_ASSERTIONS and not end:
            end = node.end_lineno or 0
    return "\n".join(lines[:end]) if end else body


def _in_lists(body: str, tested: str, function: Function) -> str:
    """Return a test of a generator in which calls that are compared with a list become lists."""
    tree = parsed(textwrap.dedent(body))
    is_generator = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(function.body))
    if tree is None or not is_generator or function.decorator_list or isinstance(function, ast.AsyncFunctionDef):
        return body
    lines = body.split("\n")
    indents = [len(old) - len(new) for old, new in zip(lines, textwrap.dedent(body).split("\n"), strict=True)]
    for call in reversed(_compared_calls(tree, tested)):
        for number, offset, text in (
            (call.end_lineno, call.end_col_offset, ")"),
            (call.lineno, call.col_offset, "list("),
        ):
            if number is not None and offset is not None:
                line = lines[number - 1].encode()
                at = offset + indents[number - 1]
                lines[number - 1] = (line[:at] + text.encode() + line[at:]).decode()
    return "\n".join(lines)


def _compared_calls(tree: ast.Module, tested: str) -> list[ast.Call]:
    """Return the calls of a function, in order, that are compared with a list, directly or through a variable."""
    compares = [node.test for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    sides = [
        comparison.left
        for comparison in compares
        if isinstance(comparison, ast.Compare)
        and isinstance(comparison.ops[0], ast.Eq)
        and isinstance(comparison.comparators[0], ast.List | ast.ListComp)
    ]
    names = {side.id for side in sides if isinstance(side, ast.Name)}
    calls: list[ast.expr] = [side for side in sides if isinstance(side, ast.Call)]
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    calls += [
        assignment.value
        for assignment in assigned
        if isinstance(assignment.targets[0], ast.Name) and assignment.targets[0].id in names
    ]
    own = [call for call in calls if isinstance(call, ast.Call) and called_name(call) == tested]
    return sorted(own, key=lambda call: (call.lineno, call.col_offset))
