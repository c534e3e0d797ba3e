"""mypy's verdict, with the real mypy and with scripts that print what it would."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.verdict.base import ToolProblem
from spark_lsp.verdict.mypy import Mypy, problems, safe_config, sections_of
from tests.verdict.check import replacing, verdict_on, write

STRICT = "[mypy]\nstrict = True\n"
AREA = """\
def area(width: float, height: float) -> float:
    broken: int = "text"
    return width * height


def doubled(value):
    return value * 2
"""


async def test_an_edit_without_a_new_diagnostic_passes_beside_old_ones(tmp_path: Path) -> None:
    root = tmp_path / "w"
    write(root, {"area.py": AREA, "mypy.ini": STRICT})
    edit = replacing(
        root, "area.py", "    return width * height\n", "    size = width * height\n    print(1)\n    return size\n"
    )
    verdict = await verdict_on(root, tmp_path / "cache", "mypy", edit)
    assert (verdict.status, verdict.message, verdict.problems) == ("passed", "", ())
    assert verdict.duration_ms > 0


async def test_an_edit_with_a_new_diagnostic_is_rejected_with_it(tmp_path: Path) -> None:
    root = tmp_path / "w"
    write(root, {"area.py": AREA, "mypy.ini": STRICT})
    edit = replacing(root, "area.py", "return width * height", "return str(width * height)")
    verdict = await verdict_on(root, tmp_path / "cache", "mypy", edit)
    message = 'Incompatible return value type (got "str", expected "float")'
    assert verdict.status == "rejected"
    assert verdict.problems == (ToolProblem(root / "area.py", 3, "return-value", message),)
    assert verdict.message == f"mypy reports: {message} [return-value] (line 3 of the edited area.py)"


async def test_other_files_are_read_and_the_edited_text_of_all_files_counts(tmp_path: Path) -> None:
    root = tmp_path / "w"
    write(
        root,
        {
            "shop/__init__.py": "",
            "shop/price.py": "def price(name: str) -> int:\n    return len(name)\n",
            "shop/till.py": "from shop.price import price\n\nprint(price('tea') + 1)\n",
            "pyproject.toml": "[tool.mypy]\nstrict = true\n",
        },
    )
    signature = replacing(root, "shop/price.py", "name: str", "name: str, amount: int")
    call = replacing(root, "shop/till.py", "'tea'", "'tea', 2")
    alone = await verdict_on(root, tmp_path / "cache", "mypy", call)
    assert (alone.status, alone.problems[0].code) == ("rejected", "call-arg")
    both = await verdict_on(root, tmp_path / "cache", "mypy", signature, call)
    assert both.status == "passed"


HOSTILE = """\
[mypy]
strict = True
plugins = ./evil.py, evil
python_executable = ./evil.sh
install_types = True
non_interactive = True
html_report = report
junit_xml = report.xml
cache_dir = cache
custom_typeshed_dir = .
files = evil.py

[mypy-evil]
ignore_errors = True
"""


async def test_nothing_that_a_repository_configures_runs_or_is_written(tmp_path: Path) -> None:
    """The workspace's hash is compared by the helper."""
    root = tmp_path / "w"
    mark = tmp_path / "ran"
    evil = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n"
    write(root, {"area.py": AREA, "mypy.ini": HOSTILE, "evil.py": evil, "typing.py": evil, "sitecustomize.py": evil})
    (root / "evil.sh").write_text(f"#!/bin/sh\ntouch {mark}\n", "utf-8")
    (root / "evil.sh").chmod(0o755)
    edit = replacing(root, "area.py", "return width * height", "return str(width * height)")
    verdict = await verdict_on(root, tmp_path / "cache", "mypy", edit)
    assert verdict.status in {"rejected", "failed"}  # a file that hides the module typing is an error of mypy's
    assert not mark.exists()


def test_a_configuration_is_copied_with_known_options_only(tmp_path: Path) -> None:
    write(tmp_path, {"mypy.ini": HOSTILE})
    text = safe_config(sections_of(tmp_path) or {}, tmp_path)
    assert text == "[mypy]\nstrict = True\n\n[mypy-evil]\nignore_errors = True\n\n"


