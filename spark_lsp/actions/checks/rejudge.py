"""Decide whether an edit removed a diagnostic, without the tool that reported it. Pure.

Runs pyflakes again; for some other well-known rules, counts the pattern in the syntax tree.
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
"""Lines between a diagnostic and the edit that fixes it: the finding may be about the enclosing statement."""


def fix_problem(before: str, after: str, diagnostic: Diagnostic) -> str:
    """Say in one sentence why an edit does not fix a diagnostic of a Python file; empty if it may."""
    code = _PYRIGHT.get(diagnostic.code, diagnostic.code)
    line = before.count("\n", 0, diagnostic.span.start) + 1
    fresh = [
        finding for finding in new_findings(before, after) if finding.code.startswith("F8") or finding.code == "F632"
    ]
    fresh = [finding for finding in fresh if finding.code != "F841"]
    if fresh:
        return f"The edit introduces another problem: {fresh[0].message}."
    old, new = parsed(before), parsed(after)
    if old is None or new is None:
        return ""
    wanted = [finding for finding in findings(before) if finding.code == code]
    if wanted:
        own = _nearest(wanted, line)
        count = sum(finding.message == own.message for finding in wanted)
        left = sum(finding.code == code and finding.message == own.message for finding in findings(after))
        return "" if left < count else "The problem is still there."
    counted = _COUNTED.get(code)
    if counted is not None and counted(old):
        return "" if counted(new) < counted(old) else "The problem is still there."
    return "" if _touches(before, after, diagnostic) else "The edit does not change the code of the problem."


def _nearest(candidates: list[Finding], line: int) -> Finding:
    return min(candidates, key=lambda finding: abs(finding.line - line))


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
    count = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops):
            sides = [node.left, *node.comparators]
            count += any(
                isinstance(side, ast.Constant) and any(side.value is value for value in values) for side in sides
            )
    return count


def _bare_excepts(tree: ast.AST) -> int:
    return sum(isinstance(node, ast.ExceptHandler) and node.type is None for node in ast.walk(tree))


def _mutable_defaults(tree: ast.AST) -> int:
    functions = [node for node in ast.walk(tree) if isinstance(node, FUNCTION_TYPES)]
    values = [
        value for function in functions for value in [*function.args.defaults, *function.args.kw_defaults] if value
    ]
    return sum(isinstance(value, ast.List | ast.Dict | ast.Set) for value in values)


def _bound_lambdas(tree: ast.AST) -> int:
    return sum(isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda) for node in ast.walk(tree))


def _raises_without_cause(tree: ast.AST) -> int:
    handlers = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
    raises = [node for handler in handlers for node in ast.walk(handler) if isinstance(node, ast.Raise)]
    return sum(
        raise_.exc is not None and raise_.cause is None and not isinstance(raise_.exc, ast.Name) for raise_ in raises
    )


def _else_behind(kind: type[ast.stmt]) -> Callable[[ast.AST], int]:
    def count(tree: ast.AST) -> int:
        branches = [node for node in ast.walk(tree) if isinstance(node, ast.If) and node.orelse]
        return sum(isinstance(branch.body[-1], kind) for branch in branches)

    return count


def _branches(tree: ast.AST) -> int:
    return sum(isinstance(node, ast.If) for node in ast.walk(tree))


def _formats(tree: ast.AST) -> int:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return sum(call.func.attr == "format" and isinstance(call.func.value, ast.Constant) for call in calls
               if isinstance(call.func, ast.Attribute))  # fmt: skip


def _assigned_returns(tree: ast.AST) -> int:
    """Count ``x = …`` right before ``return x`` at the end of a block."""
    blocks = [
        value for node in ast.walk(tree) for value in (getattr(node, "body", None), getattr(node, "orelse", None))
    ]
    count = 0
    for block in blocks:
        if isinstance(block, list) and len(block) > 1 and isinstance(block[-1], ast.Return):
            value, above = block[-1].value, block[-2]
            is_same = isinstance(value, ast.Name) and isinstance(above, ast.Assign) and len(above.targets) == 1
            target = above.targets[0] if is_same and isinstance(above, ast.Assign) else None
            count += isinstance(target, ast.Name) and isinstance(value, ast.Name) and target.id == value.id
    return count


def _literal_calls(tree: ast.AST) -> int:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return sum(call.func.id in {"dict", "list", "tuple"} and not call.args for call in calls
               if isinstance(call.func, ast.Name))  # fmt: skip


def _useless_passes(tree: ast.AST) -> int:
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, (*FUNCTION_TYPES, ast.ClassDef))]
    return sum(isinstance(statement, ast.Pass) for body in bodies if len(body) > 1 for statement in body)


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
