"""The proof's changes of signatures are what they say, and leave the function what it was for calls that fit."""

import random

import pytest

from scripts.prove_actions.signature_edits import FRESH, edit_signature
from spark_lsp.actions.python.call_updates.signature_diff import Difference, difference, parameters_of
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import parse

TEXT = '''\
class Box:
    """Holds."""

    def __init__(self, w, h, *, unit=1):
        """Make it."""
        self.w, self.h = w * unit, h * unit

    @staticmethod
    def of(w, h=2):
        @wrapped
        def inner(w, h):
            return w
        return inner(w, h)

    async def wait(self, /, n, unused: int = 3, *rest, **named): return n, rest, named


def area(w, h, unit=1, name="x"):
    return w * h * unit
'''
NAMES = ("Box.__init__", "Box.of", "Box.of.inner", "Box.wait", "area")
HOLDS = {
    "another name": lambda told: [new for _, new in told.renamed] == [FRESH],
    "another order": lambda told: bool(told.reordered),
    "one more with a default": lambda told: [each.name for each in told.added] == [FRESH],
    "by name only": lambda told: bool(told.keyword_only),
    "by place only": lambda told: bool(told.positional_only),
    "one less": lambda told: len(told.removed) == 1,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_change_is_what_it_says(name: str) -> None:
    syntax = parse(LANGUAGES["python"], TEXT)
    assert syntax is not None
    seen = set()
    for seed in range(60):
        made = edit_signature(syntax, name, random.Random(seed))
        assert made is not None
        compile(made.text, "made", "exec")
        assert made.text.startswith(name.rpartition(".")[2], made.at)
        told = _difference(name, made.text)
        assert told.is_mechanical
        assert HOLDS[made.kind](told), (made.kind, told)
        seen.add(made.kind)
    assert len(seen) >= 2


def test_a_new_name_hands_its_value_to_the_old_one() -> None:
    syntax = parse(LANGUAGES["python"], TEXT)
    assert syntax is not None
    made = [edit_signature(syntax, "area", random.Random(seed)) for seed in range(60)]
    texts = [each.text for each in made if each is not None and each.kind == "another name"]
    assert texts
    for text in texts:
        space: dict[str, object] = {"wrapped": lambda function: function}
        exec(text, space)
        assert space["area"](2, 3, 4) == 24  # type: ignore[operator]


def test_no_change_where_there_are_several_or_none() -> None:
    syntax = parse(
        LANGUAGES["python"], "def f(a): pass\ndef f(b): pass\ndef g(): pass\nclass A:\n    def m(self): pass\n"
    )
    assert syntax is not None
    assert edit_signature(syntax, "f", random.Random(1)) is None
    assert edit_signature(syntax, "A.other", random.Random(1)) is None
    assert {edit_signature(syntax, "A.m", random.Random(seed)).kind for seed in range(9)} == {"one more with a default"}  # type: ignore[union-attr]


def _difference(name: str, after: str) -> Difference:
    is_method = name in {"Box.__init__", "Box.wait"}
    old, new = (parameters_of(_signature(text, name), is_method=is_method) for text in (TEXT, after))
    assert old is not None
    assert new is not None
    return difference(old, new)


def _signature(text: str, name: str) -> str:
    start = text.index(f"def {name.rpartition('.')[2]}(")
    return text[start : text.index("):", start) + 2]
