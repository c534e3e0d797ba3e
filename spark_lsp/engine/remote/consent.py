"""The hosts to which this user allows code to be sent: one consent per host, in a file of the user.

Hosts on this machine need no consent. A file that cannot be read counts as no consent.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
import platformdirs

from spark_lsp.errors import SettingsError

CONFIG_VARIABLE: Final = "SPARK_LSP_CONFIG_DIR"
"""Names the folder of what the user decided; set by tests."""

_FILE: Final = "remote-hosts.json"


def consent_path() -> Path:
    """Return the file; it may not exist yet."""
    configured = os.environ.get(CONFIG_VARIABLE)
    folder = Path(configured) if configured else Path(platformdirs.user_config_dir("spark-lsp", appauthor=False))
    return folder / _FILE


def allowed_origins() -> frozenset[str]:
    """Return the origins (``https://host``) that were allowed. Never raises."""
    try:
        return frozenset(msgspec.json.decode(consent_path().read_bytes(), type=list[str]))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return frozenset()


def allow(origins: Iterable[str]) -> None:
    """Remember that code may go to these origins.

    Raises:
        SettingsError: the file cannot be written.
    """
    _write(allowed_origins() | {*origins})


def forget(origins: Iterable[str]) -> None:
    """Take consent back.

    Raises:
        SettingsError: the file cannot be written.
    """
    _write(allowed_origins() - {*origins})


def _write(origins: frozenset[str]) -> None:
    path = consent_path()
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(sorted(origins)), indent=2) + b"\n")
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise SettingsError(f"The list of allowed hosts, {path}, cannot be written: {error.strerror}.") from error
