"""Change a function's signature as a developer may, and keep its calls.

The function still does the same with its arguments; a renamed parameter gets its old name inside.
"""

import ast
import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.definition import CALLABLES, definition_at
from spark_lsp.actions.python.analysis.source import Source, source_of
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.syntax import Syntax

Function = ast.FunctionDef | ast.AsyncFunctionDef
FRESH: Final = "fresh_value"
"""The name of what is added or renamed; no package has it."""


@dataclass(frozen=True, slots=True)
class SignatureEdit:
    """``text`` is the document with the changed signature, ``at`` an offset in that signature."""

    kind: str
    text: str
    at: int


def edit_signature(syntax: Syntax, name: str, dice: random.Random) -> SignatureEdit | None:
    """Change the signature of the function with that full name; None if no change is possible."""
    source = source_of(syntax)
    function = function_named(source, name) if source is not None else None
    if source is None or function is None or FRESH in source.text_of(function):
        return None
    kinds = [*_CHANGES]
    dice.shuffle(kinds)
    for kind in kinds:
        changed = copy.deepcopy(function.args)
        old = _CHANGES[kind](changed, function, _own_count(source, function), dice)
        if old is None:
            continue
        edited = _written(source, syntax, function, changed, old)
        if edited is not None:
            return SignatureEdit(kind, *edited)
    return None


def function_named(source: Source, name: str) -> Function | None:
    """Return the function of a full name within classes; None if there is none, or more than one."""
    scopes: list[ast.AST] = [source.tree]
    for part in name.split("."):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        inner = [
            descendant
            for node in scopes
            for descendant in ast.walk(node)
            if isinstance(descendant, kinds) and descendant.name == part
        ]
        scopes = [scope for scope in inner if source.scope_of(scope) in scopes]
    only = scopes[0] if len(scopes) == 1 else None
    return only if isinstance(only, ast.FunctionDef | ast.AsyncFunctionDef) else None


def _own_count(source: Source, function: Function) -> int:
    """Return how many parameters are the object's own: one for a method that is not static."""
    is_static = any(
        isinstance(decorator, ast.Name) and decorator.id == "staticmethod" for decorator in function.decorator_list
    )
    return 1 if isinstance(source.parent(function), ast.ClassDef) and not is_static else 0


def _written(
    source: Source, syntax: Syntax, function: Function, changed: ast.arguments, old: str
) -> tuple[str, int] | None:
    """Return the document with these parameters, and the offset of the function's name."""
    start = source.span(function).end - 1
    definition = next(
        (candidate for candidate in _definitions(syntax, start) if candidate[0].start == source.span(function).start),
        None,
    )
    if definition is None:
        return None
    parameters, name_at = definition[1], definition[2]
    edits = [Edit(parameters, f"({ast.unparse(changed)})")]
    if old:
        line = _line_for(source, function)
        if line is None:
            return None
        edits.append(Edit(Span(line[0], line[0]), f"{line[1]}{old} = {FRESH}\n"))
    text = apply_edits(source.text, edits)
    try:
        compile(text, "document", "exec", dont_inherit=True)
    except SyntaxError:
        return None
    return text, name_at


def _definitions(syntax: Syntax, offset: int) -> Iterator[tuple[Span, Span, int]]:
    """Yield span, parameters and name offset of the functions around an offset."""
    while (definition := definition_at(syntax, offset, CALLABLES)) is not None:
        parameters, name = (definition.inner.child_by_field_name(field) for field in ("parameters", "name"))
        if parameters is not None and name is not None:
            yield definition.whole.span, syntax.wrap(parameters).span, syntax.wrap(name).span.start
        if definition.whole.span.start == 0:
            return
        offset = definition.whole.span.start - 1


def _line_for(source: Source, function: Function) -> tuple[int, str] | None:
    """Return where the first line of a function's body can be inserted, and its indentation."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    if not body:
        return None
    start = source.span(body[0]).start
    line = source.text.rfind("\n", 0, start) + 1
    indent = source.text[line:start]
    return (line, indent) if indent and not indent.strip() else None


Change = Callable[[ast.arguments, Function, int, random.Random], str | None]
"""Changes parameters in place; returns the old name of a renamed one, empty for none, None if it is impossible."""


def _renamed(args: ast.arguments, _function: Function, own: int, dice: random.Random) -> str | None:
    choices = [*[*args.posonlyargs, *args.args][own:], *args.kwonlyargs]
    if not choices:
        return None
    chosen = dice.choice(choices)
    old, chosen.arg = chosen.arg, FRESH
    return old


def _swapped(args: ast.arguments, _function: Function, own: int, dice: random.Random) -> str | None:
    """Swap two that both have a default, or both none."""
    first = max(0, own - len(args.posonlyargs))
    required = len(args.args) - len(args.defaults)
    pairs = [n for n in range(first, len(args.args) - 1) if (n < required) == (n + 1 < required)]
    if not pairs:
        return None
    at = dice.choice(pairs)
    args.args[at], args.args[at + 1] = args.args[at + 1], args.args[at]
    if at >= required:
        first_default, second_default = at - required, at + 1 - required
        args.defaults[first_default], args.defaults[second_default] = (
            args.defaults[second_default],
            args.defaults[first_default],
        )
    return ""


def _added(args: ast.arguments, _function: Function, own: int, dice: random.Random) -> str | None:
    """Add one with a default before those that have one, or at the end."""
    required = max(len(args.args) - len(args.defaults), 0, own - len(args.posonlyargs))
    if len(args.defaults) > len(args.args) or (args.vararg is not None and not args.defaults):
        return None
    at = dice.randint(required, len(args.args) if args.vararg is None else required)
    args.args.insert(at, ast.arg(FRESH))
    args.defaults.insert(at - required, ast.Constant(None))
    return ""


def _by_name_only(args: ast.arguments, _function: Function, own: int, dice: random.Random) -> str | None:
    first = max(0, own - len(args.posonlyargs))
    if args.vararg is not None or args.kwonlyargs or len(args.args) <= first or len(args.defaults) > len(args.args):
        return None
    at = dice.randrange(first, len(args.args))
    moved = args.args[at:]
    kept = len(args.args) - len(args.defaults)
    defaults: list[ast.expr | None] = [
        args.defaults[n - kept] if n >= kept else None for n in range(at, at + len(moved))
    ]
    args.args = args.args[:at]
    args.defaults = args.defaults[: max(0, at - kept)]
    args.kwonlyargs, args.kw_defaults = moved, defaults
    return ""


def _by_place_only(args: ast.arguments, _function: Function, own: int, _dice: random.Random) -> str | None:
    if args.posonlyargs or len(args.args) <= own:
        return None
    args.posonlyargs, args.args = args.args[: own + 1], args.args[own + 1 :]
    return ""


def _removed(args: ast.arguments, function: Function, own: int, dice: random.Random) -> str | None:
    """Remove one that the function does not use."""
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    required = len(args.args) - len(args.defaults)
    first = max(0, own - len(args.posonlyargs))
    unused = [n for n in range(first, len(args.args)) if args.args[n].arg not in names]
    if not unused or len(args.defaults) > len(args.args) or names & {"locals", "vars", "eval"}:
        return None
    at = dice.choice(unused)
    del args.args[at]
    if at >= required:
        del args.defaults[at - required]
    return ""


_CHANGES: Final[dict[str, Change]] = {
    "another name": _renamed,
    "another order": _swapped,
    "one more with a default": _added,
    "by name only": _by_name_only,
    "by place only": _by_place_only,
    "one less": _removed,
}
