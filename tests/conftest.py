"""What every test shares: broken invariants raise, and the helpers' asserts explain themselves.

The models folder is an empty one, so that a model which the user has pulled changes no test. Tests marked ``weights``
use the user's own folder, see ``tests/weights``.
"""

import atexit
import importlib.util
import os
import shutil
import tempfile

import hypothesis
import pytest

from spark_lsp.catalog.folder import FOLDER_VARIABLE
from tests.support.own_models import keep_own_folder

os.environ["SPARK_LSP_STRICT"] = "1"
os.environ.pop("SPARK_LSP_MODEL", None)

os.environ["SPARK_LSP_OFFER_MODEL"] = "false"  # no question in the middle of a test; the tests of offers switch it on

keep_own_folder()
os.environ[FOLDER_VARIABLE] = tempfile.mkdtemp(prefix="spark-no-models-")
atexit.register(shutil.rmtree, os.environ[FOLDER_VARIABLE], ignore_errors=True)

# A busy machine makes an example late, not wrong; the timeout of pyproject.toml ends what hangs.
hypothesis.settings.register_profile("spark", deadline=None)
hypothesis.settings.load_profile("spark")

HAS_LLAMA_CPP = importlib.util.find_spec("llama_cpp") is not None
NEED_LLAMA_CPP = (
    "completion/test_real_outputs.py",
    "engine/test_fim_vocabularies.py",
    "engine/test_hang.py",
    "engine/test_sharing.py",
    "eval/test_shipped_model.py",
    "llama/test_block_store.py",
    "llama/test_devices.py",
    "llama/test_fit.py",
    "llama/test_fuzz.py",
    "llama/test_generation.py",
    "llama/test_healing.py",
    "llama/test_kernel_check.py",
    "llama/test_load.py",
    "llama/test_model.py",
    "llama/test_requantize.py",
    "llama/test_sequences.py",
    "repo/test_context_quality.py",
    "training/test_tokenizer.py",
)
"""Modules that import llama_cpp as they are collected, by themselves or through what they test."""
collect_ignore = [] if HAS_LLAMA_CPP else list(NEED_LLAMA_CPP)


def pytest_report_header() -> str | None:
    """Report what is left out if llama.cpp is not installed."""
    if HAS_LLAMA_CPP:
        return None
    return f"llama-cpp-python is not installed: {len(NEED_LLAMA_CPP)} modules that import it are left out"


pytest.register_assert_rewrite("tests.completion.check", "tests.support.expect", "scripts.harness.editor")
