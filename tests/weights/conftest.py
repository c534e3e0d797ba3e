"""The real model: pulled as a user pulls it, into the user's own models folder, so that the next run finds it there.

``SPARK_LSP_MODELS_DIR`` names another folder. Where no source delivers the file, all is skipped with one line.
"""

import os
from pathlib import Path

import pytest

from spark_lsp.catalog.folder import FOLDER_VARIABLE
from spark_lsp.catalog.model_names import known_model
from spark_lsp.catalog.pull import pull
from spark_lsp.errors import ModelMissing
from tests.support.own_models import own_folder

NAME = "qwen2.5-coder-0.5b-instruct"


@pytest.fixture(scope="session")
def weights(pytestconfig: pytest.Config) -> Path:
    """The file of the 0.5B model; the empty models folder of the other tests is back afterwards."""
    if "weights" not in pytestconfig.option.markexpr:
        pytest.skip(f"only `-m weights` downloads {NAME}: make test-weights")
    model = known_model(NAME)
    assert model is not None
    empty = os.environ[FOLDER_VARIABLE]
    os.environ[FOLDER_VARIABLE] = str(own_folder())
    try:
        path = pull(model, lambda _step, _done, _total: None).path
    except ModelMissing as error:
        pytest.skip(f"no source has {NAME} now: {error}")
    finally:
        os.environ[FOLDER_VARIABLE] = empty
    return path
