"""Checks the model as an editor would use it: finds it, compares its size with free memory, loads it, asks once."""

import os
from pathlib import Path
from typing import Final

from spark_lsp.app import open_engine, open_workspace, usual_context_tokens
from spark_lsp.catalog.model_names import model_path, model_reason, useful_tokens
from spark_lsp.completion.completer import Completer
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.config import Settings
from spark_lsp.doctor.check_result import Check
from spark_lsp.doctor.graphics import kernel_check
from spark_lsp.doctor.machine_checks import memory, pasteable
from spark_lsp.engine.base import ModelInfo
from spark_lsp.engine.local.local_engine import describe_model
from spark_lsp.errors import SparkError
from spark_lsp.text.snapshot import Snapshot

MIN_CONTEXT_TOKENS: Final = 8192  # with less, little more than the open file is shown to the model
BUFFERS_BYTES: Final = 400 * 1024**2  # compute buffers and the process itself
KNOWN_TEXT: Final = """\
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday"]


def first_weekday(names):
    return names[0]


def last_weekday(names):
    return names[-1]


print(first_weekday(WEEKDAYS))
print(last_week"""
KNOWN_ANSWER: Final = "day"
"""What every code model writes after ``last_week``; another answer means that prompt and vocabulary do not match."""
OTHER_MODEL: Final = "spark-lsp models recommend"


async def model_checks(settings: Settings) -> list[Check]:
    """Find the model, compare its size with free memory, load it, and complete a line with a known answer."""
    try:
        path = model_path(settings)
        need = _memory(path, settings)
        engine = open_engine(settings)
    except SparkError as error:
        return [Check("model", "fail", str(error), pasteable(error.fix))]
    try:
        info = await engine.start()
    except SparkError as error:
        await engine.close()
        return [need, Check("model", "fail", str(error), pasteable(error.fix) or OTHER_MODEL)]
    workspace = open_workspace(None, settings, engine=engine)
    try:
        checks = [
            need,
            Check("model", "ok", f"{info.name}, {info.size_bytes / 1e6:.1f} MB, {path}. {_why(settings)}"),
            _fit(info, _more_context()),
            *kernel_check(info.notes),
        ]
        checks.append(_family(info, OTHER_MODEL))
        if info.family:
            checks.append(await _known_line(workspace.completer))
        return checks
    finally:
        await workspace.close()


async def remote_checks(settings: Settings) -> list[Check]:
    """Check consent, key and reachability of the remote endpoints, and complete a line with a known answer."""
    engine = open_engine(settings)
    try:
        info = await engine.start()
    except SparkError as error:
        await engine.close()
        return [Check("remote", "fail", str(error), pasteable(error.fix))]
    workspace = open_workspace(None, settings, engine=engine)
    try:
        notes = " ".join((*info.notes, *info.warnings))
        status = (await engine.status()).socket
        checks = [Check("remote", "warn" if notes else "ok", f"{info.name} at {status}. {notes}".strip(), "")]
        if notes:
            checks = [Check("remote", "warn", checks[0].detail, "spark-lsp remote status")]
        family_fix = "export SPARK_LSP_BACKEND_TEMPLATE=qwen2.5-coder  # or another family of docs/models.md"
        more = f"export SPARK_LSP_BACKEND_CONTEXT_TOKENS={MIN_CONTEXT_TOKENS}  # and start the server with as much"
        checks += [_fit(info, more), _family(info, family_fix)]
        if info.family:
            checks.append(await _known_line(workspace.completer))
        return checks
    finally:
        await workspace.close()


def _why(settings: Settings) -> str:
    """Return why this model is used."""
    return model_reason(settings) or "Your settings name it."


def _memory(path: Path, settings: Settings) -> Check:
    """Compare the memory that the model needs with what is free, before it is loaded."""
    info = describe_model(path)
    most = min(settings.context.max_tokens, info.trained_context_tokens or settings.context.max_tokens)
    tokens = min(most, usual_context_tokens(path, settings) if useful_tokens(path) else MIN_CONTEXT_TOKENS)
    needed = int(info.size_bytes + info.kv_bytes_per_token * tokens * 1.25 + BUFFERS_BYTES)
    return memory(needed, f"{info.name} with {tokens:,} tokens")


def _more_context() -> str:
    limited = "SPARK_LSP_ENGINE_MEMORY_LIMIT_BYTES" in os.environ
    return "unset SPARK_LSP_ENGINE_MEMORY_LIMIT_BYTES" if limited else OTHER_MODEL


def _fit(info: ModelInfo, fix: str) -> Check:
    detail = f"{info.context_tokens:,} tokens of context"
    if info.notes:
        detail = f"{detail}. {' '.join(info.notes)}"
    if info.context_tokens >= min(MIN_CONTEXT_TOKENS, info.trained_context_tokens or MIN_CONTEXT_TOKENS) * 0.9:
        return Check("context", "ok", detail)
    return Check("context", "warn", detail, fix)


def _family(info: ModelInfo, fix: str) -> Check:
    if info.family:
        return Check("fim tokens", "ok", f"{info.family}, {'suffix' if info.fim_order == 'spm' else 'prefix'} first")
    return Check("fim tokens", "fail", f"{info.name} has no known fill-in-the-middle tokens.", fix)


async def _known_line(completer: Completer) -> Check:
    """Complete the line whose answer is known."""
    cursor = CursorContext(Snapshot("untitled:doctor.py", None, 0, "python", KNOWN_TEXT), len(KNOWN_TEXT))
    answer = await completer.complete(cursor, manual=True)
    text = answer.suggestion.text if answer.suggestion else ""
    if text.startswith(KNOWN_ANSWER):
        return Check("known hole", "ok", f"last_week -> last_week{text.splitlines()[0]}")
    detail = f"Expected {KNOWN_ANSWER!r} after last_week, but the model wrote {text!r} ({answer.reason})."
    return Check("known hole", "warn", f"{detail} The model may be too small, or its file damaged.", OTHER_MODEL)
