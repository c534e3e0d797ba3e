"""``spark-lsp index``: builds or refreshes the index of a folder and prints statistics."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from spark_lsp.app import index_cache_path
from spark_lsp.cli.place import workspace_of
from spark_lsp.cli.terminal import console, err, out_json
from spark_lsp.config import environment_source, resolve
from spark_lsp.index.scan.ignore import CrawlRules
from spark_lsp.index.storage.report import IndexReport
from spark_lsp.index.store import Index
from spark_lsp.index.workers.pool import Workers


def index(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="The workspace; default: the nearest folder with a project marker."),
    ] = None,
    *,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Parse every file again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Build or refresh the index and print statistics.

    Example: spark-lsp index ~/src/project
    """
    root = workspace_of(Path.cwd(), folder)
    settings, messages = resolve([environment_source(os.environ)])
    rules = CrawlRules(include=settings.context.include, exclude=settings.context.exclude)
    for message in messages:
        _say(message)
    opened = Index(root, cache_path=index_cache_path(root), rules=rules, workers=Workers(), say=_say)
    try:
        report = _refresh(opened, rebuild=rebuild)
    finally:
        opened.close()
    if as_json:
        out_json(report.as_json())
    else:
        _show(report, root)


def _say(message: str) -> None:
    err(f"spark-lsp: {message}\n")


def _refresh(opened: Index, *, rebuild: bool) -> IndexReport:
    columns = (TextColumn("Indexing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task("index", total=None)
        return opened.refresh(lambda done, total: progress.update(task, completed=done, total=total), rebuild=rebuild)


def _show(report: IndexReport, root: Path) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    rows = {
        "workspace": str(root),
        "files": f"{report.files:,} ({report.parsed:,} parsed, {report.reused:,} reused, {report.removed:,} removed)",
        "languages": _counts(report.languages),
        "symbols": f"{report.symbols:,}",
        "references": f"{report.references:,}",
        "size": f"{report.bytes / 1e6:.1f} MB",
        "skipped": _counts({str(reason): count for reason, count in report.skipped.items()}) or "none",
        "time": f"{report.seconds:.1f} s",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console().print(table)
    for sentence in report.problems:
        err(f"{sentence}\n")


def _counts(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count:,}" for name, count in ordered)
