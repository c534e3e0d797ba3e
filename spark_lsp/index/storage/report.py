"""The report of an index refresh, which the ``index`` command prints."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spark_lsp.index.scan.ignore import SkipReason
from spark_lsp.index.storage.view import FileEntry


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a refresh did and what the index then holds; ``as_json`` is the ``index`` command's answer."""

    files: int
    parsed: int
    reused: int
    removed: int
    skipped: Mapping[SkipReason, int]
    bytes: int
    symbols: int
    references: int
    languages: Mapping[str, int]
    seconds: float
    problems: tuple[str, ...] = ()
    """A sentence about each ignore file that could not be used."""
    complete: bool = True
    """False when the refresh was cancelled; nothing is removed then."""

    def as_json(self) -> dict[str, object]:
        """Return the report as plain values."""
        return {
            "files": self.files,
            "parsed": self.parsed,
            "reused": self.reused,
            "removed": self.removed,
            "skipped": dict(sorted(self.skipped.items())),
            "bytes": self.bytes,
            "symbols": self.symbols,
            "references": self.references,
            "languages": dict(sorted(self.languages.items(), key=lambda item: (-item[1], item[0]))),
            "seconds": round(self.seconds, 3),
            "problems": list(self.problems),
            "complete": self.complete,
        }


def report_of(
    entries: Iterable[FileEntry],
    *,
    parsed: int,
    reused: int,
    removed: int,
    skipped: Mapping[SkipReason, int],
    seconds: float,
    problems: Iterable[str],
    complete: bool,
) -> IndexReport:
    """Add up the entries of a view."""
    held = list(entries)
    return IndexReport(
        files=len(held),
        parsed=parsed,
        reused=reused,
        removed=removed,
        skipped=dict(skipped),
        bytes=sum(entry.size for entry in held),
        symbols=sum(entry.definition_count for entry in held),
        references=sum(entry.use_count for entry in held),
        languages=Counter(entry.language for entry in held),
        seconds=seconds,
        problems=tuple(dict.fromkeys(problems)),
        complete=complete,
    )
