"""The corpus on disk: one JSON object a line, compressed, and what a file of it is.

Needs nothing beyond the standard library, so that it is read wherever training runs.
"""

import json
import lzma
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from models.training.manifest import DATA

CORPUS = DATA / "corpus.jsonl.xz"
HELD_OUT = DATA / "held-out.jsonl.xz"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the corpus. ``definitions`` are (name, first line, last line) of signatures, counted from 0."""

    package: str
    path: str
    language: str
    text: str
    definitions: tuple[tuple[str, int, int], ...] = ()


def read_corpus(path: Path, languages: Collection[str] = ()) -> list[SourceFile]:
    """Read a corpus file; only the files of some languages where any is named."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        files = [_of_row(json.loads(line)) for line in lines]
    return [file for file in files if not languages or file.language in languages]


def write_corpus(path: Path, files: Iterable[SourceFile]) -> None:
    """Write a corpus file, one JSON object a line, compressed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(path, "wt", encoding="utf-8", preset=9) as out:
        out.writelines(json.dumps(asdict(file), ensure_ascii=False, separators=(",", ":")) + "\n" for file in files)


def _of_row(row: dict[str, object]) -> SourceFile:
    spans: list[list[object]] = row.pop("definitions")  # type: ignore[assignment]
    return SourceFile(**row, definitions=tuple(tuple(span) for span in spans))  # type: ignore[arg-type]
