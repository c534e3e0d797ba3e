"""How a document was when it was opened, and since when it is another one; over the wire, what this makes of a head."""

from pathlib import Path

from lsprotocol import types

from spark_lsp.actions.base import Earlier
from spark_lsp.server.openings import Openings
from tests.server.client import SCRIPTED, Editor, editor
from tests.support.rooms import snapshot_of

OPENED = "def area(w, h):\n    return w * h\n\n\narea(w=1, h=2)\n"
WORKSPACE = f"#- a.py\nfrom b import area\n\nprint(area(1, h=2))\n#- b.py\n{OPENED}"
HEAD = types.Range(types.Position(0, 4), types.Position(0, 4))


def test_a_document_changes_once_until_it_is_as_it_was() -> None:
    ticks = iter([5, 7])
    openings = Openings(lambda: next(ticks))
    first, second = snapshot_of("b.py", "a"), snapshot_of("b.py", "ab", 2)
    openings.changed(first)
    assert openings.of(first.uri) is None
    openings.opened(first)
    unchanged = openings.of(first.uri)
    assert unchanged is not None
    assert unchanged.text == "a"
    openings.changed(second)
    openings.changed(snapshot_of("b.py", "abc", 3))
    assert openings.of(first.uri) == Earlier("a", 5)
    openings.changed(first)
    assert openings.of(first.uri) == unchanged
    openings.changed(second)
    assert openings.of(first.uri) == Earlier("a", 7)
    openings.closed(first.uri)
    assert openings.of(first.uri) is None


async def _offered(window: Editor) -> list[types.CodeAction]:
    converter = window.client.protocol._converter
    converter.register_structure_hook(
        types.Command | types.CodeAction, lambda action, _type: converter.structure(action, types.CodeAction)
    )
    asked = types.CodeActionParams(
        types.TextDocumentIdentifier(window.uri("b.py")), HEAD, types.CodeActionContext(diagnostics=[])
    )
    answer = await window.client.text_document_code_action_async(asked) or []
    found = [each for each in answer if isinstance(each, types.CodeAction)]
    return [each for each in found if each.kind == "refactor.rewrite.signature"]


async def test_a_changed_head_has_its_calls_changed_in_all_files(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "x")) as window:
        await window.ready()
        window.open("b.py", OPENED)
        assert await _offered(window) == []
        window.change("b.py", types.Range(types.Position(0, 12), types.Position(0, 13)), "height")
        (action,) = await _offered(window)
        assert action.title == "Update the calls of area"
        edit = (await window.client.code_action_resolve_async(action)).edit
        assert edit is not None, window.messages
        assert edit.document_changes is not None
        texts = {
            each.text_document.uri: [(change.range.start, change.new_text) for change in each.edits]
            for each in edit.document_changes
            if isinstance(each, types.TextDocumentEdit)
        }
        assert texts == {
            window.uri("b.py"): [(types.Position(4, 10), "height=")],
            window.uri("a.py"): [(types.Position(2, 14), "height=")],
        }
        assert await window.reasons() == ["ok"]
        window.change("b.py", types.Range(types.Position(0, 12), types.Position(0, 18)), "h")
        assert await _offered(window) == []
