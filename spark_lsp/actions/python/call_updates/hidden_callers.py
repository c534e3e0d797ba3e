"""Find Python files that mention a name but are not in the index: callers that an edit would miss.

Walks the workspace's folder and reads files, so it must run on a worker thread.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from spark_lsp.actions.refusal import Refusal
from spark_lsp.index.storage.view import IndexView

MAX_FILES: Final = 20_000
MAX_BYTES: Final = 8_000_000
"""Bytes; of a larger file, only the beginning is searched."""
_NOT_OURS: Final = frozenset({"__pycache__", "node_modules", "site-packages"})
_PYTHON: Final = frozenset(
    {"", ".cgi", ".in", ".ipynb", ".j2", ".jinja", ".py", ".pyi", ".pyw", ".pyx", ".rpy", ".tmpl", ".wsgi"}
)
"""Suffixes of Python files; a file without a suffix counts if its first line is a Python shebang."""
_SHEBANG: Final = re.compile(rb"#!.*\bpython")


def hidden_caller(view: IndexView, name: str) -> Refusal | None:
    """Return the first file that mentions a name and is not indexed as Python; None if there is none."""
    root = view.root
    if root is None:
        return None
    word = re.compile(rb"\b" + name.encode() + rb"\b")
    for number, path in enumerate(_files(root)):
        if number >= MAX_FILES:
            return Refusal("calls", f"The workspace has more than {MAX_FILES} files, so not all calls are known.")
        relative = path.relative_to(root).as_posix()
        entry = view.files.get(relative)
        if entry is not None and entry.language == "python":
            continue
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES)
        except OSError:
            continue
        is_script = path.suffix or _SHEBANG.match(content)
        if is_script and word.search(content.replace(b"\0", b"")):
            return Refusal("calls", f"{relative} mentions {name} and is not indexed as Python.")
    return None


def _files(root: Path) -> Iterator[Path]:
    """Yield the files that may contain Python, without hidden folders and installed packages."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            parent
            for parent in folders
            if parent not in _NOT_OURS
            and not parent.startswith(".")
            and not (Path(folder) / parent / "pyvenv.cfg").exists()
        )
        for name in sorted(names):
            if Path(name).suffix.lower() in _PYTHON:
                yield Path(folder) / name
