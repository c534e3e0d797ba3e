"""Derive a plain name from a value or a comment, without a model. Pure."""

import ast
import re
from typing import Final

from spark_lsp.actions.python.names import is_usable

_WORDS_OF_NO_USE: Final = frozenset(
    {"a", "an", "the", "of", "to", "and", "for", "in", "is", "it", "we", "this", "that"}
)
_NO_USE: Final = frozenset({"a", "an", "the", "of", "to", "and", "for", "in", "is", "it", "we", "this", "that"})
_VERBS: Final = ("get_", "compute_", "make_", "build_", "create_", "find_", "read_", "load_", "fetch_", "parse_", "to_")
_OPERATORS: Final[dict[type[ast.AST], str]] = {
    ast.Add: "total",
    ast.Sub: "difference",
    ast.Mult: "product",
    ast.Div: "ratio",
    ast.FloorDiv: "quotient",
    ast.Mod: "remainder",
    ast.Pow: "power",
}


_CONSTANTS: Final[dict[type, str]] = {str: "text", bytes: "data", bool: "flag", int: "number", float: "number"}
_KINDS: Final = {
    **dict.fromkeys(("Compare", "BoolOp"), "condition"),
    **dict.fromkeys(("Dict", "DictComp"), "mapping"),
    **dict.fromkeys(("List", "Tuple", "Set"), "items"),
    "JoinedStr": "text",
    "Lambda": "function",
}


def name_of_value(node: ast.expr) -> str:
    """Return a name for a value: ``user`` for ``get_user(1)``, ``total`` for a sum."""
    if isinstance(node, ast.Call | ast.Attribute | ast.Name):
        return _noun(_last_name(node))
    if isinstance(node, ast.Subscript):
        is_key = isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
        return _tidy(str(getattr(node.slice, "value", ""))) if is_key else _tidy(_single(_last_name(node.value)))
    if isinstance(node, ast.BinOp | ast.Constant):
        return _OPERATORS.get(type(node.op), "value") if isinstance(node, ast.BinOp) else _constant(node)
    if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp):
        return _plural(name_of_value(node.elt))
    return name_of_value(node.value) if isinstance(node, ast.Await) else _KINDS.get(type(node).__name__, "value")


def _constant(node: ast.Constant) -> str:
    return _CONSTANTS.get(type(node.value), "value")


def name_of_comment(text: str) -> str:
    """Return the words of a comment as a name, empty if they make none."""
    words = [word for word in re.findall(r"[a-z]+", text.lower()) if word not in _NO_USE]
    return "_".join(words[:3]) if words and words[0].isidentifier() else ""


def _noun(name: str) -> str:
    for verb in _VERBS:
        name = name.removeprefix(verb)
    return _tidy(name)


def _single(name: str) -> str:
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") and len(name) > 2 else f"{name}_item"


def _plural(name: str) -> str:
    return name if name.endswith("s") else name + "s"


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    if isinstance(node, ast.Subscript):
        return _single(_last_name(node.value))
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "value")


def _tidy(name: str) -> str:
    """Return a name in the usual spelling, or ``value`` if nothing is left of it."""
    spelled = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    spelled = re.sub(r"\W+", "_", spelled).strip("_")
    return spelled if spelled and spelled.isidentifier() and is_usable(spelled) and len(spelled) > 1 else "value"
