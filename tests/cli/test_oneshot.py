"""A single request from the command line: its prompt is limited to what is prefilled within seconds."""

import pytest

from spark_lsp.cli.oneshot import COLD_PREFILL_MS, MIN_COLD_TOKENS, cold_tokens
from spark_lsp.engine.base import PrefillCost


@pytest.mark.parametrize(
    ("token_ms", "tokens"),
    [(0.5, int(COLD_PREFILL_MS / 0.5)), (10.0, MIN_COLD_TOKENS), (1000.0, MIN_COLD_TOKENS), (0.0, None)],
)
def test_a_cold_prompt_is_as_long_as_a_few_seconds_allow(token_ms: float, tokens: int | None) -> None:
    assert cold_tokens(PrefillCost(token_ms)) == tokens
