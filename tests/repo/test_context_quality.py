"""The evaluation of context on newer code: which holes it chooses, how it classes and judges them, its tables."""

import json
from pathlib import Path

import pytest

from scripts.context_quality.holes import Chooser, Hole, need_of
from scripts.context_quality.packages import load
from scripts.context_quality.run import mixed
from scripts.context_quality.table import difference, interval, read, table
from scripts.harness.fixture import parse_fixture
from tests.support.workspace import indexed

STORE = '''
#- shop/item.py
class StockItem:
    """A thing in a store."""

    def unit_price(self): ...
#- shop/store.py
from shop.item import StockItem

def add(shelf, name):
    shelf.append(StockItem(name))


def total(shelf):
    return sum(each.unit_price() for each in shelf)


def shout(name):
    return name.upper()
'''


def _chosen(folder: Path, *, needs: bool, seed: int = 1) -> list[tuple[Hole, str]]:
    view = indexed(parse_fixture(STORE), folder).view()
    chooser = Chooser(view, "shop", "python", seed)
    chosen_holes = chooser.choose("line", 2, needs=needs)
    return [(hole, view.files[hole.path].text[hole.start : hole.end]) for hole in chosen_holes]


def test_holes_that_need_a_name_hold_one_that_only_another_file_defines(tmp_path: Path) -> None:
    chosen = [hole for seed in range(8) for hole in _chosen(tmp_path, needs=True, seed=seed)]
    assert chosen
    assert {name for hole, _ in chosen for name in hole.needed} == {"unit_price"}
    assert all("unit_price()" in text for _, text in chosen), "an import says StockItem in the window already"


def test_other_holes_hold_none(tmp_path: Path) -> None:
    assert all(not hole.needed or "StockItem" in hole.needed for hole, _ in _chosen(tmp_path, needs=False))


def test_no_hole_lies_in_an_import(tmp_path: Path) -> None:
    chosen = [text for seed in range(20) for _, text in _chosen(tmp_path, needs=False, seed=seed)]
    assert not any("import" in text for text in chosen)


def test_the_same_seed_chooses_the_same_holes(tmp_path: Path) -> None:
    assert _chosen(tmp_path, needs=True) == _chosen(tmp_path, needs=True)


def test_each_beginning_of_a_list_of_holes_has_all_packages() -> None:
    holes = [Hole(name, "python", "p.py", start, start + 9, "line", ()) for name in "abc" for start in range(0, 90, 9)]
    order = mixed(holes, 1)
    assert sorted(order, key=lambda hole: hole.key) == sorted(holes, key=lambda hole: hole.key)
    assert [hole.package for hole in order[:6]] == ["a", "b", "c"] * 2
    assert [hole.start for hole in order[:9:3]] != [0, 9, 18]


@pytest.mark.parametrize(
    ("window", "need"), [("return first_name", "local"), ("def other():", "file")], ids=["shown", "in the file alone"]
)
def test_a_hole_is_classed_by_what_its_window_shows(window: str, need: str) -> None:
    text = "from names import first_name\n\nx = first_name\n"
    hole = Hole("p", "python", "p.py", 34, 44, "line", ("first_name",))
    assert need_of(hole, text, window) == need


def test_a_name_that_stands_nowhere_else_is_novel() -> None:
    text = "x = first_name\n"
    assert need_of(Hole("p", "python", "p.py", 4, 14, "line", ("first_name",)), text, "x = ") == "novel"


def test_an_interval_of_equal_differences_is_a_point() -> None:
    assert interval([0.5] * 10) == (0.5, 0.5)


def test_an_interval_holds_the_mean_and_is_the_same_each_time() -> None:
    values = [0.0, 1.0, 0.0, 1.0, 1.0, 0.0]
    low, high = interval(values)
    assert low < 0.5 < high
    assert interval(values) == (low, high)


def _row(hole: str, mode: str, *, right: bool) -> dict[str, object]:
    return {
        "hole": hole, "mode": mode, "shape": "line", "need": "novel", "mid_word": False, "exact": right,
        "similarity": 1.0, "names": None, "name_known": right,
        "nats": 1.0 if right else 4.0, "prompt_tokens": 100, "shown": right,
    }  # fmt: skip


def test_a_table_compares_modes_on_the_holes_that_all_were_asked() -> None:
    rows = [_row(f"h{number}", mode, right=mode == "new") for number in range(4) for mode in ("none", "new")]
    rows.append(_row("h9", "none", right=True))
    lines = list(table(rows, "none", "new"))
    assert lines[0] == "Lines that need a name of another file: 4 holes"
    assert any(
        line.startswith("new") and "+1.000 [+1.000, +1.000]  +1.000 [+1.000, +1.000]  -3.000" in line for line in lines
    )
    assert any(line.strip().startswith("new over none") for line in lines)


def test_a_difference_is_paired() -> None:
    group = [{"a": {"nats": 1.0}, "b": {"nats": 3.0}}, {"a": {"nats": 10.0}, "b": {"nats": 12.0}}]
    assert difference(group, "a", "b", "nats") == "-2.000 [-2.000, -2.000]"


def test_a_line_of_results_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    whole = json.dumps(_row("h1", "none", right=True))
    (tmp_path / "r").write_text(f'{whole}\n{{"hole": "h2", "mo', "utf-8")
    assert [row["hole"] for row in read([tmp_path / "r"])] == ["h1"]


def test_the_manifest_names_packages_newer_than_the_model_in_five_languages_for_both_uses() -> None:
    packages = load()
    for use in ("tune", "report"):
        assert {package.language for package in packages if package.use == use} == {
            "python",
            "typescript",
            "go",
            "rust",
            "java",
        }
    assert all(package.first >= "2024-05" for package in packages)
    assert len({package.folder_name for package in packages}) == len(packages)
