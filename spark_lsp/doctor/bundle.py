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
from spark_lsp.doctor.redaction import without_private
from spark_lsp.engine.local.address import log_folder
from spark_lsp.errors import SettingsError, SparkError
from spark_lsp.private_file import open_private_bytes

MAX_LOG_BYTES: Final = 200_000
"""Of each log, its end."""
MAX_LOGS: Final = 5

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
_HEX: Final = re.compile(r"[0-9a-fA-F]{16,}")


def write_bundle(target: Path, checks: Sequence[Check], settings: Settings) -> list[str]:
    """Write the support file; return the names of what it holds.

    Raises:
        SettingsError: it cannot be written.
    """
    known = _known_secrets(settings)
    files = {
        "report.json": _json(_redacted([asdict(check) for check in checks], known)),
        "versions.json": _json(_versions()),
        "settings.json": _json(_redacted(msgspec.to_builtins(settings), known)),
        **{name: without_private(text, known=known) for name, text in _logs().items()},
    }
    try:
        with (
            open_private_bytes(target) as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for name, text in files.items():
                archive.writestr(name, text)
    except OSError as error:
        raise SettingsError(f"The support file {target} cannot be written: {error.strerror}.") from error
    return list(files)


def _redacted(value: Any, known: Sequence[str]) -> Any:
    """Return a JSON value whose texts hold nothing private."""
    match value:
        case str():
            return without_private(value, known=known)
        case list() | tuple():
            return [_redacted(item, known) for item in value]
        case dict():
            return {key: _redacted(item, known) for key, item in value.items()}
    return value


def _known_secrets(settings: Settings) -> list[str]:
    """Return values that are secrets whatever they look like: the key, and a key put where its variable's name goes."""
    name = settings.backend.api_key_env
    is_name = _VARIABLE.fullmatch(name) and not _HEX.fullmatch(name)
    return [value for value in (os.environ.get(name, "") if name else "", "" if is_name else name) if len(value) > 3]


def _versions() -> dict[str, Any]:
    wanted = re.compile(
        r"(?i)pygls|lsprotocol|llama|tree.sitter|msgspec|numpy|httpx|huggingface|watchdog|psutil|rapidfuzz"
    )
    installed = {
        name: distribution.version
        for distribution in distributions()
        if (name := distribution.metadata["Name"]) and wanted.match(name)
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
        log_files = sorted(log_folder().glob("engine-*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    except (OSError, SparkError):
        return {}
    logs = {}
    for path in log_files[:MAX_LOGS]:
        try:
            data = path.read_bytes()[-MAX_LOG_BYTES:]
        except OSError:
            continue
        logs[f"logs/{path.name}"] = data.decode("utf-8", "replace")
    return logs


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
