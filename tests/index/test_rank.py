"""Ranking: the order at a cursor and its reasons, deterministic and fast."""

import cProfile
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.harness.fixture import parse_fixture, write_workspace
from spark_lsp.index.parse.imports import resolve
from spark_lsp.index.ranking.file_order import FileGraph, order_from
from spark_lsp.index.ranking.nearby_words import words_around
from spark_lsp.index.ranking.rank import RankedDefinition, rank_definitions, stable_order
from spark_lsp.index.scan.history import NO_CHANGES, co_changes
from spark_lsp.index.storage.view import EMPTY_VIEW, IndexView
from spark_lsp.index.store import Index
from tests.support.expect import expect


def view_of(root: Path) -> IndexView:
    index = Index(root)
    index.refresh()
    return index.view()


def ranked(root: Path, workspace: str, limit: int = 64) -> list[RankedDefinition]:
    fixture = parse_fixture(workspace)
    write_workspace(fixture, root)
    return rank_definitions(
        view_of(root), path=fixture.path, text=fixture.text, offset=fixture.offset, language="python", limit=limit
    )


def check_ranked(root: Path, workspace: str, expected: str) -> None:
    candidates = ranked(root, workspace)
    expect(
        "\n".join(
            f"{candidate.path} {candidate.definition.qualified_name} | {candidate.reason}" for candidate in candidates
        ),
        expected,
    )


def test_an_imported_name_comes_first(tmp_path: Path) -> None:
    check_ranked(
        tmp_path,
        """
        #- shop/prices.py
        def price_of(item): ...
        def discount(item): ...
        #- other/prices.py
        def price_of(item): ...
        #- shop/cart.py
        from shop.prices import price_of
        def total(items):
            return sum(price_of(each) for each in items)
            $0
        """,
        """
        shop/prices.py price_of | imported
        shop/prices.py discount | in an imported file
        other/prices.py price_of | mentioned near the cursor
        """,
    )


def test_a_name_that_stands_nowhere_in_the_file_is_found_by_its_company(tmp_path: Path) -> None:
    uses = "".join(
        f"#- jobs/job_{n}.py\nfrom core.db import open_session, commit_all\n"
        f"def job_{n}():\n    session = open_session()\n    commit_all(session)\n"
        for n in range(4)
    )
    filler = "".join(f"#- filler/f{n}.py\n" + f"def filler_{n}(): return {n}\n" * 60 for n in range(8))
    candidates = ranked(
        tmp_path,
        "#- core/db.py\ndef open_session(): ...\ndef commit_all(session): ...\ndef unrelated(): ...\n"
        + uses
        + filler
        + "#- jobs/new.py\ndef job():\n    session = open_session()\n    $0\n",
    )
    by_name = {candidate.definition.name: candidate for candidate in candidates}
    assert [candidate.definition.name for candidate in candidates[:2]] == ["open_session", "commit_all"]
    assert by_name["commit_all"].reason == "co-occurs with open_session"
    assert "unrelated" not in by_name or by_name["unrelated"].score < by_name["commit_all"].score


def test_nothing_of_the_current_file_comes_out(tmp_path: Path) -> None:
    candidates = ranked(tmp_path, "#- a.py\ndef one(): ...\n#- b.py\ndef one(): ...\ndef two(): one()$0\n")
    assert [candidate.path for candidate in candidates] == ["a.py"]


def test_a_definition_in_tests_comes_after_one_in_code(tmp_path: Path) -> None:
    candidates = ranked(tmp_path, "#- test_x.py\ndef make(): ...\n#- x.py\ndef make(): ...\n#- y.py\nmake($0)\n")
    assert [candidate.path for candidate in candidates] == ["x.py", "test_x.py"]


def test_a_removed_definition_does_not_come_out(tmp_path: Path) -> None:
    write_workspace(parse_fixture("#- a.py\ndef gone(): ...\n#- b.py\ngone()\n"), tmp_path)
    index = Index(tmp_path)
    index.refresh()
    index.update("a.py", "def here(): ...\n")
    definitions = rank_definitions(index.view(), path="b.py", text="gone()", offset=0, language="python")
    assert [candidate.definition.name for candidate in definitions] == []
    definitions = rank_definitions(index.view(), path="b.py", text="gone() here()", offset=0, language="python")
    assert [candidate.definition.name for candidate in definitions] == ["here"]


