"""Property: a program behaves the same after an edit. ``scripts/prove_actions`` runs many more of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.prove_actions.made import prove_one
from scripts.prove_actions.real import ProofCounts
from scripts.prove_actions.trials import ACTIONS

pytestmark = pytest.mark.slow


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**9))
def test_a_program_does_the_same_after_an_edit(seed: int) -> None:
    counts = ProofCounts()
    prove_one(seed, tuple(ACTIONS), counts)
    assert counts.wrong == []


def test_edits_are_made_and_refused() -> None:
    """The programs are useful: each action applies somewhere, and each refuses somewhere."""
    counts = ProofCounts()
    for seed in range(40):
        prove_one(seed, tuple(ACTIONS), counts)
    assert counts.applied.keys() == ACTIONS.keys()
    assert {action for action, _message in counts.refused} == ACTIONS.keys()
    assert counts.wrong == []
