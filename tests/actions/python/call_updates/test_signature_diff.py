"""The difference of two parameter lists."""

import pytest

from spark_lsp.actions.python.call_updates.signature_diff import Difference, Parameter, difference, parameters_of

DIFFERENCES = {
    "nothing": ("a, b=1, *r, c, **k", "a, b=1, *r, c, **k", Difference()),
    "a name": ("a, b=1", "a, x=1", Difference(renamed=(("b", "x"),))),
    "an annotated name": ("a: int", "b: int", Difference(renamed=(("a", "b"),))),
    "another annotation": (
        "a: int",
        "b: str",
        Difference(added=(Parameter("b", "either", "str"),), removed=(Parameter("a", "either", "int"),)),
    ),
    "added": ("a", "a, b=1", Difference(added=(Parameter("b", "either", "", "1"),))),
    "removed": ("a, b", "b", Difference(removed=(Parameter("a", "either"),))),
    "reordered": ("a, b, c", "a, c, b", Difference(reordered=("c", "b"))),
    "renamed and reordered": ("a, b, c", "b, a, x", Difference(renamed=(("c", "x"),), reordered=("b", "a"))),
    "keyword-only": ("a, b", "a, *, b", Difference(keyword_only=("b",))),
    "positional-only": ("a, b", "a, /, b", Difference(positional_only=("a",))),
    "no default any more": ("a=1", "a", Difference(without_default=("a",))),
    "another default": ("a=1", "a=2", Difference()),
    "the rest's name": ("*a", "*b", Difference(renamed=(("a", "b"),))),
}
MECHANICAL = {"no default any more": False, "another annotation": False}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_difference(name: str) -> None:
    old, new, wanted = DIFFERENCES[name]
    before, now = (parameters_of(f"def f({text}):", is_method=False) for text in (old, new))
    assert before is not None
    assert now is not None
    changed = difference(before, now)
    assert changed == wanted
    assert bool(changed) == (changed != Difference())
    assert changed.is_mechanical == MECHANICAL.get(name, True)


def test_a_method_is_read_without_its_object() -> None:
    assert parameters_of("async def f(self, a) -> int:  # so\n    ", is_method=True) == (Parameter("a", "either"),)
    assert parameters_of("def f(*all):", is_method=True) is None
    assert parameters_of("def f(a", is_method=False) is None
