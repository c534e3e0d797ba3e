"""What git ignores is ignored: ``git ls-files -co --exclude-standard`` is the judge, for trees and for single paths."""

import os
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spark_lsp.index.scan import ignore
from spark_lsp.index.scan.crawl import crawl, skip_reason
from spark_lsp.index.scan.gitignore import MAX_PATTERNS, TooManyPatternsError, patterns_of
from spark_lsp.index.scan.ignore import MAX_IGNORE_BYTES, CrawlRules, globs_of
from tests.support.marks import posix_only

PARTS = ["a", "b", "ab", "*", "**", "?", "/", "**/", "/**", "[ab]", "[!a]", "[a-c]", "[[:alpha:]]", "\\*",
         "\\a", " ", "\\ ", "!", "#", "[", "]", "-", "\t", "é", "\\", "*.py", ".", "\r", "[]a]", "[^b]", "\x0b",
         "[[:foo:]]", "\0"]  # fmt: skip
NAMES = ["a", "b", "ab", "abc", "a b", "b.py", "a.py", " a", "é"]
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)
LINES = st.lists(st.sampled_from(PARTS), min_size=1, max_size=6).map("".join)
HOSTILE = "*a" * 30 + "*b"


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without settings, for git and for us."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return home


def git(folder: Path, *arguments: str) -> bytes:
    command = ["git", "-c", "user.name=N", "-c", "user.email=n@example.org", "-c", "protocol.file.allow=always"]
    return subprocess.run([*command, "-C", folder, *arguments], check=True, capture_output=True).stdout


def repository(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    return folder


def write(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x = 1\n")


def check(root: Path, *paths: str) -> set[str]:
    """Compare the crawl and single paths with git; return which of these paths are kept."""
    listed = git(root, "ls-files", "-zco", "--exclude-standard").decode().split("\0")
    kept = {path for path in listed if path in paths}
    assert {file.path for file in crawl(root, CrawlRules(), Counter())} & {*paths} == kept
    assert {path for path in paths if skip_reason(root.resolve(), path, CrawlRules()) is None} == kept
    return kept


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, min_size=1, max_size=3), st.lists(PATHS, min_size=5, max_size=40), st.booleans())
def test_patterns_match_what_gits_match(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], paths: list[str], ends: bool
) -> None:
    root = repository(tmp_path_factory.mktemp("repository"))
    written = set()
    for path in paths:
        place = root / path
        if not place.exists() and not any(around.is_file() for around in place.parents):
            write(root, path)
            written.add(path)
    source = ("\n".join(lines) + "\n" * ends).encode()
    (root / ".gitignore").write_bytes(source)
    listed = git(root, "ls-files", "-zco", "--exclude-standard").decode().split("\0")
    patterns = patterns_of(source)
    assert {path for path in written if not patterns.matches(path)} == {path for path in listed if path in written}


