"""An LSP fuzzer in short; ``make torture`` sends a hundred thousand messages."""

from pathlib import Path

import pytest

from scripts.torture.fuzz_lsp import Fuzzer
from scripts.torture.text_model import CODECS

pytestmark = pytest.mark.slow

MESSAGES = 200


@pytest.mark.parametrize("encoding", CODECS)
def test_any_messages_are_answered_once_and_the_texts_stay_right(encoding: str, tmp_path: Path) -> None:
    fuzzer = Fuzzer(seed=3, encoding=encoding, folder=tmp_path)
    try:
        report = fuzzer.run(MESSAGES)
    finally:
        fuzzer.close()
    assert report.messages >= MESSAGES
    assert report.compared > 3
    assert (report.unanswered, report.answered_twice, report.diverged, report.exit_status) == (0, 0, 0, 0)
