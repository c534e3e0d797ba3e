"""Writes the support file of ``doctor --bundle``: report, versions, settings and engine logs, but no source code.

It never holds the index, KV cache files, recorded requests or files of a workspace. The home folder is written as
``~``, and anything that looks like a key is removed.
"""

import json
import os
import platform
import re
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil

from spark_lsp import __version__
from spark_lsp.config import Settings
from spark_lsp.doctor.check_result import Check
from spark_lsp.engine.local.address import log_folder
from spark_lsp.errors import SettingsError, SparkError

MAX_LOG_BYTES: Final = 200_000
"""Of each log, its end."""
MAX_LOGS: Final = 5

_SECRET: Final = re.compile(r"(?i)(bearer\s+|api[_-]?key\s*[=:]\s*|token\s*[=:]\s*|hf_|sk-)[\w.-]{6,}")


def write_bundle(target: Path, checks: Sequence[Check], settings: Settings) -> list[str]:
    """Write the support file; return the names of what it holds.

    Raises:
        SettingsError: it cannot be written.
    """
    files = {
        "report.json": _json([asdict(check) for check in checks]),
        "versions.json": _json(_versions()),
        "settings.json": _json(msgspec.to_builtins(settings)),
        **_logs(),
    }
    try:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                archive.writestr(name, without_private(text))
    except OSError as error:
        raise SettingsError(f"The support file {target} cannot be written: {error.strerror}.") from error
    return list(files)


def without_private(text: str, home: str = "", user: str = "") -> str:
    """Return text with the home folder as ``~`` and anything that looks like a key as ``…``."""
    home = home or str(Path.home())
    if len(home) > 1:
        text = text.replace(home, "~").replace(home.replace("\\", "\\\\"), "~")
    user = user or os.environ.get("USER", "") or os.environ.get("USERNAME", "")
    if len(user) > 2 and user != "root":
        text = re.sub(rf"(?<![\w]){re.escape(user)}(?![\w])", "<user>", text)
    return _SECRET.sub(lambda found: f"{found[1]}…", text)


def _versions() -> dict[str, Any]:
    wanted = re.compile(
        r"(?i)pygls|lsprotocol|llama|tree.sitter|msgspec|numpy|httpx|huggingface|watchdog|psutil|rapidfuzz"
    )
    installed = {
        name: each.version for each in distributions() if (name := each.metadata["Name"]) and wanted.match(name)
    }
    return {
        "spark-lsp": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "packages": dict(sorted(installed.items())),
    }


def _logs() -> dict[str, str]:
    """Return the last part of the newest engine logs."""
    try:
        found = sorted(log_folder().glob("engine-*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    except (OSError, SparkError):
        return {}
    logs = {}
    for path in found[:MAX_LOGS]:
        try:
            data = path.read_bytes()[-MAX_LOG_BYTES:]
        except OSError:
            continue
        logs[f"logs/{path.name}"] = data.decode("utf-8", "replace")
    return logs


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
