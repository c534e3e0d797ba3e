"""Decide whether a function's decorators ignore its code; some compile, translate or reject it. Pure."""

import ast
from typing import Final

from spark_lsp.actions.python.analysis.source import Scope, Source
from spark_lsp.actions.python.analysis.walks import named_by
from spark_lsp.actions.refusal import Refusal

_CODE_COMPILERS: Final = frozenset(
    {
        *("autograph", "compile", "cfunc", "cuda", "function", "guvectorize", "jit", "jitclass", "kernel", "njit"),
        *("numba", "parallel", "pjit", "pure", "script", "stencil", "taichi", "triton", "vectorize"),
    }
)
"""Decorators of common packages that read the code of the function, by their names or the module's."""


def unknown_decorator(source: Source, scope: Scope) -> Refusal | None:
    """Return the decorator that may read a function's code; None if none does.

    A decorator of the document was examined with the document; others are judged by name.
    """
    for decorator in getattr(scope, "decorator_list", []):
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        words = {named_by(node) for node in ast.walk(called)}
        defined = {getattr(statement, "name", "") for statement in source.tree.body}
        if words & _CODE_COMPILERS and not words & defined:
            return Refusal("reflection", f"The decorator {ast.unparse(called)} may read the code of the function.")
    return None
