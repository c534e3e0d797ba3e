"""Which part of a test a model was sure of, by its token probabilities."""

import pytest

from spark_lsp.actions.checks.sure import sure_part

SURE, GUESSED = 0.95, 0.3


def _pieces(text: str) -> list[tuple[str, float]]:
    """Split a text at ``⟨guess⟩`` marks: the text within them was improbable."""
    parts = text.replace("⟨", "\x00").replace("⟩", "\x00").split("\x00")
    return [(part, GUESSED if number % 2 else SURE) for number, part in enumerate(parts)]


FIRST = "    assert area(1, 2) == 2\n"
KEPT = {
    "all of it": (FIRST + "    assert area(2, 2) == 4\n", FIRST + "    assert area(2, 2) == 4\n"),
    "up to a guess": (FIRST + "    assert area(7, 8) == ⟨57⟩\n    assert area(1, 1) == 1\n", FIRST.rstrip("\n")),
    "nothing, though what follows looks sure": ("    assert area(7, 8) == ⟨57⟩\n" + FIRST, ""),
    "a guess of what is handed over": ("    assert area(⟨3⟩, 2) == 6\n", "    assert area(3, 2) == 6\n"),
    "a guess behind an equals sign": ("    assert ⟨7⟩ == area(1, 7)\n", ""),
    "a guess in a variable": (
        "    found = area(1, 2)\n    wanted = ⟨3⟩\n    assert found == wanted\n",
        "    found = area(1, 2)\n    wanted = 3",
    ),
    "over several lines": (
        FIRST + "    assert area(\n        2, 2\n    ) == [\n        ⟨5⟩\n    ]\n",
        FIRST.rstrip("\n"),
    ),
    "behind other letters": ("    assert area('ä', 'ö') == ⟨2⟩\n", ""),
    "cut in the middle": (FIRST + "    assert area(", FIRST + "    assert area("),
    "behind a fence": (FIRST + "```\nThis is", FIRST + "```\nThis is"),
    "no comparison": ("    assert area(1, ⟨2⟩)\n", "    assert area(1, 2)\n"),
}


@pytest.mark.parametrize(("written", "kept"), KEPT.values(), ids=KEPT)
def test_what_is_kept(written: str, kept: str) -> None:
    assert sure_part(_pieces(written), "area") == kept
