"""Decide by names alone which paths may be indexed: ignore files, the user's globs, vendored, generated, secret.

Never opens a file other than the ignore files themselves. What a path's contents forbid is told by ``secrets.py`` and
``crawl.py``.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final, Literal

from spark_lsp.index.scan.gitignore import MAX_PATTERNS, Patterns, TooManyPatternsError, patterns_of
from spark_lsp.index.scan.plain_file import read_bytes
from spark_lsp.index.scan.repository import IgnoreSettings, common_folder, git_folder_of, ignore_settings
from spark_lsp.index.scan.secrets import any_of, is_secret_name
from spark_lsp.index.scan.tracked import NOTHING_TRACKED, TrackedFiles, tracked_although_ignored

SkipReason = Literal[
    "ignored",
    "binary",
    "too_large",
    "not_utf8",
    "vendored",
    "generated",
    "secret",
    "unreadable",
    "symlink_loop",
    "limit",
]

IGNORE_FILES = (".gitignore", ".sparkignore")
RULE_NAMES = (*IGNORE_FILES, ".git")
"""Names in a folder that change which rules hold there: ignore files, and a repository of its own."""
MAX_IGNORE_BYTES = 1_000_000
MAX_WILD_IN_EFFECT = 10_000  # patterns with wildcards that may be tried for one path
MAX_FILE_BYTES = 1_000_000  # larger files are data; parsing one would hold up the rest

_REPOSITORY_FOLDERS = frozenset({".git", ".hg", ".svn", ".jj", ".bzr", "CVS"})
_VENDORED = """
    node_modules bower_components jspm_packages vendor third_party .venv venv site-packages .tox .nox Pods .bundle
    .gradle .m2 .cargo .pnpm-store .yarn
"""
_GENERATED = """
    __pycache__ target dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .cache .next .nuxt .svelte-kit
    .parcel-cache .turbo .terraform .ipynb_checkpoints .spark-lsp-cache htmlcov
"""
_VENDORED_FOLDERS = frozenset(_VENDORED.split())
_GENERATED_FOLDERS = frozenset(_GENERATED.split())
_GENERATED_AT_ROOT = frozenset({"build", "out", "obj"})  # deeper these are names that people give to source folders
_SECRET_FOLDERS = frozenset({".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker"})
_GENERATED_FILES = (
    *("*.min.js", "*.min.css", "*.min.mjs", "*.bundle.js", "*.map", "*_pb2.py", "*_pb2_grpc.py", "*.pb.go", "*.pb.cc"),
    *("*.pb.h", "*.g.dart", "*.designer.cs", "*.lock", "*.snap", "package-lock.json", "npm-shrinkwrap.json"),
    *("pnpm-lock.yaml", "go.sum", "*.ipynb"),
)
_GENERATED_NAME = any_of(_GENERATED_FILES)
_BINARY = """
    png jpg jpeg gif bmp ico webp tif tiff avif heic psd pdf zip gz bz2 xz zst 7z rar tar tgz jar war whl egg so dll
    dylib a o obj lib exe bin class pyc pyo pyd wasm node ttf otf woff woff2 eot mp3 mp4 m4a mov avi mkv webm ogg wav
    flac gguf safetensors onnx pt pth npy npz h5 parquet arrow sqlite sqlite3 db doc docx xls xlsx ppt pptx odt dmg
    iso vsix pdb mo dat pkl pickle
"""
_BINARY_EXTENSIONS = frozenset(_BINARY.split())


@dataclass(frozen=True, slots=True)
class CrawlRules:
    """What the user allows. ``include`` narrows and never brings an ignored file back; both are gitignore patterns."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_file_bytes: int = MAX_FILE_BYTES
    max_files: int = 50_000
    max_crawl_s: float = 300.0
    """For one walk over the folders; a network drive of 50,000 files takes a minute or two."""


@dataclass(frozen=True, slots=True)
class FolderPatterns:
    """The ignore files of one folder. A path of the workspace becomes the folder's by ``lead + path[strip:]``."""

    lead: str
    strip: int
    git: Patterns | None = None
    spark: Patterns | None = None
    begins_repository: bool = False
    """Whether rules of git from farther out do not hold here: a repository has its own."""
    tracked: TrackedFiles = NOTHING_TRACKED
    """What the repository that begins here tracks although a pattern ignores it."""
    holds_tracked_only: bool = False
    """Whether a pattern ignores the folder itself, so that git counts nothing in it but what it tracks."""

    @property
    def wild_count(self) -> int:
        """How many patterns may be tried for a path."""
        return sum(patterns.wild_count for patterns in (self.git, self.spark) if patterns)


