"""Files that git tracks although a pattern ignores them stay; git itself is the judge."""

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from spark_lsp.index.scan import tracked
from spark_lsp.index.scan.crawl import crawl, skip_reason, that_are_kept
from spark_lsp.index.scan.ignore import CrawlRules
from spark_lsp.index.store import Index

FILES = (
    *("main.py", "gen/kept.py", "gen/out.py", "gen/deep/kept.py", "gen/deep/out.py", "logs/a.py", "logs/sub/b.py"),
    *("notes.trace.py", "kept.trace.py", "pkg/build_/x.py", "pkg/sub/kept.trace.py", "pkg/sub/out.trace.py"),
)
TRACKED = ("main.py", "gen/kept.py", "gen/deep/kept.py", "kept.trace.py", "pkg/sub/kept.trace.py")
PATTERNS = "gen/\nlogs/\n*.trace.py\n"


def _git(folder: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "core.excludesFile=")
    done = subprocess.run(["git", *settings, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def _written(folder: Path, files: tuple[str, ...] = FILES) -> Path:
    for path in files:
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("x = 1\n")
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = _written(tmp_path / "shop").resolve()
    _git(root, "init", "-q")
    (root / ".gitignore").write_text(PATTERNS)
    _git(root, "add", "-f", *TRACKED)
    return root


def _judged(root: Path) -> list[str]:
    """What git says belongs to the working tree."""
    listed = _git(root, "ls-files", "-z", "-co", "--exclude-standard").split("\0")
    return sorted(path for path in listed if path.endswith(".py"))


def _crawled(root: Path) -> list[str]:
    return sorted(file.path for file in crawl(root, CrawlRules(), Counter()) if file.path.endswith(".py"))


def test_the_crawl_and_single_paths_agree_with_git(repository: Path) -> None:
    judged = _judged(repository)
    assert judged == sorted({*TRACKED, "pkg/build_/x.py"})
    assert _crawled(repository) == judged
    assert [path for path in sorted(FILES) if skip_reason(repository, path, CrawlRules()) is None] == judged
    assert sorted(that_are_kept(repository, FILES, CrawlRules())) == judged


def test_what_is_tracked_later_counts_from_the_next_refresh(repository: Path) -> None:
    index = Index(repository)
    index.refresh()
    assert "logs/a.py" not in index.view().files
    _git(repository, "add", "-f", "logs/a.py")
    index.refresh()
    assert sorted(path for path in index.view().files if path.endswith(".py")) == _judged(repository)
    _git(repository, "rm", "-q", "--cached", "gen/kept.py")
    index.refresh()
    assert sorted(path for path in index.view().files if path.endswith(".py")) == _judged(repository)
    index.close()


def test_a_folder_within_that_is_opened_alone(repository: Path) -> None:
    for folder in ("gen", "gen/deep", "pkg", "pkg/sub"):
        assert _crawled(repository / folder) == _judged(repository / folder), folder


def test_a_folder_that_is_ignored_whole_can_still_be_opened(repository: Path) -> None:
    assert _crawled(repository / "logs") == ["a.py", "sub/b.py"]


def test_the_sparkignore_takes_tracked_files_away_too(repository: Path) -> None:
    (repository / ".sparkignore").write_text("kept.trace.py\n")
    assert _crawled(repository) == [path for path in _judged(repository) if not path.endswith("kept.trace.py")]


def test_names_that_are_never_indexed_stay_out(repository: Path) -> None:
    _written(repository, ("node_modules/a.py", "dist/b.py"))
    _git(repository, "add", "-f", "node_modules/a.py", "dist/b.py")
    assert _crawled(repository) == [
        path for path in _judged(repository) if path.split("/")[0] not in {"node_modules", "dist"}
    ]


def test_a_configuration_that_runs_a_program_runs_none(repository: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = tmp_path / "hook.sh"
    script.write_text(f"#!/bin/sh\ntouch {ran}\n")
    script.chmod(0o755)
    for name in ("core.fsmonitor", "core.pager", "core.sshCommand", "diff.external"):
        _git(repository, "config", name, str(script))
    tracked.forget_tracked()
    assert tracked.tracked_although_ignored(repository).files == {"gen/kept.py", "gen/deep/kept.py"} | {
        path for path in TRACKED if path.endswith(".trace.py")
    }
    assert not ran.exists()


def test_git_is_asked_once_for_an_unchanged_index(repository: Path) -> None:
    tracked.forget_tracked()
    for path in FILES:
        skip_reason(repository, path, CrawlRules())
    assert tracked._ask.cache_info().misses == 1


def test_without_git_the_patterns_decide(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracked.forget_tracked()
    monkeypatch.setenv("PATH", str(repository))
    assert _crawled(repository) == ["main.py", "pkg/build_/x.py"]
    tracked.forget_tracked()


def test_a_walk_that_takes_too_long_ends_and_keeps_what_is_known(repository: Path) -> None:
    index = Index(repository)
    index.refresh()
    known = set(index.view().files)
    index.rules = CrawlRules(max_crawl_s=0)
    report = index.refresh()
    assert (report.complete, report.removed, report.skipped["limit"]) == (False, 0, 1)
    assert [problem for problem in report.problems if "within 0 s" in problem]
    assert set(index.view().files) == known
    assert not index.is_whole
    index.close()
