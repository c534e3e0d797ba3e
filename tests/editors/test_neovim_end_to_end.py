"""The whole way in a real Neovim: keys, server, engine, the embedded model, ghost text, acceptance."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.editor, pytest.mark.model]

SPARK = [sys.executable, "-m", "spark_lsp"]

WORKSPACE = {
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\n',
    "shop/__init__.py": "",
    "shop/models.py": '''"""What is sold."""

from dataclasses import dataclass


@dataclass
class Item:
    """One line of an order."""

    name: str
    price: float
    quantity: int

    def total(self) -> float:
        """The price of all pieces."""
        return self.price * self.quantity
''',
    "shop/tax.py": '''"""Taxes."""

RATE = 0.19


def add_tax(amount: float) -> float:
    """The amount with tax."""
    return amount * (1 + RATE)
''',
    "shop/invoice.py": '''"""What is owed."""

from shop.models import Item
from shop.tax import add_tax


def subtotal(items: list[Item]) -> float:
    """The sum of all lines without tax."""
    result = 0.0
    for item in items:
        result += item.total()
    return result


def total(items: list[Item]) -> float:
    """The sum of all lines with tax."""
''',
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace of several files, and an engine of this test's own that is stopped at the end."""
    monkeypatch.setenv("SPARK_LSP_RUNTIME_DIR", str(tmp_path / "run"))
    for name, text in WORKSPACE.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    yield tmp_path / "shop"
    subprocess.run([*SPARK, "engine", "stop"], check=True, capture_output=True, timeout=60)


def context_at_cursor(editor: Any) -> dict[str, Any]:
    """What the model would be shown. The server answers when the engine is up, so this waits for the model too."""
    params = editor.lua("return vim.lsp.util.make_position_params(0, vim.lsp.get_clients()[1].offset_encoding)")
    return editor.request("spark/context", params, deadline_s=120)


def test_a_real_model_writes_and_tab_accepts(start_neovim: Callable[..., Any], shop: Path) -> None:
    editor = start_neovim([*SPARK, "serve", "--stdio"])
    editor.open(shop / "shop" / "invoice.py")
    editor.type("G")
    assert "shop/models.py" in {segment["path"] for segment in context_at_cursor(editor)["segments"]}

    editor.type("oresult = ")
    shown = editor.wait("ghost text by the model", editor.settled_ghost, deadline_s=60)
    typed = editor.text()
    assert typed.endswith('"""\n    result = '), "ghost text is not in the buffer"
    assert editor.screen(editor.cursor()[0]).endswith("result = " + shown.split("\n")[0])

    editor.type("<Tab>")
    editor.wait_text(typed + shown)
    assert editor.ghost() == ""
    assert "ok" in [record["reason"] for record in editor.request("spark/log")["requests"]]