def folder_reason(path: str) -> SkipReason | None:
    """Return why a folder is never entered, by its name; None when it is."""
    name = path.rpartition("/")[2]
    if name in _REPOSITORY_FOLDERS:
        return "ignored"
    if name in _SECRET_FOLDERS:
        return "secret"
    if name in _VENDORED_FOLDERS:
        return "vendored"
    if name in _GENERATED_FOLDERS or path in _GENERATED_AT_ROOT or name.endswith((".egg-info", ".dist-info")):
        return "generated"
    return None


def file_reason(path: str, rules: CrawlRules) -> SkipReason | None:
    """Return why a file is left out, by its name and the user's globs; None when it is not."""
    name = path.rpartition("/")[2]
    if is_secret_name(name):
        return "secret"
    if (include := _spec(rules.include)) and not include.matches(path):
        return "ignored"
    if (exclude := _spec(rules.exclude)) and exclude.matches(path):
        return "ignored"
    if name.rpartition(".")[2].lower() in _BINARY_EXTENSIONS and "." in name:
        return "binary"
    if _GENERATED_NAME.match(name):
        return "generated"
    return None


PathVerdict = Literal["kept", "ignored", "tracked"]
"""What ignore files say of a path; ``tracked``: a pattern ignores it, and git tracks it or something in it."""


def is_ignored(scopes: Sequence[FolderPatterns], path: str, *, folder: bool) -> bool:
    """Whether ignore files exclude a path that git does not track."""
    return verdict(scopes, path, folder=folder) == "ignored"


def verdict(scopes: Sequence[FolderPatterns], path: str, *, folder: bool) -> PathVerdict:
    """Return what ignore files say of a path. The deepest folder's last matching line decides, as in git.

    Only git knows of tracked files: what ``.sparkignore`` excludes stays out.
    """
    decisions = (_matches(scope.spark, scope, path, folder=folder) for scope in reversed(scopes))
    if next((is_out for is_out in decisions if is_out is not None), False):
        return "ignored"
    for scope in reversed(scopes):
        decided = scope.holds_tracked_only or _matches(scope.git, scope, path, folder=folder)
        if decided:
            return "tracked" if _is_tracked(scopes, path, folder=folder) else "ignored"
        if decided is False or scope.begins_repository:
            break
    return "kept"


def _matches(patterns: Patterns | None, scope: FolderPatterns, path: str, *, folder: bool) -> bool | None:
    return patterns.decide(scope.lead + path[scope.strip :], folder=folder) if patterns else None


def _is_tracked(scopes: Sequence[FolderPatterns], path: str, *, folder: bool) -> bool:
    top = next((scope for scope in reversed(scopes) if scope.begins_repository), None)
    return top is not None and top.tracked.has(top.lead + path[top.strip :], folder=folder)


HOLDS_TRACKED_ONLY: Final = FolderPatterns("", 0, holds_tracked_only=True)
"""The scope of a folder that is entered for its tracked files alone."""


Problem = Callable[[str], None]
"""Receives a sentence about an ignore file that cannot be used."""


def _silent(_sentence: str) -> None:
    """Report nothing: the crawl has done so."""


def entered(
    root: Path, folder: str, scopes: tuple[FolderPatterns, ...], problem: Problem = _silent
) -> tuple[FolderPatterns, ...]:
    """Return the scopes that hold in a folder of the workspace, given those of the folder around it."""
    return _bounded((*scopes, *_scopes_at(root / folder, "", len(folder) + 1, problem)), len(scopes), problem)


def root_scopes(root: Path, problem: Problem = _silent) -> tuple[FolderPatterns, ...]:
    """Return the scopes that hold at the workspace's root: those of the repository around it, its own last."""
    top = next((folder for folder in (root, *root.parents) if git_folder_of(folder)), root)
    parts = root.relative_to(top).parts
    scopes: list[FolderPatterns] = []
    for depth in range(len(parts) + 1):
        outcome = verdict(_seen_from_the_top(scopes), "/".join(parts[:depth]), folder=True) if depth else "kept"
        if outcome == "ignored":
            # The user opened a folder that its repository ignores, and means it.
            return tuple(_scopes_at(root, "", 0, problem))
        if outcome == "tracked":
            scopes.append(HOLDS_TRACKED_ONLY)
        lead = "".join(f"{part}/" for part in parts[depth:])
        scopes += _scopes_at(top.joinpath(*parts[:depth]), lead, 0, problem)
    return _bounded(tuple(scopes), 0, problem)


