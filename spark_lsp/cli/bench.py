"""``spark-lsp bench``: prints the project's own measurements.

Where possible a figure is a ratio of two sides that take turns within one run.
"""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from spark_lsp.bench.asking import Measure
from spark_lsp.bench.beyond import long_enough
from spark_lsp.bench.commit_replay import measure_history, measure_scenarios
from spark_lsp.bench.indexing import Sizes, measure_index
from spark_lsp.bench.latency import measure_latency
from spark_lsp.bench.quality import BUDGETS, Quality, measure_recall
from spark_lsp.bench.throughput import ANSWER_TOKENS, measure_throughput
from spark_lsp.catalog.model_names import model_path
from spark_lsp.cli.oneshot import errors, settings_of
from spark_lsp.cli.terminal import console, out_json

app = typer.Typer(help="Measure the engine on this machine.", no_args_is_help=True)

_WIDTH = 120  # of tables, also where the terminal has no width of its own

_Model = Annotated[str, typer.Option(help="Model name or path of a GGUF file.")]
_Context = Annotated[int, typer.Option(min=256, help="Tokens of the cached prompt.")]
_Threads = Annotated[
    int, typer.Option(min=0, help="Threads of the engine and of the baseline; 0: one for each physical core.")
]
_Rounds = Annotated[
    int, typer.Option(min=1, help="Rounds in which engine and baseline take turns; the medians are printed.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("latency", epilog="Example: spark-lsp bench latency --context-tokens 8192")
def latency(
    *,
    model: _Model = "",
    context_tokens: _Context = 8192,
    volatile: Annotated[int, typer.Option(min=1, max=2048, help="New tokens of a warm prompt.")] = 512,
    threads: _Threads = 0,
    rounds: _Rounds = 5,
    tries: Annotated[int, typer.Option(min=1, help="Completions requested while the engine is busy.")] = 24,
    as_json: _Json = False,
) -> None:
    """Measure the time to the first token, cold and warm, beside a plain llama.cpp loop; recovery; memory."""
    with (
        long_enough(str(model_path(settings_of(None, model))), context_tokens, errors.print) as path,
        errors.status(f"Measuring prompts of {context_tokens} tokens …"),
    ):
        measure = Measure(path=path, context_tokens=context_tokens, threads=threads, rounds=rounds)
        report = asyncio.run(measure_latency(measure, volatile, tries))
    _show(report, as_json=as_json)


@app.command("throughput", epilog="Example: spark-lsp bench throughput --context-tokens 4096")
def throughput(
    *,
    model: _Model = "",
    context_tokens: _Context = 4096,
    answer_tokens: Annotated[
        int, typer.Option(min=8, help="Maximum tokens of an unconstrained answer.")
    ] = ANSWER_TOKENS,
    threads: _Threads = 0,
    rounds: _Rounds = 5,
    as_json: _Json = False,
) -> None:
    """Measure decode speed beside a plain llama.cpp loop, and what speculative drafts gain."""
    with (
        long_enough(str(model_path(settings_of(None, model))), context_tokens, errors.print) as path,
        errors.status(f"Measuring answers after {context_tokens} tokens …"),
    ):
        measure = Measure(path=path, context_tokens=context_tokens, threads=threads, rounds=rounds)
        report = asyncio.run(measure_throughput(measure, answer_tokens))
    _show(report, as_json=as_json)


@app.command("quality", epilog="Example: spark-lsp bench quality . --cursors 40")
def quality(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR]...", help="Projects; default: this folder.")
    ] = None,
    *,
    model: _Model = "",
    context_tokens: Annotated[
        list[int] | None, typer.Option(min=64, help="Prompt size; repeat the option for several.")
    ] = None,
    cursors: Annotated[int, typer.Option(min=1, help="Cursors for each project.")] = 80,
    seed: Annotated[int, typer.Option(help="Random seed for choosing the cursors.")] = 1,
    rivals: Annotated[bool, typer.Option(help="Also measure prompts made by the methods of other tools.")] = True,
    keys: Annotated[
        int, typer.Option(min=0, help="Keystrokes of a simulated editing session in the first project.")
    ] = 0,
    as_json: _Json = False,
) -> None:
    """Measure how many of the names that the next lines need from other files are in the prompt."""
    what = Quality(folders or [Path()], tuple(context_tokens or BUDGETS), cursors, seed, rivals, keys)
    with errors.status("Packing …") as status:
        path = str(model_path(settings_of(None, model)))
        report = asyncio.run(measure_recall(what, path, lambda name: status.update(f"Packing in {name} …")))
    _show(report if as_json else {name: part for name, part in report.items() if name != "by_project"}, as_json=as_json)


@app.command("index", epilog="Example: spark-lsp bench index . --files 10000")
def index(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Folder whose files are used.")] = Path(),
    *,
    files: Annotated[
        int, typer.Option(min=1, help="Files of the workspace; files are repeated if there are too few.")
    ] = 10_000,
    many: Annotated[int, typer.Option(min=0, help="Files of the large workspace.")] = 200_000,
    lines: Annotated[int, typer.Option(min=1, help="Lines of the longest file.")] = 1_000_000,
    edits: Annotated[int, typer.Option(min=1, help="Files that are edited.")] = 200,
    workers: Annotated[int, typer.Option(min=0, help="Worker processes; 0: as many as the server uses.")] = 0,
    as_json: _Json = False,
) -> None:
    """Measure the index beside parsing alone: first run, second run, edits, memory, very large workspaces."""
    sizes = Sizes(folder.resolve(), files, many, lines, edits, workers)
    with errors.status("Measuring …") as status:
        report = measure_index(sizes, status.update)
    _show(report, as_json=as_json)


@app.command("edits", epilog="Example: spark-lsp bench edits samples/edits --history . --commits 200")
def edits(
    scenarios: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Folder of scenario files.")] = None,
    *,
    history: Annotated[Path | None, typer.Option(help="A git repository whose commits are replayed.")] = None,
    commits: Annotated[int, typer.Option(min=1, help="Changed files of commits that are replayed.")] = 200,
    hunks: Annotated[int, typer.Option(min=1, help="Hunks of a file that are made first.")] = 1,
    seed: Annotated[int, typer.Option(help="Random seed for choosing the commits.")] = 1,
    as_json: _Json = False,
) -> None:
    """Measure next edits: scenarios, and commits replayed from their first hunks."""
    report: dict[str, Any] = {}
    with errors.status("Measuring …"):
        if scenarios is not None:
            report["scenarios"] = measure_scenarios(scenarios)
        if history is not None:
            report["history"] = measure_history(history.resolve(), commits, seed, hunks)
    _show(report, as_json=as_json)


def _show(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        out_json(report)
        return
    terminal = console(highlight=False)
    terminal.width = max(terminal.width, _WIDTH)
    for name, value in report.items():
        if isinstance(value, list):
            terminal.print(_table(name, value))
        elif isinstance(value, dict):
            terminal.print(f"\n{name}")
            _print_pairs(terminal, value, indent="  ")
        else:
            _print_pairs(terminal, {name: value}, indent="")


def _print_pairs(terminal: Console, pairs: dict[str, Any], *, indent: str) -> None:
    for name, value in pairs.items():
        terminal.print(f"{indent}{name:<28} {value}")


def _table(name: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=name, title_justify="left", box=None, pad_edge=False)
    for column in rows[0]:
        table.add_column(column.replace("_", " "), justify="left" if isinstance(rows[0][column], str) else "right")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    return table
