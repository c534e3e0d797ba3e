"""``spark-lsp stats``: prints statistics of your suggestions as a table or JSON, or writes a page with plots."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from spark_lsp.app import feedback_path
from spark_lsp.cli.stats_table import COLUMNS, TEXT_COLUMNS, cells, table_rows
from spark_lsp.cli.terminal import console, out, out_json
from spark_lsp.completion.statistics import FeedbackStatistics, read_statistics
from spark_lsp.errors import WorkspaceError
from spark_lsp.private_file import open_private

_WIDTH = 132  # of tables, also where the terminal has no width of its own


def stats(
    *,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with plots; it loads nothing from the network.")
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the local file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how many suggestions were shown, accepted, kept and rejected, and how long they took.

    The figures come from one local file, which holds no code and is never sent; spark.telemetry.local switches it off.

    Example: spark-lsp stats --html stats.html
    """
    path = feedback_path()
    if delete:
        _delete(path)
    statistics = read_statistics(path)
    if html is not None:
        from spark_lsp.cli.plots import page  # noqa: PLC0415 - the plotting library takes a third of a second

        try:
            with open_private(html) as file:
                file.write(page(statistics, str(path)))
        except OSError as error:
            raise WorkspaceError(f"{html} cannot be written: {error.strerror}.", fix="Choose another path.") from error
    if as_json:
        out_json(_as_json(statistics, path))
        return
    _print(statistics, path)
    if html is not None:
        out(f"Wrote {html}\n")


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise WorkspaceError(f"{path} cannot be deleted: {error.strerror}.") from error


def _as_json(statistics: FeedbackStatistics, path: Path) -> dict[str, object]:
    return {
        "file": str(path),
        "suggestions": sum(row.suggestions for row in statistics.rows),
        "rows": [asdict(row) for row in statistics.rows],
        "total": asdict(statistics.total),
        "unreadable_lines": statistics.unreadable_lines,
    }


def _print(statistics: FeedbackStatistics, path: Path) -> None:
    terminal = console(highlight=False)
    terminal.width = max(terminal.width, _WIDTH)
    if not statistics.rows:
        terminal.print(f"No suggestion has been shown yet; {path} is empty.", markup=False)
        return
    table = Table(box=None, pad_edge=False)
    table.add_column(COLUMNS[0], no_wrap=True)
    table.add_column(COLUMNS[1], overflow="fold")  # two models may differ at the end of their names alone
    for name in COLUMNS[TEXT_COLUMNS:]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in table_rows(statistics):
        table.add_row(*cells(row), style="bold" if row is statistics.total else None)
    terminal.print(table)
    terminal.print(f"Times are milliseconds. The file: {path}", style="dim", markup=False)
    if statistics.unreadable_lines:
        terminal.print(f"{statistics.unreadable_lines} lines of it cannot be read and are skipped.", style="dim")
