"""What an edit may rest on that program analysis cannot prove: a closed list, each with the sentence that a user reads.

An edit is proved when it rests on none. An analysis refuses with the assumption that would lift the refusal; where the
user accepts edits of this grade, it is run again with it.
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeVar, get_args

from spark_lsp.actions.refusal import Assumption, Refusal

ASSUMPTIONS: Final[tuple[Assumption, ...]] = get_args(Assumption)
SENTENCES: Final[dict[Assumption, str]] = {
    "attributes": "reading or setting an attribute has no side effects",
    "calls": "no call here changes what the other expressions read",
    "errors": "no expression that it moves past raises an error",
    "lifetime": "no object here acts when it is freed",
    "reflection": "no code looks up this code or its names by reflection",
}
"""What follows "assumes that" in titles and messages; docs/actions.md lists them, and a test compares."""
Assumed = frozenset[Assumption]
PROVED: Final[Assumed] = frozenset()
T = TypeVar("T")


def graded(analysis: Callable[[Assumed], T | Refusal], *, is_accepted: bool) -> tuple[T | Refusal, Assumed]:
    """Run an analysis with as few assumptions as it takes; return what it found and what that rests on.

    Without ``is_accepted`` none is made, and the first refusal is the answer.
    """
    assumed = PROVED
    while True:
        outcome = analysis(assumed)
        if not isinstance(outcome, Refusal):
            return outcome, assumed
        if not is_accepted or outcome.assumption is None or outcome.assumption in assumed:
            return outcome, PROVED
        assumed |= {outcome.assumption}


def unless_assumed(refusal: Refusal | None, assumed: Assumed) -> Refusal | None:
    """Return a refusal unless what would lift it is assumed."""
    return None if refusal is None or refusal.assumption in assumed else refusal


def sentence(assumptions: Iterable[Assumption]) -> str:
    """Return what an edit rests on, as part of a title: ``assumes that … and that …``; empty for a proved one."""
    return " and ".join(f"assumes that {SENTENCES[name]}" for name in sorted(assumptions)).replace(
        " and assumes that", " and that"
    )


def titled(title: str, assumptions: Iterable[Assumption]) -> str:
    """Return a title that names what the edit rests on."""
    text = sentence(assumptions)
    return f"{title} ({text})" if text else title
