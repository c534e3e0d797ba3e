"""Shares come with their intervals, and differences are those of pairs."""

import pytest

from models.training.scores import Outcome, paired_difference, table, wilson


def test_wilson() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(50, 100)
    assert (round(low, 3), round(high, 3)) == (0.404, 0.596)
    assert wilson(0, 20)[0] == 0.0


def test_paired_difference() -> None:
    mean, half = paired_difference([True, True, False, True], [True, False, False, False])
    assert mean == 0.5
    assert half == pytest.approx(1.96 * (1 / 3 / 4) ** 0.5)


def test_the_table_names_what_context_is_worth() -> None:
    outcomes = [
        Outcome("p", "p/a.py", "line", mode, "x", "x", mode == "context", 0.5, ends=True)
        for mode in ("none", "context", "random")
        for _ in range(10)
    ]
    rows = "\n".join(table(outcomes))
    assert "line   context   10   1.000" in rows
    assert "context over none: +1.000 ± 0.000" in rows
