"""Typing a suggestion keeps its rest in an editor that inserts closing brackets and quotes."""

import asyncio
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.completion.brackets import OPENERS, growth_behind
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.feedback import Feedback
from spark_lsp.completion.typed_through import typed_through
from spark_lsp.engine.testing import ScriptedEngine
from tests.completion.check import cursor_of
from tests.support.workspace import TestWorkspace

HEAD = "def area(w, h):\n    return w * h\n\n\n"
PAIRS = OPENERS | {'"': '"', "'": "'"}


@dataclass
class ClosingEditor:
    """A document and its cursor, with typing as in VS Code."""

    cursor: CursorContext
    closed: int = 0
    """How many characters after the cursor the editor has inserted."""

    def key(self, char: str) -> CursorContext:
        """Type a character."""
        cursor = self.cursor
        behind = cursor.suffix
        if behind.startswith(char) and self.closed and char in PAIRS.values():
            behind, self.closed = behind[1:], self.closed - 1
        elif char in PAIRS and not behind[:1].isalnum() and not (char in "\"'" and cursor.prefix[-1:].isalnum()):
            behind, self.closed = PAIRS[char] + behind, self.closed + 1
        text = cursor.prefix + char + behind
        self.cursor = CursorContext(replace(cursor.snapshot, text=text), cursor.offset + 1)
        return self.cursor


@pytest.mark.parametrize(
    ("before", "text", "replaced", "closed"),
    [
        ("value = $0\n", "area(1, 2)", 0, 0),
        ("value = $0\n", "area([1, 2], {3: (4)}) + area(5, 6)", 0, 0),
        ("value = $0\n", 'area("one", \'two\') or ["three"]', 0, 0),
        ("value = area($0)\n", "max(1, 2), 3)", 1, 1),
        ("value = area([$0])\n", "1, 2], 3) + area(4, 5)", 2, 2),
        ("value = $0\n", "area(\n    1,\n    [2],\n)", 0, 0),
    ],
)
def test_each_key_leaves_the_rest_that_makes_the_same_document(
    before: str, text: str, replaced: int, closed: int
) -> None:
    origin = cursor_of(HEAD + before)
    editor = ClosingEditor(origin, closed)
    result = origin.prefix + text + origin.suffix[replaced:]
    for typed in range(1, len(text)):
        cursor = editor.key(text[typed - 1])
        rest, left = typed_through(origin.prefix, origin.suffix, text, replaced, cursor)
        assert rest == text[typed:]
        assert cursor.prefix + rest + cursor.suffix[left:] == result


TEXTS = st.text("ab([{}])\"', \n", max_size=12)


@given(TEXTS, TEXTS, st.integers(0, 6), st.integers(0, 6))
def test_what_is_left_always_makes_the_document_that_was_suggested(
    text: str, suffix: str, typed: int, gone: int
) -> None:
    origin = cursor_of(f"value = $0{suffix}\nprint(value)\n")
    for added in ("", ")", "])", '"', "x"):
        behind = added + origin.suffix[gone if not added else 0 :]
        cursor = CursorContext(
            replace(origin.snapshot, text=origin.prefix + text[:typed] + behind), origin.offset + typed
        )
        for replaced in range(len(suffix) + 1):
            rest, left = typed_through(origin.prefix, origin.suffix, text, replaced, cursor)
            result = origin.prefix + text + origin.suffix[replaced:]
            assert not rest or cursor.prefix + rest + cursor.suffix[left:] == result


@pytest.mark.parametrize(
    ("typed", "before", "now", "grown"),
    [
        ("f(", "\n", ")\n", 1), ("f([", "\n", "])\n", 2), ("f([", "\n", "]\n", 1), ('f("', "\n", '")\n', 2),
        ("f", "\n", ")\n", None), ("f(", "\n", "]\n", None), ("f(a)", "\n", ")\n", None),
        ("a)", ")\n", "\n", -1), ("a", ")\n", "\n", None), ("a]", ")\n", "\n", None), ("", "\n", "\n", 0),
    ],
)  # fmt: skip
def test_only_what_closes_what_was_typed_is_the_editors_own(
    typed: str, before: str, now: str, grown: int | None
) -> None:
    assert growth_behind(typed, before, now) == grown


async def test_a_suggestion_typed_with_closing_brackets_costs_one_request_and_is_no_rejection() -> None:
    engine, feedback = ScriptedEngine(["area(1, [2]) + area(3, 4)"]), Feedback()
    workspace = TestWorkspace(engine, feedback=feedback, read_ms=0.0)
    editor = ClosingEditor(cursor_of(HEAD + "value = $0\n"))
    answer = await workspace.completer.complete(editor.cursor, manual=False)
    for char in "area(1, [2]) + area(3, 4":
        assert answer.suggestion is not None
        cursor = editor.key(char)
        workspace.completer.changed(cursor)
        answer = await workspace.completer.complete(cursor, manual=False)
        suggestion = answer.suggestion
        assert suggestion is not None
        assert (
            cursor.prefix + suggestion.text + cursor.suffix[suggestion.replaced :]
            == HEAD + "value = area(1, [2]) + area(3, 4)\n"
        )
    assert (len([request for request in engine.requests if not request.priority]), feedback.rejected_count) == (1, 0)
    await workspace.completer.close()


async def test_a_running_stream_is_adopted_behind_a_bracket_that_the_editor_closes() -> None:
    engine = ScriptedEngine(["area(1, 2)"], chunk_chars=2)
    engine.hold()
    workspace = TestWorkspace(engine)
    editor = ClosingEditor(cursor_of(HEAD + "value = $0\n"))
    first = asyncio.create_task(workspace.completer.complete(editor.cursor, manual=False))
    await engine.arrived.wait()
    engine.step(1)
    first.cancel()
    for char in "area(":
        workspace.completer.changed(editor.key(char))
    second = asyncio.create_task(workspace.completer.complete(editor.cursor, manual=False))
    engine.release()
    answer = await second
    assert answer.suggestion is not None
    assert (answer.suggestion.text, answer.suggestion.replaced) == ("1, 2)", 1)
    assert len(engine.requests) == 1
    await workspace.completer.close()
