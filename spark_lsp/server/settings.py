"""Settings from the editor, its initialization options, the workspace's file and the environment."""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spark_lsp.config import Settings, SettingsSource, environment_source, resolve

WORKSPACE_FILE = ".spark-lsp.toml"
MAX_FILE_BYTES = 64 * 1024
MAX_DEPTH = 16  # the settings need four
_OPAQUE = re.compile(
    r"#[^\n]*"
    r'|"""(?:\\.|[^\\])*?(?:"""|\Z)'
    r"|'{3}.*?(?:'{3}|\Z)"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
"""Comments and strings."""
_DOTTED = re.compile(rf"(?<![\w-])(?:[\w-]+[ \t]*\.[ \t]*){{{MAX_DEPTH}}}")
_BRACKET = re.compile(r"[\[\]{}]")


def read_settings(
    root: Path | None, editor: Mapping[str, Any], initialization: Mapping[str, Any]
) -> tuple[Settings, list[str]]:
    """Merge all sources; return the settings and a message for each value that could not be used."""
    sources = [SettingsSource("the editor's settings", editor), SettingsSource("initializationOptions", initialization)]
    messages: list[str] = []
    if root is not None:
        try:
            values = _workspace_values(root / WORKSPACE_FILE)
            sources.append(SettingsSource(WORKSPACE_FILE, values, trusted=False))
        except (OSError, ValueError, RecursionError) as error:
            messages.append(f"{WORKSPACE_FILE} is ignored: {error}.")
    settings, refused = resolve([*sources, environment_source(os.environ)])
    return settings, messages + refused


def _workspace_values(path: Path) -> dict[str, Any]:
    """Read a workspace's file, which whoever wrote the repository may have made anything of; empty without one.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no TOML, or nothing that settings need: no regular file, too large, nested too deeply.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a FIFO would block for ever
    except FileNotFoundError:
        return {}
    with open(handle, "rb") as file:  # noqa: PTH123 - a handle
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError("it is not a regular file")
        raw = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise ValueError(f"it is larger than {MAX_FILE_BYTES // 1024} KiB")
    text = raw.decode("utf-8")
    if _is_too_deep(text):
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
    return tomllib.loads(text)


def _is_too_deep(text: str) -> bool:
    """Whether brackets or dotted keys are nested too deep; the parser's time and memory grow with their square."""
    plain = _OPAQUE.sub(lambda match: "" if match[0].startswith("#") else "s", text)
    if _DOTTED.search(plain):
        return True
    depth = 0
    for bracket in _BRACKET.findall(plain):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        if depth > MAX_DEPTH:
            return True
    return False
