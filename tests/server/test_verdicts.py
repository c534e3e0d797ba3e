"""Verdicts over the wire: the user's settings allow a tool, and an editor learns what it says."""

import sys
from pathlib import Path

import pytest
from lsprotocol import types

from scripts.harness.editor import SCRIPTED, Editor, editor
from tests.verdict.check import program_of

pytestmark = pytest.mark.slow

STRICT = "#- mypy.ini\n[mypy]\nstrict = True\n#- b.py\nx = 1\n"
BEFORE = 'def area(w: float, h: float) -> float:\n    """Return the area."""\n    pass$0\n'


async def resolved(window: Editor) -> types.CodeAction:
    at = window.open("b.py", BEFORE)
    converter = window.client.protocol._converter
    converter.register_structure_hook(
        types.Command | types.CodeAction, lambda action, _type: converter.structure(action, types.CodeAction)
    )
    params = types.CodeActionParams(
        types.TextDocumentIdentifier(window.uri("b.py")), types.Range(at, at), types.CodeActionContext(diagnostics=[])
    )
    listed = await window.client.text_document_code_action_async(params)
    (action,) = [entry for entry in listed or () if entry.title.startswith("Implement")]
    assert isinstance(action, types.CodeAction)
    return await window.client.code_action_resolve_async(action)


def allowing(program: str) -> dict[str, object]:
    return {"verdict": {"tools": ["mypy"], "paths": {"mypy": program}, "timeLimitMs": 60_000}}


async def test_what_mypy_reports_is_told_and_nothing_is_edited(tmp_path: Path) -> None:
    command = (*SCRIPTED, 'return f"{w * h}".strip()')
    async with editor(STRICT, tmp_path, command, settings=allowing(program_of("mypy"))) as window:
        await window.ready()
        assert (await resolved(window)).edit is None
        await window.until(lambda w: w.messages)
        assert window.messages[-1].startswith("Spark: mypy reports: Incompatible return value type")


@pytest.mark.skipif(sys.platform == "win32", reason="the script starts with #!")
async def test_a_tool_that_fails_is_named_beside_a_proved_edit(tmp_path: Path) -> None:
    tool = tmp_path / "mypy"
    tool.write_text("#!/bin/sh\necho out of order\nexit 2\n", "utf-8")
    tool.chmod(0o755)
    command = (*SCRIPTED, "return w * h")
    async with editor(STRICT, tmp_path, command, settings=allowing(str(tool))) as window:
        await window.ready()
        edit = (await resolved(window)).edit
        assert edit is not None
        assert edit.change_annotations is not None
        (note,) = edit.change_annotations.values()
        assert note.description == "mypy failed: out of order"
        assert not note.needs_confirmation
