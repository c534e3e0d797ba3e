"""Decide what a verdict of a tool means for an edit.

A new diagnostic refuses the edit. A tool that could not check it refuses an edit that rests on an assumption, and lets
a proved one through with the reason.
"""

from collections.abc import Sequence

from spark_lsp.actions.assumption import sentence
from spark_lsp.actions.refusal import Assumption, Refusal
from spark_lsp.verdict.base import Verdict


def refusal_by(verdicts: Sequence[Verdict], assumptions: frozenset[Assumption]) -> Refusal | None:
    """Return why the edit is not offered; None if it is."""
    for verdict in verdicts:
        if verdict.status == "rejected":
            return Refusal("diagnostic", f"{verdict.message.rstrip('.')}.")
    if not verdicts or not assumptions or any(verdict.is_known for verdict in verdicts):
        return None
    return Refusal("unchecked", f"The edit {sentence(assumptions)}, and no tool could check it: {verdicts[0].message}")
