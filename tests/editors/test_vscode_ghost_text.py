"""What VS Code shows, keeps and removes with the extension, with a scripted server."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.editor

Fake = Callable[..., Any]

RETURN = {"after": "return ", "text": "left + right"}
STREAM = "spark/inlineCompletionStream"
ACCEPT_LINE = "Control+Alt+L"  # bound in browser.KEYS


def test_typing_shows_ghost_text_and_tab_accepts(fake_vscode: Fake) -> None:
    window = fake_vscode("def f():\n    $0", RETURN)
    window.type("return ")
    window.wait_ghost("left + right")
    window.press("Tab")
    window.wait_text("module.txt", "def f():\n    return left + right")
    window.wait("acceptance", lambda: window.control.received("workspace/executeCommand"))
    accepted = window.control.received("workspace/executeCommand")
    assert accepted == [{"command": "spark.acceptCompletion", "arguments": ["return "]}]
    shown = window.control.received("textDocument/didShowCompletion")
    assert [params["item"]["insertText"] for params in shown] == ["left + right"]


def test_lines_below_the_cursor(fake_vscode: Fake) -> None:
    window = fake_vscode("$0\nend", {"after": "):", "text": "\n    total = 1\n    return total"})
    window.type("def f():")
    window.wait_ghost("\n    total = 1\n    return total")
    window.press("Tab")
    window.wait_text("module.txt", "def f():\n    total = 1\n    return total\nend")


def test_a_line_is_accepted_and_the_next_one_stays(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", {"after": "= ", "text": "[\n    1,\n]"})
    window.type("x = ")
    window.wait_ghost("[\n    1,\n]")
    window.press(ACCEPT_LINE)
    window.wait_text("module.txt", "x = [\n")
    window.wait_ghost("    1,\n]")
    window.press("Tab")  # before the text of a line it indents
    window.wait_ghost("1,\n]")
    window.press("Tab")
    window.wait_text("module.txt", "x = [\n    1,\n]")


def test_it_grows_while_it_streams_and_never_flickers(fake_vscode: Fake) -> None:
    steps = ["one", "one + two", "one + two +\n  three", "one + two +\n  three + four"]
    window = fake_vscode("$0", {"after": "= ", "text": steps[-1], "chunks": steps[:-1]})
    window.watch()
    window.type("x = ")
    window.wait_request("= ")
    for shown in steps:
        window.control.send("fake/next", after="= ")
        window.wait_ghost(shown)
    window.wait("the last step in a frame", lambda: window.watched()[-1] == steps[-1])
    seen = window.watched()
    first = seen.index(steps[0])
    assert all(text.startswith(steps[0]) for text in seen[first:]), "it never went away, not for one frame"
    assert [text for text in seen if text in steps] == steps
    assert len(window.control.received("textDocument/didShowCompletion")) == 1
    assert not window.control.received("textDocument/inlineCompletion")
    window.press("Tab")
    window.wait_text("module.txt", "x = " + steps[-1])


def test_it_grows_while_it_is_typed_through(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", {"after": "= ", "text": "one + two", "chunks": ["one"]})
    window.type("x = ")
    window.wait_request("= ")
    window.control.send("fake/next", after="= ")
    window.wait_ghost("one")
    asked = len(window.control.received(STREAM))
    window.type("on")
    window.wait_ghost("e")
    window.control.send("fake/next", after="= ")
    window.wait_ghost("e + two")
    assert len(window.control.received(STREAM)) == asked, "the stream went on while its text was typed"
    window.press("Tab")
    window.wait_text("module.txt", "x = one + two")


def test_a_part_is_accepted_while_it_grows(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", {"after": "= ", "text": "one + two", "chunks": ["one +"]})
    window.type("x = ")
    window.wait_request("= ")
    window.control.send("fake/next", after="= ")
    window.wait_ghost("one +")
    window.press("Control+ArrowRight")
    window.wait_text("module.txt", "x = one")
    window.control.send("fake/next", after="= ")
    window.wait_ghost(" + two")


def test_escape_ends_what_grows(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", {"after": "= ", "text": "one + two", "chunks": ["one"]})
    window.type("x = ")
    window.wait_request("= ")
    window.control.send("fake/next", after="= ")
    window.wait_ghost("one")
    window.watch()
    window.press("Escape")
    window.wait("the stream to be taken back", lambda: not window.control.is_waiting("= "))
    window.wait_ghost("")
    window.wait("the dismissal", lambda: window.control.received("textDocument/didDismissCompletion"))
    (dismissed,) = window.control.received("textDocument/didDismissCompletion")
    assert dismissed["item"]["insertText"] == "one"
    assert dismissed["item"]["command"]["arguments"] == ["= "]
    window.type("y")
    window.wait_text("module.txt", "x = y")
    assert window.watched() in (["one", ""], [""])


def test_escape_of_a_finished_text_is_told_too(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", RETURN)
    window.type("return ")
    window.wait_ghost("left + right")
    window.press("Escape")
    window.wait("the dismissal", lambda: window.control.received("textDocument/didDismissCompletion"))
    (dismissed,) = window.control.received("textDocument/didDismissCompletion")
    assert dismissed["item"]["insertText"] == "left + right"
    window.wait_ghost("")


def test_typing_something_else_takes_it_back(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", {"after": "= ", "text": "one + two", "chunks": ["one"]})
    window.type("x = ")
    window.wait_request("= ")
    window.control.send("fake/next", after="= ")
    window.wait_ghost("one")
    window.type("z")
    window.wait("the stream to be taken back", lambda: not window.control.is_waiting("= "))
    window.wait_ghost("")


def test_moving_away_takes_it_back(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", {"after": "= ", "text": "one + two", "chunks": ["one"]})
    window.type("x = ")
    window.wait_request("= ")
    window.control.send("fake/next", after="= ")
    window.wait_ghost("one")
    window.press("Home")
    window.wait("the stream to be taken back", lambda: not window.control.is_waiting("= "))
    window.wait_ghost("")


def test_a_closing_bracket_that_is_there_is_inserted_once(fake_vscode: Fake) -> None:
    settings = {"editor.autoClosingBrackets": "always"}
    window = fake_vscode("$0", {"after": "add(", "text": "1, 2)", "rear": 1}, settings=settings)
    window.type("add(")
    window.wait_ghost("1, 2")
    window.press("Tab")
    window.wait_text("module.txt", "add(1, 2)")


def test_a_server_without_streams_is_asked_the_standard_way(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", RETURN, stream=False)
    window.type("return ")
    window.wait_ghost("left + right")
    assert window.control.received("textDocument/inlineCompletion")
    window.press("Tab")
    window.wait_text("module.txt", "return left + right")


def test_a_cursor_that_rests_is_told_and_typing_is_not(fake_vscode: Fake) -> None:
    window = fake_vscode("one = 1\ntwo = 2\n$0", RETURN)

    def places() -> list[tuple[int, int]]:
        notices = window.control.received("textDocument/didFocus")
        return [(params["position"]["line"], params["position"]["character"]) for params in notices]

    window.press("ArrowUp")
    window.press("ArrowUp")
    window.wait("the place where it rests", lambda: (0, 0) in places())
    assert (1, 0) not in places()  # only passed
    count = len(places())
    window.type("return ")
    window.wait_ghost("left + right")
    assert len(places()) == count


def test_the_very_first_key_is_answered(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", {"after": "a", "text": "bc"})
    window.type("a")
    window.wait_ghost("bc")


SEVERAL = {"after": "= ", "text": "one", "others": ["two", "one + two"]}
NEXT, PREVIOUS = "Alt+BracketRight", "Alt+BracketLeft"


def kinds(window: Any) -> list[int]:
    """Return how each request was triggered: 1 by hand, 2 while typing."""
    return [params["context"]["triggerKind"] for params in window.control.received(STREAM)]


def test_further_candidates_are_turned_to_and_accepted(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", SEVERAL)
    window.type("x = ")
    window.wait_ghost("one")
    assert 1 not in kinds(window)
    window.press(NEXT)  # VS Code asks by hand for what else there is, and turns
    window.wait_ghost("two")
    window.press(NEXT)
    window.wait_ghost("one + two")
    window.press(NEXT)
    window.wait_ghost("one")
    window.press(PREVIOUS)
    window.wait_ghost("one + two")
    assert kinds(window).count(1) == 1
    window.press(PREVIOUS)
    window.wait_ghost("two")
    window.press("Tab")
    window.wait_text("module.txt", "x = two")
    window.wait("acceptance", lambda: window.control.received("workspace/executeCommand"))
    accepted = window.control.received("workspace/executeCommand")
    assert accepted == [{"command": "spark.acceptCompletion", "arguments": ["= ", 1]}]


def test_what_was_asked_by_hand_grows_and_then_offers_the_others(fake_vscode: Fake) -> None:
    window = fake_vscode("x = $0", SEVERAL | {"text": "one + three", "chunks": ["one"]})
    window.ask()
    window.wait_request("= ")
    window.control.send("fake/next", after="= ")
    window.wait_ghost("one")
    window.watch()
    window.control.send("fake/next", after="= ")
    window.wait_ghost("one + three")
    assert all(text.startswith("one") for text in window.watched())
    window.press(NEXT)
    window.wait_ghost("two")
    window.type("tw")
    window.wait_ghost("o")
    window.press("Tab")
    window.wait_text("module.txt", "x = two")


ENTRY = "print_total"


def open_menu(window: Any) -> None:
    """Open the word completion menu, and wait until an entry is selected."""
    window.press("Control+Space")
    window.page.locator(".suggest-widget .monaco-list-row.focused", has_text=ENTRY).wait_for()


def test_behind_the_chosen_entry_of_the_menu(fake_vscode: Fake) -> None:
    behind = {"after": "pri", "chosen": ENTRY, "text": f"{ENTRY}(items)"}
    window = fake_vscode(f"{ENTRY}\n$0", behind, {"after": ENTRY, "text": "(items)"})
    window.type("pri")
    open_menu(window)
    window.wait_ghost("nt_total(items)")
    (asked,) = window.control.received("textDocument/inlineCompletion")
    assert asked["context"]["selectedCompletionInfo"] == {
        "range": {"start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 3}},
        "text": ENTRY,
    }
    window.press("Tab")  # the entry; what is behind it stays
    window.wait_text("module.txt", f"{ENTRY}\n{ENTRY}")
    window.wait_ghost("(items)")
    window.press("Tab")
    window.wait_text("module.txt", f"{ENTRY}\n{ENTRY}(items)")
    window.wait("acceptance", lambda: window.control.received("workspace/executeCommand"))
    assert window.control.received("workspace/executeCommand")[0]["command"] == "spark.acceptCompletion"


def test_what_does_not_continue_the_chosen_entry_is_not_shown(fake_vscode: Fake) -> None:
    changed = {"after": "pri", "chosen": ENTRY, "text": "prime"}
    window = fake_vscode(f"{ENTRY}\n$0", changed, {"after": "pri", "text": "me"})
    window.type("pri")
    window.wait_ghost("me")
    window.watch()
    open_menu(window)
    window.wait("the question", lambda: window.control.received("textDocument/inlineCompletion"))
    window.wait_ghost("")
    window.press("Escape")  # the menu goes
    window.wait_ghost("me")
    assert set(window.watched()) == {"me", ""}


def test_what_grows_behind_an_open_menu_is_shown_when_it_closes(fake_vscode: Fake) -> None:
    growing = {"after": "pri", "text": "me + two", "chunks": ["me"]}
    window = fake_vscode(f"{ENTRY}\n$0", growing, {"after": "pri", "chosen": ENTRY, "text": f"{ENTRY}(items)"})
    window.type("pri")
    window.wait_request("pri")
    window.control.send("fake/next", after="pri")
    window.wait_ghost("me")
    open_menu(window)
    window.wait_ghost("nt_total(items)")
    window.watch()
    window.control.send("fake/next", after="pri")
    window.control.send("fake/status", kind="Normal", busy=False, message="Written.")
    window.wait_status("Written.")
    assert window.watched() == ["nt_total(items)"]
    window.press("Escape")
    window.wait_ghost("me + two")
