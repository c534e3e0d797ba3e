"""What a verdict does to an edit: a new diagnostic refuses it, and no verdict refuses what rests on an assumption."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from spark_lsp.actions.assumption import PROVED, Assumed, sentence
from spark_lsp.actions.base import ActionRunner, FileEdits, Needs, Proposal, Target, Tools
from spark_lsp.app import open_workspace
from spark_lsp.config import ActionsSettings, Settings, VerdictSettings, VerdictTool
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.language import language_of_path
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.verdict.base import EditedFile, Verdict, Verdicts
from tests.actions.check import target_of
from tests.support.workspace import TestWorkspace
from tests.verdict.check import digest, program_of, write

REJECTED = Verdict("mypy", "rejected", "mypy reports: no")
PASSED = Verdict("mypy", "passed")
LATE = Verdict("mypy", "timeout", "mypy did not end within 20 s.")


class ScriptedVerdicts:
    """Gives these verdicts; ``asked`` keeps what about."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.verdicts = verdicts
        self.asked: list[EditedFile] = []

    async def of(self, files: Sequence[EditedFile]) -> tuple[Verdict, ...]:
        self.asked += files
        return self.verdicts if files else ()


class Increment:
    """An action that makes the first number of the document another one, and of a second file too."""

    id = "increment"
    kind = "refactor"
    needs: Needs = "none"

    def __init__(self, assumptions: Assumed, files: tuple[FileEdits, ...] = ()) -> None:
        self._assumptions = assumptions
        self._files = files

    def applies(self, target: Target) -> str:
        return "Increment"

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        start = target.snapshot.text.index("1")
        edits = (Edit(Span(start, start + 1), "2"),)
        return Proposal(self.id, edits, files=self._files, assumptions=self._assumptions)


async def proposal_of(action: Increment, verdicts: Verdicts) -> Proposal:
    workspace = TestWorkspace(ScriptedEngine(["x"]))
    runner = ActionRunner(
        (action,), workspace.engine, workspace.context, ActionsSettings(), workspace.log.append, verdicts=verdicts,
        root=Path("/w"),
    )  # fmt: skip
    return await runner.propose("increment", target_of("x$0 = 1\n"))


@pytest.mark.parametrize(
    ("verdicts", "assumptions", "refusal", "message"),
    [
        ((), PROVED, None, ""),
        ((PASSED,), frozenset({"calls"}), None, ""),
        ((PASSED, REJECTED), PROVED, "diagnostic", "mypy reports: no."),
        ((LATE,), PROVED, None, ""),
        (
            (LATE,),
            frozenset({"errors"}),
            "unchecked",
            f"The edit {sentence({'errors'})}, and no tool could check it: {LATE.message}",
        ),
        ((LATE, PASSED), frozenset({"errors"}), None, ""),
    ],
)
async def test_what_a_verdict_does(
    verdicts: tuple[Verdict, ...], assumptions: Assumed, refusal: str | None, message: str
) -> None:
    proposal = await proposal_of(Increment(assumptions), ScriptedVerdicts(*verdicts))
    assert (proposal.refusal, proposal.message) == (refusal, message)
    assert bool(proposal.edits) == (refusal is None)
    assert proposal.reason == ("ok" if refusal is None else "gate.unsafe")
    assert proposal.verdicts == verdicts


async def test_every_file_on_disk_is_judged_and_a_new_one_is_not() -> None:
    edit = (Edit(Span(0, 1), "2"),)
    files = (FileEdits("lib/a.py", "1\n", edit), FileEdits("lib/new.py", None, (Edit(Span(0, 0), "2"),)))
    verdicts = ScriptedVerdicts(PASSED)
    await proposal_of(Increment(PROVED, files), verdicts)
    assert [(file.path.as_posix(), file.edited_text) for file in verdicts.asked] == [
        ("/w/main.py", "x = 2\n"),
        ("/w/lib/a.py", "2\n"),
    ]


CONFIGURATIONS = {
    "mypy.ini": "[mypy]\nstrict = True\n",
    "pyrightconfig.json": '{"typeCheckingMode": "strict"}',
    "go.mod": "module example.com/square\n\ngo 1.19\n",
    "pom.xml": "<project/>",
}
PYTHON = '''\
import math


def area(radius: float) -> float:
    """Return the area of a circle with this radius."""
'''
GO = """\
package main

import "fmt"

// area returns the area of a square.
func area(side float64) float64 {
}

func main() {
\tfmt.Println(area(2))
}
"""
JAVA = "class Square {\n    /** Return the area of a square. */\n    static double area(double side) {\n    }\n}\n"


@pytest.mark.parametrize(
    ("tool", "name", "config", "text", "body", "quoted"),
    [
        ("mypy", "main.py", "mypy.ini", PYTHON, "    return math.pi * radius**2\n", ""),
        ("mypy", "main.py", "mypy.ini", PYTHON, '    return f"{math.pi * radius**2}".strip()\n', 'expected "float"'),
        ("pyright", "main.py", "pyrightconfig.json", PYTHON, "    return math.pi * radius**2\n", ""),
        (
            "pyright", "main.py", "pyrightconfig.json", PYTHON,
            '    return f"{math.pi * radius**2}".strip()\n', 'not assignable to return type "float"',
        ),
        ("go", "main.go", "go.mod", GO, "\treturn side * side\n", ""),
        ("go", "main.go", "go.mod", GO, "\treturn fmt.Sprint(side * side)\n", "cannot use fmt.Sprint(side * side)"),
        ("javac", "Square.java", "pom.xml", JAVA, "        return side * side;\n", ""),
        ("javac", "Square.java", "pom.xml", JAVA, '        return "" + side * side;\n', "String cannot be converted"),
    ],
)  # fmt: skip
async def test_a_body_that_our_checks_allow_and_the_real_tool_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: VerdictTool, name: str, config: str, text: str, body: str,
    quoted: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "w"
    write(root, {name: text, config: CONFIGURATIONS[config]})
    settings = VerdictSettings(tools=(tool,), paths={tool: program_of(tool)}, time_limit_ms=60_000)
    workspace = open_workspace(root, Settings(verdict=settings), engine=ScriptedEngine([body, body]))
    language = language_of_path(root / name)
    assert language
    snapshot = Snapshot((root / name).as_uri(), root / name, 1, language.name, text)
    start = text.index("area(")
    before = digest(root)
    proposal = await workspace.actions.propose("implement.body", Target.of(snapshot, Span(start, start)))
    await workspace.close()
    assert workspace.index
    workspace.index.close()
    assert digest(root) == before
    assert [verdict.status for verdict in proposal.verdicts] == ["rejected" if quoted else "passed"], proposal.message
    assert proposal.refusal == ("diagnostic" if quoted else None)
    assert quoted in proposal.message
    if not quoted:
        assert body.strip() in apply_edits(text, proposal.edits)
