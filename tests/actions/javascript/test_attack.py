"""Small programs along the JavaScript and TypeScript grammars behave the same after every offered edit."""

from collections.abc import Iterator

import pytest

from tests.actions.javascript.attack import TYPESCRIPT, Judge, Program, attacked, programs
from tests.actions.javascript.execute import needs_node

pytestmark = [needs_node, pytest.mark.slow]
ASSUMED = "getters of another file"
"""Programs whose edits rely on an assumption in ``docs/actions.md``: getters of other files have no effect."""
REFUSED = "sloppy with"
"""Programs in which any name may be a property of an object, so that no edit is offered."""
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
