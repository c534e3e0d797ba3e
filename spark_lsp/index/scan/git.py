"""Run git for its history: which files the last commits changed, and the position of HEAD.

The repository comes from whoever wrote it, so nothing in its configuration may run a program or reach a network: see
docs/decisions/ranking.md. Never raises and never says anything: what cannot be read is nothing.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from spark_lsp.index.scan.plain_file import read_small_text
from spark_lsp.index.scan.repository import SMALL_BYTES, common_folder, git_folder_of
from spark_lsp.index.scan.run_git import Started, git_output

COMMITS = 1_000
LIMIT_S = 10.0  # it takes some 0.02 s here; a repository of very many files on a cold disk takes seconds
MAX_BYTES = 4_000_000  # a thousand commits like those of this repository print a sixteenth of that

_MARK: Final = b"\x01"  # the mark of a commit; no file has such a name
_SETTINGS: Final = ("log.showSignature=false", "log.showRoot=false")
"""A first commit, and where a shallow clone ends, is no change."""
_LOG = (
    *("log", f"--max-count={COMMITS}", "--no-merges", "--relative", "--name-only", "-z", "--format=%x01"),
    *("--no-renames", "--no-ext-diff", "--no-textconv", "--no-show-signature", "--no-mailmap", "--no-color"),
)


def head_of(root: Path) -> tuple[str, ...]:
    """Return a value that identifies the position of HEAD, from a few small files; empty without a repository."""
    folder = _repository_folder(root)
    head = _small_text(folder, "HEAD") if folder else ""
    if folder is None or not head:
        return ()
    common = common_folder(folder)
    ref = head.removeprefix("ref:").strip()
    if not ref.startswith("refs/") or ".." in ref.split("/"):
        return (str(folder), head)
    packed = ""
    with suppress(OSError):
        status = (common / "packed-refs").stat()
        packed = f"{status.st_mtime_ns} {status.st_size}"
    return (str(folder), head, _small_text(common, ref), packed, _small_text(common, "reftable/tables.list"))


def changed_files(
    root: Path,
    started: Started = lambda _process: None,
    *,
    limit_s: float = LIMIT_S,
    most_bytes: int = MAX_BYTES,
) -> list[list[str]]:
    """Return the files that each of the last commits changed, the newest commit first; paths relative to ``root``.

    Merges are left out, and so are files outside ``root``. ``started`` receives the process, so that it can be killed
    from another thread. Blocks for up to ``limit_s``; meant for a worker thread. Nothing comes out of a run that took
    longer or failed; what is more than ``most_bytes`` is cut off.
    """
    output = git_output(
        root, _LOG, limit_s=limit_s, most_bytes=most_bytes, settings=_SETTINGS, is_low_priority=True, started=started
    )
    raw = output.raw.rpartition(_MARK + b"\0")[0] if output.is_cut else output.raw  # only whole commits
    return list(_commits(raw))


def _commits(raw: bytes) -> Iterator[list[str]]:
    """Split git's output: a mark, and on a line of its own the names, each followed by a NUL."""
    for commit in raw.split(_MARK + b"\0")[1:]:
        yield [name.decode("utf-8", "replace") for name in commit.removeprefix(b"\n").split(b"\0") if name]


def _repository_folder(root: Path) -> Path | None:
    """Return the folder that holds HEAD."""
    return next((place for folder in (root, *root.parents) if (place := git_folder_of(folder))), None)


def _small_text(folder: Path, name: str) -> str:
    return read_small_text(str(folder / name), SMALL_BYTES)
