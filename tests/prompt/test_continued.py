"""Typing goes on in the prompt that the model has prefilled: what that costs, and that it is the document's text."""

import asyncio
from dataclasses import replace
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.harness.fixture import parse_fixture
from spark_lsp.engine.base import EngineStatus, PrefillCost, Usage
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.index.store import Index
from spark_lsp.prompt.continued import continued_window, unread_tokens
from spark_lsp.prompt.pack import Packed
from spark_lsp.prompt.window import Window
from spark_lsp.text.edit import Span
from tests.support.workspace import TestWorkspace, indexed, snapshot_of

SLOW = PrefillCost(6.0, 0.0)  # of the 0.5B model on two cores
ABOVE = "".join(f"def area_{number}(width, height):\n    return width * height\n\n\n" for number in range(30))
BELOW = "".join(f"\n\ndef edge_{number}(width):\n    return width\n" for number in range(20))
TYPED = (
    "def total(boxes):\n    found = 0\n    for box in boxes:\n        found += area_1(box.w, box.h)\n    return found\n"
)


async def _open(index: Index | None = None) -> TestWorkspace:
    workspace = TestWorkspace(ScriptedEngine(["x"], family="qwen2.5-coder", fim_order="psm"), index=index)
    await workspace.engine.start()
    workspace.context.learn(Usage(prefill_cost=SLOW))
    return workspace


async def _type(workspace: TestWorkspace, typed: str) -> list[tuple[Packed, int]]:
    """Return the prompt of each key with what of it the model had to prefill."""
    last: Packed | None = None
    keys = []
    for end in range(len(typed) + 1):
        text = ABOVE + typed[:end] + BELOW
        packed = await workspace.prompts.pack_for(snapshot_of("box.py", text), len(ABOVE) + end)
        keys.append((packed, unread_tokens(packed, last, workspace.context.model.order)))
        last = packed
    return keys


async def test_a_key_prefills_what_was_typed_whatever_line_it_is_on() -> None:
    workspace = await _open()
    first, *keys = await _type(workspace, TYPED)
    assert first[1] > 64
    assert max(unread for _, unread in keys) <= 4
    assert "".join(part.text for part in keys[-1][0].parts).count("def total(boxes):") == 1


async def test_a_key_that_goes_on_looks_for_no_better_prompt() -> None:
    workspace = await _open()
    keys = await _type(workspace, TYPED)
    searched = [packed.gather_ms > 0 for packed, _ in keys]
    assert searched == sorted(searched, reverse=True)  # none after the first that goes on behind a better one
    assert searched[0]
    assert searched.count(False) > len(TYPED) / 2


async def test_a_machine_that_prefills_in_time_gets_the_best_prompt_at_each_key() -> None:
    workspace = await _open()
    workspace.context.learn(Usage(prefill_cost=PrefillCost(0.01, 0.0)))
    await _type(workspace, TYPED)
    best = await workspace.context.pack_for(snapshot_of("box.py", ABOVE + TYPED + BELOW), len(ABOVE + TYPED))
    shown = workspace.prompts.shown(snapshot_of("box.py", ABOVE + TYPED + BELOW), len(ABOVE + TYPED))
    assert shown == replace(best, gather_ms=shown.gather_ms, pack_ms=shown.pack_ms) if shown else False


async def test_the_better_prompt_is_prefilled_in_a_pause_and_used_from_then_on() -> None:
    workspace = await _open()
    await _type(workspace, TYPED * 3)
    snapshot = snapshot_of("box.py", ABOVE + TYPED * 3 + BELOW)
    offset = len(ABOVE + TYPED * 3)
    assert workspace.prompts.is_behind(snapshot.uri)
    (best,) = await workspace.prompts.to_prefill(snapshot, offset)
    workspace.prompts.prefilled(snapshot, offset, best)
    assert not workspace.prompts.is_behind(snapshot.uri)
    later = await workspace.prompts.pack_for(snapshot, offset)
    assert unread_tokens(later, best, "psm") == 0


