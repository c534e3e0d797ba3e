"""The path of a keystroke through the completion package is the one that ``docs/architecture.md`` lists."""

import re
import sys
from collections import Counter
from itertools import groupby
from pathlib import Path
from types import FrameType

import spark_lsp.completion
from spark_lsp.engine.testing import ScriptedEngine
from tests.completion.check import cursor_of
from tests.repo.source import ROOT
from tests.support.workspace import TestWorkspace

PACKAGE = Path(spark_lsp.completion.__file__).parent
MAX_VISITS = 6
"""Returns of a reader who follows a keystroke to a module; there were 11 before the pipeline was split."""


async def _modules_on_the_path() -> list[str]:
    """Return the modules in the order in which their functions are first called, one for each change of module."""
    calls: dict[tuple[str, str], None] = {}

    def note(frame: FrameType, event: str, _argument: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE):
            module = path.relative_to(PACKAGE).parts[0]
            calls.setdefault((module, f"{path.stem}.{frame.f_code.co_name}"), None)

    workspace = TestWorkspace(ScriptedEngine(["area(1, 2)"], chunk_chars=20))
    cursor = cursor_of("def area(w, h):\n    return w * h\n\n\nvalue = $0\nprint(value)\n")
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        answer = await workspace.completer.complete(cursor, manual=False)
    finally:
        sys.setprofile(before)
    assert answer.suggestion is not None
    await workspace.completer.close()
    # Every module asks the cursor context, and nearly all of its parts are computed on first use.
    steps = [module for module, _function in calls if module not in {"cursor_context.py", "brackets.py"}]
    return [module for module, _ in groupby(steps)]


def _listed() -> list[str]:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    section = page.split("### Through the completion package", 1)[1].split("\n## ", 1)[0]
    return [name.rstrip("/") for name in re.findall(r"^\d+\. `([^`]+)`", section, re.MULTILINE)]


async def test_the_page_lists_the_modules_in_the_order_of_the_path() -> None:
    assert _listed() == list(dict.fromkeys(await _modules_on_the_path()))


async def test_the_path_comes_back_to_no_module_often() -> None:
    visits = Counter(await _modules_on_the_path())
    assert max(visits.values()) <= MAX_VISITS, visits
