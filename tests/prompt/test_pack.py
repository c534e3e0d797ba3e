"""Packing: what is in a prompt, in which order, and within which budget."""

import tempfile
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spark_lsp.engine.base import SpecialToken
from spark_lsp.engine.fim import FAMILIES
from spark_lsp.prompt.html_page import as_html
from spark_lsp.prompt.json_report import as_json
from spark_lsp.prompt.pack import WORTH_READING, worth_reading
from tests.prompt.check import packed_for, summary
from tests.support.expect import expect

SHOP = """
#- shop/cart.py
class Cart:
    def __init__(self, owner):
        self.owner = owner
        self.lines = []

    def add(self, item, count):
        self.lines.append((item, count))

    def total(self):
        return sum(item.price * count for item, count in self.lines)
#- shop/item.py
class Item:
    def __init__(self, name, price):
        self.name = name
        self.price = price
#- shop/main.py
from shop.cart import Cart
from shop.item import Item

def buy(owner):
    cart = Cart(owner)
    cart.add($0)
    return cart.total()

def secret_after_the_cursor():
    return 42
"""


async def test_small_workspace_is_shown_whole(tmp_path: Path) -> None:
    packed = await packed_for(SHOP, tmp_path)
    expect(
        summary(packed),
        """
        header     -                  w
        file       shop/cart.py:1-10  class Cart:
        file       shop/item.py:1-4   class Item:
        prefix     shop/main.py:1-6   from shop.cart import Cart
        suffix     shop/main.py:6-10  )
        """,
    )


async def test_small_budget_prefers_signatures(tmp_path: Path) -> None:
    packed = await packed_for(SHOP, tmp_path, tokens=260)
    kinds = {segment.path: segment.kind for segment in packed.segments if segment.path != "shop/main.py"}
    assert kinds.get("shop/cart.py") in ("signature", "definition")
    assert packed.tokens <= 260


async def test_without_a_cached_prefix_the_snippets_hold_what_the_cursor_needs(tmp_path: Path) -> None:
    packed = await packed_for(SHOP, tmp_path, cached_prefix=False)
    shown = "\n".join(segment.text for segment in packed.segments if segment.kind in {"definition", "similar"})
    assert "def add(self, item, count)" in shown
    assert "class Cart" in shown


async def test_a_definition_in_a_language_that_the_cursor_cannot_use_is_not_shown(tmp_path: Path) -> None:
    shop = """
    #- web/cart.ts
    export class Cart { addLine(item: string): void {} }
    #- shop/cart.py
    class Cart:
        def add_line(self, item): ...
    #- shop/main.py
    from shop.cart import Cart
    cart = Cart()
    cart.addLine($0)
    """
    packed = await packed_for(dedent(shop), tmp_path, cached_prefix=False)
    paths = {segment.path for segment in packed.segments}
    assert "shop/cart.py" in paths
    assert "web/cart.ts" not in paths


async def test_current_file_is_never_a_segment_of_its_own(tmp_path: Path) -> None:
    packed = await packed_for(SHOP, tmp_path)
    assert packed.text.count("secret_after_the_cursor") == 1
    assert all(s.kind in ("prefix", "suffix") for s in packed.segments if s.path == "shop/main.py")


async def test_special_tokens_in_files_stay_plain_text(tmp_path: Path) -> None:
    text = SHOP.replace("return 42", 'return "<|fim_middle|>"')
    packed = await packed_for(text, tmp_path)
    assert packed.parts.count(SpecialToken("<|fim_middle|>")) == 1


async def test_same_inputs_give_the_same_prompt(tmp_path: Path) -> None:
    first = await packed_for(SHOP, tmp_path / "a")
    second = await packed_for(SHOP, tmp_path / "b")
    assert first.parts == second.parts


@pytest.mark.parametrize("family", [family.name for family in FAMILIES])
async def test_every_family_accounts_for_each_token(family: str, tmp_path: Path) -> None:
    packed = await packed_for(SHOP, tmp_path, family=family)
    assert packed.tokens == sum(segment.tokens for segment in packed.segments)
    assert all(segment.tokens >= 0 for segment in packed.segments)


async def test_report_has_the_fields_of_the_contract(tmp_path: Path) -> None:
    packed = await packed_for(SHOP, tmp_path)
    report = as_json(packed, with_prompt=True)
    assert set(report) == {"budget", "tokens", "window", "segments", "prompt"}
    fields = {"path", "start_line", "end_line", "tokens", "kind", "part", "reason", "score", "stable", "cached"}
    assert all(set(segment) == fields for segment in report["segments"])
    assert "prompt" not in as_json(packed, with_prompt=False)
    assert "class Cart" in as_html(packed, "a <title>")
    assert "a <title>" not in as_html(packed, "a <title>")


NAMES = st.sampled_from(["alpha", "beta", "gamma", "délta"])
LINES = st.one_of(
    st.builds("def {}({}):\n    return {}".format, NAMES, NAMES, NAMES),
    st.builds("{} = {}({})".format, NAMES, NAMES, NAMES),
    st.builds("x = '{}'".format, st.text(alphabet="ab \u4e2d\U0001f600", max_size=200)),
    st.just(""),
)
FILES = st.lists(LINES, min_size=1, max_size=30).map("\n".join)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(FILES, min_size=1, max_size=5), st.integers(64, 3000), st.integers(0, 10_000), st.data())
async def test_a_budget_is_never_exceeded(files: list[str], tokens: int, where: int, data: st.DataObject) -> None:
    current = files[0]
    offset = where % (len(current) + 1)
    text = f"#- main.py\n{current[:offset]}$0{current[offset:]}\n"
    text += "".join(f"#- m{number}.py\n{body}\n" for number, body in enumerate(files[1:]))
    with tempfile.TemporaryDirectory() as folder:
        packed = await packed_for(text, Path(folder), tokens=tokens)
    assert packed.tokens <= tokens
    assert packed.tokens == sum(segment.tokens for segment in packed.segments)
    assert packed.window.prefix.end == packed.window.suffix.start == offset
    stable = [segment.stable for segment in packed.segments[1:]]
    assert stable == sorted(stable, reverse=True)


@pytest.mark.parametrize(
    ("volatile_ms", "worth"), [(0.0, WORTH_READING), (240.0, WORTH_READING), (480.0, 2 * WORTH_READING), (1e9, 0.75)]
)
def test_snippets_change_more_seldom_where_prefilling_it_takes_longer(volatile_ms: float, worth: float) -> None:
    assert worth_reading(volatile_ms, 240.0) == pytest.approx(worth)
