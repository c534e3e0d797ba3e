"""Whether a diagnostic is gone after an edit, where that can be seen without the tool that made it. Pure.

pyflakes' findings are asked for again; of some other well-known rules the pattern is counted in the syntax tree.
"""

import ast
from collections.abc import Callable, Mapping
from typing import Final

from spark_lsp.actions.base import Diagnostic
from spark_lsp.actions.checks.differences import edits_between
from spark_lsp.actions.checks.functions import FUNCTION_TYPES, parsed
from spark_lsp.actions.checks.lint import Finding, findings, new_findings

_PYRIGHT: Final = {
    "reportUndefinedVariable": "F821",
    "reportUnusedImport": "F401",
    "reportUnusedVariable": "F841",
    "reportUnboundVariable": "F823",
}
_NEAR_LINES: Final = 3
"""How far from its diagnostic an edit may begin: the finding may be about the statement around."""


def fix_problem(before: str, after: str, diagnostic: Diagnostic) -> str:
    """Return in one sentence why an edit does not fix a diagnostic of a Python file; empty when it may."""
    code = _PYRIGHT.get(diagnostic.code, diagnostic.code)
    line = before.count("\n", 0, diagnostic.span.start) + 1
    fresh = [each for each in new_findings(before, after) if each.code.startswith("F8") or each.code == "F632"]
    fresh = [each for each in fresh if each.code != "F841"]
    if fresh:
        return f"The edit brings another problem: {fresh[0].message}."
    old, new = parsed(before), parsed(after)
    if old is None or new is None:
        return ""
    wanted = [each for each in findings(before) if each.code == code]
    if wanted:
        own = _nearest(wanted, line)
        count = sum(each.message == own.message for each in wanted)
        left = sum(each.code == code and each.message == own.message for each in findings(after))
        return "" if left < count else "The problem is still there."
    counted = _COUNTED.get(code)
    if counted is not None and counted(old):
        return "" if counted(new) < counted(old) else "The problem is still there."
    return "" if _touches(before, after, diagnostic) else "The edit does not touch the place of the problem."


def _nearest(found: list[Finding], line: int) -> Finding:
    return min(found, key=lambda each: abs(each.line - line))


def _touches(before: str, after: str, diagnostic: Diagnostic) -> bool:
    start = before.count("\n", 0, diagnostic.span.start)
    end = before.count("\n", 0, diagnostic.span.end)
    for edit in edits_between(before, after):
        first = before.count("\n", 0, edit.span.start)
        last = before.count("\n", 0, max(edit.span.start, edit.span.end - 1))
        if first <= end + _NEAR_LINES and last >= start - _NEAR_LINES:
            return True
    return False


def _comparisons(tree: ast.AST, *values: object) -> int:
    found = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(each, ast.Eq | ast.NotEq) for each in node.ops):
            sides = [node.left, *node.comparators]
            found += any(
                isinstance(each, ast.Constant) and any(each.value is value for value in values) for each in sides
            )
    return found


def _bare_excepts(tree: ast.AST) -> int:
    return sum(isinstance(each, ast.ExceptHandler) and each.type is None for each in ast.walk(tree))


def _mutable_defaults(tree: ast.AST) -> int:
    functions = [each for each in ast.walk(tree) if isinstance(each, FUNCTION_TYPES)]
    values = [value for each in functions for value in [*each.args.defaults, *each.args.kw_defaults] if value]
    return sum(isinstance(each, ast.List | ast.Dict | ast.Set) for each in values)


def _bound_lambdas(tree: ast.AST) -> int:
    return sum(isinstance(each, ast.Assign) and isinstance(each.value, ast.Lambda) for each in ast.walk(tree))


def _raises_without_cause(tree: ast.AST) -> int:
    handlers = [each for each in ast.walk(tree) if isinstance(each, ast.ExceptHandler)]
    raises = [each for handler in handlers for each in ast.walk(handler) if isinstance(each, ast.Raise)]
    return sum(each.exc is not None and each.cause is None and not isinstance(each.exc, ast.Name) for each in raises)


def _else_behind(kind: type[ast.stmt]) -> Callable[[ast.AST], int]:
    def count(tree: ast.AST) -> int:
        branches = [each for each in ast.walk(tree) if isinstance(each, ast.If) and each.orelse]
        return sum(isinstance(each.body[-1], kind) for each in branches)

    return count


def _branches(tree: ast.AST) -> int:
    return sum(isinstance(each, ast.If) for each in ast.walk(tree))


def _formats(tree: ast.AST) -> int:
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)]
    return sum(each.func.attr == "format" and isinstance(each.func.value, ast.Constant) for each in calls
               if isinstance(each.func, ast.Attribute))  # fmt: skip


def _assigned_returns(tree: ast.AST) -> int:
    """Count ``x = …`` right before ``return x`` at the end of a block."""
    blocks = [
        value for node in ast.walk(tree) for value in (getattr(node, "body", None), getattr(node, "orelse", None))
    ]
    found = 0
    for block in blocks:
        if isinstance(block, list) and len(block) > 1 and isinstance(block[-1], ast.Return):
            value, above = block[-1].value, block[-2]
            is_same = isinstance(value, ast.Name) and isinstance(above, ast.Assign) and len(above.targets) == 1
            target = above.targets[0] if is_same and isinstance(above, ast.Assign) else None
            found += isinstance(target, ast.Name) and isinstance(value, ast.Name) and target.id == value.id
    return found


def _literal_calls(tree: ast.AST) -> int:
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)]
    return sum(each.func.id in {"dict", "list", "tuple"} and not each.args for each in calls
               if isinstance(each.func, ast.Name))  # fmt: skip


def _useless_passes(tree: ast.AST) -> int:
    bodies = [each.body for each in ast.walk(tree) if isinstance(each, (*FUNCTION_TYPES, ast.ClassDef))]
    return sum(isinstance(each, ast.Pass) for body in bodies if len(body) > 1 for each in body)


_COUNTED: Final[Mapping[str, Callable[[ast.AST], int]]] = {
    "B006": _mutable_defaults,
    "B904": _raises_without_cause,
    "C408": _literal_calls,
    "E711": lambda tree: _comparisons(tree, None),
    "E712": lambda tree: _comparisons(tree, True, False),
    "E722": _bare_excepts,
    "E731": _bound_lambdas,
    "PIE790": _useless_passes,
    "RET504": _assigned_returns,
    "RET505": _else_behind(ast.Return),
    "RET506": _else_behind(ast.Raise),
    "RET507": _else_behind(ast.Continue),
    "RET508": _else_behind(ast.Break),
    "SIM102": _branches,
    "SIM108": _branches,
    "UP032": _formats,
}