def test_what_stands_a_few_lines_away_comes_before_what_stands_far_away(tmp_path: Path) -> None:
    filler = "x = 1\n" * 90
    for first, last in (("alpha", "omega"), ("omega", "alpha")):
        candidates = ranked(
            tmp_path / first,
            "#- b.py\ndef alpha(): ...\ndef omega(): ...\n"
            f"#- c.py\n{first}()\n{filler}{last}()\n" + "y = 2\n" * 25 + "$0\n",
        )
        assert [candidate.definition.name for candidate in candidates] == [last, first]


def test_what_stands_beside_a_name_near_the_cursor_comes_before_the_rest_of_its_file(tmp_path: Path) -> None:
    filler = "".join(f"def filler_{n}():\n    return {n}\n\n" for n in range(60))
    candidates = ranked(
        tmp_path,
        f"#- lib.py\ndef anchor(): ...\ndef zulu(): ...\n{filler}def alpha(): ...\n"
        "#- use.py\nfrom lib import anchor\nanchor()\n$0\n",
        limit=100,
    )
    names = [candidate.definition.name for candidate in candidates]
    assert names[:2] == ["anchor", "zulu"]
    assert names.index("alpha") > names.index("filler_0")


@pytest.mark.parametrize(
    ("path", "opening"),
    [("c.py", "def send_reply():\n"), ("c.py", "class ReplyLine:\n  def run(self):\n"), ("reply.py", "def run():\n")],
)
def test_names_like_those_of_the_function_the_class_and_the_file_come_first(
    tmp_path: Path, path: str, opening: str
) -> None:
    """The body is longer than the window, so that what counts is not the words near the cursor."""
    body = "    x = 1\n" * 30
    candidates = ranked(
        tmp_path,
        "#- lib.py\ndef alpha(): ...\ndef zulu_reply(): ...\n"
        f"#- {path}\nfrom lib import alpha, zulu_reply\n" + "y = 2\n" * 30 + f"{opening}{body}    $0\n    z = 3\n",
    )
    assert [candidate.definition.name for candidate in candidates] == ["zulu_reply", "alpha"]


def test_words_tell_how_many_lines_away_they_stand() -> None:
    text = "one\n\ntwo\n" + "three\n" + "four\n\nfive\n"
    words = words_around(text, text.index("four"))
    assert words.before == {"three": 0, "two": 1, "one": 2}
    assert words.after == {"four": 0, "five": 1}
    assert words.beside == {"three", "two", "four"}


def test_words_keep_their_order_in_every_process() -> None:
    """The order decides which names of a long file are scored; that of a set differs from process to process."""
    words = [f"word_{number}" for number in range(2_000)]
    text = "\n".join(f"{word} = {word}" for word in words)
    assert [word for word in words_around(text, 0).distance if word != words[0]] == words[1:]


@pytest.mark.parametrize("offset", [0, 3])
def test_an_empty_index_and_an_unknown_file_rank_nothing(offset: int) -> None:
    assert rank_definitions(EMPTY_VIEW, path="x.py", text="abc", offset=offset, language="klingon") == []
    assert stable_order(EMPTY_VIEW) == []


def test_the_order_does_not_depend_on_how_the_index_came_about(tmp_path: Path) -> None:
    fixture = parse_fixture("#- a.py\ndef one(): two()\n#- b.py\ndef two(): one()\n#- c.py\nx = one() + two()\n")
    write_workspace(fixture, tmp_path)
    straight = view_of(tmp_path)
    index = Index(tmp_path)
    for path in reversed(fixture.files):
        index.update(path, fixture.files[path])
    index.refresh()
    for path in ("c.py", "new.py"):
        first, second = (
            rank_definitions(view, path=path, text="one(two", offset=3, language="python")
            for view in (straight, index.view())
        )
        assert first == second
    assert stable_order(straight) == stable_order(index.view())


def test_the_frozen_order_puts_the_most_used_first_and_ties_by_path(tmp_path: Path) -> None:
    write_workspace(
        parse_fixture(
            "#- z.py\ndef base(): ...\n#- a.py\nbase()\n#- b.py\nbase(); mid()\n#- m.py\ndef mid(): base()\n"
        ),
        tmp_path,
    )
    assert stable_order(view_of(tmp_path)) == ["z.py", "m.py", "a.py", "b.py"]


