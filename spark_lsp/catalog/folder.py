"""The user's models folder: pulled files, and the list of own GGUF files that were given a name.

Reads and writes that folder alone; a damaged list is reported and never written over.
"""

import os
import re
from pathlib import Path
from typing import Final

import msgspec
import platformdirs

from spark_lsp.errors import ModelMissing, SettingsError

FOLDER_VARIABLE: Final = "SPARK_LSP_MODELS_DIR"
"""Names the folder of pulled models, for a disk of its own; set by tests."""

_LIST: Final = "registered.json"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MAGIC: Final = b"GGUF"


def models_folder() -> Path:
    """Return where pulled models are; it may not exist yet."""
    configured = os.environ.get(FOLDER_VARIABLE)
    if configured:
        return Path(configured).expanduser().absolute()
    return Path(platformdirs.user_data_dir("spark-lsp", appauthor=False)) / "models"


def registered() -> dict[str, Path]:
    """Return the user's own files by the names that they were given, in the order of their coming.

    Raises:
        SettingsError: the list cannot be read.
    """
    file = models_folder() / _LIST
    try:
        serving = msgspec.json.decode(file.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"The list of your models, {file}, cannot be read: {error.strerror}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The list of your models, {file}, is damaged: {error}.",
            fix="Fix or delete the file; your models are kept.",
        ) from error
    return {name: Path(path) for name, path in serving.items()}


def register(name: str, path: Path) -> None:
    """Give a GGUF file a name. The file stays where it is; a name that was given before leads to the new file.

    Raises:
        SettingsError: the name cannot be one, or the list cannot be written.
        ModelMissing: there is no such GGUF file.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} is not a valid model name; use up to 64 lower-case letters, digits, '.', '_' and '-'."
        )
    try:
        with path.open("rb") as stream:
            magic = stream.read(len(_MAGIC))
    except OSError as error:
        raise ModelMissing(f"The file {path} cannot be read: {error.strerror}.") from error
    if magic != _MAGIC:
        raise ModelMissing(f"The file {path} is not a GGUF file (it does not begin with GGUF).")
    _write({**registered(), name: path.absolute()})


def unregister(name: str) -> bool:
    """Forget a name that was given to a file; the file stays. Tell whether there was one.

    Raises:
        SettingsError: the list cannot be read or written.
    """
    known = registered()
    if name not in known:
        return False
    _write({known_name: path for known_name, path in known.items() if known_name != name})
    return True


def _write(known: dict[str, Path]) -> None:
    write_list(_LIST, {name: str(path) for name, path in known.items()})


def write_list(file_name: str, content: object) -> None:
    """Write a list of the models folder whole, as JSON that a person can read.

    Raises:
        SettingsError: it cannot be written.
    """
    folder = models_folder()
    text = msgspec.json.format(msgspec.json.encode(content), indent=2)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f"{file_name}.{os.getpid()}"
        fresh.write_bytes(text + b"\n")
        fresh.replace(folder / file_name)
    except OSError as error:
        raise SettingsError(f"The list of your models in {folder} cannot be written: {error.strerror}.") from error