def _shapes(folder: Path) -> tuple[Index, str]:
    """Return an index with much that a document uses, and the document."""
    shapes = "".join(f"def shape_{number}(width, height, depth):\n    return width\n\n\n" for number in range(40))
    uses = "".join(f"shape_{number}(1, 2, 3)\n" for number in range(40))
    return indexed(parse_fixture(f"#- shapes.py\n{shapes}#- box.py\n$0\n"), folder), f"from shapes import *\n{uses}"


async def test_a_new_place_gets_the_window_alone_before_the_rest_is_prefilled(tmp_path: Path) -> None:
    index, text = _shapes(tmp_path)
    workspace = await _open(index)
    small, best = await workspace.prompts.to_prefill(snapshot_of("box.py", text), len(text))
    assert {segment.kind for segment in small.segments} <= {"header", "prefix", "suffix"}
    assert "definition" in {segment.kind for segment in best.segments}
    assert unread_tokens(small, None, "psm") < unread_tokens(best, None, "psm")


async def test_the_first_prompt_is_small_where_the_engine_measured_that_prefill_is_slow(tmp_path: Path) -> None:
    class SlowEngine(ScriptedEngine):
        async def status(self) -> EngineStatus:
            return msgspec.structs.replace(await super().status(), prefill_cost=SLOW)

    index, text = _shapes(tmp_path)
    workspace = TestWorkspace(SlowEngine(["x"], family="qwen2.5-coder", fim_order="psm"), index=index)
    await workspace.engine.start()
    packed = await workspace.prompts.pack_for(snapshot_of("box.py", text), len(text))
    assert {segment.kind for segment in packed.segments} <= {"header", "prefix", "suffix"}


async def test_an_engine_that_was_lost_has_prefilled_nothing() -> None:
    workspace = await _open()
    await _type(workspace, "x = 1\n")
    workspace.context.prefix.engine_lost()
    snapshot = snapshot_of("box.py", ABOVE + "x = 1\n" + BELOW)
    packed = await workspace.prompts.pack_for(snapshot, len(ABOVE) + 6)
    assert unread_tokens(packed, None, "psm") > 64


TEXTS = st.text(st.sampled_from("ab \n(é\U0001f600"), max_size=60)


@given(TEXTS, TEXTS, TEXTS, st.data())
@settings(deadline=None)
def test_a_continued_window_is_always_text_around_the_cursor(
    before: str, typed: str, after: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(before)))
    end = data.draw(st.integers(0, len(after)))
    old = Window(Span(start, len(before)), Span(len(before), len(before) + end), 0, 0)
    spans = continued_window(old, before + after, before + typed + after, len(before + typed))
    assert spans == (Span(start, len(before + typed)), Span(len(before + typed), len(before + typed) + end))


@given(TEXTS, TEXTS, st.data())
@settings(deadline=None)
def test_a_window_never_continues_where_the_cursor_is_not_within_it(old: str, new: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(old)))
    offset = data.draw(st.integers(0, len(new)))
    spans = continued_window(Window(Span(0, cut), Span(cut, len(old)), 0, 0), old, new, offset)
    if spans is not None:
        prefix, suffix = spans
        assert prefix.end == suffix.start == offset
        assert prefix.start >= 0
        assert suffix.end <= len(new)


def test_lines_typed_in_the_middle_of_a_word_are_continued() -> None:
    async def work() -> None:
        workspace = await _open()
        keys = await _type(workspace, "width_of_box = area_1(2, 3)")
        for packed, _ in keys:
            window = packed.window
            assert window.begun.text(ABOVE + "width_of_box = area_1(2, 3)").endswith(
                (ABOVE + "width_of_box = area_1(2, 3)")[window.begun.start : window.prefix.end]
            )
            assert sum(segment.tokens for segment in packed.segments) == packed.tokens

    asyncio.run(work())
