"""The helper of the Python actions' tests: a case is a document before, and after or the refusal."""

import re
from pathlib import Path

from scripts.harness.fixture import parse_fixture
from spark_lsp.actions.base import Proposal
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.errors import EngineFailed
from spark_lsp.index.store import Index
from spark_lsp.text.edit import apply_edits
from tests.actions.check import target_of
from tests.support.workspace import TestWorkspace, indexed

_SECTION = re.compile(r"^=== (\w+)\n", re.MULTILINE)
_KNOWN = {"action", "path", "before", "others", "model", "after", "message", "crlf"}


def read_case(path: Path) -> dict[str, str]:
    """Read a case file: sections action, before, after or message, and optionally path, others, model and crlf."""
    pieces = _SECTION.split(path.read_text("utf-8"))
    case = {name: body.removesuffix("\n") for name, body in zip(pieces[1::2], pieces[2::2], strict=True)}
    assert {"action", "before"} <= case.keys() <= _KNOWN, path.name
    assert ("after" in case) != ("message" in case), f"{path.name}: either an edit or a refusal"
    if "crlf" in case:
        case |= {name: case[name].replace("\n", "\r\n") for name in ("before", "after") if name in case}
    return case


async def propose(
    action: str, before: str, model: str | None = None, path: str = "main.py", index: Index | None = None
) -> tuple[str | None, Proposal]:
    """Choose an action; without ``model`` there is none, and names come from the plain rule."""
    engine = ScriptedEngine([model or "x"])
    if model is None:
        engine.start_error = EngineFailed("There is no model.")
    target = target_of(before, path)
    available = TestWorkspace(engine, index=index).actions.available(target)
    assert action in [listed.id for listed in available], "it was not available"
    proposal = await TestWorkspace(engine, index=index).actions.propose(action, target)
    return apply_edits(target.snapshot.text, proposal.edits) if proposal.edits else None, proposal


async def check_case(case_path: Path, folder: Path) -> None:
    """Run a case file; the workspace of one with other files is in the folder."""
    case = read_case(case_path)
    path = case.get("path", "main.py").strip()
    index = (
        indexed(parse_fixture(f"#- {path}\n{case['before']}\n{case['others']}\n"), folder) if "others" in case else None
    )
    try:
        after, proposal = await propose(case["action"].strip(), case["before"], case.get("model"), path, index)
    finally:
        if index is not None:
            index.close()
    assert (after, proposal.message) == (case.get("after"), case.get("message", ""))
    assert proposal.reason in (["ok"] if "after" in case else ["gate.unsafe", "empty"])
