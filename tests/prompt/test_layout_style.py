"""What a real model is shown besides signatures: similar lines, and the file's own imports above the window."""

from pathlib import Path

import pytest
from msgspec import structs

from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.prompt.layout_style import PLAIN, RICH, similar_snippets_for, style_of
from spark_lsp.prompt.pack import Packed
from tests.prompt.check import packed_for

STATE = "    emit_change(stage, request)\n    notify_listeners(request, stage)\n    remember_outcome(request, stage)\n"
FILLER = "".join(f"def step_{number}(value):\n    return value + {number}\n\n" for number in range(40))
SHOP = f"""
#- shop/bus.py
def emit_change(*values): ...
def notify_listeners(*values): ...
def remember_outcome(*values): ...
#- shop/sending.py
from shop.bus import emit_change, notify_listeners, remember_outcome

def send(request, stage):
{STATE}    close_ledger(stage)
#- shop/main.py
import os
from shop.bus import emit_change, notify_listeners, remember_outcome

{FILLER}
def receive(request, stage):
    emit_change(stage, request)
    notify_listeners(request, stage)
    remember_outcome(request, stage)
    $0
"""


async def _packed(folder: Path, tokens: int = 700, *, cached_prefix: bool = False) -> Packed:
    return await packed_for(SHOP, folder, tokens=tokens, cached_prefix=cached_prefix)


async def test_lines_that_go_on_from_code_like_this_come_right_before_the_window(tmp_path: Path) -> None:
    packed = await _packed(tmp_path)
    kinds = [segment.kind for segment in packed.segments]
    assert kinds[-4:] == ["similar", "imports", "prefix", "suffix"]
    similar = packed.segments[-4]
    assert similar.path == "shop/sending.py"
    assert "close_ledger(stage)" in similar.text, "what follows is why it is shown"


async def test_imports_of_the_workspace_above_the_window_are_shown_and_others_not(tmp_path: Path) -> None:
    packed = await _packed(tmp_path)
    opening = next(segment for segment in packed.segments if segment.kind == "imports")
    assert opening.text == "from shop.bus import emit_change, notify_listeners, remember_outcome\n\n"
    assert opening.start_line == 2
    assert "import os" not in packed.text


async def test_imports_that_the_window_shows_are_shown_once(tmp_path: Path) -> None:
    packed = await _packed(tmp_path, tokens=4000)
    prefix = next(segment for segment in packed.segments if segment.kind == "prefix")
    assert "from shop.bus import emit_change" in prefix.text
    assert all(segment.kind != "imports" for segment in packed.segments)


@pytest.mark.parametrize("tokens", [200, 300, 500, 900])
async def test_the_budget_is_kept_with_all_of_it(tmp_path: Path, tokens: int) -> None:
    packed = await _packed(tmp_path, tokens)
    assert packed.tokens <= packed.budget_tokens
    assert packed.tokens == sum(segment.tokens for segment in packed.segments)


async def test_a_definition_that_the_lines_alike_show_is_not_shown_twice(tmp_path: Path) -> None:
    packed = await _packed(tmp_path)
    similar = packed.segments[-4]
    others = [
        segment.text for segment in packed.segments if segment.kind == "definition" and segment.path == similar.path
    ]
    assert not any(line in similar.text for text in others for line in text.split("\n"))


async def test_what_a_cached_prefix_shows_whole_is_not_shown_again(tmp_path: Path) -> None:
    packed = await _packed(tmp_path, tokens=2000, cached_prefix=True)
    assert packed.text.count("close_ledger(stage)") == 1


async def test_the_embedded_model_keeps_the_signatures_that_it_was_trained_on() -> None:
    engine = ScriptedEngine(["x"], family="qwen2.5-coder")
    model = await engine.start()
    names = ("spark-nano", "Qwen2.5 Coder 0.5B Instruct", "StarCoder2 3B")
    assert [style_of(structs.replace(model, name=name)) for name in names] == [PLAIN, RICH, RICH]


def test_no_pieces_are_looked_for_where_none_are_shown() -> None:
    assert similar_snippets_for(1000, PLAIN) == 0
    assert similar_snippets_for(1000, RICH) > 1
