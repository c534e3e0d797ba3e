"""The page of a prompt: every segment is on it, a click shows its code, and it needs nothing from outside."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.prompt.html_page import as_html
from spark_lsp.prompt.treemap import Box, tiles
from spark_lsp.text.printable import is_control
from spark_lsp.trace import TraceRecord
from tests.prompt.check import packed_for
from tests.prompt.test_pack import SHOP

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
REQUESTS = (
    TraceRecord(
        name="inlineCompletion",
        reason="ok",
        started_s=0.0,
        total_ms=120.0,
        stages_ms={"gather": 4.0, "pack": 2.0, "first <token>": 90.0},
        facts={},
    ),
)

PRESS_EVERY_LABEL = """
<script>
const seen = [...document.querySelectorAll('main label')].map(label => {
  label.click();
  const open = [...document.querySelectorAll('article')].filter(each => getComputedStyle(each).display !== 'none');
  const code = open.map(each => each.querySelector('pre').innerText);
  return [label.htmlFor.slice(1), open.map(each => each.id.slice(1)), code];
});
const map = document.querySelector('.map').getBoundingClientRect();
const drawn = [...document.querySelectorAll('.map label')].map(each => each.getBoundingClientRect());
const area = drawn.reduce((sum, each) => sum + each.width * each.height, 0) / (map.width * map.height);
document.title = JSON.stringify({seen, area, wide: document.documentElement.scrollWidth <= innerWidth});
</script>
"""


async def test_every_piece_is_on_the_page_with_its_reason(tmp_path: Path) -> None:
    packed = await packed_for(SHOP, tmp_path, cached_prefix=False)
    page = as_html(packed, "Context of <shop>", REQUESTS)
    text = unescape(re.sub(r"<[^>]+>", " ", page))
    for segment in packed.segments:
        assert segment.path in text
        assert segment.reason in text
        assert segment.text.strip() in text
    assert "first <token>: 90.0 ms" in unescape(page)


async def test_no_text_of_a_file_reorders_a_line_of_the_page(tmp_path: Path) -> None:
    evil = SHOP.replace("return 42", "return '\u202e\u2066\x1b[31m\x9b31m\u200f'")
    page = as_html(await packed_for(evil, tmp_path, cached_prefix=False), "\u202epage")
    assert not [char for char in page if is_control(char)]
    assert "\\u202e" in page


async def test_nothing_of_a_file_becomes_markup_and_nothing_is_fetched(tmp_path: Path) -> None:
    evil = SHOP.replace("return 42", "return '</pre><script src=https://example.org/x.js></script>'")
    page = as_html(await packed_for(evil, tmp_path), "</title><script>", REQUESTS)
    assert "<script" not in page
    assert not re.search(r"<(?:link|img|iframe|object|embed)\b|url\(|@import", page)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
async def test_a_click_on_a_tile_shows_its_code(tmp_path: Path) -> None:
    packed = await packed_for(SHOP, tmp_path / "w", cached_prefix=False)
    place = tmp_path / "page.html"
    page = as_html(packed, "Context", REQUESTS)
    place.write_text(page.replace("</body>", PRESS_EVERY_LABEL + "</body>"), "utf-8")
    command = [
        *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"),
        *("--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1200,900", "--dump-dom", place.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)  # noqa: ASYNC221 - nothing waits
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title, done.stderr[-2000:]
    data = json.loads(unescape(title[1]))
    shown = [segment for segment in packed.segments if segment.tokens or segment.text]
    assert {number for number, _, _ in data["seen"]} == {str(number) for number in range(len(shown))}
    for number, opened, code in data["seen"]:
        assert opened == [number], "a click shows its own piece and no other"
        assert code[0].strip() == shown[int(number)].text.strip()
    assert 0.97 < data["area"] <= 1.03
    assert data["wide"], "the page scrolls one way only"


@given(st.lists(st.floats(0.5, 1e5), min_size=1, max_size=60), st.floats(1, 2000), st.floats(1, 2000))
def test_tiles_fill_the_box_in_proportion(sizes: list[float], width: float, height: float) -> None:
    boxes = tiles(sizes, Box(5, 7, width, height))
    total = sum(sizes)
    for size, tile in zip(sizes, boxes, strict=True):
        assert tile.width * tile.height == pytest.approx(size / total * width * height, rel=1e-6)
        assert tile.left >= 5 - 1e-6
        assert tile.top >= 7 - 1e-6
        assert tile.left + tile.width <= 5 + width * (1 + 1e-6)
        assert tile.top + tile.height <= 7 + height * (1 + 1e-6)


def test_tiles_of_nothing() -> None:
    assert tiles([], Box(0, 0, 10, 10)) == []
