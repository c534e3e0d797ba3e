"""Windows of other files that are like the lines around a cursor."""

from pathlib import Path

from scripts.harness.fixture import parse_fixture
from spark_lsp.index.ranking.line_similarity import SimilarWindow, likeness_end, similar_windows, weigh_words
from tests.support.workspace import indexed

FILES = """
#- a.py
def send(request):
    emit_change("sent", request)
    notify_listeners(request)
#- b.py
def receive(request):
    emit_change("received", request)
    notify_listeners(request)
#- c.py
def unrelated():
    return compute_area(width, height)
#- d.py
request = emit_change = notify_listeners = None
"""


def _similar(folder: Path, near: list[str], path: str = "d.py", most: int = 4) -> list[SimilarWindow]:
    postings = indexed(parse_fixture(FILES), folder).view().postings
    return similar_windows(postings, weigh_words(postings, near), path, most)


def test_windows_that_share_words_are_found_and_others_not(tmp_path: Path) -> None:
    windows = _similar(tmp_path, ["request", "emit_change", "notify_listeners"])
    assert [(window.path, window.window) for window in windows] == [("a.py", 0), ("b.py", 0)]


def test_more_in_common_comes_first(tmp_path: Path) -> None:
    windows = _similar(tmp_path, ["request", "emit_change", "notify_listeners", "received"])
    assert [window.path for window in windows] == ["b.py", "a.py"]
    assert windows[0].score > windows[1].score


def test_the_own_file_is_never_found(tmp_path: Path) -> None:
    assert {window.path for window in _similar(tmp_path, ["request", "emit_change", "notify_listeners"], "a.py")} == {
        "b.py",
        "d.py",
    }


def test_a_word_or_two_in_common_are_chance(tmp_path: Path) -> None:
    assert _similar(tmp_path, ["request", "emit_change"]) == []


def test_the_second_twenty_lines_are_a_window_of_their_own(tmp_path: Path) -> None:
    text = "#- far.py\n" + "x = 1\n" * 25 + "alpha_one(beta_two, gamma_three)\n#- at.py\npass\n"
    postings = indexed(parse_fixture(text), tmp_path).view().postings
    windows = similar_windows(postings, weigh_words(postings, ["alpha_one", "beta_two", "gamma_three"]), "at.py", 3)
    assert [(window.path, window.window) for window in windows] == [("far.py", 1)]


def test_nothing_is_found_in_an_empty_workspace(tmp_path: Path) -> None:
    postings = indexed(parse_fixture("#- a.py\n"), tmp_path).view().postings
    assert similar_windows(postings, weigh_words(postings, ["alpha_one"]), "b.py", 3) == []


LINES = ["alpha = beta", "gamma(alpha)", "delta = 1", "", "other()", "more()"]
WEIGHTS = {"alpha": 1.0, "beta": 1.0, "gamma": 1.0, "delta": 1.0}


def test_the_likeness_ends_behind_the_last_line_that_adds_to_it() -> None:
    assert likeness_end(LINES, 0, WEIGHTS) == (3, 1.0)


def test_of_a_file_that_has_nothing_of_it_nothing_is_alike() -> None:
    assert likeness_end(["x = 1"], 0, WEIGHTS) == (0, 0.0)


def test_lines_that_touch_the_window_are_looked_at_too() -> None:
    lines = ["pass"] * 18 + LINES
    assert likeness_end(lines, 0, WEIGHTS) == (21, 1.0)
