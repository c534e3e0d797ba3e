"""Real models' answers for code actions, each a file: the document, the answers, the outcome.

About half restate answers of a 0.5B model on code of our own; the others were written in their manner.

Most looked wrong, and are refused with a reason or corrected. ``action`` names the action; ``chat`` means a model
with a chat template; ``instruction``, ``code`` and ``problem`` are the request. Adding a case is adding a file.
"""

import re
from pathlib import Path

import pytest

from scripts.harness.fixture import parse_fixture
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.text.edit import apply_edits
from tests.actions.chat.talk import aimed, talking
from tests.support.workspace import TestWorkspace, indexed

CASES = sorted((Path(__file__).parent / "outputs").glob("*.txt"))
_SECTION = re.compile(r"^=== (\w+)\n", re.MULTILINE)
_KNOWN = {
    "action", "before", "workspace", "chat", "model", "again", "after", "path", "reason", "message", "instruction",
    "code", "problem",
}  # fmt: skip


def _read(path: Path) -> dict[str, str]:
    pieces = _SECTION.split(path.read_text("utf-8"))
    case = {name: body.removesuffix("\n") for name, body in zip(pieces[1::2], pieces[2::2], strict=True)}
    assert {"action", "before", "model"} <= case.keys() <= _KNOWN, path.name
    assert ("after" in case) != ("message" in case), f"{path.name}: either an edit or a reason why there is none"
    return case


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
async def test_output(path: Path, tmp_path: Path) -> None:
    case = _read(path)
    answers = [case["model"], case.get("again", case["model"])]
    engine = talking(answers) if "chat" in case else ScriptedEngine(answers)
    await engine.start()
    target = aimed(
        case["before"],
        case.get("path", "main.py"),
        instruction=case.get("instruction", ""),
        message=case.get("problem", ""),
        code=case.get("code", ""),
    )
    index = indexed(parse_fixture(case.get("workspace", "#- empty.py\n$0")), tmp_path)
    proposal = await TestWorkspace(engine, index=index).actions.propose(case["action"], target)
    index.close()
    texts = [apply_edits(target.snapshot.text, proposal.edits)] if proposal.edits else []
    texts += [apply_edits(file.text or "", file.edits) for file in proposal.files]
    assert (texts[0] if texts else None, proposal.message) == (case.get("after"), case.get("message", ""))
    assert proposal.reason == case.get("reason", "trimmed.check" if "message" in case else "ok")
