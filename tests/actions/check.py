"""The helper of this package's tests: the document before, the model's answer, the document after."""

import re
from collections.abc import Sequence
from pathlib import Path

from scripts.harness.fixture import parse_fixture
from spark_lsp.actions.base import Proposal, Target
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.text.edit import Span, apply_edits
from tests.support.workspace import TestWorkspace, snapshot_of

ACTION = "implement.body"
_SECTION = re.compile(r"^=== (\w+)\n", re.MULTILINE)


def target_of(before: str, path: str = "main.py") -> Target:
    """The cursor at ``$0`` or the selection ``$0…$0`` of a document."""
    fixture = parse_fixture(before, default_path=path)
    return Target.of(snapshot_of(fixture.path, fixture.text), fixture.selection or Span(fixture.offset, fixture.offset))


def titles(before: str, path: str = "main.py", action: str = ACTION) -> list[str]:
    """Return the titles of an action offered there; fail if the engine gets a request."""
    engine = ScriptedEngine(["x"])
    available = TestWorkspace(engine).actions.available(target_of(before, path))
    assert (engine.starts, engine.requests) == (0, []), "listing asked the model"
    return [listed.title for listed in available if listed.id == action]


async def proposed(target: Target, model: Sequence[str], *, chunk_chars: int = 4) -> Proposal:
    """Choose the action with a model that gives these answers, one per request."""
    return await TestWorkspace(ScriptedEngine(model, chunk_chars)).actions.propose(ACTION, target)


async def check_action(
    *,
    before: str,
    model: Sequence[str],
    after: str | None,
    path: str = "main.py",
    reason: str = "ok",
    message: str = "",
) -> None:
    """The document must be ``after`` for every chunk size; None for no edit, with reason and message."""
    target = target_of(before, path)
    for chunk_chars in (1, 3, 1000):
        proposal = await proposed(target, model, chunk_chars=chunk_chars)
        text = target.snapshot.text
        assert (apply_edits(text, proposal.edits) if proposal.edits else None, proposal.reason) == (after, reason)
        assert proposal.message == message
        assert bool(proposal.edits) == (reason == "ok")


def read_case(path: Path) -> dict[str, str]:
    """Read a case file: sections before, model, and optionally again, after, path, crlf, reason, message."""
    pieces = _SECTION.split(path.read_text("utf-8"))
    case = {name: body.removesuffix("\n") for name, body in zip(pieces[1::2], pieces[2::2], strict=True)}
    assert {"before", "model"} <= case.keys() <= _KNOWN, path.name
    return {name: body.replace("\n", "\r\n") for name, body in case.items()} if "crlf" in case else case


async def check_case(path: Path) -> None:
    """Run a case file."""
    case = read_case(path)
    await check_action(
        before=case["before"],
        model=[case["model"], case.get("again", case["model"])],
        after=case.get("after"),
        path=case.get("path", "main.py"),
        reason=case.get("reason", "ok"),
        message=case.get("message", ""),
    )


_KNOWN = {"before", "model", "again", "after", "path", "crlf", "reason", "message"}
