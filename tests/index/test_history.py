"""What changed together, from real repositories; and that nothing of a repository runs while it is read."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.index.scan.git import changed_files, head_of
from spark_lsp.index.scan.history import COMMITS_OF_FILE, FILES_MOST, NO_CHANGES, CoChanges, History, co_changes
from spark_lsp.index.scan.repository import git_program

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")

_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def run_git(root: Path, *words: str, stdin: bytes = b"", check: bool = True) -> bytes:
    command = ["git", "-c", "init.defaultBranch=main", *words]
    done = subprocess.run(command, cwd=root, env=_ENVIRONMENT, input=stdin, capture_output=True, check=check)
    return done.stdout.strip()


def commit(root: Path, *paths: str) -> None:
    """Change these files and commit them."""
    if not (root / ".git").exists():
        run_git(root, "init", "-q")
        run_git(root, "commit", "-q", "--allow-empty", "-m", "first")
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text((file.read_text() if file.exists() else "") + "x = 1\n")
    run_git(root, "add", "--", *paths)
    run_git(root, "commit", "-q", "-m", "change")


def read(root: Path) -> CoChanges:
    history = History(root)
    history.refresh()
    return history.view()


def beside(changes: CoChanges, path: str) -> list[str]:
    """The files that changed with one, the most often first."""
    files = {name for commit in changes.commits for name in commit}
    shares = changes.beside(path, files)
    return sorted(shares, key=lambda name: (-shares[name], name))


def test_files_of_many_commits_come_before_those_of_one() -> None:
    changes = co_changes([["a", "b"], ["a", "b"], ["a", "c"], ["d", "b"]])
    assert beside(changes, "a") == ["b", "c"]
    assert beside(changes, "d") == ["b"]
    assert beside(changes, "nowhere") == []


def test_a_commit_of_more_files_counts_less() -> None:
    changes = co_changes([["a", "b"], ["a", "c", "d", "e"]])
    assert beside(changes, "a") == ["b", "c", "d", "e"]


def test_a_commit_of_very_many_files_counts_nothing() -> None:
    many = [f"f{number}" for number in range(FILES_MOST + 1)]
    assert beside(co_changes([many]), "f0") == []
    assert len(beside(co_changes([many[:-1]]), "f0")) == FILES_MOST - 1


def test_a_file_that_mostly_changes_alone_is_beside_others_less() -> None:
    often = co_changes([["a", "b"]]).beside("a", {"b"})
    seldom = co_changes([["a", "b"], ["a"], ["a"]]).beside("a", {"b"})
    assert seldom["b"] < often["b"]


_PATHS = st.sampled_from([f"f{number}" for number in range(8)])


@given(st.lists(st.lists(_PATHS, max_size=6), max_size=COMMITS_OF_FILE + 6), _PATHS, st.sets(_PATHS))
def test_shares_are_always_of_known_files_and_below_one(commits: list[list[str]], path: str, files: set[str]) -> None:
    shares = co_changes(commits).beside(path, files)
    assert path not in shares
    assert shares.keys() <= files
    assert all(0 < share < 1 for share in shares.values())


@needs_git
def test_commits_of_a_repository(tmp_path: Path) -> None:
    commit(tmp_path, "a.py", "lib/b ä.py")
    commit(tmp_path, "a.py")
    assert changed_files(tmp_path) == [["a.py"], ["a.py", "lib/b ä.py"], []]
    assert beside(read(tmp_path), "a.py") == ["lib/b ä.py"]


@needs_git
def test_a_workspace_below_its_repository_knows_its_own_files_alone(tmp_path: Path) -> None:
    commit(tmp_path, "app/a.py", "app/b.py", "other/c.py")
    assert beside(read(tmp_path / "app"), "a.py") == ["b.py"]


@needs_git
def test_ignored_and_secret_files_never_come_out(tmp_path: Path) -> None:
    """They may be committed all the same; the index leaves them out, and names the files that may come out."""
    commit(tmp_path, "a.py", ".env", "ignored.py", "b.py")
    assert set(read(tmp_path).beside("a.py", {"a.py", "b.py"})) == {"b.py"}


@needs_git
def test_a_first_commit_is_no_change(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("")
    (tmp_path / "b.py").write_text("")
    run_git(tmp_path, "add", ".")
    run_git(tmp_path, "commit", "-q", "-m", "all")
    assert beside(read(tmp_path), "a.py") == []


@needs_git
def test_a_shallow_clone_knows_nothing_of_where_it_ends(tmp_path: Path) -> None:
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    origin.mkdir()
    commit(origin, "a.py", "b.py")
    run_git(tmp_path, "clone", "-q", "--depth=1", origin.as_uri(), "clone")
    assert (clone / "a.py").exists()
    assert beside(read(clone), "a.py") == []


@needs_git
def test_history_is_read_again_when_head_has_moved_and_not_before(tmp_path: Path) -> None:
    commit(tmp_path, "a.py", "b.py")
    history = History(tmp_path)
    history.refresh()
    before = history.view()
    history.refresh()
    assert history.view() is before
    commit(tmp_path, "a.py", "c.py")
    history.refresh()
    assert beside(history.view(), "a.py") == ["b.py", "c.py"]
    assert beside(before, "a.py") == ["b.py"], "what was handed out does not change"
    run_git(tmp_path, "checkout", "-q", "HEAD~1")
    history.refresh()
    assert beside(history.view(), "a.py") == ["b.py"]


@needs_git
@pytest.mark.parametrize("packed", [False, True])
def test_head_of_a_linked_working_tree(tmp_path: Path, packed: bool) -> None:
    main, linked = tmp_path / "main", tmp_path / "linked"
    main.mkdir()
    commit(main, "a.py", "b.py")
    run_git(main, "worktree", "add", "-q", str(linked))
    if packed:
        run_git(main, "pack-refs", "--all")
    before = head_of(linked)
    assert before == head_of(linked) != head_of(main)
    commit(linked, "a.py", "c.py")
    assert head_of(linked) != before
    assert beside(read(linked), "a.py") == ["b.py", "c.py"]


def test_without_a_repository_nothing_changes_together(tmp_path: Path) -> None:
    assert head_of(tmp_path) == ()
    assert read(tmp_path) is NO_CHANGES


@pytest.mark.parametrize("head", ["", "ref: refs/heads/main", "ref: ../../outside", "ref: refs/../../x", "\0\xff", "?"])
def test_a_broken_repository_is_none(tmp_path: Path, head: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(head)
    assert beside(read(tmp_path), "a.py") == []


@pytest.mark.parametrize("pointer", ["", "gitdir: nowhere", "gitdir: .", "\0"])
def test_a_pointer_to_no_repository_is_none(tmp_path: Path, pointer: str) -> None:
    (tmp_path / ".git").write_text(pointer)
    assert beside(read(tmp_path), "a.py") == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_in_the_place_of_head_holds_nothing_up(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    os.mkfifo(tmp_path / ".git" / "HEAD")
    assert head_of(tmp_path) == ()


@needs_git
def test_without_git_nothing_changes_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(tmp_path, "a.py", "b.py")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert read(tmp_path).commits == ()


@pytest.mark.skipif(os.name == "nt", reason="a script is no program on Windows")
@pytest.mark.parametrize("relative", [False, True])
def test_a_git_in_the_workspace_is_never_run(tmp_path: Path, relative: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    trap(tmp_path / "bin" / "git", tmp_path / "ran")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "bin" if relative else str(tmp_path / "bin"))
    assert git_program(tmp_path) is None


@pytest.mark.skipif(os.name == "nt", reason="a script is no program on Windows")
def test_a_git_that_hangs_is_ended_and_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    root.mkdir()
    script(tmp_path / "git", "printf '\\001\\000\\na.py\\000b.py\\000'; exec tail -f /dev/null")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert changed_files(root, limit_s=0.1) == []
    assert changed_files(root, lambda process: process.kill()) == []


@pytest.mark.skipif(os.name == "nt", reason="a script is no program on Windows")
def test_what_git_prints_without_end_is_cut_to_whole_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    root.mkdir()
    script(tmp_path / "git", "while :; do printf '\\001\\000\\na.py\\000b.py\\000'; done")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert changed_files(root, most_bytes=45) == [["a.py", "b.py"]] * 3


@needs_git
def test_a_closed_history_lets_no_git_run(tmp_path: Path) -> None:
    commit(tmp_path, "a.py", "b.py")
    history = History(tmp_path)
    history.close()
    history.refresh()
    assert history.view().commits == ()


def script(path: Path, text: str) -> str:
    """Write a program; return it as a configuration names it."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def trap(path: Path, marker: Path) -> str:
    """Write a program that leaves a mark when it is run."""
    return script(path, f"echo run >> '{marker}'\nexit 1")


