"""What VS Code shows if it receives the extension's messages late, with a scripted server.

Suggestions are asked for by a part of the editor that VS Code makes when the window is idle; the extension has it made
at once. On a busy machine both come late, before or after the user's keys.
"""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

pytestmark = pytest.mark.editor

Fake = Callable[..., Any]

RETURN = {"after": "return ", "text": "left + right"}
STREAM = "spark/inlineCompletionStream"
TRIGGER = "editor.action.inlineSuggest.trigger"
HEARD = count()


def asked(window: Any) -> list[int]:
    """Return the columns of the requests."""
    return [params["position"]["character"] for params in window.control.received(STREAM)]


def release(window: Any) -> None:
    """Deliver all messages to VS Code, and wait until it has processed them."""
    window.wait("the extension's word", window.late.holds)
    window.late.release()
    message = f"Heard {next(HEARD)}."
    window.control.send("fake/status", kind="Normal", busy=False, message=message)
    window.wait_status(message)


def test_a_file_that_is_opened_asks_nobody(fake_vscode: Fake) -> None:
    window = fake_vscode("return $0", RETURN, late=True)
    release(window)
    window.late.idle()
    window.press("End")
    assert asked(window) == []
    assert window.ghost() == ""


def test_a_question_in_flight_outlives_what_comes_late(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", RETURN | {"held": True}, late=True)
    window.late.idle()
    window.type("return ")
    window.wait_request("return ")
    release(window)
    window.control.send("fake/next", after="return ")
    window.wait_ghost("left + right")
    assert asked(window).count(len("return ")) == 1


def test_keys_that_nobody_heard_are_asked_for_late(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", RETURN, late=True)
    window.type("return ")
    window.wait("the keys", lambda: "Ln 1, Col 8" in window.bar())
    assert asked(window) == []
    release(window)
    window.wait_ghost("left + right")
    assert asked(window) == [len("return ")]
    window.press("Tab")
    window.wait_text("module.txt", "return left + right")


def test_a_place_that_was_left_is_not_asked_for_late(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", RETURN, late=True)
    window.type("return ")
    window.press("ArrowLeft", "ArrowRight")
    window.wait("the cursor there", lambda: "Ln 1, Col 8" in window.bar())
    release(window)
    assert asked(window) == []
    assert window.ghost() == ""


def test_where_the_user_has_switched_suggestions_off_keys_ask_nobody(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", RETURN, late=True, settings={"editor.inlineSuggest.enabled": False})
    window.type("ret")
    release(window)
    window.type("urn ")
    window.wait("the keys", lambda: "Ln 1, Col 8" in window.bar())
    assert asked(window) == []
    window.ask()
    window.wait_ghost("left + right")


GROWING = {"after": "= ", "text": "one + two", "chunks": ["one"]}


def show_and_hold(window: Any) -> None:
    """Show a text; VS Code does not know yet that there is more of it."""
    window.type("x = ")
    window.wait_request("= ")
    window.control.send("fake/next", after="= ")
    window.wait_ghost("one")
    window.late.hold(TRIGGER)
    window.control.send("fake/next", after="= ")
    window.wait("the extension's word", window.late.holds)


def test_a_key_against_the_text_is_asked_for_though_more_comes_late(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", GROWING, {"after": "= z", "text": "ebra", "held": True}, late=True)
    release(window)
    show_and_hold(window)
    window.type("z")
    window.wait_request("= z")
    window.late.release()
    window.control.send("fake/next", after="= z")
    window.wait_ghost("ebra")


def dismissed(window: Any) -> list[str]:
    notices = window.control.received("textDocument/didDismissCompletion")
    return [params["item"]["insertText"] for params in notices]


def test_a_dismissed_text_does_not_come_back_with_what_comes_late(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", GROWING, {"after": "a", "text": "bc"}, late=True)
    release(window)
    window.type("a")
    window.wait_ghost("bc")
    window.press("Escape")  # the first one waits for a word of the extension
    window.wait("the dismissal", lambda: dismissed(window) == ["bc"])
    show_and_hold(window)
    window.watch()
    window.press("Escape")
    window.wait("the dismissal", lambda: dismissed(window) == ["bc", "one + two"])
    release(window)
    window.wait("a frame without it", lambda: window.watched()[-1] == "")
    assert window.watched() in (["one", ""], [""])


def test_a_text_that_was_left_does_not_come_back_with_what_comes_late(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", GROWING, late=True)
    release(window)
    show_and_hold(window)
    window.press("Home")
    window.wait_ghost("")
    window.watch()
    times = len(asked(window))
    window.press("End")
    release(window)
    assert window.watched() == [""]
    assert len(asked(window)) == times
