"""Bind a call's arguments to parameters, and compute the arguments for changed parameters. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from spark_lsp.actions.python.call_updates.signature_diff import Difference, Parameters


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: its index in the written call, and its keyword, if any."""

    number: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class BoundArguments:
    """The arguments of a call, by index."""

    named: tuple[tuple[str, int], ...]
    """Bound parameters, in the order of their names."""
    rest: tuple[int, ...] = ()
    named_rest: tuple[tuple[str, int], ...] = ()


def bind(arguments: Sequence[Argument], parameters: Parameters) -> BoundArguments | None:
    """Return which argument reaches which parameter, None if the call would fail."""
    places = [parameter for parameter in parameters if parameter.by_place]
    names = {parameter.name for parameter in parameters if parameter.by_name}
    kinds = {parameter.kind for parameter in parameters}
    given = [argument.number for argument in arguments if not argument.name]
    numbers = {parameter.name: number for parameter, number in zip(places, given, strict=False)}
    rest = tuple(given[len(places) :])
    more: list[tuple[str, int]] = []
    for argument in arguments:
        if not argument.name:
            continue
        if argument.name in names:
            if argument.name in numbers:
                return None
            numbers[argument.name] = argument.number
        elif "named rest" in kinds:
            more.append((argument.name, argument.number))
        else:
            return None
    missing = any(
        not parameter.default and not parameter.is_rest and parameter.name not in numbers for parameter in parameters
    )
    if missing or (rest and "rest" not in kinds):
        return None
    return BoundArguments(tuple(sorted(numbers.items())), rest, tuple(more))


def remap(was: BoundArguments, changed: Difference) -> BoundArguments:
    """Return the new binding: the same arguments for the same parameters, none for removed ones."""
    names = dict(changed.renamed)
    gone = {parameter.name for parameter in changed.removed}
    kept = sorted((names.get(name, name), number) for name, number in was.named if name not in gone)
    return BoundArguments(tuple(kept), was.rest, was.named_rest)


def by_place(arguments: Sequence[Argument], wanted: BoundArguments, parameters: Parameters) -> list[Argument] | None:
    """Return arguments for a binding, positional where they were; None if that is impossible."""
    given = dict(wanted.named)
    was_named = {argument.number for argument in arguments if argument.name}
    remapped: list[Argument] = []
    for parameter in parameters:
        if not parameter.by_place or parameter.name not in given:
            break
        if parameter.kind != "positional" and given[parameter.name] in was_named:
            break
        remapped.append(Argument(given.pop(parameter.name)))
    remapped += [Argument(number) for number in wanted.rest]
    remapped += _by_name(given, wanted)
    return remapped if bind(remapped, parameters) == wanted else None


def in_order(arguments: Sequence[Argument], wanted: BoundArguments, parameters: Parameters) -> list[Argument] | None:
    """Return arguments for a binding in their written order; None if that is impossible."""
    given = dict(wanted.named)
    remapped: list[Argument] = []
    for parameter, argument in zip((taking for taking in parameters if taking.by_place), arguments, strict=False):
        if given.get(parameter.name) != argument.number or (argument.name and parameter.kind != "positional"):
            break
        remapped.append(Argument(given.pop(parameter.name)))
    remapped += [Argument(number) for number in wanted.rest]
    remapped += _by_name(given, wanted)
    numbers = [argument.number for argument in remapped]
    return remapped if numbers == sorted(numbers) and bind(remapped, parameters) == wanted else None


def _by_name(given: dict[str, int], wanted: BoundArguments) -> list[Argument]:
    named = [Argument(number, name) for name, number in (*given.items(), *wanted.named_rest)]
    return sorted(named, key=attrgetter("number"))