@pytest.mark.parametrize(
    ("path", "language", "module", "expected"),
    [
        ("a/b/c.py", "python", "a.x", ("a/x.py",)),
        ("a/b/c.py", "python", ".d", ("a/b/d.py",)),
        ("a/b/c.py", "python", "..", ("a/__init__.py",)),
        ("a/b/c.py", "python", "pkg", ("src/pkg/__init__.py",)),
        ("a/b/c.py", "python", "os.path", ()),
        ("web/m.ts", "typescript", "./box", ("web/box.ts",)),
        ("web/m.ts", "typescript", "./box.js", ("web/box.ts",)),
        ("web/m.ts", "tsx", "./ui", ("web/ui/index.tsx",)),
        ("web/m.ts", "typescript", "react", ()),
        ("native/m.c", "c", "m.h", ("native/m.h",)),
        ("j/com/x/A.java", "java", "com.x.B", ("j/com/x/B.java",)),
        ("m.rs", "rust", "std::io", ()),
        ("web/app/m.ts", "typescript", "@/box", ("web/src/box.ts",)),
        ("packages/app/src/m.ts", "typescript", "@acme/core", ("packages/core/src/index.ts",)),
        ("packages/app/src/m.ts", "typescript", "@acme/core/log", ("packages/core/src/log.ts",)),
        ("cmd/m.go", "go", "example.com/team/tool/net/wire", ("net/wire/frame.go",)),
        ("cmd/m.go", "go", "fmt", ()),
        ("one/src/net/tcp.rs", "rust", "crate::io::read", ("one/src/io/read.rs", "one/src/io/mod.rs")),
        ("one/src/net/tcp.rs", "rust", "crate::io::read::Reader", ("one/src/io/read.rs",)),
        ("one/src/net/tcp.rs", "rust", "super::udp", ("one/src/net/udp.rs", "one/src/net/mod.rs")),
        ("one/src/net/mod.rs", "rust", "self::udp::Socket", ("one/src/net/udp.rs",)),
        ("one/src/lib.rs", "rust", "two_things::Thing", ("two-things/src/lib.rs",)),
        ("app/src/test/java/com/x/ATest.java", "java", "com.x.A", ("app/src/main/java/com/x/A.java",)),
        ("app/src/test/java/com/x/ATest.java", "java", "com.y.*", ("app/src/main/java/com/y/C.java",)),
    ],
)
def test_imports_resolve_to_files(path: str, language: str, module: str, expected: tuple[str, ...]) -> None:
    files = {
        *("a/x.py", "a/__init__.py", "a/b/d.py", "src/pkg/__init__.py", "web/box.ts", "web/ui/index.tsx"),
        *("native/m.h", "j/com/x/B.java", "web/src/box.ts", "packages/core/src/index.ts", "packages/core/src/log.ts"),
        *("net/wire/frame.go", "net/wire/frame_test.go", "one/src/lib.rs", "one/src/io/read.rs", "one/src/io/mod.rs"),
        *("one/src/net/udp.rs", "one/src/net/mod.rs", "two-things/src/lib.rs"),
        *("app/src/main/java/com/x/A.java", "app/src/main/java/com/y/C.java", path),
    }

    def folder(name: str) -> list[str]:
        return sorted(file for file in files if file.rpartition("/")[0] == name)

    assert resolve(files, path, language, module, folder) == expected


def test_an_imported_package_of_the_same_name_wins(tmp_path: Path) -> None:
    candidates = ranked(
        tmp_path,
        """
        #- go/store/disk.go
        package store
        func Open(path string) error { return nil }
        #- go/cloud/s3.go
        package cloud
        func Open(bucket string) error { return nil }
        #- go/main.go
        package main
        import "example.com/go/store"
        func main() { store.Open($0) }
        """,
    )
    assert next(candidate.path for candidate in candidates if candidate.definition.name == "Open") == "go/store/disk.go"


def test_a_file_looked_at_lately_comes_before_its_like(tmp_path: Path) -> None:
    write_workspace(parse_fixture("#- a.py\ndef one(): ...\n#- b.py\ndef one(): ...\n#- c.py\none()\n"), tmp_path)
    view = view_of(tmp_path)
    for recent in (["a.py"], ["b.py"]):
        definitions = rank_definitions(view, path="c.py", text="one()", offset=0, language="python", recent=recent)
        assert definitions[0].path == recent[0]


