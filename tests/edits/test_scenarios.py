"""The scenarios of ``samples/edits``: what follows from a change, and as many changes from which nothing does."""

from pathlib import Path

import pytest

from spark_lsp.bench.edit_scenarios import play, read_scenario
from tests.repo.source import ROOT

SCENARIOS = sorted((ROOT / "samples" / "edits").glob("*.txt"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_what_follows(path: Path, tmp_path: Path) -> None:
    scenario = read_scenario(path)
    outcome = play(scenario, tmp_path)
    if scenario.wanted:
        assert outcome.texts == scenario.wanted
    else:
        assert outcome.steps == 0
        assert outcome.silence


def test_half_of_them_stay_silent() -> None:
    silent = [path for path in SCENARIOS if not read_scenario(path).wanted]
    assert len(silent) * 2 >= len(SCENARIOS)
