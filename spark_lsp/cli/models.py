"""``spark-lsp models``: the catalogue on the command line. Prints what the catalogue and the engine's probe know."""

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from spark_lsp.catalog.catalog import MODELS, KnownModel, resolve_model
from spark_lsp.engine.base import ModelInfo
from spark_lsp.engine.local import describe_model

app = typer.Typer(help="Models: which there are, what each is, where it lies.", no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
_Model = Annotated[str, typer.Argument(help="Name from the list or path of a GGUF file; empty for the embedded one.")]


@app.command("list", epilog="Example: spark-lsp models list")
def list_models(*, json: _Json = False) -> None:
    """List the models that have a name."""
    if json:
        _print_json([_row(model) for model in MODELS])
        return
    table = Table("name", "size", "weights", "languages", "licence", "what it is", box=None, pad_edge=False)
    for model in MODELS:
        table.add_row(
            model.name,
            _megabytes(model.size_bytes) if model.path else "not here",
            f"{model.parameters / 1e6:.1f} M",
            ", ".join(model.languages),
            model.licence,
            model.summary,
        )
    Console().print(table)


@app.command("show", epilog="Example: spark-lsp models show spark-nano")
def show(name_or_path: _Model = "", *, json: _Json = False) -> None:
    """Describe a model: family, fill-in-the-middle order, vocabulary, context. Loads it in a process of its own."""
    path = resolve_model(name_or_path)
    info = describe_model(path)
    known = next((model for model in MODELS if model.path == path), None)
    if json:
        _print_json(_described(info, known))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for label, value in _lines(info, known):
        table.add_row(label, value)
    Console().print(table)


@app.command("path", epilog="Example: spark-lsp models path spark-nano")
def path(name_or_path: _Model = "", *, json: _Json = False) -> None:
    """Print where a model lies on this machine."""
    found = resolve_model(name_or_path)
    if json:
        _print_json({"path": str(found)})
    else:
        sys.stdout.write(f"{found}\n")


def _row(model: KnownModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "path": str(model.path) if model.path else None,
        "size_bytes": model.size_bytes,
        "parameters": model.parameters,
        "languages": list(model.languages),
        "licence": model.licence,
        "summary": model.summary,
    }


def _described(info: ModelInfo, known: KnownModel | None) -> dict[str, Any]:
    described: dict[str, Any] = msgspec.to_builtins(info)
    described["can_complete"] = bool(info.family)
    if known:
        described |= {"licence": known.licence, "languages": list(known.languages), "parameters": known.parameters}
    return described


def _lines(info: ModelInfo, known: KnownModel | None) -> list[tuple[str, str]]:
    order = "suffix, prefix, middle" if info.fim_order == "spm" else "prefix, suffix, middle"
    lines = [
        ("name", info.name),
        ("path", _short(info.path)),
        ("size", _megabytes(info.size_bytes)),
        ("architecture", info.architecture),
        ("vocabulary", f"{info.vocabulary_size:,} tokens"),
        ("context", f"{info.trained_context_tokens:,} tokens at most"),
        ("family", info.family or "none known: it cannot complete (model.no_fim)"),
        *([("order", order)] if info.family else []),
        ("chat", "has a chat template" if info.has_chat_template else "no chat template"),
        ("fingerprint", info.fingerprint),
    ]
    if known:
        lines += [("licence", known.licence), ("what it is", known.summary)]
    return lines + [("note", note) for note in info.notes]


def _short(path: str) -> str:
    """Write the home directory as ``~``."""
    try:
        return f"~/{Path(path).relative_to(Path.home()).as_posix()}"
    except (ValueError, RuntimeError):
        return path


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"


def _print_json(value: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
