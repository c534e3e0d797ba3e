"""No folder imports another one in a circle, and the script that draws the imports sees one when there is one."""

import pytest

from scripts.import_map import Import, circles, folder_circles, graph_of, imports_of, levels, svg_of


@pytest.mark.slow
def test_no_folder_is_in_a_circle() -> None:
    assert folder_circles(imports_of()) == []


def test_a_circle_of_two_folders_is_seen() -> None:
    imports = frozenset({Import("a/b/x.py", "a/c/y.py"), Import("a/c/z.py", "a/b/x.py"), Import("a/c/z.py", "a/d.py")})
    assert folder_circles(imports) == [("a", ["b", "c"])]
    assert circles(graph_of("a/c", imports)) == []


def test_what_is_imported_stands_below() -> None:
    graph = graph_of("a", frozenset({Import("a/top.py", "a/mid/x.py"), Import("a/mid/x.py", "a/low.py")}))
    assert levels(graph) == [["top.py"], ["mid"], ["low.py"]]
    picture = svg_of("a", graph)
    assert [picture.count(f">{name}<") for name in ("top.py", "mid", "low.py")] == [1, 1, 1]
