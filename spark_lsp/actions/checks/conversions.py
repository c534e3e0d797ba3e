"""Check that rewritten Python formats its values as before: ``repr``, widths, precisions, number bases. Pure.

Small models turn ``"%r" % x`` into an f-string without ``!r``, and drop precisions.
"""

import ast
import re
import string
from collections import Counter
from collections.abc import Iterator
from typing import Final

from spark_lsp.actions.checks.functions import called_name

_PERCENT: Final = re.compile(
    r"%(?:\((?P<name>[^()]*)\))?(?P<spec>[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d*))?)[hlL]?(?P<type>.)"
)
"""A conversion of printf-style formatting, as Python's library reference defines it."""
_INSTRUCTED: Final = re.compile(r"\brepr|\bround|\b(?:digit|decimal|width|pad|align|precision|hex)", re.IGNORECASE)
"""Words of an instruction that asks for another format."""


def conversion_problem(old: ast.AST, new: ast.AST, instruction: str = "") -> str:
    """Say which conversion of a value is gone; empty for none, and where the user's instruction is about formats."""
    lost = Counter(_conversions(old)) - Counter(_conversions(new))
    if not lost or _INSTRUCTED.search(instruction):
        return ""
    return f"A value would not be formatted with {min(lost)} any more."


def _conversions(tree: ast.AST) -> Iterator[str]:
    """Yield each conversion that is not plain ``str``, written as in an f-string: ``!r``, ``:.2f``, ``:>10``."""
    for node in ast.walk(tree):
        yield from (conversion for conversion in _of_node(node) if conversion)


def _of_node(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and (text := _text(node.left)) is not None:
        for conversion in _PERCENT.finditer(text):
            yield _percent(conversion["spec"], conversion["type"])
    elif isinstance(node, ast.FormattedValue):
        if node.conversion in {ord("r"), ord("a")}:
            yield f"!{chr(node.conversion)}"
        spec = node.format_spec.values if isinstance(node.format_spec, ast.JoinedStr) else []
        yield _spec("".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in spec))
    elif isinstance(node, ast.Call):
        yield from _of_call(node)


def _of_call(call: ast.Call) -> Iterator[str]:
    name = called_name(call)
    if isinstance(call.func, ast.Name) and name in {"repr", "ascii"}:
        yield f"!{name[0]}"
    elif isinstance(call.func, ast.Name) and name == "format" and len(call.args) > 1:
        yield _spec(_text(call.args[1]) or "*")
    elif isinstance(call.func, ast.Attribute) and name == "format" and (text := _text(call.func.value)) is not None:
        try:
            fields = list(string.Formatter().parse(text))
        except ValueError:
            return
        for _literal, field, spec, conversion in fields:
            if field is not None:
                yield f"!{conversion}" if conversion in {"r", "a"} else ""
                yield _spec(re.sub(r"\{[^{}]*\}", "*", spec or ""))


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _percent(spec: str, kind: str) -> str:
    """Write a printf-style conversion as a format specification."""
    if kind == "%":
        return ""
    if kind in {"r", "a"}:
        return f"!{kind}"  # its width is rare, and an f-string writes it apart
    kind = {"s": "", "i": "", "u": "", "d": ""}.get(kind, kind)
    left = "-" in spec
    spec = spec.replace("-", "", 1).replace(" ", "", 1)
    if kind in {"", "o", "x", "X"}:  # a precision of a whole number is a width with zeros, and str has none
        spec = re.sub(r"^0?\.(\d+)$", r"0\1", spec) if kind else spec
        spec = re.sub(r"^0\.$", "", spec)
    spec += "0" if spec.endswith(".") else ""
    return _spec(("<" if left else "") + spec + kind)


def _spec(spec: str) -> str:
    """Return a specification in its shortest form: the usual alignment and type go, and a width of zero."""
    spec = re.sub(r"^(?:>(?=[1-9*])|0(?=\.))", "", spec)
    spec = re.sub(r"[ds]$", "", spec)
    return f":{spec}" if spec else ""
