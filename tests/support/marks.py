"""Named reasons to skip, so that every skip in a report says what the machine lacks."""

import importlib.util
import os
import shutil
import sys

import pytest

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX file modes and links")
permissions_bind = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="file permissions do not bind this user"
)

needs_llama_cpp = pytest.mark.skipif(
    importlib.util.find_spec("llama_cpp") is None, reason="llama-cpp-python is not installed"
)


def needs_program(name: str) -> pytest.MarkDecorator:
    """Skip where a program is not installed."""
    return pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not on PATH")
