"""``spark-lsp complete``: one completion, streamed to the terminal as it is generated."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Any

import typer

from spark_lsp.cli.oneshot import errors, settings_of, workspace_for
from spark_lsp.cli.place import FileSpan, read_place, workspace_of
from spark_lsp.cli.replay import replay_request
from spark_lsp.cli.terminal import console, err, out_json
from spark_lsp.completion.answer import CompletionAnswer
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.recording import recorder
from spark_lsp.engine.base import ModelInfo
from spark_lsp.errors import EngineFailed, ModelMissing, ModelNoFim, Reason
from spark_lsp.server.convert import range_as_json
from spark_lsp.text.edit import Span
from spark_lsp.workspace import Workspace

SHOWN_LINES = 4  # of the document above the cursor, so that the completion is read in its place
_TOKEN_COUNTS = (
    "prompt_tokens", "cached_tokens", "prefill_tokens", "generated_tokens", "drafted_tokens", "accepted_draft_tokens",
)  # fmt: skip
_FAILURES = {Reason.MODEL_NO_FIM: ModelNoFim, Reason.MODEL_MISSING: ModelMissing, Reason.ENGINE_FAILED: EngineFailed}


def complete(
    place: Annotated[
        str, typer.Argument(metavar="FILE:LINE:COL", help="Cursor position; lines and columns start at 1.")
    ] = "",
    *,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read the buffer's text from standard input.")] = False,
    model: Annotated[str, typer.Option(help="Model name or path of a GGUF file.")] = "",
    context_tokens: Annotated[int | None, typer.Option(min=64, help="Maximum tokens of the prompt.")] = None,
    max_lines: Annotated[int | None, typer.Option(min=1, max=200, help="Maximum lines of the completion.")] = None,
    workspace: Annotated[
        Path | None, typer.Option(help="The workspace folder; default: the nearest folder with a project marker.")
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Record the request, with your code, in this folder.")] = None,
    replay: Annotated[Path | None, typer.Option(help="Repeat a recorded request.")] = None,
    case: Annotated[Path | None, typer.Option(help="With --replay: write a test case to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Complete the code at a position.

    Example: spark-lsp complete src/main.py:12:5
    """
    if replay is not None:
        replay_request(replay, model=model, case=case, as_json=as_json)
        return
    if not place:
        raise typer.BadParameter("Give a position, FILE:LINE:COL, or --replay FILE.")
    where = read_place(place, from_stdin=stdin)
    root = workspace_of(where.snapshot.path or Path.cwd(), workspace)
    settings = settings_of(root, model, max_lines)

    async def run() -> tuple[CompletionAnswer, ModelInfo | None]:
        async with workspace_for(root, settings, where, prompt_tokens=context_tokens) as opened:
            if record:
                opened.completer.writer.record_with(recorder(record))
            return await _stream(opened, where, quiet=as_json), opened.engine.model

    answer, model_info = asyncio.run(run())
    if answer.record and "recorded" in answer.record.facts:
        err(f"Recorded in {answer.record.facts['recorded']}\n")
    if as_json:
        out_json(_as_json(answer, model_info, where))
        return
    if answer.suggestion is None:
        err(f"No completion: {answer.reason}\n")
    failure = _FAILURES.get(answer.reason)
    if failure:
        raise failure(f"The model gave no answer ({answer.reason}).", fix="Run spark-lsp doctor for the reason.")


async def _stream(opened: Workspace, where: FileSpan, *, quiet: bool) -> CompletionAnswer:
    terminal = console(highlight=False)
    cursor = CursorContext(where.snapshot, where.span.start)
    if not quiet:
        before = cursor.prefix.split("\n")[-SHOWN_LINES:]
        terminal.print("\n".join(before), style="dim", end="", markup=False, soft_wrap=True)
    shown = ""
    last = CompletionAnswer(None, Reason.EMPTY, final=True)
    async with aclosing(opened.completer.stream(cursor, manual=True)) as answers:
        async for last in answers:
            text = last.suggestion.text if last.suggestion else shown
            if not quiet and text.startswith(shown):
                terminal.print(text[len(shown) :], style="bold green", end="", markup=False, soft_wrap=True)
                shown = text
    if not quiet:
        replaced = last.suggestion.replaced if last.suggestion else 0
        terminal.print(cursor.line_suffix[replaced:], style="dim", markup=False, soft_wrap=True)
        usage = last.usage
        errors.print(
            f"{usage.prompt_tokens} prompt tokens, {usage.cached_tokens} of them cached; first token after "
            f"{usage.first_token_ms:.0f} ms, {usage.generated_tokens} tokens",
            style="dim",
        )
    return last


def _as_json(answer: CompletionAnswer, model: ModelInfo | None, where: FileSpan) -> dict[str, Any]:
    usage, record = answer.usage, answer.record
    facts = record.facts if record else {}
    items = []
    if answer.suggestion:
        span = Span(where.span.start, where.span.start + answer.suggestion.replaced)
        place = range_as_json(where.snapshot.text, where.snapshot.lines, span)
        items = [{"insertText": answer.suggestion.text, "range": place}]
    return {
        "items": items,
        "reason": answer.reason,
        "model": {"name": model.name, "path": model.path, "family": model.family} if model else None,
        "stats": {
            **{name: getattr(usage, name) for name in _TOKEN_COUNTS},
            "confidence": facts.get("confidence", 1.0),
            "gate_ms": round(record.stages_ms.get("gate", 0.0), 2) if record else 0.0,
            "gather_ms": facts.get("gather_ms", 0.0),
            "pack_ms": facts.get("pack_ms", 0.0),
            "first_token_ms": round(usage.first_token_ms, 1),
            "total_ms": round(record.total_ms, 1) if record else 0.0,
        },
    }
