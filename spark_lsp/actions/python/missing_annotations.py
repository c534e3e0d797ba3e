"""Find a function's missing types, infer the certain ones, and compute the edit for a type. Pure."""

import ast
import builtins
import keyword
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.checks.functions import Function
from spark_lsp.actions.python.analysis.scopes import FUNCTIONS, names_of
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.actions.python.analysis.walks import nodes_of
from spark_lsp.text.edit import Edit, Span, apply_edits

PLAIN_TYPES: Final = ("int", "str", "float", "bool", "bytes", "object", "list", "dict", "set", "tuple", "frozenset")
RETURNS: Final = " -> "
"""The text before a return type."""
_CONSTANTS: Final = {int: "int", str: "str", float: "float", bool: "bool", bytes: "bytes"}


@dataclass(frozen=True, slots=True)
class MissingAnnotation:
    """A place without a type: ``lead`` + the type goes to ``at``. ``known`` is the type if it is certain.

    ``is_optional`` if the parameter's default is None.
    """

    at: int
    lead: str
    known: str = ""
    is_optional: bool = False
    opens_default: bool = False
    """Whether an equals sign without blanks follows; beside a type it gets blanks."""

    def edit(self, text: str) -> Edit:
        """Return the edit that inserts a type there."""
        has_none = not self.is_optional or "None" in text or text in {"object", "Any"}
        tail = " = " if self.opens_default else ""
        span = Span(self.at, self.at + int(self.opens_default))
        return Edit(span, f"{self.lead}{text}{'' if has_none else ' | None'}{tail}")


def missing_annotations(source: Source, function: Function, end: int) -> list[MissingAnnotation]:
    """Return the missing types of a function in order, the return type last; the parameters end at ``end``."""
    args = function.args
    is_method = isinstance(source.parent(function), ast.ClassDef)
    is_static = any(
        isinstance(decorator, ast.Name) and decorator.id == "staticmethod" for decorator in function.decorator_list
    )
    given = [*args.posonlyargs, *args.args]
    last = zip(reversed(given), reversed(args.defaults), strict=False)
    defaults: dict[int, ast.expr] = {id(argument): value for argument, value in last}
    named = zip(args.kwonlyargs, args.kw_defaults, strict=True)
    defaults |= {id(argument): value for argument, value in named if value is not None}
    if is_method and not is_static:
        given = given[1:]
    wanted = [*given, *args.kwonlyargs, *(parameter for parameter in (args.vararg, args.kwarg) if parameter)]
    all_missing = []
    for argument in wanted:
        if argument.annotation is None:
            default = defaults.get(id(argument))
            is_none = isinstance(default, ast.Constant) and default.value is None
            is_count = isinstance(default, ast.Constant) and type(default.value) is int  # it may stand for a float
            known = "" if is_count else type_of(default)
            at = source.span(argument).end
            opens = source.text[at : at + 1] == "=" and not source.text[at + 1 : at + 2].isspace()
            all_missing.append(MissingAnnotation(at, ": ", known, is_none, opens))
    all_missing.sort(key=lambda missing: missing.at)
    if function.returns is None:
        all_missing.append(MissingAnnotation(end, RETURNS, _returned(function)))
    return all_missing


def type_of(node: ast.expr | None) -> str:
    """Return the certain type of a value, empty if it is not plain."""
    if isinstance(node, ast.Constant):
        return _CONSTANTS.get(type(node.value), "")
    if isinstance(node, ast.JoinedStr):
        return "str"
    if isinstance(node, ast.UnaryOp):
        return "bool" if isinstance(node.op, ast.Not) else type_of(node.operand)
    is_identity = isinstance(node, ast.Compare) and all(
        isinstance(operator, ast.Is | ast.IsNot) for operator in node.ops
    )
    return "bool" if is_identity else ""


def _returned(function: Function) -> str:
    """Return the certain return type of a function; none for a generator or a placeholder."""
    own = [node for statement in function.body for node in nodes_of(statement, itself=True)]
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own):
        return ""
    values = [node.value for node in own if isinstance(node, ast.Return)]
    if all(value is None for value in values):
        return "" if all(_is_placeholder(statement) for statement in function.body) else "None"
    kinds = {type_of(value) for value in values}
    ends = isinstance(function.body[-1], ast.Return)
    return kinds.pop() if len(kinds) == 1 and ends and None not in values else ""


def _is_placeholder(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass | ast.Raise) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def names_for_types(source: Source, function: Function) -> list[str]:
    """Return the names allowed in a type: plain types, and classes that exist at the function."""
    top = source.top_statement_of(function)
    candidates = [*PLAIN_TYPES, "None"]
    hidden = _hidden(source, function)
    for statement in source.tree.body[: source.tree.body.index(top)]:
        if isinstance(statement, ast.ClassDef):
            candidates.append(statement.name)
        elif isinstance(statement, ast.ImportFrom) and statement.module != "__future__":
            names = [alias.asname or alias.name for alias in statement.names]
            candidates += [name for name in names if name[:1].isupper() and not name.isupper()]
    return [
        name
        for name in dict.fromkeys(candidates)
        if name not in hidden and not (keyword.iskeyword(name) and name != "None")
    ]


def _hidden(source: Source, function: Function) -> set[str]:
    """Return the names with an unusual meaning where the function's annotations are evaluated."""
    hidden = set(names_of(function).local)
    around = source.scope_of(function)
    if isinstance(around, ast.ClassDef):
        hidden |= names_of(around).bound
    for scope in (around, *source.scopes_around(around)):
        if isinstance(scope, FUNCTIONS):
            hidden |= names_of(scope).local
    return hidden | (names_of(source.tree).bound & {*PLAIN_TYPES})


def grammar_of(names: Collection[str]) -> str:
    """Return a grammar of a Python type made of these names, and of the text that may follow it."""
    alternatives = " | ".join(f'"{name}"' for name in names)
    return (
        'root ::= type ("," | ")" | " =" | ":")?\n'
        'type ::= one (" | " one)?\n'
        'one ::= name ("[" part (", " part)? "]")?\n'
        'part ::= name ("[" name (", " name)? "]")?\n'
        f"name ::= {alternatives}"
    )


def is_faithful(source: Source, edits: Collection[Edit]) -> bool:
    """Whether the edited document is the old one except for annotations."""
    try:
        after = ast.parse(apply_edits(source.text, edits))
    except (SyntaxError, ValueError, RecursionError):
        return False
    return ast.dump(_bare(after)) == ast.dump(_bare(ast.parse(source.text)))


def _bare(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
    return tree


def is_a_type(text: str, names: Collection[str]) -> bool:
    """Whether a text is a type made only of these names, each with the right number of arguments."""
    try:
        node = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return False
    used = {descendant.id for descendant in ast.walk(node) if isinstance(descendant, ast.Name)}
    sizes = {"list": 1, "set": 1, "frozenset": 1, "dict": 2}
    for descendant in ast.walk(node):
        if isinstance(descendant, ast.Subscript) and isinstance(descendant.value, ast.Name):
            parts = len(descendant.slice.elts) if isinstance(descendant.slice, ast.Tuple) else 1
            if sizes.get(descendant.value.id, parts) != parts or descendant.value.id in set(PLAIN_TYPES[:6]):
                return False
    return used <= {*names, *(set(dir(builtins)) - {*PLAIN_TYPES})}
