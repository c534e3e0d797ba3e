"""Prove a renaming: both documents compile to the same code except for one variable's name. Pure."""

import dis
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Final

from spark_lsp.warning_filters import ignored_warnings

_CLOSURES: Final = frozenset({"COPY_FREE_VARS", "LOAD_CLOSURE", "MAKE_CELL"})
"""Fields whose order follows the alphabet of the names and does not affect behaviour."""


def same_code(before: str, after: str, old: str, new: str) -> bool:
    """Whether two documents compile to the same steps when ``new`` replaces ``old``."""
    return _is_same(_compiled(before), _compiled(after), old, new)


def _compiled(text: str) -> CodeType:
    with ignored_warnings():
        return compile(text, "document", "exec", dont_inherit=True)


def _is_same(before: CodeType, after: CodeType, old: str, new: str) -> bool:
    names = {old: new} if new in _variables(after) else {}
    parameters = before.co_argcount + before.co_kwonlyargcount
    facts = [
        (code.co_name, code.co_flags, code.co_names, code.co_varnames[:parameters], len(_inner(code)))
        for code in (before, after)
    ]
    is_alike = facts[0] == facts[1] and {
        names.get(variable, variable) for variable in _variables(before)
    } == _variables(after)
    first, second = list(_steps(before, names)), list(_steps(after, {}))
    if [names.get(name, name) for name in before.co_freevars] != list(after.co_freevars):
        first, second = sorted(first), sorted(second)  # closure variables are sorted by name
    inner = zip(_inner(before), _inner(after), strict=False)
    return is_alike and first == second and all(_is_same(*pair, old, new) for pair in inner)


def _variables(code: CodeType) -> set[str]:
    return {*code.co_varnames, *code.co_cellvars, *code.co_freevars}


def _inner(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _steps(code: CodeType, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the instructions with their variables by name; for nested code only its name."""
    for step in dis.get_instructions(code):
        if step.opname in _CLOSURES:
            continue
        value = step.argval
        if "_FAST" in step.opname or "DEREF" in step.opname:  # newer versions combine two of them
            parts = value if isinstance(value, tuple) else (value,)
            yield step.opname, repr([names.get(str(part), str(part)) for part in parts])
        else:
            yield step.opname, value.co_name if isinstance(value, CodeType) else repr(value)
