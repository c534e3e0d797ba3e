"""What an index holds is no work for the garbage collector, and is freed all the same."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from spark_lsp.app import open_workspace
from spark_lsp.config import Settings
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.index.gc_freeze import freeze_after_rebuild, freeze_survivors
from spark_lsp.index.storage.view import EMPTY_VIEW, IndexView
from spark_lsp.index.store import Index

pytestmark = pytest.mark.slow

FILES = 200


class Loop:
    """What refers to itself."""

    self: "Loop"


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """Give the other tests their collector back."""
    gc.collect()
    yield
    gc.unfreeze()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    root.mkdir()
    for number in range(FILES):
        (root / f"m{number}.py").write_text(f"def f{number}(): return f{number // 2}()\n")
    return root


@pytest.fixture
def index(root: Path) -> Iterator[Index]:
    index = Index(root)
    yield index
    index.close()


def looked_through(view: IndexView) -> int:
    """How many entries of a view a full collection would visit."""
    entries = {id(entry) for entry in view.files.values()}
    return sum(1 for item in gc.get_objects() if id(item) in entries)


def test_a_view_laid_out_again_is_freeze_after_rebuild(index: Index) -> None:
    index.refresh()
    assert looked_through(index.view()) == FILES
    assert freeze_after_rebuild(EMPTY_VIEW, index.view())
    assert looked_through(index.view()) == 0


def test_edits_and_refreshes_that_find_nothing_set_nothing_apart(index: Index) -> None:
    index.refresh()
    before = index.view()
    freeze_after_rebuild(EMPTY_VIEW, before)
    index.update("m0.py", "def other(): ...\n")
    assert not freeze_after_rebuild(before, index.view())
    assert looked_through(index.view()) == 1
    index.refresh()
    before = index.view()
    index.refresh()
    assert not freeze_after_rebuild(before, index.view())


def test_what_is_replaced_is_freed_without_the_collector(index: Index) -> None:
    index.refresh()
    freeze_after_rebuild(EMPTY_VIEW, index.view())
    counts = []
    gc.disable()
    try:
        for _ in range(4):
            before = index.view()
            old = weakref.ref(before)
            index.refresh(rebuild=True)
            freeze_after_rebuild(before, index.view())
            del before
            assert old() is None
            counts.append(gc.get_freeze_count())
    finally:
        gc.enable()
    assert counts[-1] - counts[0] < FILES  # each view alone is several objects a file


def test_young_garbage_is_freed_before_the_rest_is_freeze_survivors() -> None:
    loop = Loop()
    loop.self = loop
    gone = weakref.ref(loop)
    del loop
    freeze_survivors()
    assert gone() is None


async def test_a_workspaces_index_is_freeze_survivors_when_it_is_refreshed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    workspace = open_workspace(root, Settings(), engine=ScriptedEngine(["x"]))
    assert workspace.index
    try:
        await workspace.refresh_index(lambda _done, _of: None)
        await workspace.history_read()
        assert looked_through(workspace.index.view()) == 0
    finally:
        await workspace.close()
        workspace.index.close()
