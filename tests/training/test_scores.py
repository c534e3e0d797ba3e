"""Shares come with their intervals, and differences are those of pairs."""

import pytest

from models.training.scores import Outcome, loss_table, mean_difference, paired_difference, table, wilson


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


def test_mean_difference() -> None:
    mean, half = mean_difference([1.0, 2.0, 3.0], [2.0, 2.0, 2.0])
    assert (mean, half) == (0.0, pytest.approx(1.96 * (1 / 3) ** 0.5))
    assert mean_difference([1.0], [2.0])[0] == 0.0


def test_the_loss_is_told_apart_for_holes_that_need_a_shown_name() -> None:
    costs = {"none": 8.0, "context": 6.0, "random": 9.0}
    outcomes = [
        Outcome("p", "p/a.py", "line", mode, "x", "y", exact=False, similarity=0.5, ends=True, nats=nats, tokens=4)
        for mode, nats in costs.items()
        for _ in range(3)
    ]
    outcomes += [
        Outcome("p", "p/a.py", "line", mode, "x", "y", False, 0.5, True, 2 * nats, 4, needs_shown=True)
        for mode, nats in costs.items()
        for _ in range(2)
    ]
    assert [" ".join(row.split()) for row in loss_table(outcomes)] == [
        "shape holes mode n nats a token exact similarity",
        "line all context 5 2.100 0.000 0.500",
        "line all none 5 2.800 0.000 0.500",
        "line all random 5 3.150 0.000 0.500",
        "line all context over none: -2.80 ± 0.96 nats a hole",
        "line all context over random: -4.20 ± 1.44 nats a hole",
        "line need a shown name context 2 3.000 0.000 0.500",
        "line need a shown name none 2 4.000 0.000 0.500",
        "line need a shown name random 2 4.500 0.000 0.500",
        "line need a shown name context over none: -4.00 ± 0.00 nats a hole",
        "line need a shown name context over random: -6.00 ± 0.00 nats a hole",
    ]
