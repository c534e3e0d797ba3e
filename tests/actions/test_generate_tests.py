"""``generate.tests``: the test file of the function, its imports, and a body from the model."""

import ast
from pathlib import Path

import pytest

from scripts.harness.fixture import parse_fixture
from spark_lsp.actions.checks.unpredictable import unpredictable_source
from spark_lsp.actions.generate_tests import test_path as path_of_tests
from spark_lsp.engine.base import CompletionRequest, TextPart
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.text.edit import apply_edits
from tests.actions.check import target_of, titles
from tests.support.workspace import TestWorkspace, indexed

PYTHON = 'def area(w, h):\n    """Return it."""\n    return $0w * h\n'
NEW_PYTHON = "from shapes.box import area\n\n\ndef test_area() -> None:\n    assert area(2, 3) == 6\n"
SCRIPT = "export function boxArea(w, h) {\n  return $0w * h;\n}\n"
NEW_SCRIPT = (
    'import assert from "node:assert/strict";\nimport { test } from "node:test";\n\n'
    'import { boxArea } from "./box.js";\n\ntest("box area", () => {\n  assert.equal(boxArea(2, 3), 6);\n});\n'
)
CASES = {
    "a new file": ("shapes/box.py", PYTHON, {}, "assert area(2, 3) == 6", "tests/test_box.py", NEW_PYTHON),
    "where the others are": (
        "shapes/box.py",
        PYTHON,
        {"checks/test_other.py": "x = 1\n"},
        "assert area(2, 3) == 6",
        "checks/test_box.py",
        NEW_PYTHON,
    ),
    "next to existing ones": (
        "shapes/box.py",
        PYTHON,
        {"tests/test_box.py": "import os\n\n\ndef test_one() -> None:\n    assert os\n"},
        "assert area(2, 3) == 6",
        "tests/test_box.py",
        (
            "import os\nfrom shapes.box import area\n\n\ndef test_one() -> None:\n    assert os\n\n\n"
            "def test_area() -> None:\n    assert area(2, 3) == 6\n"
        ),
    ),
    "javascript": ("src/box.js", SCRIPT, {}, "assert.equal(boxArea(2, 3), 6);", "src/box.test.js", NEW_SCRIPT),
    "javascript, as the others": (
        "src/box.ts",
        SCRIPT,
        {"src/a.spec.ts": 'import { expect, it } from "vitest";\nit("a", () => {});\n'},
        "expect(boxArea(2, 3)).toBe(6);",
        "src/box.spec.ts",
        (
            'import { expect, it } from "vitest";\nimport { boxArea } from "./box";\n\n'
            'it("box area", () => {\n  expect(boxArea(2, 3)).toBe(6);\n});\n'
        ),
    ),
    "go": (
        "box.go",
        "package shapes\n\nfunc area(w int) int {\n\treturn $0w\n}\n",
        {},
        'if area(2) != 2 {\n\t\tt.Error("area")\n\t}',
        "box_test.go",
        (
            'package shapes\n\nimport "testing"\n\nfunc TestArea(t *testing.T) {\n\tif area(2) != 2 {\n'
            '\t\tt.Error("area")\n\t}\n}\n'
        ),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("path", "before", "others", "answer", "place", "after"), CASES.values(), ids=CASES)
async def test_written(
    path: str, before: str, others: dict[str, str], answer: str, place: str, after: str, tmp_path: Path
) -> None:
    files = "".join(f"#- {name}\n{text}" for name, text in {**others, "x.py": "x = 1$0\n"}.items())
    index = indexed(parse_fixture(files), tmp_path)
    engine = ScriptedEngine([answer])
    target = target_of(before, path)
    proposal = await TestWorkspace(engine, index=index).actions.propose("generate.tests", target)
    index.close()
    assert (proposal.reason, proposal.edits, proposal.message) == ("ok", (), "")
    (file,) = proposal.files
    assert (file.path, file.text) == (place, others.get(place))
    assert apply_edits(file.text or "", file.edits) == after


async def test_a_test_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    files = "#- tests/test_box.py\ndef test_area() -> None:\n    pass$0\n"
    index = indexed(parse_fixture(files), tmp_path)
    engine = ScriptedEngine(["x"])
    proposal = await TestWorkspace(engine, index=index).actions.propose(
        "generate.tests", target_of(PYTHON, "shapes/box.py")
    )
    index.close()
    assert (proposal.reason, proposal.files, engine.requests) == ("empty", (), [])
    assert proposal.message == "area is already tested in tests/test_box.py."


async def test_an_expected_value_that_the_model_guesses_is_no_test() -> None:
    engine = ScriptedEngine(["assert area(2, 3) == 6"], probability=0.5)
    target = target_of(PYTHON, "shapes/box.py")
    proposal = await TestWorkspace(engine).actions.propose("generate.tests", target)
    assert (proposal.reason, proposal.edits, proposal.files) == ("trimmed.unsure", (), ())


UNPREDICTABLE = {
    "chance": ("a.py", "from random import choice as pick\n\n\ndef f(xs):\n    $0return pick(xs)\n", "random.choice"),
    "in a function that is called": (
        "a.py",
        "import datetime as dt\n\n\ndef _now():\n    return dt.date.today()\n\n\ndef f():\n    $0return _now().year\n",
        "datetime.date.today",
    ),
    "javascript": ("a.js", "export function f(xs) {\n  $0return xs[Math.random() * xs.length];\n}\n", "Math.random"),
    "go": ("a.go", "package a\n\nfunc F() int {\n\t$0return rand.Intn(3)\n}\n", "rand.Intn"),
}


@pytest.mark.parametrize(("path", "before", "source"), UNPREDICTABLE.values(), ids=UNPREDICTABLE)
async def test_a_result_that_nobody_can_know_is_not_asserted(path: str, before: str, source: str) -> None:
    engine = ScriptedEngine(["x"])
    proposal = await TestWorkspace(engine).actions.propose("generate.tests", target_of(before, path))
    assert (proposal.files, engine.requests) == ((), [])
    assert proposal.message.lower() == f"f uses {source}, so no test can name its result.".lower()


def test_a_name_of_the_own_module_is_no_chance() -> None:
    module = ast.parse("import os\nrandom = [1]\n\n\ndef f(time):\n    return os.path.join(random[0], time.time())\n")
    function = module.body[-1]
    assert isinstance(function, ast.FunctionDef)
    assert unpredictable_source(function, module) == ""


async def test_the_model_is_shown_the_test_file() -> None:
    def answer(request: CompletionRequest) -> str:
        shown = "".join(part.text for part in request.prompt if isinstance(part, TextPart))
        assert "tests/test_box.py" in shown
        assert "def test_area() -> None:" in shown
        return "pass"

    proposal = await TestWorkspace(ScriptedEngine(answer)).actions.propose(
        "generate.tests", target_of(PYTHON, "shapes/box.py")
    )
    assert (proposal.files, proposal.message) == ((), "The model left test_area without a body.")


OFFERED = {
    "function": ("box.py", PYTHON, ["Write a test of area"]),
    "method": ("box.py", "class A:\n    def f(self):\n        return $01\n", []),
    "private": ("box.py", "def _f():\n    return $01\n", []),
    "a test": ("tests/test_a.py", "def test_f():\n    return $01\n", []),
    "not exported": ("a.ts", "function f() {\n  return $01;\n}\n", []),
    "exported at the end": ("a.js", "function f() {\n  return $01;\n}\nmodule.exports.f = f;\n", ["Write a test of f"]),
    "rust": ("a.rs", "pub fn f() -> i32 {\n    $01\n}\n", []),
}


@pytest.mark.parametrize(("path", "before", "wanted"), OFFERED.values(), ids=OFFERED)
def test_available(path: str, before: str, wanted: list[str]) -> None:
    assert titles(before, path, "generate.tests") == wanted


def test_paths() -> None:
    assert path_of_tests("src/a.py", "python", []) == "tests/test_a.py"
    assert path_of_tests("test.js", "javascript", ["test.spec.js"]) == "test.spec.js"
