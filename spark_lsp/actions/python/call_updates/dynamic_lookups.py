"""Find lookups by a computed name that may reach a function. Pure.

The literal parts of the name decide: ``getattr(self, f"visit_{kind}")`` may look up any name that begins with
``visit_``. If no part is literal, every object that may have the function counts.
"""

import ast
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from spark_lsp.actions.python.analysis.call_sites import CallIssue, dotted
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.actions.python.analysis.walks import named_by

MAY_ASK: Final = re.compile(
    r"""\b(?:attrgetter|getattr|methodcaller)\s*\((?!\s*[^,()]+,\s*(?:"[^"]*"|'[^']*')\s*[,)])
    |(?:\bglobals\(\)|\blocals\(\)|\bvars\([^()]*\)|__dict__)\s*(?:\[|\.get\b)""",
    re.VERBOSE,
)
"""Words in a file that may look up names other than literal ones."""
_MIN_PIECE: Final = 3
"""Letters in the literal parts that distinguish names; fewer are ignored."""
_MAX_STEPS: Final = 4
_SPACES: Final = frozenset({"globals", "locals", "vars"})
_SAME_LETTERS: Final = frozenset({"capitalize", "casefold", "lower", "strip", "lstrip", "rstrip", "title", "upper"})
_TAKES_VALUES: Final = frozenset(
    {"bool", "dict", "float", "hash", "int", "isinstance", "len", "list", "print", "repr", "set", "setattr", "str"}
)
_HOLE = re.compile(r"\{[^{}]*\}|%(?:\(\w*\))?[-#0-9. +]*[a-zA-Z]")

Pieces = tuple[str, ...]
"""The literal parts of a name, with anything between them and none at known ends."""
_ANY: Final[Pieces] = ("", "")


def asked_for(source: Source, names: Collection[str], is_home: Callable[[ast.expr | None], bool]) -> CallIssue | None:
    """Return where one of the names may be looked up by a computed text.

    ``is_home`` tells whether an object may have the function; None stands for the names of the file itself.
    """
    for site, holder, asked in _sites(source):
        for pieces in _texts(source, asked, _MAX_STEPS):
            if len(pieces) == 1:
                is_it = pieces[0].rpartition(".")[2] in names
            elif sum(len(re.sub(r"\W|_", "", piece)) for piece in pieces) >= _MIN_PIECE:
                is_it = any(_fits(pieces, name) for name in names)
            else:
                is_it = any(_fits(pieces, name) for name in names) and is_home(holder) and _goes_on(source, site)
            if is_it:
                return CallIssue(site.lineno, f"{_name_for(pieces, names)} may be looked up by the text of its name")
    return None


def _name_for(pieces: Pieces, names: Collection[str]) -> str:
    return min(name for name in names if len(pieces) == 1 or _fits(pieces, name))


def _fits(pieces: Pieces, name: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pieces)), name, re.IGNORECASE) is not None


def _sites(source: Source) -> Iterator[tuple[ast.expr, ast.expr | None, ast.expr]]:
    """Yield the lookup, its object, and its name."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            asked = named_by(node.func)
            if asked == "getattr" and len(node.args) > 1:
                yield node, node.args[0], node.args[1]
            elif asked in {"attrgetter", "methodcaller"} and node.args:
                yield node, ast.Constant(None), node.args[0]
            elif asked == "get" and node.args and isinstance(node.func, ast.Attribute):
                yield from ((node, expression, node.args[0]) for expression in _space(node.func.value))
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            yield from ((node, expression, node.slice) for expression in _space(node.value))


def _space(node: ast.expr) -> Iterator[ast.expr | None]:
    """Yield the owner of a dictionary of names: an object, or None for the file; nothing for another dictionary."""
    if isinstance(node, ast.Attribute) and node.attr == "__dict__":
        yield node.value
    elif isinstance(node, ast.Call) and dotted(node.func) in _SPACES:
        yield node.args[0] if node.args else None


def _texts(source: Source, node: ast.expr, steps: int) -> Iterator[Pieces]:
    """Yield the possible texts, as far as they are literal."""
    ways: list[ast.expr | None] = []
    if isinstance(node, ast.IfExp | ast.BoolOp):
        ways += [node.body, node.orelse] if isinstance(node, ast.IfExp) else node.values
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _SAME_LETTERS:
        ways += [node.func.value]
    elif isinstance(node, ast.Name) and steps > 0:
        ways += _values(source, node.id)
    else:
        yield _written(node)
    for way in ways:
        if way is None:
            yield _ANY
        else:
            yield from _texts(source, way, steps - 1)


def _written(node: ast.expr) -> Pieces:
    """Return the literal parts of one text."""
    if isinstance(node, ast.JoinedStr):
        return _joined(node.values)
    if isinstance(node, ast.BinOp):
        return _format(node.left) if isinstance(node.op, ast.Mod) else _joined(_summands(node))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return _format(node.func.value)
    return _joined([node])


def _values(source: Source, name: str) -> Iterator[ast.expr | None]:
    """Yield the values assigned to a variable of the file, None for a computed one."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.arg) and node.arg == name:
            yield None
        if not isinstance(node, ast.Name) or node.id != name or not isinstance(node.ctx, ast.Store):
            continue
        parent = source.parent(node)
        iterated = parent.iter if isinstance(parent, ast.For | ast.comprehension) else None
        if isinstance(parent, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            yield parent.value
        elif isinstance(iterated, ast.List | ast.Tuple | ast.Set):
            yield from iterated.elts
        else:
            yield None


def _summands(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_summands(node.left), *_summands(node.right)]
    return [node]


def _joined(parts: Sequence[ast.expr]) -> Pieces:
    """Return the literal parts of a computed text, with gaps for the rest."""
    pieces = [""]
    for part in parts:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            pieces[-1] += part.value
        else:
            pieces.append("")
    return tuple(pieces)


def _format(node: ast.expr) -> Pieces:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return _ANY
    return tuple(_HOLE.split(node.value))


def _goes_on(source: Source, site: ast.expr) -> bool:
    """Whether the looked-up object may be called: it is called, or passed on, and not only used as a value."""
    parent = source.parent(site)
    if isinstance(parent, ast.Call):
        return parent.func is site or named_by(parent.func) not in _TAKES_VALUES
    if isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name):
        name = parent.targets[0].id
        return any(
            (isinstance(node, ast.Call) and dotted(node.func) == name)
            or (isinstance(node, ast.Return) and node.value is not None and dotted(node.value) == name)
            for node in ast.walk(source.tree)
        )
    return isinstance(parent, ast.Return | ast.Yield | ast.Lambda | ast.DictComp | ast.keyword | ast.Dict)
