"""Recent edits, layered mappings, the watcher, the index command."""

import errno
import json
import queue
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from scripts.harness.fixture import parse_fixture, write_workspace
from spark_lsp.cli import build
from spark_lsp.index.change_policy import matters, wants_refresh
from spark_lsp.index.ranking.recent import EDITS_KEPT, SAME_PLACE_CHARS, VIEWS_KEPT, Recent
from spark_lsp.index.storage.layered_map import MERGE_AT_LEAST, Layered
from spark_lsp.index.store import Index
from spark_lsp.index.watch import Watcher
from spark_lsp.text.edit import Span

LONG_S = 20.0  # far beyond what any machine needs; reached only by a failure


def test_recent_paths_are_newest_first_and_bounded() -> None:
    recent = Recent()
    recent.viewed("a.py", 1.0)
    recent.edited("b.py", Span(0, 1), 2.0)
    recent.viewed("a.py", 3.0)
    assert recent.paths() == ("a.py", "b.py")
    for n in range(2 * VIEWS_KEPT):
        recent.viewed(f"{n}.py", float(n))
    assert len(recent.paths()) == VIEWS_KEPT
    assert recent.paths()[0] == f"{2 * VIEWS_KEPT - 1}.py"


def test_typing_in_one_place_is_one_edit() -> None:
    recent = Recent()
    for offset in range(5):
        recent.edited("a.py", Span(offset, offset + 1), float(offset))
    recent.edited("a.py", Span(10 * SAME_PLACE_CHARS, 10 * SAME_PLACE_CHARS), 6.0)
    recent.edited("b.py", Span(0, 0), 7.0)
    assert [(edit.path, edit.span.start) for edit in recent.edits()] == [
        ("b.py", 0),
        ("a.py", 10 * SAME_PLACE_CHARS),
        ("a.py", 4),
    ]
    for n in range(2 * EDITS_KEPT):
        recent.edited(f"{n}.py", Span(0, 0), float(n))
    assert len(recent.edits()) == EDITS_KEPT


changes = st.lists(st.dictionaries(st.integers(0, 30), st.none() | st.integers(0, 9), max_size=6), max_size=20)


@pytest.mark.slow
@given(st.dictionaries(st.integers(0, 30), st.integers(0, 9)), changes)
def test_layers_behave_like_one_dictionary(base: dict[int, int], steps: list[dict[int, int | None]]) -> None:
    layered: Mapping[int, int] = Layered(base)
    expected = dict(base)
    for step in steps:
        assert isinstance(layered, Layered)
        before, known = layered, dict(layered)
        layered = layered.changed(step)
        for key, value in step.items():
            if value is None:
                expected.pop(key, None)
            else:
                expected[key] = value
        assert dict(layered) == expected
        assert len(layered) == len(expected)
        assert all((key in layered) == (key in expected) for key in range(31))
        assert dict(before) == known


def test_a_layer_that_grew_is_merged_and_still_the_same() -> None:
    layered: Layered[int, int] = Layered(dict.fromkeys(range(10), 0))
    grown = layered.changed(dict.fromkeys(range(5, MERGE_AT_LEAST + 20), 1)).changed({3: None})
    assert len(grown) == MERGE_AT_LEAST + 19
    assert (grown[4], grown[5], 3 in grown) == (0, 1, False)
    with pytest.raises(KeyError):
        grown[3]


def test_a_burst_of_changes_is_told_as_relative_paths(tmp_path: Path) -> None:
    write_workspace(parse_fixture("#- src/a.py\n#- node_modules/x.js\n"), tmp_path)
    simple_queue: queue.SimpleQueue[set[str]] = queue.SimpleQueue()
    problems: list[str] = []
    watcher = Watcher(tmp_path, simple_queue.put, problems.append)
    watcher.start()
    try:
        assert watcher.wait_until_watching(LONG_S) or problems
        if problems:
            pytest.skip(problems[0])
        (tmp_path / "node_modules" / "x.js").write_text("1")
        (tmp_path / ".git").mkdir()
        (tmp_path / ".git" / "HEAD").write_text("ref")
        (tmp_path / "src" / "a.py").rename(tmp_path / "src" / "b.py")
        (tmp_path / "last.py").write_text("x = 1\n")
        seen: set[str] = set()
        while "last.py" not in seen:
            seen |= simple_queue.get(timeout=LONG_S)
    finally:
        watcher.stop()
    assert seen == {"src/a.py", "src/b.py", "last.py"}


