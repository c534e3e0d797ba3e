"""The watched folders are those that the crawl enters, through any changes of folders and rules."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.harness.fixture import parse_fixture, write_workspace
from spark_lsp.index.watch import ChangeSource, change_source
from spark_lsp.index.watchdog_tree import WatchdogTree

if sys.platform != "linux":
    pytest.skip("inotify is Linux's", allow_module_level=True)

from spark_lsp.index.watched_tree import WatchedTree

PATIENCE_S = 20.0
FILES = """
#- .gitignore
run/
*.log
#- src/deep/a.py
x = 1
#- run/part/a.py
x = 1
#- node_modules/x/index.js
x
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_workspace(parse_fixture(FILES), tmp_path / "w")
    return (tmp_path / "w").resolve()


@pytest.fixture
def tree(root: Path) -> Iterator[WatchedTree]:
    tree = WatchedTree(root)
    yield tree
    tree.close()


def changes(source: ChangeSource, until: str) -> set[str]:
    """Read until a path has come."""
    seen: set[str] = set()
    while until not in seen:
        assert source.wait(PATIENCE_S), f"{until} has not come, only {seen}"
        seen |= source.read()
    return seen


def test_ignored_folders_are_not_watched(root: Path, tree: WatchedTree) -> None:
    assert tree.folders == {"", "src", "src/deep"}
    (root / "run" / "part" / "a.py").write_text("x = 2\n")
    (root / "node_modules" / "x" / "index.js").write_text("y")
    (root / "src" / "deep" / "a.py").write_text("x = 2\n")
    assert changes(tree, "src/deep/a.py") == {"src/deep/a.py"}


def test_a_file_that_stays_open_is_seen_when_it_is_written(root: Path, tree: WatchedTree) -> None:
    with (root / "src" / "open.py").open("w") as file:
        assert "src/open.py" in changes(tree, "src/open.py")
        file.write("x = 1\n")
        file.flush()
        assert changes(tree, "src/open.py") == {"src/open.py"}


def test_new_and_moved_folders_are_watched_where_they_are(root: Path, tree: WatchedTree) -> None:
    write_workspace(parse_fixture("#- new/part/b.py\nx = 1\n"), root)
    changes(tree, "new")
    changes_until_watched(tree, "new/part")
    (root / "src").rename(root / "source")
    changes(tree, "source")
    assert tree.folders == {"", "new", "new/part", "source", "source/deep"}
    (root / "source" / "deep" / "a.py").write_text("x = 3\n")
    changes(tree, "source/deep/a.py")
    shutil.rmtree(root / "new")
    changes(tree, "new")
    assert tree.folders == {"", "source", "source/deep"}


def changes_until_watched(tree: WatchedTree, folder: str) -> None:
    while folder not in tree.folders:
        assert tree.wait(PATIENCE_S)
        tree.read()


def test_other_rules_are_other_folders(root: Path, tree: WatchedTree) -> None:
    (root / ".gitignore").write_text("src/deep/\n")
    changes(tree, ".gitignore")
    assert tree.folders == {"", "run", "run/part", "src"}
    (root / "run" / "part" / "a.py").write_text("x = 2\n")
    assert "run/part/a.py" in changes(tree, "run/part/a.py")


def test_a_tracked_file_in_an_ignored_folder_is_watched(root: Path) -> None:
    for words in (["init", "-q"], ["add", "-f", "run/part/a.py"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    tree = WatchedTree(root)
    try:
        assert tree.folders == {"", "run", "run/part", "src", "src/deep"}
    finally:
        tree.close()


def test_waking_ends_the_wait_and_is_harmless_afterwards(root: Path) -> None:
    source = change_source(root)
    source.wake()
    assert source.wait(None)
    assert source.read() == set()
    source.close()
    source.wake()


def test_elsewhere_watchdog_sees_the_same(root: Path) -> None:
    source = WatchdogTree(root)
    try:
        (root / "node_modules" / "x" / "index.js").write_text("y")
        with (root / "src" / "deep" / "a.py").open("w") as file:
            file.write("x = 2\n")
            file.flush()
            assert changes(source, "src/deep/a.py") == {"src/deep/a.py"}
    finally:
        source.close()


Step = tuple[Literal["folder", "file", "move", "delete", "rules"], str, str]
PLACES = st.sampled_from(("a", "b", "a/c", "b/c", "a/c/d"))
STEPS = st.lists(
    st.tuples(st.sampled_from(("folder", "file", "move", "delete", "rules")), PLACES, PLACES), min_size=1, max_size=12
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.lists(st.booleans(), min_size=12, max_size=12))
def test_the_folders_are_always_those_of_a_new_tree(steps: Sequence[Step], reads: Sequence[bool]) -> None:
    with tempfile.TemporaryDirectory() as base:
        root = Path(base).resolve()
        tree = WatchedTree(root)
        try:
            for (kind, place, goal), is_read in zip(steps, reads, strict=False):
                take(root, kind, place, goal)
                if is_read and tree.wait(0):
                    tree.read()
            while tree.wait(0):
                tree.read()
            fresh = WatchedTree(root)
            fresh.close()
            assert tree.folders == fresh.folders
        finally:
            tree.close()


def take(root: Path, kind: str, place: str, goal: str) -> None:
    """Change the disk; what is not possible now is left out."""
    path, target = root / place, root / goal
    if kind == "folder":
        path.mkdir(parents=True, exist_ok=True)
    elif kind == "file" and path.is_dir():
        (path / "x.py").write_text("x = 1\n")
    elif kind == "move" and path.is_dir() and target.parent.is_dir() and not target.exists():
        if not target.is_relative_to(path):
            path.rename(target)
    elif kind == "delete":
        shutil.rmtree(path, ignore_errors=True)
    elif kind == "rules":
        (root / ".gitignore").write_text(f"{place}/\n")
