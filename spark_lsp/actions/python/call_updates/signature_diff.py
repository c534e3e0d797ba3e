"""The parameters of a function, and what differs between two lists of them. Pure."""

import ast
import warnings
from dataclasses import dataclass
from typing import Literal

Kind = Literal["positional", "either", "rest", "keyword", "named rest"]
"""How a parameter takes its value: by place only, by either, as one of the rest, by name only, as the named rest."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; ``annotation`` and ``default`` as they are written but for blanks, empty for none."""

    name: str
    kind: Kind
    annotation: str = ""
    default: str = ""

    @property
    def by_place(self) -> bool:
        """Whether an argument without a name can reach it."""
        return self.kind in {"positional", "either"}

    @property
    def by_name(self) -> bool:
        """Whether an argument with its name can reach it."""
        return self.kind in {"either", "keyword"}

    @property
    def is_rest(self) -> bool:
        """Whether it takes what no other parameter does."""
        return self.kind in {"rest", "named rest"}


Parameters = tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between a function's parameters as it was and as it is, by the names of its parameters."""

    renamed: tuple[tuple[str, str], ...] = ()
    """Name before and after of a parameter at the same place, with the same annotation and default."""
    added: tuple[Parameter, ...] = ()
    removed: tuple[Parameter, ...] = ()
    reordered: tuple[str, ...] = ()
    """Those that are reached by place in another order among themselves."""
    keyword_only: tuple[str, ...] = ()
    positional_only: tuple[str, ...] = ()
    """Those that have become so."""
    without_default: tuple[str, ...] = ()
    """Those that had a default and have none any more."""

    @property
    def is_mechanical(self) -> bool:
        """Whether what calls have to pass follows from what they pass."""
        return not self.without_default and all(parameter.default or parameter.is_rest for parameter in self.added)

    def __bool__(self) -> bool:
        return self != Difference()


def parameters_of(text: str, *, is_method: bool) -> Parameters | None:
    """Read a parameters from ``def`` to its colon; None when it does not parse. A method's own object is left out."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
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


def _parameter(argument: ast.arg, kind: Kind, default: ast.expr | None) -> Parameter:
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
    """Pair what is gone with what has come at the same place."""
    before, after = {parameter.name for parameter in old}, {parameter.name for parameter in new}
    return tuple(
        (gone.name, come.name)
        for gone, come in zip(old, new, strict=False)
        if gone.name not in after
        and come.name not in before
        and (gone.is_rest, gone.annotation, gone.default) == (come.is_rest, come.annotation, come.default)
        and (not gone.is_rest or gone.kind == come.kind)
    )
