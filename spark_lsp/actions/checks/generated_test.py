"""Whether a Python test that a model wrote can be one: it calls what it tests, asserts something, and is harmless.

Nothing is run: what a model wrote is run by the user alone, who has seen it.
"""

import ast
from typing import Final

from spark_lsp.actions.checks.calls import misfit
from spark_lsp.actions.checks.functions import FUNCTION_TYPES, Function, called_name, dotted, parsed

_HARMFUL: Final = frozenset(
    ("eval", "exec", "input", "os.kill", "os.remove", "os.removedirs", "os.rmdir", "os.system", "os.unlink",
     "shutil.rmtree", "socket.socket", "subprocess.Popen", "subprocess.call", "subprocess.check_call",
     "subprocess.check_output", "subprocess.run", "sys.exit", "exit", "quit")
)  # fmt: skip
"""Calls that a test of one function has no business with."""


def test_problem(after: str, name: str, tested: str, function: Function | None) -> str:
    """Return in one sentence why a test named ``name`` of a function ``tested`` may not stand; empty when it may.

    ``function`` is the tested one's definition where that is known.
    """
    tree = parsed(after)
    test = _named(tree, name) if tree is not None else None
    if test is None:
        return "" if tree is None else f"{name} is not a test of the file any more."
    calls = [each for each in ast.walk(test) if isinstance(each, ast.Call)]
    own = [each for each in calls if called_name(each) == tested]
    harmful = next((dotted(each.func) for each in calls if dotted(each.func) in _HARMFUL), "")
    uses_self = any(isinstance(each, ast.Name) and each.id == "self" for each in ast.walk(test))
    checks = (
        f"{name} uses self, and it is not a method." if uses_self and not _is_method(tree, test) else "",
        "" if own else f"{name} never calls {tested}.",
        f"{name} calls {harmful}." if harmful else "",
        "" if _asserts(test, tested) else f"{name} asserts nothing about {tested}.",
        _contradiction(test),
        _misfit(test, own, function),
    )
    return next((each for each in checks if each), "")


def _misfit(test: Function, own: list[ast.Call], function: Function | None) -> str:
    if function is None or function.decorator_list:
        return ""
    expected = _expecting_errors(test)
    problems = (misfit(each, function, bound=False) for each in own if id(each) not in expected)
    return next((each for each in problems if each), "")


def _named(tree: ast.AST | None, name: str) -> Function | None:
    found = [each for each in ast.walk(tree) if isinstance(each, FUNCTION_TYPES) and each.name == name] if tree else []
    return found[-1] if found else None


def _is_method(tree: ast.AST | None, test: Function) -> bool:
    classes = [each for each in ast.walk(tree) if isinstance(each, ast.ClassDef)] if tree else []
    return any(each is test for owner in classes for each in owner.body)


def _asserts(test: Function, tested: str) -> bool:
    """Whether something is asserted of what the tested function gives: itself, or a variable that comes from it."""
    tainted: set[str] = set()
    for node in _in_order(test):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if _speaks_of(node.value, tested, tainted):
                tainted |= {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
        elif isinstance(node, ast.For | ast.comprehension) and _speaks_of(node.iter, tested, tainted):
            tainted |= {each.id for each in ast.walk(node.target) if isinstance(each, ast.Name)}
        elif any(_speaks_of(each, tested, tainted) for each in _asserted(node)):
            return True
    return False


def _asserted(node: ast.AST) -> list[ast.AST]:
    """Return what a node asserts something of; nothing for a node that asserts nothing."""
    if isinstance(node, ast.Assert):
        return [node.test]
    if isinstance(node, ast.Call) and _is_assertion(node):
        return [node]
    if isinstance(node, ast.With | ast.AsyncWith) and any(_is_raises(item.context_expr) for item in node.items):
        return list(node.body)
    return []


def _in_order(test: Function) -> list[ast.AST]:
    placed = [each for each in ast.walk(test) if hasattr(each, "lineno")]
    return sorted(placed, key=lambda each: (getattr(each, "lineno", 0), getattr(each, "col_offset", 0)))


def _speaks_of(node: ast.AST, tested: str, tainted: set[str]) -> bool:
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and called_name(each) == tested:
            return True
        if isinstance(each, ast.Name) and each.id in tainted:
            return True
    return False


def _is_assertion(call: ast.Call) -> bool:
    name = called_name(call)
    return name.startswith("assert") and isinstance(call.func, ast.Attribute)


def _is_raises(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and called_name(node) in {"raises", "assertRaises", "assertRaisesRegex", "warns"}


def _expecting_errors(test: Function) -> set[int]:
    """Return the calls that are meant to fail."""
    blocks = [each for each in ast.walk(test) if isinstance(each, ast.With | ast.AsyncWith)]
    inside = [
        body for each in blocks if any(_is_raises(item.context_expr) for item in each.items) for body in each.body
    ]
    return {id(each) for body in inside for each in ast.walk(body)}


def _contradiction(test: Function) -> str:
    """Refuse a test that asserts of one call two different values."""
    said: dict[str, str] = {}
    for node in test.body:
        compare = node.test if isinstance(node, ast.Assert) else None
        if (
            isinstance(compare, ast.Compare)
            and isinstance(compare.ops[0], ast.Eq)
            and isinstance(compare.left, ast.Call)
        ):
            call, value = ast.unparse(compare.left), ast.unparse(compare.comparators[0])
            if said.setdefault(call, value) != value:
                return f"{test.name} asserts two values of {call}."
    return ""


def without_repeats(body: str) -> str:
    """Return the lines of a test's body without those statements that it says again."""
    lines, seen = [], set()
    for line in body.split("\n"):
        said = line.strip()
        is_assertion = said.startswith(("assert ", "self.assert")) and not said.endswith(("(", ",", "\\"))
        if not (is_assertion and said in seen):
            lines.append(line)
        seen.add(said)
    return "\n".join(lines)
