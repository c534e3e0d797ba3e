"""Ignored files that change all the time, in short; ``make torture`` measures for a minute what they cost."""

from pathlib import Path

import pytest

from scripts.torture.churn import measure

pytestmark = pytest.mark.slow

MEASURED_S = 3.0


@pytest.mark.parametrize("client_watches", [False, True], ids=["own watcher", "client's watcher"])
def test_ignored_files_that_change_cost_no_refresh_and_no_status(client_watches: bool, tmp_path: Path) -> None:
    cost = measure(tmp_path, client_watches=client_watches, seconds=MEASURED_S)
    assert cost.statuses == 0
    assert cost.notices_new_file
