"""The changes of signatures in the proof are correct, and keep the behaviour for calls that fit."""

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
    "another name": lambda change: [new for _, new in change.renamed] == [FRESH],
    "another order": lambda change: bool(change.reordered),
    "one more with a default": lambda change: [parameter.name for parameter in change.added] == [FRESH],
    "by name only": lambda change: bool(change.keyword_only),
    "by place only": lambda change: bool(change.positional_only),
    "one less": lambda change: len(change.removed) == 1,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_change_is_what_it_says(name: str) -> None:
    syntax = parse(LANGUAGES["python"], TEXT)
    assert syntax is not None
    seen = set()
    for seed in range(60):
        edit = edit_signature(syntax, name, random.Random(seed))
        assert edit is not None
        compile(edit.text, "made", "exec")
        assert edit.text.startswith(name.rpartition(".")[2], edit.at)
        change = _difference(name, edit.text)
        assert change.is_mechanical
        assert HOLDS[edit.kind](change), (edit.kind, change)
        seen.add(edit.kind)
    assert len(seen) >= 2


def test_a_new_name_hands_its_value_to_the_old_one() -> None:
    syntax = parse(LANGUAGES["python"], TEXT)
    assert syntax is not None
    edits = [edit_signature(syntax, "area", random.Random(seed)) for seed in range(60)]
    texts = [edit.text for edit in edits if edit is not None and edit.kind == "another name"]
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