TWINS = """
#- a.py
def one(): ...
def alpha(): ...
#- b.py
def one(): ...
def beta(): ...
#- c.py
one(beta, alpha)$0
"""


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ("", "a.py alpha: , b.py beta: , a.py one: , b.py one: "),
        ("a.py", "a.py alpha: , b.py beta: , a.py one: , b.py one: "),
        ("b.py", "b.py beta: together, a.py alpha: , b.py one: together, a.py one: "),
    ],
)
def test_a_file_that_changed_with_this_one_comes_before_its_like(tmp_path: Path, beside: str, expected: str) -> None:
    """The reason is given only where it decided: what would have come first anyway keeps its own."""
    fixture = parse_fixture(TWINS)
    write_workspace(fixture, tmp_path)
    history = co_changes([["c.py", beside]] * 3) if beside else NO_CHANGES
    definitions = rank_definitions(
        view_of(tmp_path), path="c.py", text=fixture.text, offset=fixture.offset, language="python", history=history
    )
    lines = [
        f"{row.path} {row.definition.name}: {'together' * row.reason.endswith(', often changed together')}"
        for row in definitions
    ]
    assert ", ".join(lines) == expected


_VIEWS: dict[str, IndexView] = {}


@pytest.mark.slow
@given(st.lists(st.lists(st.sampled_from(["a.py", "b.py", ".env", "gone.py"]), max_size=4)))
def test_without_a_history_of_its_own_a_file_ranks_as_without_any(
    tmp_path_factory: pytest.TempPathFactory, commits: list[list[str]]
) -> None:
    fixture = parse_fixture(TWINS)
    if not _VIEWS:
        root = tmp_path_factory.mktemp("twins")
        write_workspace(fixture, root)
        _VIEWS["twins"] = view_of(root)
    plain, weighted = (
        rank_definitions(_VIEWS["twins"], path="c.py", text=fixture.text, offset=0, language="python", history=history)
        for history in (NO_CHANGES, co_changes(commits))
    )
    assert plain == weighted


def test_rank_of_nothing_is_nothing() -> None:
    assert FileGraph().rank(EMPTY_VIEW, ["a.py"]) == {}


def test_rank_spreads_from_the_open_file_to_what_it_uses(tmp_path: Path) -> None:
    chain = "".join(f"#- m{n}.py\nfrom m{n + 1} import f{n + 1}\ndef f{n}(): return f{n + 1}()\n" for n in range(6))
    write_workspace(parse_fixture(chain + "#- m6.py\ndef f6(): ...\n#- far.py\ndef other(): ...\n"), tmp_path)
    view = view_of(tmp_path)
    rank = FileGraph().rank(view, ["m2.py"])
    assert sorted(rank, key=lambda path: -rank[path]) == ["m2.py", "m3.py", "m4.py", "m5.py", "m6.py"]
    assert sum(rank.values()) <= 1.0 + 1e-9
    order = order_from(FileGraph(), view, ["m2.py"], stable_order(view))
    assert order[:3] == ["m2.py", "m3.py", "m4.py"]
    assert sorted(order) == sorted(view.files)


@pytest.mark.slow
def test_ranking_does_not_grow_with_the_workspace(tmp_path: Path) -> None:
    """A guard against work per file, in calls and not in seconds: a loop over ten times the files would show."""
    chosen = random.Random(7)
    names = [f"name_{n}" for n in range(3_000)]
    calls = []
    for count in (100, 1_000):
        root = tmp_path / str(count)
        for n in range(count):
            body = "\n".join(f"def {chosen.choice(names)}(): return {chosen.choice(names)}()" for _ in range(40))
            (root / f"d{n % 10}").mkdir(parents=True, exist_ok=True)
            (root / f"d{n % 10}" / f"f{n}.py").write_text(body)
        view = view_of(root)
        text = view.files["d3/f3.py"].text
        profile = cProfile.Profile()
        profile.runcall(rank_definitions, view, path="d3/f3.py", text=text, offset=len(text) // 2, language="python")
        calls.append(sum(entry.callcount for entry in profile.getstats()))
    assert calls[1] < 4 * calls[0]
