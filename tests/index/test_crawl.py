"""The crawl: which files are found, and every reason to skip one."""

import os
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from scripts.harness.fixture import parse_fixture, write_workspace
from spark_lsp.errors import WorkspaceError
from spark_lsp.index.scan.crawl import (
    MINIFIED_LINE_CHARS,
    Skipped,
    check_root,
    crawl,
    read_source,
    read_sources,
    skip_reason,
)
from spark_lsp.index.scan.ignore import CrawlRules, SkipReason
from spark_lsp.index.scan.secrets import is_secret_name, suspected
from spark_lsp.secret_text import SHAPES, has_secret
from tests.support.marks import permissions_bind, posix_only


def crawl_of(root: Path, rules: CrawlRules | None = None) -> tuple[list[str], dict[SkipReason, int]]:
    skipped: Counter[SkipReason] = Counter()
    return [file.path for file in crawl(root, rules or CrawlRules(), skipped)], dict(skipped)


def check_crawl(
    root: Path, workspace: str, expected: list[str], skipped: dict[SkipReason, int], **rules: object
) -> None:
    write_workspace(parse_fixture(workspace), root)
    assert crawl_of(root, CrawlRules(**rules)) == (expected, skipped)  # type: ignore[arg-type]
    for path in expected:
        assert skip_reason(root.resolve(), path, CrawlRules(**rules)) is None  # type: ignore[arg-type]


def test_files_come_folder_by_folder_in_order(tmp_path: Path) -> None:
    check_crawl(tmp_path, "#- b.py\n#- a/z.py\n#- a/b/c.py\n#- c.md\n", ["b.py", "c.md", "a/z.py", "a/b/c.py"], {})


def test_ignore_files_at_every_level(tmp_path: Path) -> None:
    check_crawl(
        tmp_path,
        """
        #- .gitignore
        *.log
        /only_root.py
        out_dir/
        #- a.py
        #- x.log
        #- only_root.py
        #- deep/only_root.py
        #- deep/.gitignore
        !keep.log
        local_*.py
        #- deep/keep.log
        #- deep/local_1.py
        #- local_2.py
        #- deep/out_dir/never.py
        """,
        [".gitignore", "a.py", "local_2.py", "deep/.gitignore", "deep/keep.log", "deep/only_root.py"],
        {"ignored": 4},
    )


def test_sparkignore_only_takes_away(tmp_path: Path) -> None:
    check_crawl(
        tmp_path,
        "#- .gitignore\n*.log\n#- .sparkignore\n!x.log\nprivate/\n#- x.log\n#- private/a.py\n#- b.py\n",
        [".gitignore", ".sparkignore", "b.py"],
        {"ignored": 2},
    )


def test_a_pattern_that_makes_no_sense_is_dropped_alone(tmp_path: Path) -> None:
    check_crawl(tmp_path, "#- .gitignore\n!\n*.log\n#- x.log\n#- a.py\n", [".gitignore", "a.py"], {"ignored": 1})


def test_globs_of_the_user(tmp_path: Path) -> None:
    workspace = "#- .gitignore\n*.log\n#- src/a.py\n#- src/b.ts\n#- src/c.log\n#- gen/d.py\n"
    check_crawl(tmp_path, workspace, ["src/a.py"], {"ignored": 4}, include=("*.py", "*.log"), exclude=("gen/",))


def test_the_repository_around_the_workspace_has_a_say(tmp_path: Path) -> None:
    workspace = "#- .git/HEAD\n#- .git/info/exclude\n*.tmp\n#- .gitignore\n/app/skip.py\n*.log\n"
    write_workspace(parse_fixture(workspace + "#- app/skip.py\n#- app/a.py\n#- app/b.log\n#- app/c.tmp\n"), tmp_path)
    assert crawl_of(tmp_path / "app") == (["a.py"], {"ignored": 3})
    assert crawl_of(tmp_path) == ([".gitignore", "app/a.py"], {"ignored": 4})


def test_a_folder_that_its_repository_ignores_can_be_opened_itself(tmp_path: Path) -> None:
    write_workspace(parse_fixture("#- .git/HEAD\n#- .gitignore\nlab/\n#- lab/a.py\n"), tmp_path)
    assert crawl_of(tmp_path / "lab") == (["a.py"], {})


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (".git/config", "ignored"),
        ("a/node_modules/b/c.js", "vendored"),
        (".venv/lib/x.py", "vendored"),
        ("vendor/x.go", "vendored"),
        ("a/__pycache__/x.py", "generated"),
        ("target/x.rs", "generated"),
        ("dist/x.js", "generated"),
        ("build/x.js", "generated"),
        ("pkg.egg-info/top.txt", "generated"),
        ("app.min.js", "generated"),
        ("package-lock.json", "generated"),
        ("api_pb2.py", "generated"),
        ("logo.png", "binary"),
        ("model.GGUF", "binary"),
        (".env", "secret"),
        ("conf/.env.production", "secret"),
        ("server.pem", "secret"),
        ("id_rsa", "secret"),
        ("credentials", "secret"),
        (".ssh/config", "secret"),
    ],
)
def test_names_that_are_never_indexed(tmp_path: Path, path: str, reason: SkipReason) -> None:
    write_workspace(parse_fixture(f"#- {path}\ntext\n#- ok.py\nx = 1\n"), tmp_path)
    assert crawl_of(tmp_path) == (["ok.py"], {reason: 1})
    assert skip_reason(tmp_path.resolve(), path, CrawlRules()) == reason


