"""Next edits in a real Neovim: Tab jumps and applies, Esc dismisses, the keys are the user's otherwise."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.editors.driver import REPOSITORY

pytestmark = pytest.mark.editor

PRICE = "def price(item):\n    return item\n\n\nx = price(1)\n"
CART = "from shop.price import price\n\nprint(price(2))\n"
_INDEXED = """
local status = require("spark.status").get()
return status and status.indexed and status.indexed.of == 2 and status.indexed.files == 2
"""
_MARKS = """
local space = vim.api.nvim_get_namespaces()["spark.next_edit"]
local seen = {}
for _, mark in ipairs(space and vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true }) or {}) do
  local text = mark[4].virt_text and mark[4].virt_text[1][1] or mark[4].sign_text or mark[4].hl_group
  table.insert(seen, ("%d %s"):format(mark[2] + 1, vim.trim(text)))
end
table.sort(seen)
return seen
"""


@pytest.fixture
def shop(start_neovim: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """An editor on a package of two modules."""

    def start(setup: str = "{}") -> Any:
        folder = tmp_path / "work"
        (folder / ".git").mkdir(parents=True)
        (folder / "shop").mkdir()
        (folder / "shop" / "price.py").write_text(PRICE)
        (folder / "shop" / "cart.py").write_text(CART)
        monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
        monkeypatch.setenv("SPARK_LSP_RUNTIME_DIR", str(tmp_path / "run"))
        editor = start_neovim([sys.executable, "-m", "tests.server.scripted_server"], setup=setup)
        editor.api.command(f"cd {folder}")
        editor.open(folder / "shop" / "price.py")
        editor.wait("the index", lambda: editor.lua(_INDEXED), deadline_s=60)
        return editor

    return start


def _rename(editor: Any) -> None:
    editor.type("gg0fp")
    editor.type("ciwcost<Esc>")


def _wait_marks(editor: Any, *expected: str) -> None:
    editor.wait(f"the marks {expected}", lambda: editor.lua(_MARKS) == sorted(expected))


def test_tab_jumps_and_then_applies(shop: Callable[..., Any]) -> None:
    editor = shop()
    _rename(editor)
    _wait_marks(editor, "5 SparkEditOld", "5 cost", "5 »", "1 » line 5: Rename price to cost")
    editor.type("<Tab>")
    editor.wait("the cursor on the edit", lambda: editor.cursor() == (5, 4))
    _wait_marks(editor, "5 SparkEditOld", "5 cost", "5 »")
    editor.type("<Tab>")
    editor.wait_text(PRICE.replace("price", "cost").rstrip("\n"))
    _wait_marks(editor, "5 » shop/cart.py: Rename price to cost")


def test_esc_dismisses_and_the_keys_are_the_users_again(shop: Callable[..., Any]) -> None:
    editor = shop()
    editor.api.command("nnoremap <Tab> ccmine<Esc>")
    _rename(editor)
    editor.wait("an edit", lambda: editor.lua(_MARKS))
    editor.type("<Esc>")
    _wait_marks(editor)
    editor.type("G<Tab>")
    editor.wait_text(PRICE.replace("def price", "def cost").replace("x = price(1)\n", "mine"))


def test_subtle_shows_a_sign_until_the_key(shop: Callable[..., Any]) -> None:
    editor = shop('{ settings = { edits = { mode = "subtle" } } }')
    _rename(editor)
    _wait_marks(editor, "5 »", "1 » line 5: Rename price to cost")
    editor.type("<Tab>")
    _wait_marks(editor, "5 SparkEditOld", "5 cost", "5 »")


def test_undo_shows_nothing(shop: Callable[..., Any]) -> None:
    editor = shop()
    _rename(editor)
    editor.wait("an edit", lambda: editor.lua(_MARKS))
    editor.type("u")
    editor.wait_text(PRICE.rstrip("\n"))
    _wait_marks(editor)
