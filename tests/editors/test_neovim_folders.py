"""Two folders in one real Neovim: one server, each document with the files of its own folder, also when one goes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.harness.fixture import parse_fixture, write_workspace
from tests.editors.shop import SPARK, environment, stop_engine

pytestmark = [pytest.mark.editor, pytest.mark.model]

FILES = """
#- bank/pyproject.toml
[project]
#- bank/bank_parts.py
class BankLedger:
    def bank_total(self): ...
#- bank/use.py
from bank_parts import BankLedger
book = BankLedger()
#- farm/pyproject.toml
[project]
#- farm/farm_parts.py
class FarmLedger:
    def farm_total(self): ...
#- farm/use.py
from farm_parts import FarmLedger
book = FarmLedger()
"""
FILES_INDEXED = "return require('spark.status').get().indexed.files"
CLIENTS = 'return #vim.lsp.get_clients({ name = "spark" })'


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two projects, and an engine of this test's own that is stopped at the end."""
    for name, value in environment(tmp_path / "run").items():
        monkeypatch.setenv(name, value)
    write_workspace(parse_fixture(FILES), tmp_path)
    yield tmp_path
    stop_engine(tmp_path / "run")


def shown_paths(editor: Any) -> set[str]:
    """The Python files in the prompt for the cursor."""
    params = editor.lua("return vim.lsp.util.make_position_params(0, vim.lsp.get_clients()[1].offset_encoding)")
    report = editor.request("spark/context", params, deadline_s=120)
    return {segment["path"] for segment in report["segments"] if segment["path"].endswith(".py")}


def test_each_document_has_the_files_of_its_folder(start_neovim: Callable[..., Any], folders: Path) -> None:
    editor = start_neovim([*SPARK, "serve", "--stdio"])
    editor.open(folders / "bank" / "use.py")
    editor.type("G")
    editor.wait("the files of the first", lambda: shown_paths(editor) == {"bank_parts.py", "use.py"}, deadline_s=60)

    editor.lua("vim.lsp.buf.add_workspace_folder(...)", str(folders / "farm"))
    editor.open(folders / "farm" / "use.py")
    editor.type("G")
    editor.wait("the files of the second", lambda: shown_paths(editor) == {"farm_parts.py", "use.py"}, deadline_s=60)
    assert editor.lua(CLIENTS) == 1, "one server serves both"

    (folders / "farm" / "new_parts.py").write_text("def farm_plough(): ...\n", encoding="utf-8")
    editor.wait("a file that is new on disk", lambda: editor.lua(FILES_INDEXED) == 7, deadline_s=60)

    editor.api.command(f"edit {folders / 'bank' / 'use.py'}")
    assert shown_paths(editor) == {"bank_parts.py", "use.py"}

    # Neovim says that the folder was none of the workspace whether it was or not, over more than a line.
    editor.lua("vim.notify = function() end; vim.lsp.buf.remove_workspace_folder(...)", str(folders / "farm"))
    editor.api.command(f"edit! {folders / 'farm' / 'use.py'}")
    editor.wait("the first folder for what is outside", lambda: "../use.py" in shown_paths(editor), deadline_s=60)
    assert "farm_parts.py" not in shown_paths(editor)
