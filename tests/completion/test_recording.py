"""A recorded request can be asked again, becomes a case file, and is written only where the user said so."""

import stat
from pathlib import Path

import pytest

from spark_lsp.cli.replay import replay
from spark_lsp.completion.recording import read_recording, recorder
from spark_lsp.engine.fake import ScriptedEngine
from spark_lsp.errors import WorkspaceError
from tests.completion.check import check_case, hole_of
from tests.support.marks import posix_only
from tests.support.rooms import TestRooms

BEFORE = "def area(w, h):\n    return w * h\n\n\nvalue = ($0)\n"


async def _recorded(folder: Path, said: str) -> Path:
    rooms = TestRooms(ScriptedEngine([said]))
    rooms.completer.writer.record = recorder(folder)
    answer = await rooms.completer.complete(hole_of(BEFORE), manual=False)
    await rooms.completer.close()
    assert answer.record is not None
    return Path(str(answer.record.facts["recorded"]))


async def test_a_recorded_request_is_asked_again_as_it_was(tmp_path: Path) -> None:
    recording = read_recording(await _recorded(tmp_path, "area(1, 2)))"))
    engine = ScriptedEngine(["area(1, 2)))"])
    again = await replay(engine, recording)
    assert engine.requests[0].prompt == recording.request.prompt
    assert (again.raw, again.shown, again.scores) == (recording.raw, recording.shown, recording.scores)
    assert again.shown == "area(1, 2))"
    other = await replay(ScriptedEngine(["area(3, 4)"]), recording)
    assert other.shown == "area(3, 4)"


@pytest.mark.parametrize("said", ["area(1, 2)))", "<|fim_middle|>", "  "])
async def test_a_recording_becomes_a_case_file(said: str, tmp_path: Path) -> None:
    recording = read_recording(await _recorded(tmp_path, said))
    case = tmp_path / "case.txt"
    case.write_text(recording.as_case(), "utf-8", newline="")
    await check_case(case)


@posix_only
async def test_recordings_are_for_their_owner_alone(tmp_path: Path) -> None:
    path = await _recorded(tmp_path / "new", "area(1, 2)")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_nothing_is_recorded_unasked() -> None:
    rooms = TestRooms(ScriptedEngine(["area(1, 2)"]))
    answer = await rooms.completer.complete(hole_of(BEFORE), manual=False)
    assert answer.record is not None
    assert "recorded" not in answer.record.facts
    await rooms.completer.close()


@pytest.mark.parametrize("content", ["{", '{"format": 1}', "\0", None])
def test_a_file_that_is_no_recording_is_refused_in_one_sentence(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(WorkspaceError, match=r"request\.json (is no recorded request|cannot be read)") as raised:
        read_recording(path)
    assert "--record" in raised.value.fix
