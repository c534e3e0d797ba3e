"""Every case file: a document before, and after or the refusal. Adding a case is adding a file."""

from pathlib import Path

import pytest

from tests.actions.python.check import check_case

CASES = sorted((Path(__file__).parent / "cases").glob("*.txt"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
async def test_case(case: Path, tmp_path: Path) -> None:
    await check_case(case, tmp_path)
