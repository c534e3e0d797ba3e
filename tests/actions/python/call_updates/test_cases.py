"""Every case: the old signature, the workspace now, and its updated calls or the refusal."""

from pathlib import Path

import pytest

from spark_lsp.actions.refusal import STILL_INDEXING
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.index.store import Index
from tests.actions.python.call_updates.check import read_cases, run_case, target_in, updated

CASES = read_cases(Path(__file__).parent / "cases.txt")


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
async def test_case(name: str, tmp_path: Path) -> None:
    message, after, wanted = await run_case(CASES[name], tmp_path)
    assert message == CASES[name].get("refused", "").strip()
    assert after == wanted


async def test_while_the_workspace_is_indexed_calls_may_be_missing(tmp_path: Path) -> None:
    target = target_in("def f(new$0):\n    return new\n", "def f(old):\n    return old\n")
    index = Index(tmp_path)
    proposal, files = await updated(target, ScriptedEngine(["x"]), index)
    index.close()
    assert (proposal.message, files) == (STILL_INDEXING.message, {})
