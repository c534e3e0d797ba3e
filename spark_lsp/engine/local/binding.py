"""Find out whether llama-cpp-python, which runs models on this machine, is installed, and how to install it.

It is an extra of the package: a remote endpoint needs none of it. Never imports it.
"""

import importlib.util
import shlex
import sys
from pathlib import Path
from typing import Final

from spark_lsp.errors import EngineFailed

REQUIREMENT: Final = "llama-cpp-python>=0.3.36,<0.4"
"""What the extra ``local`` of the package holds; a test compares."""


def is_installed() -> bool:
    """Whether llama-cpp-python can be imported."""
    return importlib.util.find_spec("llama_cpp") is not None


def require_binding() -> None:
    """Refuse where no process of this installation could run a model.

    Raises:
        EngineFailed: llama-cpp-python is not installed; the fix has the command.
    """
    if not is_installed():
        raise EngineFailed(
            "llama-cpp-python is not installed, so no model can run on this machine.",
            fix=f"Run `{how_to_install()}`, or set spark.backend.urls to a remote endpoint.",
        )


def how_to_install(prefix: Path | None = None) -> str:
    """Return the command that adds llama-cpp-python to this installation, made by pipx, uv or pip."""
    folder = prefix or Path(sys.prefix)
    if (folder / "pipx_metadata.json").exists():
        return f"pipx inject spark-lsp '{REQUIREMENT}'"
    python = shlex.quote(sys.executable)
    if (folder / "uv-receipt.toml").exists():
        return f"uv pip install --python {python} '{REQUIREMENT}'"
    return f"{python} -m pip install '{REQUIREMENT}'"
