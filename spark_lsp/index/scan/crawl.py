"""Walk the folders of a workspace and return its source files and their text. No other module walks folders.

Every file left out is counted under a reason. Never enters ignored or vendored folders, never follows a link out of the
workspace, never fails because a file vanished or may not be read. Only an unusable root raises.
"""

import errno
import logging
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from spark_lsp.errors import WorkspaceError
from spark_lsp.index.scan.ignore import (
    HOLDS_TRACKED_ONLY,
    MAX_FILE_BYTES,
    RULE_NAMES,
    CrawlRules,
    FolderPatterns,
    PathVerdict,
    SkipReason,
    entered,
    file_reason,
    folder_reason,
    is_ignored,
    root_scopes,
    verdict,
)
from spark_lsp.index.scan.plain_file import read_bytes
from spark_lsp.index.scan.secrets import suspected
from spark_lsp.index.scan.tracked import forget_tracked
from spark_lsp.secret_text import SHAPES, SecretShape, has_secret

log = logging.getLogger(__name__)

MINIFIED_LINE_CHARS = 5_000  # nobody writes such a line by hand
_HANDS_OFF = ("do not edit", "do not modify", "do not change")
_GENERATED_MARK_CHARS = 600  # where generators put their mark: the first few lines


@dataclass(frozen=True, slots=True)
class CrawledFile:
    """A file that may be indexed. ``path`` is relative to the root, with ``/``."""

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why a file has no text for us."""

    reason: SkipReason


FolderOutcome = Literal["folder", "tracked folder"]
_FOLDER_OUTCOMES: Final[Mapping[PathVerdict, FolderOutcome | Skipped]] = {
    "kept": "folder",
    "tracked": "tracked folder",
    "ignored": Skipped("ignored"),
}


def check_root(root: Path) -> Path:
    """Return the workspace's resolved root.

    Raises:
        WorkspaceError: it is no folder, or holds the whole home folder or machine.
    """
    try:
        resolved = root.resolve(strict=True)
    except (OSError, RuntimeError):
        raise WorkspaceError(f"{root} does not exist.", fix="Open an existing folder.") from None
    if not resolved.is_dir():
        raise WorkspaceError(f"{root} is a file, not a folder.", fix="Open the folder that holds it.")
    try:
        holds_home = Path.home().resolve().is_relative_to(resolved)
    except (OSError, RuntimeError):
        holds_home = resolved.parent == resolved
    if holds_home or resolved.parent == resolved:
        raise WorkspaceError(
            f"{resolved} is too large for one workspace.", fix="Open the folder of one project inside it instead."
        )
    return resolved


def crawl(
    root: Path,
    rules: CrawlRules,
    skipped: Counter[SkipReason],
    *,
    cancelled: Callable[[], bool] = lambda: False,
    problem: Callable[[str], None] = log.warning,
) -> Iterator[CrawledFile]:
    """Yield the files that may be indexed, folder by folder in order of name; count the others in ``skipped``.

    A folder left out counts as one. The walk ends early when ``cancelled()``. ``problem`` receives a sentence about
    each ignore file that cannot be used.

    Raises:
        WorkspaceError: see ``check_root``.
    """
    root = check_root(root)
    forget_tracked()
    waiting: list[tuple[str, tuple[FolderPatterns, ...]]] = [("", root_scopes(root, problem))]
    file_count = 0
    while waiting and not cancelled():
        folder, scopes = waiting.pop()
        entries = _entries(f"{root}/{folder}", skipped)
        if folder and any(entry.name.lower() in RULE_NAMES for entry in entries):
            scopes = entered(root, folder, scopes, problem)
        folders: list[tuple[str, tuple[FolderPatterns, ...]]] = []
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            outcome = _look(root, path, entry, scopes, rules)
            if outcome in ("folder", "tracked folder"):
                folders.append((path, scopes if outcome == "folder" else (*scopes, HOLDS_TRACKED_ONLY)))
            elif isinstance(outcome, CrawledFile):
                file_count += 1
                if file_count > rules.max_files:
                    skipped["limit"] += 1
                else:
                    yield outcome
            elif isinstance(outcome, Skipped):
                skipped[outcome.reason] += 1
        waiting += reversed(folders)


def skip_reason(root: Path, path: str, rules: CrawlRules) -> SkipReason | None:
    """Return why one path is left out by names and ignore files, without a crawl; None when it may be indexed.

    ``root`` is resolved (``check_root``). A path that leads out of the workspace counts as ignored.
    """
    parts = path.split("/")
    if path.startswith("/") or not all(parts) or ".." in parts or "." in parts:
        return "ignored"
    if reason := _reason_on_the_way(root, parts) or file_reason(path, rules):
        return reason
    target = _target(root, path)
    if isinstance(target, Skipped):
        return target.reason
    return skip_reason(root, target, rules) if target != path else None


def _reason_on_the_way(root: Path, parts: Sequence[str]) -> SkipReason | None:
    """Walk from the root to a path, reading the ignore files on the way."""
    scopes = _scopes_around(root, parts, {})
    if isinstance(scopes, Skipped):
        return scopes.reason
    return "ignored" if is_ignored(scopes, "/".join(parts), folder=False) else None


_Walked = dict[str, "tuple[FolderPatterns, ...] | Skipped"]


def _scopes_around(root: Path, parts: Sequence[str], walked: _Walked) -> "tuple[FolderPatterns, ...] | Skipped":
    """Return the scopes of the folder that holds a path, or why it is never entered; ``walked`` are folders so far."""
    folder = "/".join(parts[:-1])
    if folder not in walked:
        walked[folder] = _scopes_in(root, parts[:-1], walked)
    return walked[folder]


def _scopes_in(root: Path, parts: Sequence[str], walked: _Walked) -> "tuple[FolderPatterns, ...] | Skipped":
    if not parts:
        return root_scopes(root)
    folder, scopes = "/".join(parts), _scopes_around(root, parts, walked)
    if isinstance(scopes, Skipped):
        return scopes
    if reason := folder_reason(folder):
        return Skipped(reason)
    outcome = verdict(scopes, folder, folder=True)
    if outcome == "ignored":
        return Skipped("ignored")
    return entered(root, folder, (*scopes, HOLDS_TRACKED_ONLY) if outcome == "tracked" else scopes)


def that_are_kept(root: Path, paths: Iterable[str], rules: CrawlRules) -> set[str]:
    """Return which of many paths, files and folders, are not left out; each ignore file is read once."""
    walked: _Walked = {}
    return {path for path in paths if not _is_left_out(root, path, rules, walked)}


def _is_left_out(root: Path, path: str, rules: CrawlRules, walked: _Walked) -> bool:
    scopes = _scopes_around(root, path.split("/"), walked)
    if isinstance(scopes, Skipped):
        return True
    if (root / path).is_dir():
        return folder_reason(path) is not None or is_ignored(scopes, path, folder=True)
    return file_reason(path, rules) is not None or is_ignored(scopes, path, folder=False)


def read_source(root: Path, path: str, *, max_bytes: int = MAX_FILE_BYTES) -> str | Skipped:
    """Read one file as text, line endings untouched, a byte-order mark dropped."""
    text = _read_text(root, path, max_bytes)
    reason = content_reason(text) if isinstance(text, str) else None
    return Skipped(reason) if reason else text


def read_sources(root: Path, paths: Iterable[str], *, max_bytes: int = MAX_FILE_BYTES) -> list[str | Skipped]:
    """Read several files, as ``read_source`` does, and look for secrets in all of them at once."""
    texts = [_read_text(root, path, max_bytes) for path in paths]
    shapes = suspected([text for text in texts if isinstance(text, str)])
    for number, text in enumerate(texts):
        if isinstance(text, str) and (reason := content_reason(text, shapes)):
            texts[number] = Skipped(reason)
    return texts


def _read_text(root: Path, path: str, max_bytes: int) -> str | Skipped:
    try:
        raw = read_bytes(f"{root}/{path}", max_bytes)
    except (OSError, ValueError):
        return Skipped("unreadable")
    if raw is None or len(raw) > max_bytes:
        return Skipped("unreadable" if raw is None else "too_large")
    if b"\0" in raw:
        return Skipped("binary")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Skipped("not_utf8")


def content_reason(text: str, shapes: Iterable[SecretShape] = SHAPES) -> SkipReason | None:
    """Return why a text is left out for what it holds, None when it is not; ``shapes`` are the secrets to look for."""
    if has_secret(text, shapes):
        return "secret"
    head = text[:_GENERATED_MARK_CHARS].lower()
    marked = "@generated" in head or ("generated" in head and any(mark in head for mark in _HANDS_OFF))
    if marked or _has_endless_line(text):
        return "generated"
    return None


def _has_endless_line(text: str) -> bool:
    start = 0
    while len(text) - start > MINIFIED_LINE_CHARS:
        start = text.rfind("\n", start, start + MINIFIED_LINE_CHARS + 1) + 1  # the last line end that is near enough
        if start == 0:
            return True
    return False


def _entries(folder: str, skipped: Counter[SkipReason]) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []  # vanished since its parent was listed
    except OSError:
        skipped["unreadable"] += 1
        return []


def _look(
    root: Path, path: str, entry: "os.DirEntry[str]", scopes: tuple[FolderPatterns, ...], rules: CrawlRules
) -> CrawledFile | Skipped | FolderOutcome | None:
    """Tell what one entry is: a file to index, a folder to enter, or left out (None: it vanished)."""
    try:
        if entry.is_symlink():
            return _look_at_link(root, path, entry, scopes, rules)
        if entry.is_dir(follow_symlinks=False):
            if reason := folder_reason(path):
                return Skipped(reason)
            return _FOLDER_OUTCOMES[verdict(scopes, path, folder=True)]
        return _look_at_file(path, entry, scopes, rules)
    except FileNotFoundError:
        return None
    except OSError:
        return Skipped("unreadable")


def _look_at_file(
    path: str, entry: "os.DirEntry[str]", scopes: tuple[FolderPatterns, ...], rules: CrawlRules
) -> CrawledFile | Skipped:
    if is_ignored(scopes, path, folder=False):
        return Skipped("ignored")
    if reason := file_reason(path, rules):
        return Skipped(reason)
    return _sized(path, entry.stat(follow_symlinks=False), rules)


def _sized(path: str, status: os.stat_result, rules: CrawlRules) -> CrawledFile | Skipped:
    if not stat.S_ISREG(status.st_mode):
        return Skipped("unreadable")
    if status.st_size > rules.max_file_bytes:
        return Skipped("too_large")
    try:
        path.encode()
    except UnicodeEncodeError:
        return Skipped("not_utf8")  # a name that is not UTF-8 could be sent to no editor
    return CrawledFile(path, status.st_size, status.st_mtime_ns)


def _look_at_link(
    root: Path, path: str, entry: "os.DirEntry[str]", scopes: tuple[FolderPatterns, ...], rules: CrawlRules
) -> CrawledFile | Skipped | None:
    """A link counts when its target is a file of the workspace that may be indexed itself."""
    if is_ignored(scopes, path, folder=False):
        return Skipped("ignored")
    target = _target(root, path)
    if isinstance(target, Skipped):
        return target
    if reason := file_reason(path, rules) or skip_reason(root, target, rules):
        return Skipped(reason)
    return _sized(path, entry.stat(), rules)


def _target(root: Path, path: str) -> str | Skipped:
    """Resolve the links of a path and return it relative to the root again."""
    link = root / path
    try:
        target = link.resolve(strict=True)
    except FileNotFoundError:
        return path if not link.is_symlink() else Skipped("unreadable")
    except (OSError, RuntimeError) as error:
        loops = isinstance(error, RuntimeError) or error.errno == errno.ELOOP
        return Skipped("symlink_loop" if loops else "unreadable")
    if target.is_dir():
        return Skipped("symlink_loop" if link.parent.resolve().is_relative_to(target) else "ignored")
    return target.relative_to(root).as_posix() if target.is_relative_to(root) else Skipped("ignored")
