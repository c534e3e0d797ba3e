"""``spark-lsp context``: prints the prompt for a position, segment by segment, with reasons."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from spark_lsp.cli.oneshot import errors, settings_of, workspace_for
from spark_lsp.cli.place import read_place, workspace_of
from spark_lsp.cli.terminal import console, out_json
from spark_lsp.errors import Reason, WorkspaceError
from spark_lsp.private_file import open_private
from spark_lsp.prompt.html_page import as_html
from spark_lsp.prompt.json_report import as_json
from spark_lsp.prompt.pack import Packed
from spark_lsp.trace import TraceRecord


def context(
    place: Annotated[
        str, typer.Argument(metavar="FILE:LINE:COL", help="Cursor position; lines and columns start at 1.")
    ],
    *,
    budget: Annotated[int | None, typer.Option(min=64, help="Maximum tokens of the prompt.")] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write an HTML page with the text of every segment.")
    ] = None,
    model: Annotated[str, typer.Option(help="Model name or path of a GGUF file.")] = "",
    workspace: Annotated[
        Path | None, typer.Option(help="The workspace folder; default: the nearest folder with a project marker.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the prompt for a position: segments of files, their tokens, and why each is there.

    Example: spark-lsp context src/main.py:12:5 --budget 2000
    """
    where = read_place(place)
    root = workspace_of(where.snapshot.path or Path.cwd(), workspace)
    settings = settings_of(root, model)

    async def run() -> Packed:
        async with workspace_for(root, settings, where, prompt_tokens=budget, is_report=True) as opened:
            return await opened.context.pack_for(where.snapshot, where.span.start)

    packed = asyncio.run(run())
    if html:
        try:
            with open_private(html) as file:
                file.write(as_html(packed, f"Context of {place}", [_account(packed)]))
        except OSError as error:
            raise WorkspaceError(f"{html} cannot be written: {error.strerror}.", fix="Choose another path.") from error
        errors.print(f"Wrote {html}.")
    if json_output:
        out_json(as_json(packed, with_prompt=True))
        return
    _print(packed)


def _account(packed: Packed) -> TraceRecord:
    """Return the cost of this request; an editor's page shows those of other requests."""
    stages_ms = {"gather": packed.gather_ms, "pack": packed.pack_ms}
    total_ms = sum(stages_ms.values())
    return TraceRecord(
        name="context", reason=Reason.OK, started_s=0.0, total_ms=total_ms, stages_ms=stages_ms, facts={}
    )


def _print(packed: Packed) -> None:
    table = Table("path", "lines", "tokens", "kind", "cached", "why", box=None, pad_edge=False)
    for segment in packed.segments:
        lines = f"{segment.start_line}-{segment.end_line}" if segment.start_line else ""
        cached = "yes" if segment.stable else ""
        table.add_row(segment.path, lines, str(segment.tokens), segment.kind, cached, segment.reason)
    terminal = console()
    terminal.print(table)
    terminal.print(f"{packed.tokens} of {packed.budget_tokens} tokens, in the order of the prompt.", style="dim")
