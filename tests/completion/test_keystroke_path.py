"""The path of a keystroke through the completion package is the one that ``docs/architecture.md`` lists."""

import inspect
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import FrameType

import spark_lsp.completion
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.engine.testing import ScriptedEngine
from tests.completion.check import cursor_of
from tests.repo.source import ROOT
from tests.support.workspace import TestWorkspace

PACKAGE = Path(spark_lsp.completion.__file__).parent
TEXT = "area(1, 2)"
MAX_VISITS = 4
"""How often a reader who follows a keystroke comes back to one module; it was 11 before the pipeline was split."""
MAX_NAME_CHANGES = 9
"""How often the text that the model writes is handed on under another name; a review counted 23."""
ASKED_BY_ALL = frozenset({"cursor_context.py", "brackets.py"})
"""Every module asks the cursor context, and nearly all of its parts are computed on first use."""
DETAILS = frozenset(
    {
        "writer.model_name",
        "rejection_backoff.threshold",
        "rejection_backoff.settings_key",
        "rejection_backoff.now",
        "gate.gate",
        "shared_generation.continues",
        "shared_generation.end",
        "shared_generation.unwatch",
        "reuse.rest",
        "next_line_prefetch.drop",
    }
)
"""Public functions that a listed one calls on its own visit: parts of that step."""


@dataclass
class Followed:
    """What a request called, each function once, in the order of the first calls."""

    visits: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """Each visit of a module with the functions that are new on it."""
    text_names: list[str] = field(default_factory=list)
    """Under which names the text of the model was handed over."""
    cursor_names: set[str] = field(default_factory=set)
    """Under which names the cursor was handed over; gates that do not need it call it ``_``."""


async def _followed() -> Followed:
    calls: dict[tuple[str, str], None] = {}
    path = Followed()
    cursor = cursor_of("def area(w, h):\n    return w * h\n\n\nvalue = $0\nprint(value)\n")

    def note(frame: FrameType, event: str, _argument: object) -> None:
        place = Path(frame.f_code.co_filename)
        if event != "call" or not place.is_relative_to(PACKAGE):
            return
        module, call = place.relative_to(PACKAGE).parts[0], (str(place), frame.f_code.co_qualname)
        if call not in seen:
            seen.add(call)
            _note_names(path, frame, cursor)
        if not frame.f_code.co_name.startswith(("_", "<")) and module not in ASKED_BY_ALL:
            calls.setdefault((module, frame.f_code.co_name), None)

    seen: set[tuple[str, str]] = set()
    workspace = TestWorkspace(ScriptedEngine([TEXT], chunk_chars=20))
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        answer = await workspace.completer.complete(cursor, manual=False)
    finally:
        sys.setprofile(before)
    assert answer.suggestion is not None
    assert answer.suggestion.text == TEXT
    await workspace.completer.close()
    for module, group in groupby(calls, key=lambda call: call[0]):
        path.visits.append((module, tuple(function for _module, function in group)))
    return path


def _note_names(path: Followed, frame: FrameType, cursor: CursorContext) -> None:
    arguments = inspect.getargvalues(frame)
    for name in arguments.args:
        value = arguments.locals.get(name)
        if name == "self":
            continue
        if value is cursor:
            path.cursor_names.add(name.removeprefix("_"))
        elif value == TEXT or getattr(value, "text", None) == TEXT:
            path.text_names.append(name)


def _listed() -> list[tuple[str, tuple[str, ...]]]:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    section = page.split("### Through the completion package", 1)[1].split("\n## ", 1)[0]
    steps = re.findall(r"^\d+\. `([^`]+)`((?: `\w+`)+)", section, re.MULTILINE)
    return [(module.rstrip("/"), tuple(re.findall(r"\w+", functions))) for module, functions in steps]


async def test_the_page_lists_the_functions_in_the_order_of_the_path() -> None:
    followed = [
        ("postprocess", ("postprocess",))
        if module == "postprocess"
        else (module, tuple(name for name in functions if f"{module.removesuffix('.py')}.{name}" not in DETAILS))
        for module, functions in (await _followed()).visits
    ]
    assert _listed() == [(module, functions) for module, functions in followed if functions]


async def test_the_path_comes_back_to_no_module_often() -> None:
    visits = Counter(module for module, _functions in (await _followed()).visits)
    assert max(visits.values()) <= MAX_VISITS, visits


async def test_what_is_handed_on_keeps_its_name() -> None:
    path = await _followed()
    assert path.cursor_names <= {"cursor", ""}
    changes = [name for name, _ in groupby(path.text_names)]
    assert len(changes) <= MAX_NAME_CHANGES, changes