def test_a_linked_worktree_and_a_submodule_have_the_excludes_of_their_repository(tmp_path: Path) -> None:
    main = repository(tmp_path / "main")
    write(main, "readme.py")
    git(main, "add", ".")
    git(main, "commit", "-qm", "one")
    git(main, "worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    outer = repository(tmp_path / "outer")
    git(outer, "submodule", "--quiet", "add", str(main), "sub")
    for exclude in (main / ".git/info/exclude", outer / ".git/modules/sub/info/exclude"):
        exclude.parent.mkdir(exist_ok=True)
        exclude.write_text("notes/\nscratch_*.py\n")
    for root in (main, tmp_path / "linked", outer / "sub"):
        write(root, "src/app.py", "notes/plan.py", "src/scratch_1.py")
        assert check(root, "src/app.py", "notes/plan.py", "src/scratch_1.py") == {"src/app.py"}


def test_a_repository_within_the_workspace_has_its_own_rules(tmp_path: Path) -> None:
    outer = repository(tmp_path / "outer")
    (outer / ".gitignore").write_text("*.gen.py\n")
    inner = repository(outer / "inner")
    (inner / ".gitignore").write_text("local.py\n")
    (inner / ".git/info/exclude").write_text("own.py\n")
    write(outer, "one.gen.py", "local.py", "inner/two.gen.py", "inner/local.py", "inner/own.py")
    kept = {file.path for file in crawl(outer, CrawlRules(), Counter())}
    assert kept == {".gitignore", "local.py", "inner/.gitignore", "inner/two.gen.py"}
    assert check(inner, "two.gen.py", "local.py", "own.py") == {"two.gen.py"}


@pytest.mark.parametrize("place", ["default", "configured", "in the repository"])
def test_the_users_global_excludes(tmp_path: Path, own_home: Path, place: str) -> None:
    root = repository(tmp_path / "w")
    excludes = own_home / (".config/git/ignore" if place == "default" else "my excludes")
    excludes.parent.mkdir(parents=True, exist_ok=True)
    excludes.write_text("*.swp.py\n!keep.py\n")
    if place != "default":
        scope = "--global" if place == "configured" else "--local"
        git(root, "config", scope, "core.excludesFile", "~/my excludes" if scope == "--global" else str(excludes))
    (root / ".git/info/exclude").write_text("keep.py\n")
    write(root, "a.swp.py", "keep.py", "a.py")
    assert check(root, "a.swp.py", "keep.py", "a.py") == {"a.py"}


def test_letter_case_counts_as_the_repository_says(tmp_path: Path) -> None:
    root = repository(tmp_path / "w")
    (root / ".gitignore").write_text("Notes/\nA*.py\n")
    write(root, "Notes/a.py", "notes.py", "abc.py")
    for ignores_case in ("true", "false"):
        git(root, "config", "core.ignoreCase", ignores_case)
        check(root, "Notes/a.py", "notes.py", "abc.py")


@pytest.mark.parametrize(
    "pattern",
    [HOSTILE, f"{HOSTILE}/x", f"**/{HOSTILE}", "**/a/" * 40 + "b", "[a-z]*" * 60 + "!", "a?*" * 60 + "b", "*" * 4000],
)
def test_a_pattern_takes_time_in_proportion_to_its_length(pattern: str) -> None:
    patterns = globs_of([pattern])
    paths = ["a" * 250 + ".py", "/".join(["a" * 200] * 15), "/".join("a" * 1500), f"{'a' * 200}/x"]
    started = time.process_time()
    for path in paths:
        patterns.matches(path)
    assert time.process_time() - started < 5.0, "a backtracking matcher takes longer than the universe"


@pytest.mark.parametrize("name", [".gitignore", ".sparkignore", "shop/.gitignore", ".git/info/exclude"])
@pytest.mark.parametrize("kind", ["device", "pipe", "folder", "link to itself", "huge", "many"])
@posix_only
def test_an_ignore_file_that_is_none_is_left_out_with_a_sentence(tmp_path: Path, name: str, kind: str) -> None:
    root = repository(tmp_path / "w")
    write(root, "shop/a.py", "b.py")
    place = root / name
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    match kind:
        case "device":
            place.symlink_to("/dev/zero")
        case "pipe":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case "link to itself":
            place.symlink_to(place)
        case "huge":
            place.write_bytes(b"b.py\n" * (MAX_IGNORE_BYTES // 5 + 1))
        case "many":
            place.write_text("".join(f"{number}\n" for number in range(MAX_PATTERNS + 1)))
    sentences: list[str] = []
    kept = {file.path for file in crawl(root, CrawlRules(), Counter(), problem=sentences.append)}
    assert {"shop/a.py", "b.py"} <= kept
    assert len(sentences) == (kind != "folder")
    assert all(str(place) in sentence for sentence in sentences)
    assert skip_reason(root.resolve(), "shop/a.py", CrawlRules()) is None


def test_an_ignore_file_that_is_a_link_is_not_followed_as_in_git(tmp_path: Path) -> None:
    root = repository(tmp_path / "w")
    (tmp_path / "outside").write_text("b.py\n")
    (root / ".gitignore").symlink_to(tmp_path / "outside")
    write(root, "a.py", "b.py")
    assert check(root, "a.py", "b.py") == {"a.py", "b.py"}


def test_patterns_that_hold_in_one_folder_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ignore, "MAX_WILD_IN_EFFECT", 2)
    root = repository(tmp_path / "w")
    (root / ".gitignore").write_text("*.one\n*.two\n")
    write(root, "deep/a.py", "a.py", "a.one")
    (root / "deep/.gitignore").write_text("*.py\n")
    sentences: list[str] = []
    kept = {file.path for file in crawl(root, CrawlRules(), Counter(), problem=sentences.append)}
    assert kept == {".gitignore", "a.py", "deep/.gitignore", "deep/a.py"}
    assert len(sentences) == 1


def test_too_many_patterns_are_refused() -> None:
    with pytest.raises(TooManyPatternsError):
        patterns_of(b"a\n" * (MAX_PATTERNS + 1))
    assert globs_of(["a"] * (MAX_PATTERNS + 1)).matches("a")
