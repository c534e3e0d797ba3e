"""Neovim's own inline completion (0.12) with the keys that the plugin adds to it."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.editor

RETURN = {"after": "return ", "text": "left + right"}
LEFT = {"after": "left", "text": " + right"}
BODY = {"after": "):", "text": "\n    total = 1\n    return total"}


@pytest.fixture
def builtin(fake: Callable[..., Any]) -> Callable[..., Any]:
    """An editor that shows suggestions with what it has of its own; skipped where it has nothing."""

    def open_text(text: str, *answers: dict[str, Any]) -> Any:
        editor = fake(text, *answers, ui="auto")
        if not editor.lua("return vim.lsp.inline_completion ~= nil"):
            pytest.skip("this Neovim has no inline completion of its own")
        return editor

    return open_text


def test_it_is_the_editor_s_own(builtin: Callable[..., Any]) -> None:
    editor = builtin("    $0", RETURN)
    editor.type("return ")
    editor.wait_ghost("left + right")
    assert editor.lua("return vim.lsp.inline_completion.is_enabled({ bufnr = 0 })")
    assert editor.screen(1) == "    return left + right"
    assert not editor.received("spark/inlineCompletionStream")


def test_tab_accepts_and_tells_the_server(builtin: Callable[..., Any]) -> None:
    editor = builtin("    $0", RETURN)
    editor.type("return ")
    editor.wait_ghost("left + right")
    editor.type("<Tab>")
    editor.wait_text("    return left + right")
    accepted = editor.received("workspace/executeCommand")
    assert accepted == [{"command": "spark.acceptCompletion", "arguments": ["return "]}]


def test_tab_is_a_tab_without_a_suggestion(builtin: Callable[..., Any]) -> None:
    editor = builtin("x$0", RETURN)
    editor.type("<Tab>y")
    editor.wait_text("x\ty")


def test_a_word_is_accepted_and_the_rest_comes_again(builtin: Callable[..., Any]) -> None:
    editor = builtin("    $0", RETURN, LEFT)
    editor.type("return ")
    editor.wait_ghost("left + right")
    editor.type("<M-Right>")
    editor.wait_text("    return left")
    editor.wait_ghost(" + right")
    (part,) = editor.received("textDocument/didPartiallyAcceptCompletion")
    assert part["acceptedLength"] == len("left")
    assert not editor.received("workspace/executeCommand")


def test_a_line_is_accepted(builtin: Callable[..., Any]) -> None:
    editor = builtin("$0", BODY)
    editor.type("def f():")
    editor.wait_ghost("\n    total = 1\n    return total")
    editor.type("<M-l>")
    editor.wait_text("def f():\n    total = 1")
    assert editor.cursor() == (2, len("    total = 1"))


def test_the_last_word_is_the_whole(builtin: Callable[..., Any]) -> None:
    editor = builtin("    $0", {"after": "return ", "text": "left"})
    editor.type("return ")
    editor.wait_ghost("left")
    editor.type("<M-Right>")
    editor.wait_text("    return left")
    assert len(editor.received("workspace/executeCommand")) == 1


def test_dismiss_key(builtin: Callable[..., Any]) -> None:
    editor = builtin("    $0", RETURN)
    editor.type("return ")
    editor.wait_ghost("left + right")
    editor.type("<C-]>")
    editor.wait_ghost("")
    assert editor.text() == "    return "
    (dismissed,) = editor.received("textDocument/didDismissCompletion")
    assert dismissed["item"]["insertText"] == "left + right"
    assert dismissed["item"]["command"]["arguments"] == ["return "]


def test_toggle_takes_it_away(builtin: Callable[..., Any]) -> None:
    editor = builtin("    $0", RETURN)
    editor.api.command("Spark toggle off")
    assert not editor.lua("return vim.lsp.inline_completion.is_enabled({ bufnr = 0 })")
    editor.api.command("Spark toggle on")
    editor.type("return ")
    editor.wait_ghost("left + right")


SEVERAL = {"after": "return ", "text": "left", "others": ["right", "left + right"]}


def test_further_candidates_are_turned_to_and_accepted(builtin: Callable[..., Any]) -> None:
    editor = builtin("    $0", SEVERAL)
    editor.type("return ")
    editor.wait_ghost("left")
    editor.type("<M-]>")  # asks by hand, and turns when the answer is there
    editor.wait_ghost("right (2/3)")
    editor.type("<M-]>")
    editor.wait_ghost("left + right (3/3)")
    editor.type("<M-]>")
    editor.wait_ghost("left (1/3)")
    editor.type("<M-[>")
    editor.wait_ghost("left + right (3/3)")
    editor.type("<Tab>")
    editor.wait_text("    return left + right")
    accepted = editor.received("workspace/executeCommand")
    assert accepted == [{"command": "spark.acceptCompletion", "arguments": ["return ", 2]}]


def test_asking_by_hand(builtin: Callable[..., Any]) -> None:
    editor = builtin("    $0", SEVERAL)
    editor.type("return ")
    editor.wait_ghost("left")
    editor.type("<M-\\>")
    asked = "textDocument/inlineCompletion"
    editor.wait("it", lambda: 1 in [params["context"]["triggerKind"] for params in editor.received(asked)])
    editor.type("<M-]>")
    editor.wait_ghost("right (2/3)")
