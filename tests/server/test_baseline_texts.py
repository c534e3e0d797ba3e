"""How a document was when it was opened and since when it differs, and over the wire what this makes of a signature."""

import asyncio
from pathlib import Path

import pytest
from lsprotocol import types

from scripts.harness.editor import PATIENCE_S, SCRIPTED, Editor, editor
from spark_lsp.actions.base import BaselineText
from spark_lsp.server.baseline_texts import BaselineTexts
from tests.support.workspace import snapshot_of

CALLS = "from b import area\n\nprint(area(1, h=2))\n"
OPENED = "def area(w, h):\n    return w * h\n\n\narea(w=1, h=2)\n"
WORKSPACE = f"#- a.py\n{CALLS}#- b.py\n{OPENED}"
HEAD = types.Range(types.Position(0, 4), types.Position(0, 4))


class SetClock:
    """A clock of the files that is put to a time."""

    def __init__(self, ns: int) -> None:
        self.ns = ns

    def now_ns(self) -> int:
        return self.ns


def test_a_file_written_after_the_clock_was_put_back_is_newer_than_the_change() -> None:
    hour_ns = 3_600_000_000_000
    files_clock, elapsed = SetClock(10 * hour_ns), SetClock(0)
    baselines = BaselineTexts(files_clock.now_ns, elapsed.now_ns)
    baselines.opened(snapshot_of("b.py", "a"))
    baselines.changed(snapshot_of("b.py", "ab", 2))
    uri = snapshot_of("b.py", "a").uri
    elapsed.ns, files_clock.ns = hour_ns, 11 * hour_ns
    assert baselines.of(uri) == BaselineText("a", 10 * hour_ns)
    files_clock.ns = 5 * hour_ns
    assert baselines.of(uri) == BaselineText("a", 4 * hour_ns)
    files_clock.ns = 20 * hour_ns
    assert baselines.of(uri) == BaselineText("a", 10 * hour_ns), "files of before the jump count too"


def test_a_document_changes_once_until_it_is_as_it_was() -> None:
    clock = SetClock(5)
    baselines = BaselineTexts(clock.now_ns, lambda: 0)
    first, second = snapshot_of("b.py", "a"), snapshot_of("b.py", "ab", 2)
    baselines.changed(first)
    assert baselines.of(first.uri) is None
    baselines.opened(first)
    unchanged = baselines.of(first.uri)
    assert unchanged is not None
    assert unchanged.text == "a"
    baselines.changed(second)
    baselines.changed(snapshot_of("b.py", "abc", 3))
    assert baselines.of(first.uri) == BaselineText("a", 5)
    baselines.changed(first)
    assert baselines.of(first.uri) == unchanged
    clock.ns = 7
    baselines.changed(second)
    assert baselines.of(first.uri) == BaselineText("a", 7)
    baselines.closed(first.uri)
    assert baselines.of(first.uri) is None


def test_calls_that_were_changed_as_proposed_begin_again() -> None:
    baselines = BaselineTexts(lambda: 5, lambda: 0)
    own, used = snapshot_of("b.py", "old"), snapshot_of("a.py", "old calls")
    baselines.opened(own)
    baselines.changed(snapshot_of("b.py", "new", 2))
    baselines.applied(snapshot_of("b.py", "new", 2), {own.uri: "new, called", used.uri: "new calls"})
    baselines.changed(snapshot_of("b.py", "new, called", 3))
    assert baselines.of(own.uri) == BaselineText("old", 5), "the other one has not come"
    baselines.opened(used)
    baselines.changed(snapshot_of("a.py", "new calls", 2))
    assert baselines.of(own.uri) == BaselineText("new, called", 5)
    baselines.changed(snapshot_of("b.py", "old", 4))
    assert baselines.of(own.uri) == BaselineText("new, called", 5), "taken back, it is another one again"


async def _available(window: Editor) -> list[types.CodeAction]:
    converter = window.client.protocol._converter
    converter.register_structure_hook(
        types.Command | types.CodeAction, lambda action, _type: converter.structure(action, types.CodeAction)
    )
    asked = types.CodeActionParams(
        types.TextDocumentIdentifier(window.uri("b.py")), HEAD, types.CodeActionContext(diagnostics=[])
    )
    answer = await window.client.text_document_code_action_async(asked) or []
    actions = [entry for entry in answer if isinstance(entry, types.CodeAction)]
    return [action for action in actions if action.kind == "refactor.rewrite.signature"]


async def _apply(window: Editor, edits: dict[str, tuple[int, int, int, str]]) -> None:
    """Change documents as an editor does that opens those it has not open."""
    window.open("a.py", CALLS)
    for path, (line, start, end, text) in edits.items():
        window.change(path, types.Range(types.Position(line, start), types.Position(line, end)), text)
    await window.reasons()


@pytest.mark.slow
async def test_a_changed_head_has_its_calls_changed_in_all_files(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "x")) as window:
        await window.ready()
        window.open("b.py", OPENED)
        assert await _available(window) == []
        window.change("b.py", types.Range(types.Position(0, 12), types.Position(0, 13)), "height")
        (action,) = await _available(window)
        assert action.title == "Update the calls of area"
        edit = (await window.client.code_action_resolve_async(action)).edit
        assert edit is not None, window.messages
        assert edit.document_changes is not None
        texts = {
            document_change.text_document.uri: [
                (change.range.start, change.new_text) for change in document_change.edits
            ]
            for document_change in edit.document_changes
            if isinstance(document_change, types.TextDocumentEdit)
        }
        assert texts == {
            window.uri("b.py"): [(types.Position(4, 10), "height=")],
            window.uri("a.py"): [(types.Position(2, 14), "height=")],
        }
        assert await window.reasons() == ["ok"]
        await _apply(window, {"b.py": (4, 10, 12, "height="), "a.py": (2, 14, 16, "height=")})
        assert await _available(window) == [], "its calls fit"
        window.change("b.py", types.Range(types.Position(0, 12), types.Position(0, 18)), "up")
        (action,) = await _available(window)
        async with asyncio.timeout(PATIENCE_S):  # the index reads the other document when its typing pauses
            while (edit := (await window.client.code_action_resolve_async(action)).edit) is None:
                pass
        assert edit.document_changes is not None
        assert len(edit.document_changes) == 2
