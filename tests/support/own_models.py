"""The user's own models folder, remembered before ``tests/conftest.py`` puts an empty one in its place."""

from pathlib import Path

from spark_lsp.catalog.folder import models_folder

_kept: list[Path] = []


def keep_own_folder() -> None:
    """Remember the folder that the environment names now."""
    _kept.append(models_folder())


def own_folder() -> Path:
    """The folder where pulled models survive from one test run to the next."""
    return _kept[0]
