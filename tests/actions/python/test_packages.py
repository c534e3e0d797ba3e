"""The proof over published packages: its manifest, and how a failing round is taken apart."""

import pytest

from scripts.prove_actions.packaged import names_run
from scripts.prove_actions.packages import load
from scripts.prove_actions.real import first_guilty

MODULE = """\
class A:
    @property
    def size(self):
        return 1


def size():
    return 2


def never():
    return 3
"""


def test_the_manifest_names_packages_and_their_tests() -> None:
    packages = load()
    assert len({package.name for package in packages}) == len(packages) >= 5
    assert all(package.version and package.sources and package.tests for package in packages)


@pytest.mark.parametrize("guilty", range(5))
def test_the_first_guilty_step_is_found(guilty: int) -> None:
    assert first_guilty(5, lambda number: "it fails" if number >= guilty else "") == (guilty, "it fails")


def test_tests_that_waver_accuse_no_one() -> None:
    assert first_guilty(5, lambda _number: "") is None


def test_only_functions_that_the_tests_run_are_edited() -> None:
    assert names_run("m.py", MODULE, frozenset({("m.py", 2, "size"), ("m.py", 7, "size")})) == ["size", "A.size"]
    assert names_run("m.py", MODULE, frozenset({("m.py", 2, "size"), ("n.py", 7, "size")})) == ["A.size"]