def signed(root: Path) -> None:
    """Give the newest commit a signature; who asks for it to be checked runs the program for that."""
    head, _, message = run_git(root, "cat-file", "commit", "HEAD").partition(b"\n\n")
    armour = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    raw = head + b"\n" + armour + b"\n\n" + message + b"\n"
    name = run_git(root, "hash-object", "-t", "commit", "-w", "--stdin", stdin=raw).decode()
    run_git(root, "update-ref", "HEAD", name)


@needs_git
@pytest.mark.skipif(os.name == "nt", reason="a script is no program on Windows")
def test_a_repository_that_wants_to_run_something_runs_nothing(tmp_path: Path) -> None:
    root, marker = tmp_path / "repository", tmp_path / "ran"
    root.mkdir()
    program = trap(tmp_path / "trap", marker)
    commit(root, "a.py", "b.py")
    commit(root, "a.py", "b.py")
    (root / ".gitattributes").write_text("*.py diff=evil filter=evil\n")
    for hook in (root / ".git" / "hooks").iterdir():
        trap(hook.with_suffix(""), marker)
    signed(root)
    for key in (
        *("core.fsmonitor", "core.pager", "pager.log", "core.editor", "core.askPass", "core.sshCommand"),
        *("gpg.program", "diff.external", "diff.evil.command", "diff.evil.textconv", "filter.evil.clean"),
        *("core.alternateRefsCommand", "uploadpack.packObjectsHook", "credential.helper", "alias.log"),
    ):
        run_git(root, "config", key, program if key != "alias.log" else f"!{program}")
    run_git(root, "config", "log.showSignature", "true")
    run_git(root, "log", "-1", check=False)
    assert marker.exists(), "the trap works: a plain git falls into it"
    marker.unlink()
    assert beside(read(root), "a.py") == ["b.py"]
    assert not marker.exists()


@needs_git
@pytest.mark.skipif(os.name == "nt", reason="a script is no program on Windows")
@pytest.mark.parametrize("url", ["ssh://host/x", "ext::{}", "git://127.0.0.1:1/x", "file:///nowhere"])
def test_what_a_partial_clone_lacks_is_not_fetched(tmp_path: Path, url: str) -> None:
    root, marker = tmp_path / "repository", tmp_path / "ran"
    root.mkdir()
    program = trap(tmp_path / "trap", marker)
    commit(root, "a.py", "b.py")
    tree = run_git(root, "rev-parse", "HEAD^{tree}").decode()
    (root / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": url.format(program),
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": program,
        "core.sshCommand": program,
        "core.gitProxy": program,
        "protocol.allow": "always",
        "protocol.ext.allow": "always",
    }.items():
        run_git(root, "config", key, value)
    run_git(root, "log", "--name-only", check=False)
    assert marker.exists() or url.startswith("file"), "the trap works: a plain git falls into it"
    marker.unlink(missing_ok=True)
    assert beside(read(root), "a.py") == []
    assert not marker.exists()
