"""Next edits in a real VS Code: Tab jumps and applies, Escape dismisses, and without an edit both are the editor's."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.editors.driver import REPOSITORY

pytestmark = pytest.mark.editor

PRICE = "def price(item):\n    return item\n\n\nx = price(1)\n"
CART = "from shop.price import price\n\nprint(price(2))\n"
RENAMED = PRICE.replace("price", "cost")
_PAINTED = r"""() => {
  const seen = [];
  for (const span of document.querySelectorAll(".editor-instance .monaco-editor .view-lines span")) {
    const after = getComputedStyle(span, "::after").content;
    if (after && after !== "none" && after !== "normal" && after !== '""') {
      seen.push(after.slice(1, -1).replace(/\u00a0/g, " ").trim());
    }
    if (!span.children.length && getComputedStyle(span).textDecorationLine.includes("line-through")) {
      seen.push("-" + span.textContent);
    }
  }
  return [...new Set(seen)].sort();
}"""


@pytest.fixture
def shop(open_vscode: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """A window on a package of two modules, with the real server."""

    def start(**settings: Any) -> Any:
        folder = tmp_path / "work"
        (folder / ".git").mkdir(parents=True)
        (folder / "shop").mkdir()
        (folder / "shop" / "price.py").write_text(PRICE)
        (folder / "shop" / "cart.py").write_text(CART)
        variables = {"PYTHONPATH": str(REPOSITORY), "SPARK_LSP_RUNTIME_DIR": str(tmp_path / "run")}
        command = [sys.executable, "-m", "tests.server.scripted_server"]
        quiet = {"spark.completion.enabled": False}
        window = open_vscode(folder, command, variables=variables, settings={**quiet, **settings})
        window.wait_status("2 files", deadline_s=120)
        window.open("shop/price.py")
        return window

    return start


def _rename(window: Any) -> None:
    """Write ``cost`` over the function's name."""
    window.go_to(1, 5)
    window.press("Control+Shift+ArrowRight")
    window.type("cost")


def _wait_painted(window: Any, *expected: str) -> None:
    window.wait(f"{expected} on the screen", lambda: window.page.evaluate(_PAINTED) == sorted(expected))


def test_tab_jumps_and_then_applies_through_two_files(shop: Callable[..., Any]) -> None:
    window = shop()
    _rename(window)
    _wait_painted(window, "-price", "cost", "⇥ line 5: Rename price to cost")
    window.picture("next-edit")
    window.press("Tab")
    window.wait("the cursor on the edit", lambda: "Ln 5, Col 5" in window.bar())
    _wait_painted(window, "-price", "cost")
    window.press("Tab")
    _wait_painted(window, "⇥ shop/cart.py: Rename price to cost")
    window.picture("next-edit-file")
    window.wait_text("shop/price.py", RENAMED)
    window.press("Tab")
    window.page.locator('.tab.active[data-resource-name="cart.py"]').wait_for()
    _wait_painted(window, "-price", "cost")


def test_escape_dismisses_and_tab_is_the_editor_s_again(shop: Callable[..., Any]) -> None:
    window = shop()
    _rename(window)
    _wait_painted(window, "-price", "cost", "⇥ line 5: Rename price to cost")
    window.press("Escape")
    _wait_painted(window)
    window.go_to(4, 1)
    window.press("Tab")
    window.wait_text("shop/price.py", PRICE.replace("def price", "def cost").replace("\n\n\n", "\n\n    \n"))


def test_subtle_shows_where_and_the_edit_on_a_key(shop: Callable[..., Any]) -> None:
    window = shop(**{"spark.edits.mode": "subtle"})
    _rename(window)
    _wait_painted(window, "⇥ line 5: Rename price to cost")
    window.press("Tab")
    _wait_painted(window, "-price", "cost")


def test_an_undo_shows_nothing(shop: Callable[..., Any]) -> None:
    window = shop()
    _rename(window)
    _wait_painted(window, "-price", "cost", "⇥ line 5: Rename price to cost")
    window.press("Control+z")
    _wait_painted(window)
