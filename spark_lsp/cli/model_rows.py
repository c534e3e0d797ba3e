"""Formats one model for ``spark-lsp models``: as a row of JSON, or as lines of label and value."""

from pathlib import Path
from typing import Any

import msgspec

from spark_lsp.catalog.known import HubSource, KnownModel, ModelSource, PublishedFile
from spark_lsp.catalog.recommend import CONTEXTS, Machine, fits
from spark_lsp.cli.terminal import out_json
from spark_lsp.engine.base import ModelInfo


def row(model: KnownModel) -> dict[str, Any]:
    """Return what ``--json`` prints of a model of the catalogue."""
    return {
        "name": model.name,
        "path": str(model.path) if model.path else None,
        "size_bytes": size_of(model),
        "parameters": model.parameters,
        "languages": list(model.languages),
        "licence": model.licence,
        "summary": model.summary,
        "family": model.family,
        "native_tokens": model.native_tokens,
        "extended_tokens": model.extended_tokens,
        "kind": model.kind,
        "chat": model.is_chat,
        "free": model.is_free,
        **_published(model.file),
        "memory_bytes": _memory(model),
    }


def _published(file: PublishedFile | None) -> dict[str, Any]:
    """Return name, checksum, size and sources of the file that can be pulled."""
    if file is None:
        return {"file": None, "sha256": None, "published_bytes": None, "repository": None, "sources": []}
    hub = next((source for source in file.sources if isinstance(source, HubSource)), None)
    return {
        "file": file.name,
        "sha256": file.sha256 or None,
        "published_bytes": file.size_bytes,
        "repository": hub.repository if hub else None,
        "sources": [_source(source) for source in file.sources],
    }


def _source(source: ModelSource) -> dict[str, Any]:
    if isinstance(source, HubSource):
        return {"kind": source.kind, "repository": source.repository, "revision": source.revision}
    return {
        "kind": source.kind,
        "distributions": [source.distribution.format(number=number) for number in range(1, len(source.parts) + 1)],
        "version": source.version,
        "download_bytes": sum(part.wheel_bytes for part in source.parts),
    }


def own_row(name: str, path: Path) -> dict[str, Any]:
    """Return what ``--json`` prints of a file that the user gave a name."""
    here = path.is_file()
    return {"name": name, "path": str(path) if here else None, "size_bytes": path.stat().st_size if here else 0}


def _memory(model: KnownModel) -> dict[str, int]:
    """Return what weights and an f16 cache take at the contexts that the model accepts."""
    if model.shape is None:
        return {}
    processor = Machine(0, 1, 0, 1.0, 1.0)
    (fit,) = fits([model], processor)
    return {f"{tokens // 1024}k": size for tokens, size in zip(CONTEXTS, fit.memory_bytes, strict=True) if size}


def size_of(model: KnownModel) -> int:
    """Return the size of the file on this machine, else the published one."""
    return model.size_bytes or (model.file.size_bytes if model.file else 0)


def described(info: ModelInfo, known: KnownModel | None) -> dict[str, Any]:
    """Return what ``--json`` prints of a model that is here: what its file says, and what its row adds."""
    fields: dict[str, Any] = msgspec.to_builtins(info)
    fields["can_complete"] = bool(info.family)
    if known:
        fields |= {
            "licence": known.licence,
            "languages": list(known.languages),
            "parameters": known.parameters,
            "catalogue_name": known.name,
            "kind": known.kind,
            **_published(known.file),
        }
    return fields


def lines_of_file(info: ModelInfo, known: KnownModel | None) -> list[tuple[str, str]]:
    """Describe a model that is here by what its file says, and by its row."""
    order = "suffix, prefix, middle" if info.fim_order == "spm" else "prefix, suffix, middle"
    lines = [
        ("name", f"{known.name} (in the file: {info.name})" if known and known.name != info.name else info.name),
        ("path", short(info.path)),
        ("size", bytes_text(info.size_bytes)),
        ("architecture", info.architecture),
        ("vocabulary", f"{info.vocabulary_size:,} tokens"),
        ("context", f"{info.trained_context_tokens:,} tokens at most"),
        ("family", info.family or "unknown: it cannot complete code (model.no_fim)"),
        *([("order", order)] if info.family else []),
        ("chat", "has a chat template" if info.has_chat_template else "no chat template"),
        ("fingerprint", info.fingerprint),
    ]
    if known:
        lines += [
            ("kind", _kind_text(known)),
            *_source_lines(known.file),
            ("licence", known.licence),
            ("description", known.summary),
        ]
    return lines + [("note", note) for note in info.notes]


def lines_of_row(model: KnownModel) -> list[tuple[str, str]]:
    """Describe a model that is not here yet by its row."""
    extended = f", {model.extended_tokens:,} with YaRN" if model.extended_tokens else ""
    return [
        ("name", model.name),
        ("path", f"not downloaded: spark-lsp models pull {model.name}"),
        *_source_lines(model.file),
        ("size", bytes_text(size_of(model))),
        ("weights", count_text(model.parameters)),
        ("context", f"{model.native_tokens:,} tokens{extended}"),
        ("family", model.family),
        ("kind", _kind_text(model)),
        *((f"memory at {context}", bytes_text(size)) for context, size in _memory(model).items()),
        ("licence", model.licence),
        ("description", model.summary),
    ]


def _kind_text(model: KnownModel) -> str:
    return "instruct: completes and follows instructions" if model.is_chat else "base: completes only"


def _source_lines(file: PublishedFile | None) -> list[tuple[str, str]]:
    if file is None:
        return []
    return [
        ("file", file.name),
        ("checksum", f"sha256 {file.sha256}" if file.sha256 else "not in the list; the hub's own is used"),
        *(("source", _source_text(source)) for source in file.sources),
    ]


def _source_text(source: ModelSource) -> str:
    if isinstance(source, HubSource):
        return f"{source.title}: {source.repository}"
    first, last = (source.distribution.format(number=number) for number in (1, len(source.parts)))
    return f"{source.title}: {first} to {last}, version {source.version}"


def short(path: str) -> str:
    """Write the home directory as ``~``."""
    try:
        return f"~/{Path(path).relative_to(Path.home()).as_posix()}"
    except (ValueError, RuntimeError):
        return path


def count_text(number: int) -> str:
    """Write a number of weights."""
    return f"{number / 1e9:.1f} B" if number >= 1e9 else f"{number / 1e6:.1f} M"


def bytes_text(size_bytes: int) -> str:
    """Write a size."""
    return f"{size_bytes / 1e9:,.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:,.1f} MB"


def print_json(value: Any) -> None:
    """Print JSON for a machine, indented for a person who looks."""
    out_json(msgspec.to_builtins(value), indent=2)