def _seen_from_the_top(scopes: Sequence[FolderPatterns]) -> Sequence[FolderPatterns]:
    """Return scopes for paths that are relative to the top of the repository."""
    whole = max((len(scope.lead) for scope in scopes), default=0)
    return [replace(scope, lead="", strip=whole - len(scope.lead)) for scope in scopes]


def _bounded(scopes: tuple[FolderPatterns, ...], known: int, problem: Problem) -> tuple[FolderPatterns, ...]:
    """Leave out the innermost scopes where there are more patterns than may be tried for each path."""
    if sum(scope.wild_count for scope in scopes) <= MAX_WILD_IN_EFFECT or len(scopes) == known:
        return scopes
    problem(f"More than {MAX_WILD_IN_EFFECT:,} patterns with wildcards apply in one folder; the last are not used.")
    return scopes[:known]


def _scopes_at(folder: Path, lead: str, strip: int, problem: Problem) -> list[FolderPatterns]:
    """Read the ignore files of one folder, and of the repository whose top it is."""
    git_folder = git_folder_of(folder)
    settings = ignore_settings(folder, common_folder(git_folder)) if git_folder else None
    scopes = []
    if git_folder and settings:
        top = FolderPatterns(lead, strip, tracked=tracked_although_ignored(folder))
        scopes = list(_repository_scopes(common_folder(git_folder), settings, top, problem))
    own = _read_scope(folder, lead, strip, problem, ignores_case=settings.ignores_case if settings else None)
    return [*scopes, *([own] if own else [])]


def _repository_scopes(
    common: Path, settings: IgnoreSettings, top: FolderPatterns, problem: Problem
) -> Iterator[FolderPatterns]:
    """Yield what the user told git to ignore beside the files in the tree, the weakest first; ``top`` has none yet."""
    users = None
    if settings.excludes_file:
        users = _read_patterns(settings.excludes_file, problem, ignores_case=settings.ignores_case)
    yield replace(top, git=users, begins_repository=True)
    exclude = _read_patterns(common / "info" / "exclude", problem, ignores_case=settings.ignores_case)
    if exclude:
        yield FolderPatterns(top.lead, top.strip, exclude)


def _read_scope(
    folder: Path, lead: str, strip: int, problem: Problem, *, ignores_case: bool | None = None
) -> FolderPatterns | None:
    """Read the ignore files of a folder. As in git, one that is a link is not followed: it may lead anywhere."""
    git, spark = (
        _read_patterns(folder / name, problem, follows_links=False, ignores_case=ignores_case) for name in IGNORE_FILES
    )
    return FolderPatterns(lead, strip, git, spark) if git or spark else None


def _read_patterns(
    path: Path, problem: Problem, *, follows_links: bool = True, ignores_case: bool | None = None
) -> Patterns | None:
    """Read one ignore file; None where there is none, or none that can be used."""
    try:
        raw = read_bytes(str(path), MAX_IGNORE_BYTES, follows_links=follows_links)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raw = None
    if raw is None:
        if path.is_dir() and not path.is_symlink():
            return None  # a folder of that name is no ignore file, for git neither
        problem(f"{path} is not a regular file that can be read; its patterns are not used.")
        return None
    if len(raw) > MAX_IGNORE_BYTES:
        problem(f"{path} is larger than {MAX_IGNORE_BYTES:,} bytes; its patterns are not used.")
        return None
    try:
        patterns = patterns_of(raw) if ignores_case is None else patterns_of(raw, ignores_case=ignores_case)
    except TooManyPatternsError as error:
        problem(f"{path} holds {error}; they are not used.")
        return None
    return patterns if patterns.patterns else None


@cache
def _spec(globs: tuple[str, ...]) -> Patterns | None:
    return globs_of(globs) if globs else None


def globs_of(globs: Sequence[str]) -> Patterns:
    """Return the patterns of a setting; those beyond the limit of one file are left out."""
    return patterns_of("\n".join(globs[:MAX_PATTERNS]).encode("utf-8", "surrogateescape"))
