"""Which argument of a call reaches which parameter, and the arguments that reach the same of other parameters. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from spark_lsp.actions.python.call_updates.signature_diff import Difference, Parameters


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: the number of its place in the call as it is written, and the name it is given by, if any."""

    number: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class BoundArguments:
    """What a call hands over, by the numbers of its arguments."""

    named: tuple[tuple[str, int], ...]
    """Parameters that are given, in the order of their names."""
    rest: tuple[int, ...] = ()
    named_rest: tuple[tuple[str, int], ...] = ()


def bind(arguments: Sequence[Argument], parameters: Parameters) -> BoundArguments | None:
    """Return what reaches which parameter, None when the call would fail."""
    places = [each for each in parameters if each.by_place]
    names = {each.name for each in parameters if each.by_name}
    kinds = {each.kind for each in parameters}
    given = [each.number for each in arguments if not each.name]
    found = {each.name: number for each, number in zip(places, given, strict=False)}
    rest = tuple(given[len(places) :])
    more: list[tuple[str, int]] = []
    for each in arguments:
        if not each.name:
            continue
        if each.name in names:
            if each.name in found:
                return None
            found[each.name] = each.number
        elif "named rest" in kinds:
            more.append((each.name, each.number))
        else:
            return None
    missing = any(not each.default and not each.is_rest and each.name not in found for each in parameters)
    if missing or (rest and "rest" not in kinds):
        return None
    return BoundArguments(tuple(sorted(found.items())), rest, tuple(more))


def remap(was: BoundArguments, changed: Difference) -> BoundArguments:
    """Return what a call should hand over now: the same to the same parameters, nothing to those removed."""
    names = dict(changed.renamed)
    gone = {each.name for each in changed.removed}
    kept = sorted((names.get(name, name), number) for name, number in was.named if name not in gone)
    return BoundArguments(tuple(kept), was.rest, was.named_rest)


def by_place(arguments: Sequence[Argument], wanted: BoundArguments, parameters: Parameters) -> list[Argument] | None:
    """Return arguments that hand over what is wanted, by place as far as they were; None when it cannot be said."""
    given = dict(wanted.named)
    was_named = {each.number for each in arguments if each.name}
    made: list[Argument] = []
    for each in parameters:
        if not each.by_place or each.name not in given:
            break
        if each.kind != "positional" and given[each.name] in was_named:
            break
        made.append(Argument(given.pop(each.name)))
    made += [Argument(number) for number in wanted.rest]
    made += _by_name(given, wanted)
    return made if bind(made, parameters) == wanted else None


def in_order(arguments: Sequence[Argument], wanted: BoundArguments, parameters: Parameters) -> list[Argument] | None:
    """Return arguments that hand over what is wanted in the order they are written in; None when it cannot be said."""
    given = dict(wanted.named)
    made: list[Argument] = []
    for each, argument in zip((each for each in parameters if each.by_place), arguments, strict=False):
        if given.get(each.name) != argument.number or (argument.name and each.kind != "positional"):
            break
        made.append(Argument(given.pop(each.name)))
    made += [Argument(number) for number in wanted.rest]
    made += _by_name(given, wanted)
    numbers = [each.number for each in made]
    return made if numbers == sorted(numbers) and bind(made, parameters) == wanted else None


def _by_name(given: dict[str, int], wanted: BoundArguments) -> list[Argument]:
    named = [Argument(number, name) for name, number in (*given.items(), *wanted.named_rest)]
    return sorted(named, key=attrgetter("number"))
