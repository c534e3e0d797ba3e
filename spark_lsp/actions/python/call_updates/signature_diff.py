"""Compare two parameter lists of a function. Pure."""

import ast
from dataclasses import dataclass
from typing import Literal

from spark_lsp.warning_filters import ignored_warnings

ParameterKind = Literal["positional", "either", "rest", "keyword", "named rest"]
"""How a parameter takes its value: positional-only, either, ``*args``, keyword-only, or ``**kwargs``."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; ``annotation`` and ``default`` as written, without blanks, empty for none."""

    name: str
    kind: ParameterKind
    annotation: str = ""
    default: str = ""

    @property
    def by_place(self) -> bool:
        """Whether a positional argument can reach it."""
        return self.kind in {"positional", "either"}

    @property
    def by_name(self) -> bool:
        """Whether a keyword argument can reach it."""
        return self.kind in {"either", "keyword"}

    @property
    def is_rest(self) -> bool:
        """Whether it is ``*args`` or ``**kwargs``."""
        return self.kind in {"rest", "named rest"}


Parameters = tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference between a function's old and new parameters, by their names."""

    renamed: tuple[tuple[str, str], ...] = ()
    """Old and new name of a parameter at the same position, with the same annotation and default."""
    added: tuple[Parameter, ...] = ()
    removed: tuple[Parameter, ...] = ()
    reordered: tuple[str, ...] = ()
    """Positional parameters whose order has changed."""
    keyword_only: tuple[str, ...] = ()
    positional_only: tuple[str, ...] = ()
    """Parameters that have become positional-only."""
    without_default: tuple[str, ...] = ()
    """Parameters that have lost their default."""

    @property
    def is_mechanical(self) -> bool:
        """Whether the new arguments follow from the old ones."""
        return not self.without_default and all(parameter.default or parameter.is_rest for parameter in self.added)

    def __bool__(self) -> bool:
        return self != Difference()


def parameters_of(text: str, *, is_method: bool) -> Parameters | None:
    """Parse the parameters from ``def`` to its colon, without ``self``; None if they do not parse."""
    try:
        with ignored_warnings():
            tree = ast.parse(f"{text} pass")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    function = tree.body[0] if len(tree.body) == 1 else None
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    parameters = _parameters(function.args)
    if not is_method:
        return parameters
    return parameters[1:] if parameters and parameters[0].by_place else None


def _parameters(args: ast.arguments) -> Parameters:
    places = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [None] * (len(places) - len(args.defaults))
    parameters = [
        _parameter(parameter, "positional" if number < len(args.posonlyargs) else "either", default)
        for number, (parameter, default) in enumerate(zip(places, [*defaults, *args.defaults], strict=True))
    ]
    parameters += [_parameter(args.vararg, "rest", None)] if args.vararg else []
    parameters += [
        _parameter(parameter, "keyword", default)
        for parameter, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)
    ]
    parameters += [_parameter(args.kwarg, "named rest", None)] if args.kwarg else []
    return tuple(parameters)


def _parameter(argument: ast.arg, kind: ParameterKind, default: ast.expr | None) -> Parameter:
    annotation = ast.unparse(argument.annotation) if argument.annotation else ""
    return Parameter(argument.arg, kind, annotation, ast.unparse(default) if default is not None else "")


def difference(old: Parameters, new: Parameters) -> Difference:
    """Compare two parameter lists."""
    renamed = _renamed(old, new)
    now = {parameter.name: parameter for parameter in new}
    gone_as = dict(renamed)
    fresh = {name for _, name in renamed}
    was = {gone_as.get(parameter.name, parameter.name): parameter for parameter in old}
    kept = [parameter for parameter in new if parameter.name in was and not parameter.is_rest]
    order = [gone_as.get(parameter.name, parameter.name) for parameter in old if parameter.by_place]
    places = [parameter.name for parameter in kept if parameter.by_place and was[parameter.name].by_place]
    before = [name for name in order if name in places]
    return Difference(
        renamed,
        tuple(parameter for parameter in new if parameter.name not in was and parameter.name not in fresh),
        tuple(parameter for parameter in old if gone_as.get(parameter.name, parameter.name) not in now),
        tuple(name for name, old_name in zip(places, before, strict=True) if name != old_name),
        tuple(
            parameter.name
            for parameter in kept
            if parameter.kind == "keyword" and was[parameter.name].kind != "keyword"
        ),
        tuple(
            parameter.name
            for parameter in kept
            if parameter.kind == "positional" and was[parameter.name].kind != "positional"
        ),
        tuple(parameter.name for parameter in kept if was[parameter.name].default and not parameter.default),
    )


def _renamed(old: Parameters, new: Parameters) -> tuple[tuple[str, str], ...]:
    """Pair removed and added parameters at the same position."""
    before, after = {parameter.name for parameter in old}, {parameter.name for parameter in new}
    return tuple(
        (gone.name, come.name)
        for gone, come in zip(old, new, strict=False)
        if gone.name not in after
        and come.name not in before
        and (gone.is_rest, gone.annotation, gone.default) == (come.is_rest, come.annotation, come.default)
        and (not gone.is_rest or gone.kind == come.kind)
    )
