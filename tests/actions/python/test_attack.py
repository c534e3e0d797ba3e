"""Small programs along Python's grammar behave the same after every offered edit.

``python -m tests.actions.python.attack`` edits every place; the tests take one in six.
"""

from pathlib import Path

import pytest

from tests.actions.python.attack import AttackCounts, attack, programs

PROGRAMS = programs()
ONE_IN = 6


def test_there_are_programs() -> None:
    assert len(PROGRAMS) >= 75


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_no_edit_is_wrong(name: str, tmp_path: Path) -> None:
    counts = AttackCounts()
    attack(name, PROGRAMS[name], tmp_path, counts, one_in=ONE_IN)
    assert counts.right.total() + counts.refused.total()
    assert not counts.wrong, counts.wrong[0]
