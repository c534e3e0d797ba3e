"""What the Neovim plugin shows, keeps and removes, with a scripted server."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.editor

Fake = Callable[..., Any]

RETURN = {"after": "return ", "text": "left + right"}
BODY = {"after": "):", "text": "\n    total = 1\n    return total"}


def test_typing_shows_ghost_text_on_the_screen(fake: Fake) -> None:
    editor = fake("def add(left, right):\n    $0", RETURN)
    editor.type("return ")
    editor.wait_ghost("left + right")
    assert editor.screen(2) == "    return left + right"
    assert editor.text() == "def add(left, right):\n    return "


def test_tab_accepts_all_and_tells_the_server(fake: Fake) -> None:
    editor = fake("    $0", RETURN)
    editor.type("return ")
    editor.wait_ghost("left + right")
    editor.type("<Tab>!")
    editor.wait_text("    return left + right!")
    assert editor.ghost() == ""
    accepted = editor.received("workspace/executeCommand")
    assert accepted == [{"command": "spark.acceptCompletion", "arguments": ["return "]}]
    shown = editor.received("textDocument/didShowCompletion")
    assert [params["item"]["insertText"] for params in shown] == ["left + right"]


def test_acceptance_is_undone_in_one_step(fake: Fake) -> None:
    editor = fake("    $0", BODY)
    editor.type("def f():")
    editor.wait_ghost("\n    total = 1\n    return total")
    editor.type("<Tab><Esc>")
    editor.wait_text("    def f():\n    total = 1\n    return total")
    editor.type("u")
    editor.wait_text("    def f():")


def test_tab_is_a_tab_without_a_suggestion(fake: Fake) -> None:
    editor = fake("x$0", RETURN)
    editor.type("<Tab>y")
    editor.wait_text("x\ty")


def test_tab_indents_when_the_suggestion_is_indentation(fake: Fake) -> None:
    editor = fake("$0", {"after": " ", "text": "    pass"})
    editor.type(" ")
    editor.wait_ghost("    pass")
    editor.type("<Tab>")
    editor.wait_text(" \t")


def test_tab_keeps_the_mapping_it_had(fake: Fake) -> None:
    editor = fake("$0", RETURN)
    editor.api.command("inoremap <Tab> mapped")
    editor.type("<Tab>")
    editor.wait_text("mapped")


def test_typed_through_keeps_the_rest_without_a_new_request(fake: Fake) -> None:
    editor = fake("    $0", RETURN)
    editor.type("return ")
    editor.wait_ghost("left + right")
    asked = len(editor.received("spark/inlineCompletionStream"))
    editor.type("left")
    editor.wait_ghost(" + right")
    editor.type(" +")
    editor.wait_ghost(" right")
    assert len(editor.received("spark/inlineCompletionStream")) == asked
    editor.type("<Tab>")
    editor.wait_text("    return left + right")


def test_typing_something_else_takes_it_away(fake: Fake) -> None:
    editor = fake("    $0", RETURN)
    editor.type("return ")
    editor.wait_ghost("left + right")
    editor.type("None")
    editor.wait_ghost("")


def test_backspace_means_not_wanted(fake: Fake) -> None:
    editor = fake("    $0", RETURN)
    editor.type("return ")
    editor.wait_ghost("left + right")
    editor.type("le")
    editor.wait_ghost("ft + right")
    editor.type("<BS>")
    editor.wait_ghost("")


def test_moving_away_takes_it_away(fake: Fake) -> None:
    editor = fake("    $0", RETURN)
    editor.type("return ")
    editor.wait_ghost("left + right")
    editor.type("<Left>")
    editor.wait_ghost("")


def test_leaving_insert_mode_takes_it_away(fake: Fake) -> None:
    editor = fake("    $0", RETURN)
    editor.type("return ")
    editor.wait_ghost("left + right")
    editor.type("<Esc>")
    editor.wait_ghost("")


def test_dismiss_key(fake: Fake) -> None:
    editor = fake("    $0", RETURN)
    editor.type("return ")
    editor.wait_ghost("left + right")
    editor.type("<C-]>")
    editor.wait_ghost("")
    dismissed = editor.received("textDocument/didDismissCompletion")
    assert [params["item"]["command"]["arguments"] for params in dismissed] == [["return "]]
    editor.type("<Tab>")
    editor.wait_text("    return \t")


def test_what_goes_away_by_itself_is_not_dismissed(fake: Fake) -> None:
    editor = fake("    $0", RETURN)
    editor.type("return ")
    editor.wait_ghost("left + right")
    editor.type("<Esc>")
    editor.wait_ghost("")
    editor.type("A")
    editor.wait_ghost("left + right")
    editor.type("<Tab>")
    editor.wait_text("    return left + right")
    assert not editor.received("textDocument/didDismissCompletion")


def test_words_are_accepted_one_by_one(fake: Fake) -> None:
    editor = fake("    $0", RETURN)
    editor.type("return ")
    editor.wait_ghost("left + right")
    editor.type("<M-Right>")
    editor.wait_ghost(" + right")
    editor.type("<M-Right>")
    editor.wait_ghost(" right")
    parts = editor.received("textDocument/didPartiallyAcceptCompletion")
    assert [params["acceptedLength"] for params in parts] == [4, 6]
    assert not editor.received("workspace/executeCommand")
    editor.type("<M-Right>")
    editor.wait_text("    return left + right")
    assert len(editor.received("workspace/executeCommand")) == 1


def test_lines_are_accepted_one_by_one(fake: Fake) -> None:
    editor = fake("$0", BODY)
    editor.type("def f():")
    editor.wait_ghost("\n    total = 1\n    return total")
    editor.type("<M-l>")
    editor.wait_ghost("\n    return total")
    assert editor.text() == "def f():\n    total = 1"
    editor.type("<M-l>")
    editor.wait_text("def f():\n    total = 1\n    return total")
    assert editor.cursor() == (3, len("    return total"))


def test_accepted_length_counts_utf16_units(fake: Fake) -> None:
    editor = fake("😀 = $0", {"after": "= ", "text": "'😀é' + x"}, encoding="utf-16")
    editor.type("<BS> ")
    editor.wait_ghost("'😀é' + x")
    editor.type("<M-Right><M-Right>")
    editor.wait_ghost("' + x")
    assert [p["acceptedLength"] for p in editor.received("textDocument/didPartiallyAcceptCompletion")] == [1, 4]
    editor.type("<Tab>")
    editor.wait_text("😀 = '😀é' + x")


def test_a_closing_bracket_that_is_there_is_shown_and_inserted_once(fake: Fake) -> None:
    editor = fake("add$0)", {"after": "add(", "text": "1, 2)", "rear": 1})
    editor.type("(")
    editor.wait_ghost("1, 2")
    assert editor.screen(1) == "add(1, 2)"
    editor.type("<Tab>")
    editor.wait_text("add(1, 2)")
    assert editor.cursor() == (1, len("add(1, 2)"))


def test_the_range_may_begin_before_the_cursor(fake: Fake) -> None:
    editor = fake("$0", {"after": "ret", "text": "return 1", "before": 3})
    editor.type("ret")
    editor.wait_ghost("urn 1")
    editor.type("<Tab>")
    editor.wait_text("return 1")


def test_it_grows_while_it_streams(fake: Fake) -> None:
    editor = fake("$0", {"after": "= ", "text": "one + two + three", "chunks": ["one", "one + two"]})
    editor.type("x = ")
    editor.wait("the request", lambda: len(editor.received("spark/inlineCompletionStream")) > 1)
    for shown in ("one", "one + two", "one + two + three"):
        editor.notify("fake/next", {"after": "= "})
        editor.wait_ghost(shown)
    assert len(editor.received("textDocument/didShowCompletion")) == 1


def test_it_grows_while_it_is_typed_through(fake: Fake) -> None:
    editor = fake("$0", {"after": "= ", "text": "one + two", "chunks": ["one"]})
    editor.type("x = ")
    editor.wait("the request", lambda: len(editor.received("spark/inlineCompletionStream")) > 1)
    editor.notify("fake/next", {"after": "= "})
    editor.wait_ghost("one")
    editor.type("on")
    editor.wait_ghost("e")
    editor.notify("fake/next", {"after": "= "})
    editor.wait_ghost("e + two")
    assert not editor.received("$/cancelRequest")[1:], "the stream must go on while its text is typed"


def test_a_partial_result_that_is_no_extension_is_not_shown(fake: Fake) -> None:
    editor = fake("$0", {"after": "= ", "text": "one + two", "chunks": ["one", "other"]})
    editor.type("x = ")
    editor.wait("the request", lambda: len(editor.received("spark/inlineCompletionStream")) > 1)
    editor.notify("fake/next", {"after": "= "})
    editor.wait_ghost("one")
    editor.notify("fake/next", {"after": "= "})
    assert editor.received("fake/next")
    assert editor.ghost() == "one"
    editor.notify("fake/next", {"after": "= "})
    editor.wait_ghost("one + two")


def test_an_answer_to_older_text_is_ignored(fake: Fake) -> None:
    late = {"after": "a", "text": "stale", "held": True, "stubborn": True}
    editor = fake("$0", late, {"after": "ab", "text": "fresh"})
    editor.type("a")
    editor.wait("the first request", lambda: len(editor.received("spark/inlineCompletionStream")) > 1)
    editor.type("b")
    editor.wait_ghost("fresh")
    assert editor.received("$/cancelRequest")
    editor.notify("fake/next", {"after": "a"})
    assert editor.received("fake/next"), "the stale answer was sent before this one"
    assert editor.ghost() == "fresh"


def test_a_server_without_streams_is_asked_the_standard_way(fake: Fake) -> None:
    more = {"after": "le", "text": "ft + right"}
    editor = fake("    $0", {"after": "return ", "text": "left"}, more, stream=False)
    editor.type("return ")
    editor.wait_ghost("left")
    # Keys that came before the first refusal may have asked for a stream too; none asks after it.
    asked = len(editor.received("spark/inlineCompletionStream"))
    assert asked >= 1
    # Typed through, it is asked again, and what it adds is shown.
    editor.type("le")
    editor.wait_ghost("ft + right")
    editor.type("<Tab>")
    editor.wait_text("    return left + right")
    editor.type(" + more")
    editor.wait_text("    return left + right + more")
    assert len(editor.received("spark/inlineCompletionStream")) == asked


def test_tabs_are_drawn_as_wide_as_they_are(fake: Fake) -> None:
    editor = fake("$0", {"after": "{", "text": "\n\tx"})
    editor.api.command("setlocal tabstop=4")
    editor.type("{")
    editor.wait_ghost("\n    x")
    editor.type("<Tab>")
    editor.wait_text("{\n\tx")


def test_the_last_word_before_a_bracket_that_is_there_completes_it(fake: Fake) -> None:
    editor = fake("add$0)", {"after": "add(", "text": "1, 2)", "rear": 1})
    editor.type("(")
    editor.wait_ghost("1, 2")
    editor.type("<M-Right><M-Right><M-Right>")
    editor.wait_text("add(1, 2)")
    assert editor.cursor() == (1, len("add(1, 2)"))
    assert len(editor.received("workspace/executeCommand")) == 1


def test_an_answer_that_comes_before_the_event_of_a_change_is_not_shown(fake: Fake) -> None:
    editor = fake("$0", {"after": "a", "text": "stale", "held": True})
    editor.type("a")
    editor.wait("the request", lambda: len(editor.received("spark/inlineCompletionStream")) > 1)
    # One call: the text changes and the answer is handled before Neovim gets to tell of the change.
    editor.lua("""
    local client = vim.lsp.get_clients({ name = "spark" })[1]
    vim.api.nvim_buf_set_text(0, 0, 1, 0, 1, { "!" })
    client:notify("fake/next", { after = "a" })
    client:request_sync("fake/received", {}, 10000, 0)
    local space = vim.api.nvim_get_namespaces()["spark.ghost"]
    vim.g.drawn = space and #vim.api.nvim_buf_get_extmarks(0, space, 0, -1, {}) or 0
    """)
    assert editor.text() == "a!"
    assert editor.api.vars["drawn"] == 0


SEVERAL = {"after": "return ", "text": "left", "others": ["right", "left + right"]}


def test_further_candidates_are_turned_to_and_accepted(fake: Fake) -> None:
    editor = fake("    $0", SEVERAL)
    editor.type("return ")
    editor.wait_ghost("left")
    editor.type("<M-]>")  # asks by hand, and turns when the answer is there
    editor.wait_ghost("right")
    editor.type("<M-]>")
    editor.wait_ghost("left + right")
    editor.type("<M-]>")
    editor.wait_ghost("left")
    editor.type("<M-[>")
    editor.wait_ghost("left + right")
    shown = editor.received("textDocument/didShowCompletion")
    assert [params["item"]["insertText"] for params in shown] == ["left", "right", "left + right"]
    kinds = [params["context"]["triggerKind"] for params in editor.received("spark/inlineCompletionStream")]
    assert kinds.count(1) == 1
    editor.type("<Tab>")
    editor.wait_text("    return left + right")
    accepted = editor.received("workspace/executeCommand")
    assert accepted == [{"command": "spark.acceptCompletion", "arguments": ["return ", 2]}]


def test_what_is_typed_rules_candidates_out(fake: Fake) -> None:
    editor = fake("    $0", SEVERAL)
    editor.type("return ")
    editor.wait_ghost("left")
    editor.type("<M-]>")
    editor.wait_ghost("right")
    editor.type("<M-[>")
    editor.wait_ghost("left")
    editor.type("le")
    editor.wait_ghost("ft")
    editor.type("<M-]>")
    editor.wait_ghost("ft + right")
    editor.type("<M-]>")
    editor.wait_ghost("ft")


def test_a_candidate_is_dismissed_by_itself(fake: Fake) -> None:
    editor = fake("    $0", SEVERAL)
    editor.type("return ")
    editor.wait_ghost("left")
    editor.type("<M-]>")
    editor.wait_ghost("right")
    editor.type("<C-]>")
    editor.wait_ghost("")
    (dismissed,) = editor.received("textDocument/didDismissCompletion")
    assert dismissed["item"]["insertText"] == "right"


def test_the_only_candidate_stays(fake: Fake) -> None:
    editor = fake("    $0", RETURN)
    editor.type("return ")
    editor.wait_ghost("left + right")
    editor.type("<M-]>")
    by_hand = "spark/inlineCompletionStream"
    editor.wait("it", lambda: 1 in [params["context"]["triggerKind"] for params in editor.received(by_hand)])
    editor.wait("the answer", editor.settled_ghost)
    assert editor.ghost() == "left + right"


def test_a_key_without_candidates_is_itself(fake: Fake) -> None:
    editor = fake("x$0", RETURN)
    editor.api.command("inoremap <M-]> mapped")
    editor.type("<M-]>")
    editor.wait_text("xmapped")
