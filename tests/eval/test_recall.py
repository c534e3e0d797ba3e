"""The recall harness: which names count as needed and as found, and a lower bound for our packer."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from scripts.harness.fixture import parse_fixture, write_workspace
from spark_lsp.bench.recall import RecallCounts, choose_cases, lines_of, table
from spark_lsp.bench.recorded_session import measure_session, recorded
from spark_lsp.bench.rivals import Bm25Chunks, ImportedBodies, JaccardWindows, RepositoryMap
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.index.store import Index
from spark_lsp.prompt.token_counts import TokenCounter
from tests.eval.fetch import load
from tests.support.workspace import TestWorkspace

TOTALS = "".join(
    f"#- shop/total_{n}.py\nfrom shop.prices import price_of\nfrom shop.tax import vat\n\n"
    f"def total_{n}(items):\n    net = sum(price_of(each) for each in items)\n    return net + vat(net)\n"
    for n in range(4)
)
SHOP = (
    "#- shop/prices.py\ndef price_of(item):\n    return item.price\n"
    "#- shop/tax.py\nclass Rate:\n    share: float\n\ndef vat(net):\n    return net * 0.2\n" + TOTALS
)


def shop(folder: Path) -> Index:
    write_workspace(parse_fixture(SHOP), folder)
    index = Index(folder)
    index.refresh()
    return index


def test_a_case_needs_what_other_files_define(tmp_path: Path) -> None:
    index = shop(tmp_path)
    cases = choose_cases(index.view(), 30, seed=1)
    assert cases == choose_cases(index.view(), 30, seed=1)
    assert {name for case in cases for name in case.needed} == {"price_of", "vat"}
    for case in cases:
        assert case.hole not in case.text or not case.hole.strip()
        assert case.text[: case.offset] + case.hole + case.text[case.offset :] == index.view().files[case.path].text
        assert case.novel == {name for name in case.needed if name not in case.text}
        assert case.needed.get("vat", frozenset({("shop/tax.py", "def vat(net):")})) == {
            ("shop/tax.py", "def vat(net):")
        }


@pytest.mark.parametrize("packer", [JaccardWindows, Bm25Chunks, ImportedBodies, RepositoryMap])
def test_rivals_show_other_files_and_find_something(packer: type, tmp_path: Path) -> None:
    index = shop(tmp_path)
    rival = packer(index.view())
    counts = RecallCounts()
    for case in choose_cases(index.view(), 10, seed=2):
        pieces = list(rival(case))
        assert case.path not in {piece.path for piece in pieces}
        assert len({(piece.path, piece.start_line, piece.end_line) for piece in pieces}) == len(pieces)
        counts.add(case, lines_of(pieces))
    assert counts.share("all") > 0


def test_a_name_is_found_where_its_line_is_shown(tmp_path: Path) -> None:
    case = next(case for case in choose_cases(shop(tmp_path).view(), 30, seed=1) if "vat" in case.needed)
    counts = RecallCounts()
    counts.add(case, frozenset())
    counts.add(case, frozenset(line for lines in case.needed.values() for line in lines))
    assert counts.share("all") == 0.5
    rows = list(table({"ours": {100: counts}}, [100]))
    assert [row["names"] for row in rows] == ["all", "novel", "fields"]
    assert rows[0] == {"names": "all", "count": 2 * len(case.needed), "packer": "ours", "100": 0.5}


async def _installed(package: str, folder: Path) -> TestWorkspace:
    """Copy a package that requirements/dev.txt pins, so that no change of ours moves the cursors, and index it."""
    origin = importlib.util.find_spec(package)
    assert origin is not None
    assert origin.submodule_search_locations
    shutil.copytree(origin.submodule_search_locations[0], folder, ignore=shutil.ignore_patterns("__pycache__"))
    index = Index(folder)
    index.refresh()
    workspace = TestWorkspace(ScriptedEngine(["x"], context_tokens=131_072), index=index)
    workspace.context._relative = lambda snapshot: snapshot.uri.removeprefix("file:///")
    await workspace.engine.start()
    return workspace


@pytest.mark.slow
async def test_definitions_of_other_files_are_found(tmp_path: Path) -> None:
    """A floor under docs/evaluation.md, for twenty cursors in each of three packages: a broken signal shows."""
    counts = RecallCounts()
    for package in ("_pytest", "huggingface_hub", "rich"):
        workspace = await _installed(package, tmp_path / package)
        assert workspace.index is not None
        workspace.context.model.fix_size(4096)
        for case in choose_cases(workspace.index.view(), 20, seed=5):
            workspace.index.update(case.path, case.text)
            workspace.context.prefix.engine_lost()
            packed = await workspace.context.pack_for(case.snapshot, case.offset)
            assert packed.tokens <= 4096
            counts.add(case, lines_of(packed.segments))
            workspace.index.update(case.path, None)
    assert counts.needed["all"] >= 60
    assert counts.share("all") >= 0.85


@pytest.mark.slow
async def test_a_prompt_of_32k_tokens_stays_cached_while_typing(tmp_path: Path) -> None:
    workspace = await _installed("huggingface_hub", tmp_path / "huggingface_hub")
    assert workspace.index is not None
    session = await measure_session(workspace.context, workspace.index, TokenCounter(workspace.engine), keys=120)
    assert session["keys"] >= 100
    assert session["prompt_tokens"] > 24_000
    assert session["cached_percent"] >= 99.0


def test_a_session_types_back_what_was_there(tmp_path: Path) -> None:
    index = shop(tmp_path)
    for visit in recorded(index, 40):
        last, offset = list(visit.snapshots())[-1]
        assert last.text == index.view().files[visit.path].text
        assert last.text[visit.offset : offset] == visit.typed


def test_the_manifest_holds_enough_and_keeps_tuning_apart() -> None:
    projects = load()
    reported = [project for project in projects if project.use == "report"]
    assert len(reported) >= 8
    assert {project.use for project in projects} == {"tune", "report"}
    assert len({project.name for project in projects}) == len(projects)
