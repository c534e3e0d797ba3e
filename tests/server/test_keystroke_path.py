"""The path of a keystroke through the server package is the one that ``docs/architecture.md`` lists."""

import inspect
import re
import sys
from collections import Counter
from itertools import groupby
from pathlib import Path
from types import FrameType

from lsprotocol import types

import spark_lsp.server
from spark_lsp.server import inline_completion
from tests.repo.source import ROOT
from tests.server.folder_window import folder_window

PACKAGE = Path(spark_lsp.server.__file__).parent
MAX_VISITS = 5
"""How often a reader who follows a keystroke comes back to one module; the completion package has a test of its own."""
DETAILS = frozenset(
    {
        "convert.document_key",
        "convert.to_offset",
        "workspace_folder.relative",
        "notebooks.around",
        "status.status_of",
        "status.as_json",
    }
)
"""Public functions that a listed one calls on its own visit: parts of that step."""

Visits = list[tuple[str, tuple[str, ...]]]


def _is_property(frame: FrameType) -> bool:
    owner = type(frame.f_locals.get("self"))
    return isinstance(inspect.getattr_static(owner, frame.f_code.co_name, None), property)


async def _followed(base: Path) -> Visits:
    """Type a character and ask for a completion; return what of the server was called, each function once."""
    calls: dict[tuple[str, str], None] = {}

    def note(frame: FrameType, event: str, _argument: object) -> None:
        place, name = Path(frame.f_code.co_filename), frame.f_code.co_name
        if event != "call" or place.parent != PACKAGE or name.startswith(("_", "<")) or _is_property(frame):
            return
        if f"{place.stem}.{name}" not in DETAILS:
            calls.setdefault((place.name, name), None)

    async with folder_window(base, "#- red/main.py\nx = 1\n", ["red"]) as window:
        await window.open_folders()
        at = window.open("red/main.py", "value = $0\n")
        context = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic)
        before = sys.getprofile()
        sys.setprofile(note)
        try:
            at = window.type("red/main.py", at, "x")
            place = types.TextDocumentIdentifier(window.uri("red/main.py"))
            await inline_completion.inline_completion(window.session, types.InlineCompletionParams(context, place, at))
        finally:
            sys.setprofile(before)
    grouped = groupby(calls, key=lambda call: call[0])
    return [(module, tuple(function for _module, function in group)) for module, group in grouped]


def _listed() -> Visits:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    section = page.split("### Through the server", 1)[1].split("\n### ", 1)[0]
    steps = re.findall(r"^\d+\. `([^`]+)`((?: `\w+`)+)", section, re.MULTILINE)
    return [(module, tuple(re.findall(r"\w+", functions))) for module, functions in steps]


async def test_the_page_lists_the_functions_in_the_order_of_the_path(tmp_path: Path) -> None:
    assert _listed() == await _followed(tmp_path)


async def test_the_path_comes_back_to_no_module_often(tmp_path: Path) -> None:
    visits = Counter(module for module, _functions in await _followed(tmp_path))
    assert max(visits.values()) <= MAX_VISITS, visits
