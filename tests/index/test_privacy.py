"""Files that the privacy page promises never to send: ignored or secret, by their own path or by what they link to."""

from pathlib import Path

import pytest

from spark_lsp.index.scan.ignore import CrawlRules
from spark_lsp.index.scan.privacy import KEPT_S, PrivateFiles


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root, outside = tmp_path / "w", tmp_path / "outside"
    for path, text in {
        root / ".git" / "HEAD": "ref: refs/heads/main\n",
        root / ".gitignore": "private/\n*.local\n",
        root / ".sparkignore": "spark_private.py\n",
        root / "a.py": "",
        root / "private" / "p.py": "",
        root / "spark_private.py": "",
        root / "excl.py": "",
        root / ".env": "",
        root / ".ssh" / "config": "",
        root / "node_modules" / "m.js": "",
        outside / ".ssh" / "config_key": "",
        outside / "plain.py": "",
        outside / "repo" / ".git" / "HEAD": "",
        outside / "repo" / ".gitignore": "hidden.py\n",
        outside / "repo" / "hidden.py": "",
        outside / "repo" / "seen.py": "",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "notes.txt").symlink_to(".env")
    (root / "readme.txt").symlink_to("../outside/.ssh/config_key")
    (root / "alias.py").symlink_to("private/p.py")
    (root / "inner").symlink_to("private")
    (root / "loop.py").symlink_to("loop.py")
    (root / "seen.py").symlink_to("../outside/repo/seen.py")
    return root


PRIVATE = [
    "private/p.py",
    "spark_private.py",
    "excl.py",
    ".env",
    ".ssh/config",
    "notes.txt",
    "readme.txt",
    "alias.py",
    "inner/p.py",
    "loop.py",
    "new.local",
    "../outside/.ssh/config_key",
    "../outside/repo/hidden.py",
    "sub/../private/p.py",
]
PUBLIC = ["a.py", "new.py", "node_modules/m.js", "../outside/plain.py", "../outside/repo/seen.py"]


@pytest.mark.parametrize("path", PRIVATE)
def test_stays_here(path: str, workspace: Path) -> None:
    assert PrivateFiles(workspace, CrawlRules(exclude=("excl.py",))).holds(workspace / path)


@pytest.mark.parametrize("path", PUBLIC)
def test_may_be_sent(path: str, workspace: Path) -> None:
    assert not PrivateFiles(workspace, CrawlRules(exclude=("excl.py",))).holds(workspace / path)


def test_a_root_by_a_link_is_the_same(workspace: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(workspace)
    files = PrivateFiles(link, CrawlRules())
    assert files.holds(link / "private" / "p.py")
    assert files.holds(workspace / "private" / "p.py")
    assert not files.holds(link / "a.py")


def test_without_a_folder_the_files_own_repository_counts(workspace: Path) -> None:
    files = PrivateFiles(None, CrawlRules())
    assert files.holds(workspace / "private" / "p.py")
    assert not files.holds(workspace / "a.py")


def test_a_changed_rule_counts_after_some_seconds(workspace: Path) -> None:
    now = [0.0]
    files = PrivateFiles(workspace, CrawlRules(), lambda: now[0])
    assert not files.holds(workspace / "a.py")
    (workspace / ".gitignore").write_text("a.py\n")
    assert not files.holds(workspace / "a.py")
    now[0] = KEPT_S
    assert files.holds(workspace / "a.py")
