"""The offer of a model in a real Neovim: after insert mode, with its choices; the model serves without a restart."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.editor

RECORD_AND_CHOOSE = """
vim.g.offered = {}
vim.ui.select = function(items, options, on_choice)
  local titles = vim.tbl_map(options.format_item, items)
  vim.g.offered = { prompt = options.prompt, titles = titles, mode = vim.api.nvim_get_mode().mode }
  on_choice(items[1], 1)
end
"""


def test_the_offer_waits_for_the_end_of_insert_mode(
    start_neovim: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_LSP_OFFER_MODEL", "true")
    state = tmp_path / "state"
    state.mkdir()
    (state / "serving").write_text("embedded.gguf", "utf-8")
    source = tmp_path / "work" / "module.py"
    source.parent.mkdir()
    source.write_text("def double(x):\n    return \n", encoding="utf-8")
    editor = start_neovim([sys.executable, "-m", "tests.server.offering_server", str(state)], setup='{ ui = "own" }')
    editor.lua(RECORD_AND_CHOOSE)
    editor.open(source)
    editor.type("jA")
    editor.wait("a suggestion", editor.settled_ghost)
    editor.wait("the server's turn to ask", (state / "asked").exists)
    assert not editor.lua("return vim.g.offered"), "no menu while text is being typed"
    editor.type("<Esc>")
    offered = editor.wait("the question", lambda: editor.lua("return vim.g.offered"))
    assert offered["titles"] == ["Download", "Not now", "Never"]
    assert offered["mode"] == "n"
    assert "Download it?" in offered["prompt"]
    editor.wait("the model", lambda: (state / "serving").read_text("utf-8") == "better.gguf")
    editor.wait("its reason", lambda: "better suits" in str(editor.lua("return require('spark.status').describe()")))
