"""What enters the corpus, and that nothing held out does."""

from dataclasses import replace
from pathlib import Path

import pytest

from models.training.corpus import OverlapError, check_overlap, drop_reason
from models.training.corpus_file import SourceFile, read_corpus, write_corpus
from tests.training.support import small_corpus

CODE = "def add(one: int, two: int) -> int:\n    return one + two\n\n\n" * 8


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("thing/core.py", CODE, ""),
        ("thing/_vendor/other/core.py", CODE, "vendored or generated folder"),
        ("thing/node_modules/a.js", CODE, "vendored or generated folder"),
        ("dist/a.js", CODE, "vendored or generated folder"),
        ("thing/data.json", CODE, "language"),
        ("thing/core.pyi", CODE, "language"),
        ("thing/api_pb2.py", CODE, "generated"),
        ("thing/core.py", "# @generated\n" + CODE, "generated"),
        ("thing/core.py", "x = 1\n", "size"),
        ("thing/core.py", "x = [" + "1," * 400 + "]\n", "minified"),
        ("thing/core.py", "T = (\n" + "    0.123, 4.567, 8.910,\n" * 30 + ")\n", "data"),
        ("thing/core.py", CODE + 'KEY = "' + "ghp_" + "a1B2" * 9 + '"\n', "secret"),
    ],
)
def test_what_is_dropped(path: str, text: str, reason: str) -> None:
    assert drop_reason(path, text.encode()) == reason


def test_the_file_holds_what_was_written(tmp_path: Path) -> None:
    files = small_corpus()
    write_corpus(tmp_path / "corpus.jsonl.xz", files)
    assert read_corpus(tmp_path / "corpus.jsonl.xz") == files


def sides() -> tuple[list[SourceFile], list[SourceFile]]:
    files = small_corpus()
    return [file for file in files if file.package == "alpha"], [file for file in files if file.package == "beta"]


def test_a_package_on_both_sides_is_an_overlap() -> None:
    training, held_out = sides()
    with pytest.raises(OverlapError, match="package beta is on both sides"):
        check_overlap([*training, replace(held_out[0], text=CODE)], held_out)


def test_an_exact_copy_is_an_overlap_whatever_its_white_space() -> None:
    training, held_out = sides()
    copy = replace(held_out[0], package="alpha", path="copied.py", text=held_out[0].text.replace("\n\n", "\n"))
    with pytest.raises(OverlapError, match=r"alpha:copied\.py is beta:beta/m0\.py"):
        check_overlap([*training, copy], held_out)


def test_a_near_copy_is_an_overlap() -> None:
    pytest.importorskip("datasketch")
    training = [SourceFile("alpha", "other.py", "python", "import os\n\n\nclass Other:\n    name = 'other'\n" * 9)]
    _, held_out = sides()
    check_overlap(training, held_out)
    edited = held_out[0].text.replace('"""Return 3 more."""', '"""Return three more, no less."""')
    with pytest.raises(OverlapError, match="nearly repeats beta:"):
        check_overlap([*training, SourceFile("alpha", "edited.py", "python", edited)], held_out)
