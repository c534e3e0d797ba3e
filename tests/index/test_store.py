"""The index over time: refreshes, single documents, and a cache in any state."""

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.harness.fixture import parse_fixture, write_workspace
from spark_lsp.errors import WorkspaceError
from spark_lsp.index import store
from spark_lsp.index.scan.texts import Texts
from spark_lsp.index.storage import symbol_cache
from spark_lsp.index.storage.report import IndexReport
from spark_lsp.index.storage.view import IndexView, rebuilt
from spark_lsp.index.store import Index
from spark_lsp.text.snapshot import content_hash
from tests.support.marks import posix_only

WORKSPACE = """
    #- app/greet.py
    def greet(name): return name
    #- app/main.py
    from app.greet import greet
    print(greet("x"))
    #- web/box.ts
    export class Box { side = 1 }
    #- notes.txt
    greet everybody
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    write_workspace(parse_fixture(WORKSPACE), root)
    return root


@pytest.fixture
def cache_path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "index.sqlite"


@pytest.fixture
def index(root: Path) -> Iterator[Index]:
    index = Index(root)
    yield index
    index.close()


def counts(report: IndexReport) -> tuple[int, int, int]:
    return report.parsed, report.reused, report.removed


def refreshed(root: Path, cache_path: Path) -> tuple[IndexReport, IndexView, list[str]]:
    """Open, refresh and close an index, as one session does; also return its messages."""
    messages: list[str] = []
    index = Index(root, cache_path=cache_path, say=messages.append)
    try:
        return index.refresh(), index.view(), messages
    finally:
        index.close()


def same(left: IndexView, right: IndexView) -> bool:
    return (
        dict(left.files) == dict(right.files)
        and dict(left.definitions) == dict(right.definitions)
        and dict(left.referencing) == dict(right.referencing)
    )


def places(view: IndexView, name: str) -> list[str]:
    return [path for path, _ in view.definitions.get(name, ())]


def test_a_first_refresh(index: Index) -> None:
    report = index.refresh()
    assert report.as_json() == {
        "files": 4,
        "parsed": 4,
        "reused": 0,
        "removed": 0,
        "skipped": {},
        "bytes": 121,
        "symbols": 3,
        "references": 7,
        "languages": {"python": 2, "text": 1, "typescript": 1},
        "seconds": report.as_json()["seconds"],
        "problems": [],
        "complete": True,
    }
    view = index.view()
    assert places(view, "greet") == ["app/greet.py"]
    assert view.referencing["greet"] == {"app/main.py": 3}
    assert view.files["app/main.py"].text == 'from app.greet import greet\nprint(greet("x"))\n'
    assert view.files["notes.txt"].language == "text"


def test_a_refresh_reads_only_what_changed(index: Index, root: Path) -> None:
    index.refresh()
    (root / "app" / "main.py").write_text("changed = 1\nlonger = 2\n")
    (root / "web" / "box.ts").unlink()
    (root / "new.py").write_text("def fresh(): pass\n")
    assert counts(index.refresh()) == (2, 2, 1)
    view = index.view()
    assert places(view, "changed") == ["app/main.py"]
    assert "Box" not in view.definitions
    assert places(view, "fresh") == ["new.py"]
    assert "app/main.py" not in view.referencing.get("greet", {})


def test_a_touched_file_is_recognised_by_its_content(index: Index, root: Path) -> None:
    index.refresh()
    os.utime(root / "app" / "greet.py", ns=(1, 1))
    assert counts(index.refresh()) == (0, 4, 0)


def test_a_rebuild_parses_everything(index: Index) -> None:
    index.refresh()
    assert counts(index.refresh(rebuild=True)) == (4, 0, 0)


def test_progress_reaches_the_end(index: Index) -> None:
    seen: list[tuple[int, int]] = []
    index.refresh(lambda done, total: seen.append((done, total)))
    assert seen[-1] == (4, 4)


def test_it_is_whole_when_a_refresh_has_come_to_its_end(index: Index) -> None:
    assert not index.is_whole
    seen: list[bool] = []
    index.refresh(lambda _done, _of: seen.append(index.is_whole))
    assert seen
    assert not any(seen)
    assert index.is_whole
    cancel = threading.Event()
    index.refresh(lambda _done, _of: cancel.set(), cancel=cancel)
    assert not index.is_whole


def test_a_refresh_that_is_cancelled_before_it_begins_leaves_the_index_whole(index: Index) -> None:
    index.refresh()
    cancel = threading.Event()
    cancel.set()
    assert not index.refresh(cancel=cancel).complete
    assert index.is_whole


def test_a_cancelled_refresh_removes_nothing(index: Index, root: Path) -> None:
    index.refresh()
    (root / "notes.txt").unlink()
    cancel = threading.Event()
    cancel.set()
    report = index.refresh(cancel=cancel)
    assert (report.complete, report.files, report.removed) == (False, 4, 0)


def test_an_empty_workspace(tmp_path: Path) -> None:
    index = Index(tmp_path)
    assert index.refresh().files == 0
    assert dict(index.view().referencing) == {}


def test_a_workspace_that_vanishes(index: Index, root: Path) -> None:
    index.refresh()
    root.rename(root.parent / "elsewhere")
    with pytest.raises(WorkspaceError, match="does not exist"):
        index.refresh()
    assert index.view().files["notes.txt"].content_hash


def test_an_unsaved_document_wins_over_its_file_until_it_is_closed(index: Index, root: Path) -> None:
    index.refresh()
    assert index.update("app/greet.py", "def typed(): pass\n") is None
    index.refresh()
    assert places(index.view(), "typed") == ["app/greet.py"]
    assert index.view().files["app/greet.py"].text == "def typed(): pass\n"
    assert places(index.view(), "greet") == []
    assert index.update("app/greet.py", None) is None
    assert places(index.view(), "greet") == ["app/greet.py"]
    assert places(index.view(), "typed") == []


def test_an_older_view_stays_as_it_was(index: Index) -> None:
    index.refresh()
    before = index.view()
    index.update("app/main.py", "other = greet\n")
    index.forget("app/greet.py")
    assert before.referencing["greet"] == {"app/main.py": 3}
    assert places(before, "greet") == ["app/greet.py"]
    assert index.view().referencing["greet"] == {"app/main.py": 1}
    assert places(index.view(), "greet") == []


def test_a_file_with_the_content_of_an_unsaved_document(root: Path, cache_path: Path) -> None:
    """Only what the cache keeps counts as known: a document in an editor is in no cache."""
    index = Index(root, cache_path=cache_path)
    index.update("typed.py", "def same(): pass\n")
    (root / "saved.py").write_text("def same(): pass\n")
    assert index.update("saved.py", None) is None
    assert places(index.view(), "same") == ["saved.py", "typed.py"]
    index.close()


def test_a_file_left_out_for_what_it_holds_is_remembered_until_it_changes(root: Path, cache_path: Path) -> None:
    (root / "keys.py").write_text("aws = 'AKIA" + "QWERTYUIOPASDFGH'\n")
    first, _, _ = refreshed(root, cache_path)
    second, view, _ = refreshed(root, cache_path)
    assert (first.skipped, second.skipped) == ({"secret": 1}, {"secret": 1})
    assert "keys.py" not in view.files
    (root / "keys.py").write_text("aws = environ['AWS']\n")
    third, view, _ = refreshed(root, cache_path)
    assert (third.skipped, "keys.py" in view.files) == ({}, True)


def test_a_forgotten_file_comes_back_with_the_next_refresh_if_it_is_there(index: Index) -> None:
    index.refresh()
    index.forget("app/greet.py")
    index.refresh()
    assert places(index.view(), "greet") == ["app/greet.py"]


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        (".env", "KEY=1\n", "secret"),
        ("a.py", "key = 'AKIA" + "QWERTYUIOPASDFGH'\n", "secret"),
        ("node_modules/x/a.js", "let a = 1\n", "vendored"),
        ("skip/a.py", "x = 1\n", "ignored"),
        ("../a.py", "x = 1\n", "ignored"),
        ("big.py", "x = 1\n" * 200_000, "too_large"),
        ("missing.py", None, "unreadable"),
    ],
)
def test_documents_that_never_enter(index: Index, root: Path, path: str, text: str | None, reason: str) -> None:
    (root / ".gitignore").write_text("skip/\n")
    index.refresh()
    assert index.update(path, text) == reason
    assert path not in index.view().files


def test_ignore_rules_typed_into_an_editor_hold_once_saved(index: Index, root: Path) -> None:
    index.refresh()
    assert index.update("late.py", "x = 1\n") is None
    (root / ".gitignore").write_text("late.py\n")
    index.update(".gitignore", None)
    assert index.update("late.py", "x = 2\n") == "ignored"
    assert "late.py" not in index.view().files


def test_a_text_that_changed_since_it_was_indexed_is_not_handed_out(root: Path, cache_path: Path) -> None:
    refreshed(root, cache_path)
    _, view, _ = refreshed(root, cache_path)
    (root / "notes.txt").write_text("other\n")
    (root / "app" / "greet.py").unlink()
    assert view.files["notes.txt"].text == ""
    assert view.files["app/greet.py"].text == ""
    assert view.files["app/main.py"].text.startswith("from app.greet")


def test_texts_in_memory_are_bounded(root: Path) -> None:
    (root / "notes.txt").write_text("on disk")
    texts = Texts(root, limit_chars=10)
    texts.keep(content_hash("12345678"), "12345678")
    texts.keep(content_hash("on disk"), "on disk")
    assert texts.read("gone.txt", content_hash("12345678")) == ""
    assert texts.read("notes.txt", content_hash("on disk")) == "on disk"


# -- the cache ---------------------------------------------------------------------------------------------------------


def test_a_second_session_parses_nothing(root: Path, cache_path: Path) -> None:
    first, view, _ = refreshed(root, cache_path)
    second, again, messages = refreshed(root, cache_path)
    assert (counts(first), counts(second), messages) == ((4, 0, 0), (0, 4, 0), [])
    assert same(view, again)


def test_the_cache_knows_a_content_under_another_name_and_forgets_what_is_gone(root: Path, cache_path: Path) -> None:
    refreshed(root, cache_path)
    (root / "app" / "greet.py").rename(root / "app" / "moved.py")
    report, view, _ = refreshed(root, cache_path)
    assert counts(report) == (0, 4, 0)
    assert places(view, "greet") == ["app/moved.py"]
    with sqlite3.connect(cache_path) as connection:
        paths = {path for (path,) in connection.execute("SELECT path FROM files")}
    connection.close()
    assert paths == {"app/main.py", "app/moved.py", "notes.txt", "web/box.ts"}


@pytest.mark.slow
def test_one_content_in_two_languages(tmp_path: Path, cache_path: Path) -> None:
    write_workspace(
        parse_fixture("#- a.c\nint f(void) { return 1; }\n#- a.cpp\nint f(void) { return 1; }\n"), tmp_path / "w"
    )
    for _ in range(2):
        _, view, _ = refreshed(tmp_path / "w", cache_path)
        assert [entry.language for entry in view.files.values()] == ["c", "cpp"]


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough to look like one" * 40, b"SQLite format 3\0" + b"x" * 4096]
)
def test_a_corrupt_cache_is_rebuilt_with_one_message(root: Path, cache_path: Path, content: bytes) -> None:
    cache_path.parent.mkdir()
    cache_path.write_bytes(content)
    report, _, messages = refreshed(root, cache_path)
    assert counts(report) == (4, 0, 0)
    assert len(messages) == 1
    assert counts(refreshed(root, cache_path)[0]) == (0, 4, 0)


def test_pages_that_go_bad_cost_one_message_and_a_parse(root: Path, cache_path: Path) -> None:
    refreshed(root, cache_path)
    raw = bytearray(cache_path.read_bytes())
    raw[4096:] = b"\xff" * (len(raw) - 4096)
    cache_path.write_bytes(raw)
    report, _, messages = refreshed(root, cache_path)
    assert (counts(report), len(messages)) == ((4, 0, 0), 1)
    refreshed(root, cache_path)
    assert counts(refreshed(root, cache_path)[0]) == (0, 4, 0)


def test_a_payload_that_is_not_ours_costs_one_message_and_a_parse(root: Path, cache_path: Path) -> None:
    refreshed(root, cache_path)
    with sqlite3.connect(cache_path) as connection:
        connection.execute("UPDATE symbols SET payload = x'c0ffee'")
    connection.close()
    report, view, messages = refreshed(root, cache_path)
    assert (counts(report), len(messages)) == ((0, 4, 0), 1)
    assert places(view, "greet") == ["app/greet.py"]


def test_a_foreign_database_is_replaced_with_one_message(root: Path, cache_path: Path) -> None:
    cache_path.parent.mkdir()
    with sqlite3.connect(cache_path) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    report, _, messages = refreshed(root, cache_path)
    assert counts(report) == (4, 0, 0)
    assert len(messages) == 1
    assert "another program" in messages[0]


def test_another_schema_is_replaced_with_one_message(root: Path, cache_path: Path) -> None:
    refreshed(root, cache_path)
    with sqlite3.connect(cache_path) as connection:
        connection.execute(f"PRAGMA user_version = {symbol_cache.SCHEMA_VERSION + 1}")
    connection.close()
    report, _, messages = refreshed(root, cache_path)
    assert counts(report) == (4, 0, 0)
    assert len(messages) == 1
    assert "schema" in messages[0]


def test_symbols_of_another_extractor_are_dropped_in_silence(root: Path, cache_path: Path) -> None:
    refreshed(root, cache_path)
    with sqlite3.connect(cache_path) as connection:
        connection.execute("UPDATE meta SET value = 'older' WHERE key = 'extractor'")
    connection.close()
    report, _, messages = refreshed(root, cache_path)
    assert (counts(report), messages) == ((4, 0, 0), [])


def test_a_cache_that_cannot_be_made_costs_one_message(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    report, _, messages = refreshed(root, tmp_path / "file" / "index.sqlite")
    assert (counts(report), len(messages)) == ((4, 0, 0), 1)


@posix_only
def test_the_cache_is_the_users_alone(root: Path, cache_path: Path) -> None:
    refreshed(root, cache_path)
    assert stat.S_IMODE(cache_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(cache_path.parent.stat().st_mode) == 0o700


def test_two_windows_share_a_cache(root: Path, cache_path: Path) -> None:
    messages: list[str] = []
    first = Index(root, cache_path=cache_path, say=messages.append)
    other_index = Index(root, cache_path=cache_path, say=messages.append)
    threads = [
        threading.Thread(target=own_index.refresh, kwargs={"rebuild": True}) for own_index in (first, other_index)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same(first.view(), other_index.view())
    assert counts(other_index.refresh()) == (0, 4, 0)
    first.close()
    other_index.close()
    assert messages == []
    assert counts(refreshed(root, cache_path)[0])[0] == 0


# -- the property ------------------------------------------------------------------------------------------------------

PATHS = ["a.py", "b.py", "pkg/c.py", "d.ts"]
TEXTS = [
    "",
    "def one(): return two()\n",
    "def two(): return 1\n",
    "class Three:\n    def one(self): return two()\n",
    "two = one\nthree = Three()\n",
    "def broken(:\n",
]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(PATHS), st.sampled_from(TEXTS)),
        st.tuples(st.just("type"), st.sampled_from(PATHS), st.sampled_from(TEXTS)),
        st.tuples(st.just("close"), st.sampled_from(PATHS), st.just("")),
        st.tuples(st.just("delete"), st.sampled_from(PATHS), st.just("")),
        st.tuples(st.just("refresh"), st.just(""), st.just("")),
    ),
    max_size=12,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(steps)
def test_an_index_after_any_updates_equals_one_built_from_scratch(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, str, str]]
) -> None:
    root = tmp_path_factory.mktemp("workspace")
    cache_path = tmp_path_factory.mktemp("cache") / "index.sqlite"
    index = Index(root, cache_path=cache_path)
    open_texts: dict[str, str] = {}
    for stamp, (action, path, text) in enumerate(actions):
        if action == "refresh":
            index.refresh()
        elif action == "type":
            open_texts[path] = text
            index.update(path, text)
        elif action == "close":
            open_texts.pop(path, None)
            index.update(path, None)
        elif action == "write":
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_text(text)
            os.utime(root / path, ns=(stamp + 1, stamp + 1))  # two writes in one tick of the clock look alike
            if path not in open_texts:
                index.update(path, None)
        else:
            (root / path).unlink(missing_ok=True)
            if path not in open_texts:
                index.forget(path)
    scratch = Index(root)
    scratch.refresh()
    for path, text in open_texts.items():
        scratch.update(path, text)
    assert same(index.view(), scratch.view())
    assert same(rebuilt(index.view()), scratch.view())
    for places in index.view().definitions.values():
        assert places.file_count() == len({path for path, _ in places})
        outlines = [(definition.kind, definition.span.start) for _, definition in places]
        assert [places.kind_and_start(number) for number in range(len(places))] == outlines
    index.close()
    _, warm, messages = refreshed(root, cache_path)
    cold = Index(root)
    cold.refresh()
    assert messages == []
    assert same(warm, cold.view())


def test_the_modules_that_decide_what_is_kept_exist() -> None:
    """A cache is thrown away when one of them changes, which a name that is not there would hide."""
    index = Path(store.__file__).parent
    assert [name for name in symbol_cache.DECIDING_MODULES if not (index / name).is_file()] == []
