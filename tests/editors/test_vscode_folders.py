"""Several folders in one real VS Code: a prompt has the files of its document's folder, also of one added later."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.harness.fixture import parse_fixture, write_workspace
from tests.editors.shop import SPARK, environment, stop_engine
from tests.editors.test_neovim_folders import FILES

pytestmark = [pytest.mark.editor, pytest.mark.model]

READY_S = 120.0
CONTEXT = "Spark: Show Context at Cursor"
# Both folders have a use.py, which the editor's search for a file would offer twice.
OWN_NAMES = FILES.replace("bank/use.py", "bank/bank_use.py").replace("farm/use.py", "farm/farm_use.py")


@pytest.fixture
def window(open_vscode: Callable[..., Any], tmp_path: Path) -> Iterator[Any]:
    """A window on a workspace file that names the first of two folders."""
    write_workspace(parse_fixture(OWN_NAMES), tmp_path)
    window = open_vscode(name_folders(tmp_path, "bank"), SPARK, variables=environment(tmp_path / "run"))
    window.wait_status("Ready", deadline_s=READY_S)
    yield window
    window.close()
    stop_engine(tmp_path / "run")


def name_folders(base: Path, *names: str) -> Path:
    """Write the workspace file; VS Code follows when it changes."""
    workspace = base / "both.code-workspace"
    workspace.write_text(json.dumps({"folders": [{"path": name} for name in names]}), encoding="utf-8")
    return workspace


def context_page(window: Any, name: str) -> str:
    """Open a file and return the page that shows its prompt."""
    window.open(name)
    window.command(CONTEXT)
    text: str = window.webview(f"Context of {name}").locator("body").inner_text()
    window.command("View: Close All Editors")
    return text


def test_each_folder_has_its_own_prompt(window: Any, tmp_path: Path) -> None:
    page = context_page(window, "bank_use.py")
    assert "bank_parts.py" in page
    assert "farm_parts.py" not in page

    name_folders(tmp_path, "bank", "farm")
    window.wait_status("6 of 6 files", deadline_s=READY_S)
    page = context_page(window, "farm_use.py")
    assert "farm_parts.py" in page
    assert "bank_parts.py" not in page
    assert "bank_parts.py" in context_page(window, "bank_use.py")

    name_folders(tmp_path, "bank")
    window.wait_status("3 of 3 files", deadline_s=READY_S)
