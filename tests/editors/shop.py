"""A workspace of several files that use each other, and the server with a private engine."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
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


def write(folder: Path) -> Path:
    """Write the workspace's files."""
    for name, text in WORKSPACE.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def environment(run: Path) -> dict[str, str]:
    """Return the variables that keep a test's engine and statistics apart from the user's, and the model talkative.

    How sure the embedded model is decides nothing here: what is tested is the way from the key to the screen.
    """
    return {
        "SPARK_LSP_RUNTIME_DIR": str(run),
        "SPARK_LSP_TELEMETRY_LOCAL": "false",
        "SPARK_LSP_COMPLETION_MIN_CONFIDENCE": "0",
    }


def engine_pid(run: Path) -> int:
    """Return the process of a test's engine; 0 if none runs."""
    variables = {**os.environ, **environment(run)}
    command = [*SPARK, "engine", "status", "--json"]
    done = subprocess.run(command, env=variables, capture_output=True, check=True, timeout=60)
    return int(json.loads(done.stdout)["pid"] or 0)


def stop_engine(run: Path) -> None:
    """Stop the engine process."""
    variables = {**os.environ, **environment(run)}
    subprocess.run([*SPARK, "engine", "stop"], check=True, capture_output=True, timeout=60, env=variables)


def script(path: Path, command: list[str], variables: dict[str, str]) -> Path:
    """Write a program that an editor can start as its server."""
    exports = "".join(f"export {name}='{value}'\n" for name, value in variables.items())
    words = " ".join(f"'{word}'" for word in command)
    path.write_text(f'#!/bin/sh\n{exports}exec {words} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def money_text() -> str:
    """Return ``ledger/money.py`` as ``write_ledger`` writes it."""
    return (REPOSITORY / "samples" / "ledger" / "ledger" / "money.py").read_text(encoding="utf-8")


def write_ledger(folder: Path) -> Path:
    """Copy the sample workspace."""
    shutil.copytree(REPOSITORY / "samples" / "ledger", folder)
    return folder
