"""What every test shares: broken invariants raise, and the helpers' asserts explain themselves.

The models folder is an empty one, so that a model which the user has pulled changes no test. Tests marked ``weights``
use the user's own folder, see ``tests/weights``.
"""

import atexit
import os
import shutil
import tempfile

import pytest

from spark_lsp.catalog.folder import FOLDER_VARIABLE
from tests.support.own_models import keep_own_folder

os.environ["SPARK_LSP_STRICT"] = "1"
os.environ.pop("SPARK_LSP_MODEL", None)

os.environ["SPARK_LSP_OFFER_MODEL"] = "false"  # no question in the middle of a test; the tests of offers switch it on

keep_own_folder()
os.environ[FOLDER_VARIABLE] = tempfile.mkdtemp(prefix="spark-no-models-")
atexit.register(shutil.rmtree, os.environ[FOLDER_VARIABLE], ignore_errors=True)

pytest.register_assert_rewrite("tests.completion.check", "tests.support.expect", "scripts.harness.editor")