def test_a_folder_that_cannot_be_watched_is_told_once(tmp_path: Path) -> None:
    problems: queue.SimpleQueue[str] = queue.SimpleQueue()
    watcher = Watcher(tmp_path / "missing", lambda _paths: None, problems.put)
    watcher.start()
    assert "cannot be watched" in problems.get(timeout=LONG_S)
    watcher.stop()
    assert problems.empty()


def test_no_instance_left_to_watch_with_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some hundred programs that watch use up what Linux gives to one user."""

    def no_instance() -> None:
        raise OSError(errno.EMFILE, "inotify instance limit reached")

    monkeypatch.setattr("spark_lsp.index.watched_tree.Inotify", no_instance)
    problems: queue.SimpleQueue[str] = queue.SimpleQueue()
    watcher = Watcher(tmp_path, lambda _paths: None, problems.put)
    watcher.start()
    assert "max_user_instances" in problems.get(timeout=LONG_S)
    watcher.stop()


def run_index(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(build(["index", "models"]), ["index", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_prints_json_and_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_workspace(parse_fixture("#- pyproject.toml\n#- a.py\ndef f(): return g()\n#- .env\n"), tmp_path / "w")
    code, out, _ = run_index(str(tmp_path / "w"), "--json")
    report = json.loads(out)
    assert code == 0
    assert {
        "files",
        "parsed",
        "reused",
        "removed",
        "skipped",
        "bytes",
        "symbols",
        "references",
        "languages",
        "seconds",
    } <= set(report)
    assert (report["files"], report["skipped"], report["languages"]) == (2, {"secret": 1}, {"python": 1, "text": 1})
    assert json.loads(run_index(str(tmp_path / "w"), "--json")[1])["reused"] == 2
    assert json.loads(run_index(str(tmp_path / "w"), "--json", "--rebuild")[1])["parsed"] == 2
    code, out, _ = run_index(str(tmp_path / "w"))
    assert code == 0
    assert "secret 1" in out


@pytest.mark.parametrize(
    ("changed", "refresh"),
    [
        (["a.py"], False),
        (["a.py", "new.py"], False),
        (["gone.py"], False),
        (["pkg"], True),
        (["gone_pkg"], True),
        (["sub/.gitignore"], True),
        ([".sparkignore"], True),
        ([f"m{n}.py" for n in range(30)], True),
    ],
)
def test_changes_that_call_for_a_refresh(tmp_path: Path, changed: list[str], *, refresh: bool) -> None:
    write_workspace(parse_fixture("#- a.py\nx = 1\n#- pkg/b.py\ny = 1\n#- gone_pkg/c.py\nz = 1\n"), tmp_path)
    index = Index(tmp_path)
    index.refresh()
    (tmp_path / "gone_pkg" / "c.py").unlink()
    (tmp_path / "gone_pkg").rmdir()
    (tmp_path / "new.py").write_text("n = 1\n")
    assert wants_refresh(index.view(), index.root, changed) == refresh


@pytest.mark.parametrize(
    ("path", "answer"),
    [("src/a.py", True), ("node_modules/x/a.js", False), ("a/.git/HEAD", False), ("build", False), ("x/build/a", True)],
)
def test_changes_where_nobody_looks_do_not_matter(path: str, *, answer: bool) -> None:
    assert matters(path) == answer


def test_changes_of_ignored_files_do_not_count(tmp_path: Path) -> None:
    """A program that writes ignored files all the time starts no refresh and no status."""
    write_workspace(
        parse_fixture("#- .gitignore\nrun/\n*.trace.py\n#- a.py\nx = 1\n#- pkg/b.py\ny = 1\n#- run/log.py\nz = 1\n"),
        tmp_path,
    )
    index = Index(tmp_path)
    index.refresh()
    churn = {f"run/logs/step{number}.py" for number in range(50)} | {
        f"pkg/step{number}.trace.py" for number in range(50)
    }
    assert index.that_count(churn | {"run", "run/logs"}) == set()
    assert not wants_refresh(index.view(), index.root, index.that_count(churn))
    news = {"pkg/new.py", "a.py", "pkg", "pkg/.gitignore", ".gitignore"}
    assert index.that_count(churn | news) == news
