"""Every case file: before, the model's answer, after. Adding a case is adding a file."""

from pathlib import Path

import pytest

from tests.completion.check import check_case

_FOLDER = Path(__file__).parent
CASES = sorted([*(_FOLDER / "cases").glob("*.txt"), *(_FOLDER / "bad_output").glob("*.txt")])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
async def test_case(case: Path) -> None:
    await check_case(case)
