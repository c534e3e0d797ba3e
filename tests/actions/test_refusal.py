"""The codes of refusals are a closed list, which the protocol page describes."""

import ast
import re
from pathlib import Path

from spark_lsp.actions.refusal import REFUSAL_CODES

ROOT = Path(__file__).parents[2]


def test_every_code_is_documented() -> None:
    section = (ROOT / "docs" / "protocol.md").read_text("utf-8").split("### Refusals\n", 1)[1].split("\n#", 1)[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(REFUSAL_CODES)


def test_every_code_is_used() -> None:
    used = set()
    for path in (ROOT / "spark_lsp" / "actions").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "Refusal"
                and node.args
            ):
                code = node.args[0]
                used |= {descendant.value for descendant in ast.walk(code) if isinstance(descendant, ast.Constant)}
    assert used == set(REFUSAL_CODES)
