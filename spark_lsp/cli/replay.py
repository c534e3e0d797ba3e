"""``spark-lsp complete --replay``: repeats a recorded request, to examine a bad suggestion."""

import asyncio
from pathlib import Path

import msgspec

from spark_lsp.app import open_engine
from spark_lsp.catalog.model_names import resolve_model
from spark_lsp.cli.oneshot import errors, settings_of
from spark_lsp.cli.terminal import err, out, out_json
from spark_lsp.completion.recording import RecordedPrompts, Recording, read_recording
from spark_lsp.completion.reuse import Reuse
from spark_lsp.completion.shared_generation import SharedGeneration
from spark_lsp.completion.writer import Writer
from spark_lsp.config import Settings
from spark_lsp.engine.base import Engine
from spark_lsp.errors import ModelMissing, WorkspaceError
from spark_lsp.server.convert import range_as_json


def replay_request(path: Path, *, model: str, case: Path | None, as_json: bool) -> None:
    """Repeat the request, print whether the answer equals the recorded one, and write the test case if asked to."""
    recording = read_recording(path)
    settings = _settings_for(recording, model)
    again = asyncio.run(_replay(open_engine(settings), recording))
    # What the model had said beyond the end before it was stopped depends on the clock.
    is_same = (again.shown, again.replaced, again.rule) == (recording.shown, recording.replaced, recording.rule)
    if again.model.fingerprint != recording.model.fingerprint:
        errors.print(f"Recorded with the model {recording.model.name}, repeated with {again.model.name}.", markup=False)
    if case is not None:
        _write(case, again.as_case())
    if as_json:
        out_json(_as_json(again, is_same=is_same))
        return
    out(f"{again.shown}\n" if again.shown else "")
    if not again.shown:
        err(f"No completion: {_reason(again)}\n")
    err("The answer equals the recorded one.\n" if is_same else "The answer differs from the recorded one.\n")


async def replay(engine: Engine, recording: Recording) -> Recording:
    """Ask an engine a recorded request; return what became of it this time.

    Raises:
        EngineError, ModelError: the engine cannot answer; the generation's reason says so.
    """
    await engine.start()
    recordings: list[Recording] = []

    def keep(again: Recording) -> str:
        recordings.append(again)
        return ""

    writer = Writer(engine, RecordedPrompts(recording), Reuse(), keep)
    generation = writer.begin(SharedGeneration(recording.cursor, recording.terms, recording.manual))
    if generation.task is not None:
        await generation.task
    if not recordings:
        raise WorkspaceError(
            f"The model gave no answer ({generation.reason}).", fix="Run spark-lsp doctor for the reason."
        )
    return recordings[0]


async def _replay(engine: Engine, recording: Recording) -> Recording:
    try:
        return await replay(engine, recording)
    finally:
        await engine.close()


def _settings_for(recording: Recording, model: str) -> Settings:
    """Return settings with the named model, else the recorded one, else the usual one."""
    settings = settings_of(None, model)
    if not model:
        try:
            settings = msgspec.structs.replace(settings, model=str(resolve_model(recording.model.path)))
        except ModelMissing:
            errors.print(f"The recorded model {recording.model.name} is not on this machine.", markup=False)
    return settings


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8", newline="")
    except OSError as error:
        raise WorkspaceError(f"{path} cannot be written: {error.strerror}.", fix="Choose another path.") from error


def _reason(recording: Recording) -> str:
    if recording.shown:
        return "ok"
    return f"trimmed.{recording.rule}" if recording.raw.strip() else "empty"


def _as_json(recording: Recording, *, is_same: bool) -> dict[str, object]:
    items = []
    if recording.shown:
        cursor = recording.cursor
        edit = cursor.edit(recording.shown, recording.replaced)
        place = range_as_json(cursor.document.text, cursor.document.lines, edit.span)
        items = [{"insertText": edit.new_text, "range": place}]
    model = recording.model
    return {
        "items": items,
        "reason": _reason(recording),
        "same": is_same,
        "raw": recording.raw,
        "model": {"name": model.name, "path": model.path, "family": model.family},
    }