@pytest.mark.parametrize(
    "path", ["src/build/x.py", "env.py", "credentials.py", ".env.example", "keys.py", "secrets.py", "id_rsa.pub"]
)
def test_names_that_only_look_alike_are_indexed(tmp_path: Path, path: str) -> None:
    write_workspace(parse_fixture(f"#- {path}\ntext\n"), tmp_path)
    assert crawl_of(tmp_path) == ([path], {})


SECRETS = [
    "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA" * 4,
    '"-----BEGIN PRIVATE KEY-----\\n' + "MIIEowIBAAKCAQEA" * 4,
    "aws = 'AKIA" + "QWERTYUIOPASDFGH'",
    "token = 'ghp_" + "a1B2c3D4e5" * 4 + "'",
    "t: xoxb-" + "123456789012-abcdefghijkl",
    "AIza" + "SyA1B2C3D4E5F6G7H8I9J0K1L2M3N4O5P6Q",
    "sk-proj-" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6kL9n",
    "glpat-" + "abcdefghij0123456789",
    "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "DefaultEndpointsProtocol=https;AccountKey=" + "aB3/" * 21 + "ab==",
    "https://hooks.slack.com/services/" + "T0A1B2C3D/B0A1B2C3D/" + "abcdefghijABCDEFGHIJ1234",
    "AWS_SECRET_ACCESS_KEY=" + "wJalrXUtnFEMIK7MDENGbPxRfiCYzQ1w2E3r4T5y",
    'aws_secret_access_key: "' + "wJalrXUtnFEMIK7MDENGbPxRfiCYzQ1w2E3r4T5y" + '"',
    "GOCSPX-" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7b",
    "sq0csp-" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7b",
    "0123456789abcdef" * 2 + "-us12",
    "dop_v1_" + "0123456789abcdef" * 4,
    "shpat_" + "0123456789abcdef" * 2,
]


@pytest.mark.parametrize("text", SECRETS)
def test_contents_that_hold_a_secret(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.py").write_text(f"x = 1\n{text}\n", "utf-8")
    assert read_source(tmp_path, "a.py") == Skipped("secret")


@pytest.mark.parametrize(
    "text",
    [
        "if line.startswith('-----BEGIN PRIVATE KEY-----'):",
        "AKIAIOSFODNN7EXAMPLE",
        "task-force-of-many-words-that-go-on-and-on-and-on",
        "sha = '3f786850e387550fdab836ed7e6dc881de23001b'",
        "the right and the light, a ghost_writer",
        "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_SECRET_ACCESS_KEY = os.environ['AWS_SECRET_ACCESS_KEY']",
        "a header and a body: eyJhbGciOiJIUzI1NiJ9",
        "AccountKey=<your key>; see-usage and the-us12 region",
    ],
)
def test_contents_that_only_talk_of_secrets(text: str) -> None:
    assert not has_secret(text)


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_suspected_among_other_texts(text: str) -> None:
    assert any(has_secret(f"x = 1\n{text}\n", [shape]) for shape in suspected(["x = 1\n", text, ""]))


@pytest.mark.slow
@pytest.mark.parametrize(("literal", "shape"), [shape for shape in SHAPES if "(?<=\\b[" not in shape[1].pattern])
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_whatever_has_the_shape_of_a_secret_is_suspected(
    data: st.DataObject, literal: str, shape: re.Pattern[str]
) -> None:
    without_edge = shape.pattern.replace(rf"(?<=\b{literal})", "")
    text = data.draw(st.from_regex(without_edge))
    assume(shape.search(text))
    assert literal in {literal_text for literal_text, _ in suspected(["x = 1\n", text, ""])}
    assert suspected(["x = 1\n", "a_name_that_is_longer_than_most\n"]) == []


def test_files_that_are_read_together_are_left_out_one_by_one(tmp_path: Path) -> None:
    texts = ["x = 1\n", SECRETS[2], "-us", "# generated, do not edit", SECRETS[-1]]
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.py").write_text(text, "utf-8")
    paths = [f"{number}.py" for number in range(len(texts) + 1)]
    assert read_sources(tmp_path, paths) == [read_source(tmp_path, path) for path in paths]
    assert [source if isinstance(source, str) else source.reason for source in read_sources(tmp_path, paths)] == [
        *("x = 1\n", "secret", "-us", "generated", "secret", "unreadable")
    ]


def test_secret_names_ignore_case() -> None:
    assert is_secret_name("ID_RSA")
    assert is_secret_name("Server.PEM")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"x = 1\n\0\n", "binary"),
        ("größe".encode("latin-1"), "not_utf8"),
        ("x = 1".encode("utf-16"), "binary"),
        (b"x" * (MINIFIED_LINE_CHARS + 1), "generated"),
        (b"// Code generated by tool. DO NOT EDIT.\npackage x\n", "generated"),
        (b"y" * 999 + b"\n" + b"z" * 2_000, "too_large"),
    ],
)
def test_contents_that_are_no_source(tmp_path: Path, raw: bytes, reason: SkipReason) -> None:
    (tmp_path / "a.py").write_bytes(raw)
    limit = 2_000 if reason == "too_large" else 1_000_000
    assert read_source(tmp_path, "a.py", max_bytes=limit) == Skipped(reason)