def test_a_configuration_in_toml_is_read_with_its_overrides(tmp_path: Path) -> None:
    toml = """\
[tool.mypy]
strict = true
mypy_path = ["$MYPY_CONFIG_FILE_DIR/src"]
plugins = ["evil"]

[[tool.mypy.overrides]]
module = ["a.*", "b]\\nplugins = evil\\n[c"]
ignore_errors = true
"""
    write(tmp_path, {"pyproject.toml": toml})
    expected = f"[mypy]\nstrict = True\nmypy_path = {tmp_path}/src\n\n[mypy-a.*]\nignore_errors = True\n\n"
    assert safe_config(sections_of(tmp_path) or {}, tmp_path) == expected


@given(st.dictionaries(st.text(max_size=12), st.dictionaries(st.text(max_size=8), st.text(max_size=30))))
def test_no_value_smuggles_an_option_into_the_copy(sections: dict[str, dict[str, str]]) -> None:
    hostile = {"mypy": {"always_true": "x\nplugins = evil\n[mypy]\nplugins = evil"}, **sections}
    lines = safe_config(hostile, Path("/w")).splitlines()
    assert [line for line in lines if line.startswith("plugins")] == []


@pytest.mark.parametrize(
    ("files", "is_configured"),
    [
        ({"mypy.ini": "[mypy]\n"}, True),
        ({".mypy.ini": ""}, True),
        ({"setup.cfg": "[mypy]\n"}, True),
        ({"setup.cfg": "[flake8]\n"}, False),
        ({"pyproject.toml": "[tool.mypy]\n"}, True),
        ({"pyproject.toml": "[tool.ruff]\n"}, False),
        ({"pyproject.toml": "[tool\n"}, False),
        ({"pyproject.toml": "tool = 1\n"}, False),
        ({}, False),
    ],
)
def test_where_mypy_is_configured(tmp_path: Path, files: dict[str, str], is_configured: bool) -> None:
    write(tmp_path, files)
    assert Mypy().is_configured(tmp_path) == is_configured


def test_lines_are_read_and_notes_are_not() -> None:
    text = (
        'a.py:1: error: Name "x" is not defined  [name-defined]\n'
        "a.py:1: note: Did you mean y?\n"
        "b.py:2:3: error: List has [brackets]\n"
        "Success: no issues found in 1 source file\n"
    )
    assert problems(text) == (
        ToolProblem(Path("a.py"), 1, "name-defined", 'Name "x" is not defined'),
        ToolProblem(Path("b.py"), 2, "", "List has [brackets]"),
    )


@pytest.mark.skipif(sys.platform == "win32", reason="the scripts start with #!")
@pytest.mark.parametrize(
    ("script", "status", "message"),
    [
        ("print('main.py: error: Source file found twice'); sys.exit(2)", "failed", "mypy failed: main.py: error: S"),
        ("sys.exit(2)", "failed", "mypy failed: it printed nothing"),
        ("sys.exit(0)", "passed", ""),
    ],
)
async def test_a_mypy_that_fails_is_no_verdict(tmp_path: Path, script: str, status: str, message: str) -> None:
    root = tmp_path / "w"
    write(root, {"main.py": "x = 1\n", "mypy.ini": "[mypy]\n"})
    tool = tmp_path / "mypy"
    tool.write_text(f"#!{sys.executable}\nimport sys\n{script}\n", "utf-8")
    tool.chmod(0o755)
    edit = replacing(root, "main.py", "1", "2")
    verdict = await verdict_on(root, tmp_path / "cache", "mypy", edit, program=str(tool))
    assert verdict.status == status
    assert verdict.message.startswith(message)


async def test_mypy_that_stops_at_an_error_of_another_file_gives_no_verdict(tmp_path: Path) -> None:
    root = tmp_path / "w"
    write(root, {"area.py": "import broken\n\n" + AREA, "broken.py": "def (\n", "mypy.ini": STRICT})
    edit = replacing(root, "area.py", "return width * height", "return str(width * height)")
    verdict = await verdict_on(root, tmp_path / "cache", "mypy", edit)
    assert verdict.status == "failed"
    assert verdict.message.startswith("mypy stopped at an error in broken.py")
