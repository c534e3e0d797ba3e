"""A recorded request can be repeated, becomes a case file, and is written only where the user chose."""

import stat
from pathlib import Path

import msgspec
import pytest

from spark_lsp.cli.replay import replay
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.recording import Recording, read_recording, recorder
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.errors import WorkspaceError
from tests.completion.check import check_case, chosen, cursor_of
from tests.support.marks import posix_only
from tests.support.workspace import TestWorkspace

BEFORE = "def area(w, h):\n    return w * h\n\n\nvalue = ($0)\n"


async def _recorded(folder: Path, text: str, *, unknown: str = "", cursor: CursorContext | None = None) -> Path:
    workspace = TestWorkspace(ScriptedEngine([text], chunk_chars=len(text)), is_known_name=lambda name: name != unknown)
    workspace.completer.writer.record_with(recorder(folder))
    answer = await workspace.completer.complete(cursor or cursor_of(BEFORE), manual=False)
    await workspace.completer.close()
    assert answer.record is not None
    return Path(str(answer.record.facts["recorded"]))


async def test_a_recorded_request_is_asked_again_as_it_was(tmp_path: Path) -> None:
    recording = read_recording(await _recorded(tmp_path, "area(1, 2)))"))
    engine = ScriptedEngine(["area(1, 2)))"])
    again = await replay(engine, recording)
    assert engine.requests[0].prompt == recording.request.prompt
    assert (again.raw, again.shown, again.scores) == (recording.raw, recording.shown, recording.scores)
    assert again.shown == "area(1, 2))"
    replayed_again = await replay(ScriptedEngine(["area(3, 4)"]), recording)
    assert replayed_again.shown == "area(3, 4)"


async def test_names_that_nobody_knew_are_not_known_when_it_is_asked_again(tmp_path: Path) -> None:
    answer = "area(1, width_of_it, height, depth_of_it, 3)"
    recording = read_recording(await _recorded(tmp_path, answer, unknown="depth_of_it"))
    doubting = msgspec.structs.replace(recording, confidence=0.6)
    again = await replay(ScriptedEngine([answer], chunk_chars=4), doubting)
    assert (recording.unknown, again.unknown) == (("depth_of_it",), ("depth_of_it",))
    assert (again.shown, again.rule) == ("area", "confidence")
    knowing = await replay(ScriptedEngine([answer]), msgspec.structs.replace(doubting, unknown=()))
    assert (knowing.shown, knowing.rule) == (answer, "")


@pytest.mark.parametrize(
    ("text", "unknown", "cursor"),
    [
        ("area(1, 2)))", "", None),
        ("<|fim_middle|>", "", None),
        ("  ", "", None),
        ("area(1) + nobody + other", "nobody", cursor_of(BEFORE.replace("($0)", "$0"))),
        (".clip(3))", "", chosen(BEFORE.replace("$0", "ar$0"), "area")),
        ("s(3)", "", chosen(BEFORE.replace("$0", "ar$0"), "area")),
    ],
)
async def test_a_recording_becomes_a_case_file(
    text: str, unknown: str, cursor: CursorContext | None, tmp_path: Path
) -> None:
    recording = read_recording(await _recorded(tmp_path, text, unknown=unknown, cursor=cursor))
    assert recording.unknown == ((unknown,) if unknown else ())
    await _is_its_case(recording, tmp_path)


async def test_what_the_model_was_not_sure_of_is_so_in_the_case_file(tmp_path: Path) -> None:
    recording = read_recording(await _recorded(tmp_path, "area(1, 2) + other"))
    chances = [(end, 0.7 if end > len("area(1, 2)") else 1.0) for end, _ in recording.scores]
    asked = msgspec.structs.replace(recording, confidence=0.6, scores=tuple(chances), shown="area(1, 2)")
    await _is_its_case(msgspec.structs.replace(asked, rule="confidence"), tmp_path)


async def _is_its_case(recording: Recording, tmp_path: Path) -> None:
    case = tmp_path / "case.txt"
    case.write_text(recording.as_case(), "utf-8", newline="")
    await check_case(case)


@posix_only
async def test_recordings_are_for_their_owner_alone(tmp_path: Path) -> None:
    path = await _recorded(tmp_path / "new", "area(1, 2)")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_nothing_is_recorded_unasked() -> None:
    workspace = TestWorkspace(ScriptedEngine(["area(1, 2)"]))
    answer = await workspace.completer.complete(cursor_of(BEFORE), manual=False)
    assert answer.record is not None
    assert "recorded" not in answer.record.facts
    await workspace.completer.close()


@pytest.mark.parametrize("content", ["{", '{"format": 1}', "\0", None])
def test_a_file_that_is_no_recording_is_refused_in_one_sentence(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(WorkspaceError, match=r"request\.json (is no recorded request|cannot be read)") as raised:
        read_recording(path)
    assert "--record" in raised.value.fix
