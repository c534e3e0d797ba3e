"""JetBrains by LSP4IJ: what its client says of itself, replayed from its sources, and the template for it.

``tests/fixtures/clients/lsp4ij.json`` is what ``ClientCapabilitiesFactory`` of LSP4IJ d21cff9 sends, without features
that the server has nothing to do with.
"""

import json
from pathlib import Path

import pytest
from lsprotocol import types
from lsprotocol.converters import get_converter

from scripts.harness.editor import REAL, editor
from spark_lsp.config import SettingsSource, resolve
from spark_lsp.text.language import language_of_id, language_of_path
from tests.engine.endpoint import Endpoint, running
from tests.repo.source import ROOT

FOLDER = ROOT / "editors" / "jetbrains" / "spark-lsp"
CAPABILITIES = ROOT / "tests" / "fixtures" / "clients" / "lsp4ij.json"
WORKSPACE = "#- shapes.py\ndef area_of(width, height):\n    return width * height\n"


def _capabilities() -> types.ClientCapabilities:
    return get_converter().structure(json.loads(CAPABILITIES.read_text("utf-8")), types.ClientCapabilities)


def test_the_template_names_languages_that_the_server_knows() -> None:
    template = json.loads((FOLDER / "template.json").read_text("utf-8"))
    assert template["programArgs"]["default"] == "spark-lsp serve"
    for mapping in template["fileTypeMappings"]:
        for pattern in mapping["fileType"]["patterns"]:
            language = language_of_path(Path(f"file{pattern.removeprefix('*')}"))
            assert language is not None, pattern
            assert language_of_id(mapping["languageId"]) == language, pattern


def test_the_templates_settings_are_settings() -> None:
    settings = json.loads((FOLDER / "settings.json").read_text("utf-8"))
    assert set(settings) == {"spark"}
    assert resolve([SettingsSource("settings.json", settings["spark"])])[1] == []


@pytest.mark.slow
async def test_its_client_gets_ghost_text_and_code_actions(tmp_path: Path) -> None:
    async with running(Endpoint(words=["width", " * ", "height", "\n"], row={"max_model_len": 8192})) as endpoint:
        settings = {"backend": {"urls": [endpoint.url]}, "completion": {"debounce": 0, "minConfidence": 0}}
        async with editor(WORKSPACE, tmp_path, REAL, settings=settings, says=_capabilities()) as window:
            assert window.result is not None
            assert window.result.capabilities.inline_completion_provider, "LSP4IJ asks only where it is announced"
            await window.ready()
            at = window.open("a.py", "def twice(width, height):\n    return $0\n")
            item = await window.complete("a.py", at, by_hand=True)
            assert item is not None
            assert item.insert_text == "width * height"
            assert item.range is None or item.range.start == at, "LSP4IJ shows what follows the cursor"
            place = types.Range(types.Position(1, 4), types.Position(1, 11))
            document = types.TextDocumentIdentifier(window.uri("shapes.py"))
            window.open("shapes.py", "def area_of(width, height):\n    return width * height$0\n")
            request = types.CodeActionParams(document, place, types.CodeActionContext([]))
            actions = await window.client.text_document_code_action_async(request)
            assert actions is not None
            assert all(isinstance(action, types.CodeAction) for action in actions), "it resolves edits"
