"""Which paths may be indexed, by their names alone: ignore files, the user's globs, vendored, generated, secret.

Never opens a file other than the ignore files themselves. What a path's contents forbid is told by ``secrets.py`` and
``crawl.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pathspec import GitIgnoreSpec

from spark_lsp.index.scan.secrets import any_of, is_secret_name

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
class Rules:
    """What the user allows. ``include`` narrows and never brings an ignored file back; both are gitignore patterns."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_file_bytes: int = MAX_FILE_BYTES
    max_files: int = 50_000


@dataclass(frozen=True, slots=True)
class Scope:
    """The ignore files of one folder. A path of the workspace becomes the folder's by ``lead + path[strip:]``."""

    lead: str
    strip: int
    git: GitIgnoreSpec | None
    spark: GitIgnoreSpec | None


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


def file_reason(path: str, rules: Rules) -> SkipReason | None:
    """Return why a file is left out, by its name and the user's globs; None when it is not."""
    name = path.rpartition("/")[2]
    if is_secret_name(name):
        return "secret"
    if (include := _spec(rules.include)) and not include.match_file(path):
        return "ignored"
    if (exclude := _spec(rules.exclude)) and exclude.match_file(path):
        return "ignored"
    if name.rpartition(".")[2].lower() in _BINARY_EXTENSIONS and "." in name:
        return "binary"
    if _GENERATED_NAME.match(name):
        return "generated"
    return None


def is_ignored(scopes: Sequence[Scope], path: str, *, folder: bool) -> bool:
    """Whether ignore files exclude a path. The deepest folder's last matching line decides, as in git."""
    tail = "/" if folder else ""
    for kind in ("git", "spark"):
        for scope in reversed(scopes):
            spec: GitIgnoreSpec | None = getattr(scope, kind)
            if spec is None:
                continue
            decided = spec.check_file(scope.lead + path[scope.strip :] + tail).include
            if decided is not None:
                if decided:
                    return True
                break
    return False


def scope_of(root: Path, folder: str) -> Scope | None:
    """Read the ignore files of one folder of the workspace (``""`` is its root)."""
    return _read_scope(root / folder, "", len(folder) + 1 if folder else 0)


def root_scopes(root: Path) -> tuple[Scope, ...]:
    """Return the scopes that hold at the workspace's root: those of the repository around it, its own last."""
    outer: list[Scope] = []
    folder = root
    lead = ""
    while not (folder / ".git").exists():
        if folder.parent == folder:
            outer.clear()  # no repository: folders above the workspace do not count
            folder, lead = root, ""
            break
        lead = f"{folder.name}/{lead}"
        folder = folder.parent
        if scope := _read_scope(folder, lead, 0):
            outer.append(scope)
    own = _read_scope(root, "", 0)
    exclude = _read_spec(folder / ".git" / "info" / "exclude")
    around = [*([Scope(lead, 0, exclude, None)] if exclude else []), *reversed(outer)]
    if lead and is_ignored(around, "", folder=False):
        around.clear()  # the user opened a folder that its repository ignores, and means it
    return (*around, *([own] if own else []))


def _read_scope(folder: Path, lead: str, strip: int) -> Scope | None:
    git, spark = (_read_spec(folder / name) for name in IGNORE_FILES)
    return Scope(lead, strip, git, spark) if git or spark else None


def _read_spec(path: Path) -> GitIgnoreSpec | None:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    kept = [line for line in lines if line.strip() and not line.startswith("#")]
    return _tolerant_spec(kept) if kept else None


def _tolerant_spec(lines: Sequence[str]) -> GitIgnoreSpec | None:
    """Compile patterns; one that git would not understand either is dropped alone."""
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:
        return _tolerant_spec(sound) if (sound := [line for line in lines if _compiles(line)]) else None


def _compiles(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


@cache
def _spec(globs: tuple[str, ...]) -> GitIgnoreSpec | None:
    return _tolerant_spec(globs) if globs else None