def test_a_byte_order_mark_is_dropped_and_line_endings_stay(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"\xef\xbb\xbfx = 1\r\ny\r")
    assert read_source(tmp_path, "a.py") == "x = 1\r\ny\r"


def test_a_sparse_file_of_fifty_megabytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "big.py").open("wb") as file:
        file.truncate(50_000_000)
    assert crawl_of(tmp_path) == ([], {"too_large": 1})
    assert read_source(tmp_path, "big.py") == Skipped("too_large")


def test_more_files_than_allowed_are_counted(tmp_path: Path) -> None:
    check_crawl(tmp_path, "#- a.py\n#- b.py\n#- c.py\n", ["a.py", "b.py"], {"limit": 1}, max_files=2)


@posix_only
def test_links(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_workspace(parse_fixture("#- a/real.py\nx = 1\n#- .env\nKEY=1\n"), root)
    (tmp_path / "outside.py").write_text("secret = 1\n")
    (root / "inside.py").symlink_to("a/real.py")
    (root / "outside.py").symlink_to(tmp_path / "outside.py")
    (root / "settings.py").symlink_to(".env")
    (root / "dangling.py").symlink_to("nowhere.py")
    (root / "self.py").symlink_to("self.py")
    (root / "a" / "up").symlink_to(root)
    (root / "copy").symlink_to(root / "a")
    files, skipped = crawl_of(root)
    assert files == ["inside.py", "a/real.py"]
    assert skipped == {"secret": 2, "ignored": 2, "unreadable": 1, "symlink_loop": 2}
    assert skip_reason(root.resolve(), "outside.py", CrawlRules()) == "ignored"
    assert skip_reason(root.resolve(), "settings.py", CrawlRules()) == "secret"
    assert skip_reason(root.resolve(), "a/up/a/real.py", CrawlRules()) is None


@posix_only
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    assert crawl_of(tmp_path) == ([], {"unreadable": 1})
    assert read_source(tmp_path, "pipe.py") == Skipped("unreadable")


@permissions_bind
def test_what_may_not_be_read_is_counted(tmp_path: Path) -> None:
    write_workspace(parse_fixture("#- closed/a.py\n#- b.py\n"), tmp_path)
    (tmp_path / "closed").chmod(0)
    (tmp_path / "b.py").chmod(0)
    try:
        assert crawl_of(tmp_path) == (["b.py"], {"unreadable": 1})
        assert read_source(tmp_path, "b.py") == Skipped("unreadable")
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_files_that_vanish_during_the_crawl_are_passed_over(tmp_path: Path) -> None:
    write_workspace(parse_fixture("#- a.py\n#- b/c.py\n#- d/e.py\n"), tmp_path)
    files = []
    skipped: Counter[SkipReason] = Counter()
    for file in crawl(tmp_path, CrawlRules(), skipped):
        files.append(file.path)
        if file.path == "a.py":
            (tmp_path / "a.py").unlink()
            (tmp_path / "b" / "c.py").unlink()
            (tmp_path / "b").rmdir()
    assert (files, skipped) == (["a.py", "d/e.py"], Counter())
    assert read_source(tmp_path, "a.py") == Skipped("unreadable")


@posix_only
@pytest.mark.skipif(sys.platform == "darwin", reason="APFS takes UTF-8 names only")
def test_a_name_that_is_not_utf8_is_counted(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.py"))).write_text("x = 1\n")
    assert crawl_of(tmp_path) == ([], {"not_utf8": 1})


def test_a_cancelled_crawl_ends(tmp_path: Path) -> None:
    write_workspace(parse_fixture("#- a.py\n"), tmp_path)
    assert list(crawl(tmp_path, CrawlRules(), Counter(), cancelled=lambda: True)) == []


@pytest.mark.parametrize("path", ["../x.py", "/etc/passwd", "a//b.py", "./a.py", ""])
def test_paths_that_lead_out_are_ignored(tmp_path: Path, path: str) -> None:
    assert skip_reason(tmp_path, path, CrawlRules()) == "ignored"


def test_roots_that_are_refused_name_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "me"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home" / "me"))
    project = tmp_path / "home" / "me" / "project"
    project.mkdir(parents=True)
    (project / "file.py").write_text("")
    assert check_root(project) == project.resolve()
    refused = [Path(tmp_path.anchor), project.parent, project.parent.parent, tmp_path / "missing", project / "file.py"]
    for root in refused:
        with pytest.raises(WorkspaceError) as caught:
            check_root(root)
        assert caught.value.fix
    with pytest.raises(WorkspaceError):
        list(crawl(tmp_path / "missing", CrawlRules(), Counter()))
