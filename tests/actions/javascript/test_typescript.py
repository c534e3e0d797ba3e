"""TypeScript that type-checks strictly still does after every offered edit."""

import shutil
import subprocess
from pathlib import Path

import pytest

from spark_lsp.actions.javascript import extract_function, extract_variable
from spark_lsp.actions.javascript.piece import piece_at
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import apply_edits
from tests.actions.javascript.execute import HERE, expression_selections, parsed, statement_selections
from tests.actions.javascript.test_execution import inlinings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
OWN = ROOT / "editors" / "vscode" / "node_modules" / ".bin" / "tsc"
TSC = str(OWN) if OWN.exists() else shutil.which("tsc")
PROGRAM = (HERE / "programs" / "store.ts").read_text("utf-8")
OPTIONS = ("--noEmit", "--strict", "--target", "es2022", "--moduleDetection", "force", "--skipLibCheck")


def edited() -> list[str]:
    """Return the program after each edit."""
    syntax = parsed(PROGRAM, "typescript")
    all_edits = [edits for edits in inlinings(syntax) if not isinstance(edits, Refusal)]
    for span in [*statement_selections(syntax), *expression_selections(syntax)]:
        piece = piece_at(syntax, span)
        plan = extract_function.plan_of(piece) if piece is not None else None
        if isinstance(plan, extract_function.ExtractionPlan):
            all_edits.append(extract_function.edits_of(plan, "extracted"))
        naming = extract_variable.naming_of(piece) if piece is not None and piece.is_expression else None
        if isinstance(naming, extract_variable.Naming):
            all_edits.append(extract_variable.edits_of(naming, "extracted"))
    return [apply_edits(PROGRAM, edits) for edits in all_edits]


@pytest.mark.skipif(TSC is None, reason="tsc is not installed")
def test_types_hold_after_every_edit(tmp_path: Path) -> None:
    programs = [PROGRAM, *edited()]
    assert len(programs) > 150
    names = [f"p{number}.ts" for number in range(len(programs))]
    for name, program in zip(names, programs, strict=True):
        (tmp_path / name).write_text(program, "utf-8")
    process = subprocess.run(
        [str(TSC), *OPTIONS, *names], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert process.stdout == ""
    assert process.returncode == 0
