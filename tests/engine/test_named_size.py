"""A prompt size that a user sets gets an engine with that size; the usual engine serves every prompt that fits."""

import pytest

from spark_lsp.app import MIN_TOKENS, open_engine, usual_context_tokens
from spark_lsp.catalog.model_names import resolve_model, useful_tokens
from spark_lsp.config import ContextSettings, Settings
from spark_lsp.engine.local.local_engine import EngineLaunch, LocalEngine
from spark_lsp.prompt.budget_policy import REPLY_TOKENS


def launch(named_tokens: int, settings: Settings | None = None) -> EngineLaunch:
    engine = open_engine(settings or Settings(), named_tokens=named_tokens)
    assert isinstance(engine, LocalEngine)
    return engine._launch


def test_the_embedded_model_is_opened_with_what_it_makes_use_of() -> None:
    path = resolve_model()
    usual = launch(0)
    assert usual.context_tokens == max(MIN_TOKENS, useful_tokens(path) + REPLY_TOKENS)
    assert not usual.is_named_size
    assert usual_context_tokens(path, Settings(context=ContextSettings(max_tokens=1024))) == 1024


@pytest.mark.parametrize("tokens", [64, 800])
def test_what_fits_is_asked_of_the_engine_that_an_editor_has(tokens: int) -> None:
    assert launch(tokens) == launch(0)


def test_what_does_not_fit_has_an_engine_of_its_own() -> None:
    named = launch(6000)
    assert (named.context_tokens, named.is_named_size) == (6000 + REPLY_TOKENS, True)
