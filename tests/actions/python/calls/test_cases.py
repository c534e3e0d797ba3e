"""Every case: the head as it was, the workspace as it is, and its calls after or why not."""

from pathlib import Path

import pytest

from tests.actions.python.calls.check import read_cases, run_case

CASES = read_cases(Path(__file__).parent / "cases.txt")


@pytest.mark.parametrize("name", CASES)
async def test_case(name: str, tmp_path: Path) -> None:
    message, after, wanted = await run_case(CASES[name], tmp_path)
    assert message == CASES[name].get("refused", "").strip()
    assert after == wanted
