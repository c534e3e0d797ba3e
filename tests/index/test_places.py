"""A document is the same however links name it and its workspace."""

from pathlib import Path

import pytest

from spark_lsp.index.scan.places import path_within, shown_path
from tests.support.marks import posix_only

pytestmark = posix_only


@pytest.mark.parametrize("root", ["real", "link", "deep/link"])
@pytest.mark.parametrize("opened", ["real", "link", "deep/link"])
def test_a_document_has_one_path_in_its_workspace(tmp_path: Path, root: str, opened: str) -> None:
    (tmp_path / "real/shop").mkdir(parents=True)
    (tmp_path / "real/shop/cart.py").touch()
    (tmp_path / "deep").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "deep/link").symlink_to(tmp_path / "link")
    for name in ("shop/cart.py", "shop/not_saved_yet.py"):
        assert path_within(tmp_path / root, tmp_path / opened / name) == name
        assert shown_path(tmp_path / root, tmp_path / opened / name) == name


def test_a_link_within_the_workspace_keeps_its_own_path(tmp_path: Path) -> None:
    (tmp_path / "a.py").touch()
    (tmp_path / "b.py").symlink_to(tmp_path / "a.py")
    assert path_within(tmp_path, tmp_path / "b.py") == "b.py"


def test_a_document_outside_never_stands_in_for_a_file_of_the_workspace(tmp_path: Path) -> None:
    root = tmp_path / "w"
    root.mkdir()
    (root / "page.py").touch()
    assert path_within(root, tmp_path / "page.py") is None
    assert shown_path(root, tmp_path / "page.py") == "../page.py"
    assert path_within(None, tmp_path / "page.py") is None
    assert shown_path(None, tmp_path / "page.py") == "page.py"


def test_links_in_a_circle_are_outside(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    assert path_within(tmp_path / "w", tmp_path / "one/a.py") is None
