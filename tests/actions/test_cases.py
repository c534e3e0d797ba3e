"""Every case file: before, the model's answer, after. Adding a case is adding a file."""

from pathlib import Path

import pytest

from tests.actions.check import check_case

CASES = sorted((Path(__file__).parent / "cases").glob("*.txt"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
async def test_case(case: Path) -> None:
    await check_case(case)
