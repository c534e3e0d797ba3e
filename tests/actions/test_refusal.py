"""The codes of refusals are a closed list, which the protocol page describes."""

import re
from pathlib import Path

from spark_lsp.actions.refusal import REFUSAL_CODES

ROOT = Path(__file__).parents[2]


def test_every_code_is_documented() -> None:
    section = (ROOT / "docs" / "protocol.md").read_text("utf-8").split("### Refusals\n", 1)[1].split("\n#", 1)[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(REFUSAL_CODES)
