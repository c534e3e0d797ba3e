"""What every test shares: broken invariants raise, and the helpers' asserts explain themselves."""

import os

import pytest

os.environ["SPARK_LSP_STRICT"] = "1"

pytest.register_assert_rewrite("tests.completion.check", "tests.support.expect", "tests.server.client")
