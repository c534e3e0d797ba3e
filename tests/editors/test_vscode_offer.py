"""The offer of a model in a real VS Code: a notification with its choices; the model serves without a restart."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.editors.shop import REPOSITORY

pytestmark = pytest.mark.editor

SERVER_S = 60.0


def test_the_offer_comes_after_a_suggestion_and_its_model_serves(
    open_vscode: Callable[..., Any], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "serving").write_text("embedded.gguf", "utf-8")
    work = tmp_path / "work"
    work.mkdir()
    (work / "module.py").write_text("def double(x):\n    return \n", encoding="utf-8")
    window = open_vscode(
        work,
        [sys.executable, "-m", "tests.server.offering_server", str(state)],
        variables={"PYTHONPATH": str(REPOSITORY), "SPARK_LSP_OFFER_MODEL": "true"},
    )
    window.wait_status("Ready", deadline_s=SERVER_S)
    window.open("module.py")
    window.go_to(2, 12)
    window.type("t")
    window.wait_ghost("total")
    buttons = window.page.locator(".notifications-toasts .monaco-button")
    window.wait("the question", lambda: any("Download it?" in note for note in window.notes()))
    assert [text for text in buttons.all_inner_texts() if text] == ["Download", "Not now", "Never"]
    window.picture("offer")
    buttons.filter(has_text="Download").first.click()
    window.wait("the model", lambda: (state / "serving").read_text("utf-8") == "better.gguf")
    window.wait("its reason", lambda: "better suits" in window.status())
    window.picture("offer-taken")
