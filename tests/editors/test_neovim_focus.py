"""The Neovim plugin reports where the cursor rests, so that the model can prefill before the first key."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.editor

Fake = Callable[..., Any]


def _places(editor: Any) -> list[tuple[int, int]]:
    notices = editor.received("textDocument/didFocus")
    return [(params["position"]["line"], params["position"]["character"]) for params in notices]


def test_a_cursor_that_rests_is_told_with_its_document(fake: Fake) -> None:
    editor = fake("def add(left, right):\n    return left\nx$0")
    editor.type("<Esc>gg")
    editor.wait("the first place", lambda: (0, 0) in _places(editor))
    editor.type("jj")
    editor.wait("the last place", lambda: _places(editor)[-1][0] == 2)
    assert (1, 0) not in _places(editor)  # only passed
    assert all(params["textDocument"]["uri"] for params in editor.received("textDocument/didFocus"))


def test_nothing_is_told_when_switched_off(fake: Fake) -> None:
    editor = fake("def add(left, right):\n    return left\nx$0")
    editor.type("<Esc>")
    editor.wait("a place", lambda: _places(editor))
    editor.api.command("Spark toggle")
    editor.type("gg")
    before = len(_places(editor))
    editor.api.command("Spark toggle")
    editor.wait("the place where it was switched on again", lambda: len(_places(editor)) > before)
    assert _places(editor)[before:] == [(0, 0)]
