"""``update.references``: every call that the index knows, in one proposal, or none."""

from pathlib import Path

import pytest

from spark_lsp.actions.base import Proposal
from spark_lsp.engine.base import Infill
from spark_lsp.engine.fake import ScriptedEngine
from spark_lsp.text.edit import apply_edits
from tests.actions.chat.talk import aimed, chosen, talking, told
from tests.support.fixture import parse_fixture
from tests.support.rooms import TestRooms, indexed

FILES = {
    "other.py": "from main import area\n\n\ndef f():\n    x = area(\n        1, 2\n    )\n    return x\n",
    "third.py": "import main\n\nprint(main.area(3, 4), area)\n",
    "fits.py": "from main import area\n\narea(1, 2, unit=3)\n",
    "word.txt": "area(1, 2)\n",
}
BEFORE = "def area(w, $0h, *, unit):\n    return w * h * unit\n\n\ntotal = area(5, 6)\n"


def _answer(request: Infill) -> str:
    lines = told(request).split("The lines to rewrite:\n```python\n")[1].split("\n```")[0]
    fixed = lines.replace("1, 2\n", "1, 2, unit=1\n").replace("4)", "4, unit=1)").replace("6)", "6, unit=1)")
    return f"{fixed}\n```"


async def _updated(engine: ScriptedEngine, folder: Path, before: str = BEFORE) -> tuple[Proposal, str | None]:
    index = indexed(parse_fixture("".join(f"#- {name}\n{text}" for name, text in FILES.items()) + "$0"), folder)
    try:
        return await chosen("update.references", aimed(before), engine, index)
    finally:
        index.close()


async def test_every_call_is_changed_in_one_proposal(tmp_path: Path) -> None:
    engine = talking(_answer)
    proposal, after = await _updated(engine, tmp_path)
    assert (proposal.reason, proposal.message, proposal.asks) == ("ok", "", True)
    assert after is not None
    assert after.endswith("total = area(5, 6, unit=1)\n")
    changed = {file.path: apply_edits(file.text or "", file.edits) for file in proposal.files}
    assert changed == {
        "other.py": FILES["other.py"].replace("1, 2\n", "1, 2, unit=1\n"),
        "third.py": FILES["third.py"].replace("4)", "4, unit=1)"),
    }
    assert all("`def area(w, h, *, unit):`" in told(request) for request in engine.requests)


async def test_one_call_that_cannot_be_changed_leaves_all_as_they_are(tmp_path: Path) -> None:
    engine = talking(lambda request: _answer(request) if "third.py" not in told(request) else "print(main.area(\n```")
    proposal, after = await _updated(engine, tmp_path)
    assert (after, proposal.files) == (None, ())
    assert proposal.message == "third.py:3: The model's text would add a syntax error."


async def test_nothing_to_do_is_said(tmp_path: Path) -> None:
    proposal, _ = await _updated(talking(_answer), tmp_path, "def nobody($0a):\n    return a\n")
    assert (proposal.reason, proposal.message) == ("empty", "Nothing calls nobody.")


OFFERED = {
    "on the head": (BEFORE, ["Update the calls of area"]),
    "in the body": ("def f(a):\n    x = a\n    return $0x\n", []),
    "outside": ("x = $01\n", []),
}


@pytest.mark.parametrize(("before", "wanted"), OFFERED.values(), ids=OFFERED)
def test_offered_on_the_head_of_a_function(before: str, wanted: list[str]) -> None:
    offers = TestRooms(talking(["x"])).actions.offers(aimed(before))
    assert [offer.title for offer in offers if offer.id == "update.references"] == wanted
