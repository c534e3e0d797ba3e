"""``spark-lsp models optimize``: converts a pulled model to the weight types that this processor is fastest with.

Prints the measurements and whether a file was kept. Never changes or deletes the original.
"""

import shutil
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.table import Column, Table

from spark_lsp.catalog.folder import models_folder
from spark_lsp.catalog.model_names import known_model, original_of
from spark_lsp.catalog.optimized import Optimized, forget, record_of, remember, target_for
from spark_lsp.cli.model_rows import bytes_text, print_json
from spark_lsp.cli.terminal import console, out
from spark_lsp.engine.local.requantize_process import requantize_model
from spark_lsp.engine.wire.frames import Measured, Requantized
from spark_lsp.errors import ModelMissing

CHECK_FILES: Final = ("text/snapshot.py", "completion/postprocess/trim.py", "index/ranking/file_order.py")
CHECK_CHARACTERS: Final = 1_000
"""Of each file: some 250 tokens. Code that no published model has been trained on in this form."""
SPACE_PER_BYTE: Final = 3.0
"""Disk space needed for each byte of the original while all candidates are there."""

_COLUMNS: Final = ("weights", "size", "prefill", "decode", "loss", "same token")


def optimize_model(
    name: Annotated[str, typer.Argument(help="Name from the list or path of a GGUF file.", show_default=False)],
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Delete the optimized file and use the original again.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")] = False,
) -> None:
    """Convert a model's weights to types with fast kernels on this processor, and use them if they are faster.

    Measures the speed of each type and how much its predictions differ; the original file stays.
    """
    original = original_of(name)
    if undo:
        _undo(name, original, json=json)
        return
    free = shutil.disk_usage(next(path for path in (models_folder(), *models_folder().parents) if path.exists())).free
    size = original.stat().st_size
    if free < size * SPACE_PER_BYTE:
        raise ModelMissing(
            f"The disk is too full to optimize {name}: {size * SPACE_PER_BYTE / 1e9:.1f} GB are needed in "
            f"{models_folder()}, {free / 1e9:.1f} GB are free.",
            fix="Free some space, or set SPARK_LSP_MODELS_DIR to a folder on another disk.",
        )
    models_folder().mkdir(parents=True, exist_ok=True)
    with console(stderr=True).status("starting …") as status:
        result = requantize_model(
            original, target_for(original), check_text(), lambda step: status.update(f"{name}: {step} …")
        )
    remember(original, _record(name, original, result))
    if json:
        print_json({"name": name, "kept": result.kept or None, "measured": msgspec.to_builtins(result.measured)})
    else:
        _print(name, result)


def check_text() -> str:
    """Return the code whose tokens the original and the candidates predict."""
    package = Path(__file__).resolve().parent.parent
    return "\n".join((package / file).read_text("utf-8")[:CHECK_CHARACTERS] for file in CHECK_FILES)


def _undo(name: str, original: Path, *, json: bool) -> None:
    removed = forget(original)
    if json:
        print_json({"name": name, "removed": str(removed) if removed else None})
    elif removed:
        out(f"Deleted {removed}; {name} uses {original} again.\n")
    else:
        out(f"{name} has no optimized file.\n")


def _record(name: str, original: Path, result: Requantized) -> Optimized:
    before = result.measured[0]
    after = next((result_row for result_row in result.measured if result_row.name == result.kept), before)
    known = known_model(name)
    return Optimized(
        original=original.name if original.parent == models_folder() else str(original),
        original_bytes=original.stat().st_size,
        original_sha256=known.file.sha256 if known and known.file else "",
        file=target_for(original).name if result.kept else "",
        type=result.kept,
        prefill_tokens_per_s=(before.prefill_tokens_per_s, after.prefill_tokens_per_s),
        decode_tokens_per_s=(before.decode_tokens_per_s, after.decode_tokens_per_s),
        loss=after.loss,
    )


def _print(name: str, result: Requantized) -> None:
    table = Table(*(Column(title, no_wrap=True) for title in _COLUMNS), box=None, pad_edge=False)
    for measured in result.measured:
        table.add_row(*_row(measured))
    console().print(table)
    if result.kept:
        out(f"{name} uses {result.kept} from the next engine start; the original stays.\n")
        out("To use it now, run: spark-lsp engine stop\n")
    else:
        out(f"{name} is unchanged: no other type is clearly faster here with the same predictions.\n")


def _row(measured: Measured) -> tuple[str, ...]:
    return (
        measured.name,
        bytes_text(measured.size_bytes),
        f"{measured.prefill_tokens_per_s:,.0f} tokens/s",
        f"{measured.decode_tokens_per_s:,.1f} tokens/s",
        f"{measured.loss:+.2%}",
        f"{measured.same:.1%}",
    )


def optimized_note(original: Path) -> str:
    """Return what ``models show`` says of an optimized file; empty where there is none."""
    record = record_of(original)
    if record is None:
        return ""
    before, after = record.prefill_tokens_per_s
    return (
        f"{record.type} made for this machine: prefill {before:,.0f} -> {after:,.0f} tokens/s, {record.loss:+.2%} loss"
    )
