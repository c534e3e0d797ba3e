"""Small programs along the grammars of JavaScript and TypeScript do the same after every edit that is offered."""

from collections.abc import Iterator

import pytest

from tests.actions.javascript.attack import TYPESCRIPT, Judge, Program, attacked, programs
from tests.actions.javascript.execute import needs_node

pytestmark = [needs_node, pytest.mark.slow]
ASSUMED = "getters of another file"
"""Its edits rest on what ``docs/actions.md`` says: getters of other files are taken to have no effect."""
REFUSED = "sloppy with"
"""Where any name may be a property of an object, no edit is offered at all."""
PROGRAMS = [program for program in programs() if program.name != ASSUMED]


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge() as judge:
        yield judge


def test_there_are_programs() -> None:
    assert len(PROGRAMS) >= 100
    assert len({program.name for program in programs()}) == len(programs()) > len(PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_no_edit_is_wrong(program: Program, judge: Judge) -> None:
    if program.is_typed and not TYPESCRIPT.exists():
        pytest.skip("typescript is not installed")
    tried, wrong = attacked(program, judge)
    assert bool(tried) == (program.name != REFUSED)
    assert not wrong, wrong[0]
