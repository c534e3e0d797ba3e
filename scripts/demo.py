"""Show Spark LSP at work on samples/ledger, with the commands that a user would type.

Every command is printed before it runs, so each can be repeated by hand. ``make demo`` calls this after the set-up.

python scripts/demo.py [MODEL]
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from spark_lsp.catalog.model_names import EMBEDDED_PATHS, model_path, model_reason
from spark_lsp.config import environment_source, resolve
from spark_lsp.errors import ModelMissing

ROOT = Path(__file__).resolve().parent.parent
WORKSPACE = "samples/ledger"
SPARK = Path(sys.executable).with_name("spark-lsp")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the sample without the rest of a line: ``typed`` is before the cursor, ``rest`` is removed."""

    path: str
    typed: str
    rest: str
    note: str


PLACES = (
    Place("ledger/account.py", "self.balance() + entry.", "amount", "An attribute that ledger/entry.py defines."),
    Place(
        "ledger/book.py", "(target).post(", "Entry(day, amount, text))", "A call that makes an object of another file."
    ),
)
"""Places that the model of ``make demo`` completes correctly; tests/weights checks it."""
FAMILIAR = (
    Place("ledger/money.py", "def __add__(", 'self, other: "Money") -> "Money":', "The signature of a method."),
    Place("ledger/book.py", "for account in s", "elf.accounts.values():", "A loop over an attribute of this class."),
    Place("ledger/account.py", "self.balance() + entry.am", "ount", "An attribute that ledger/entry.py defines."),
)
"""A place that the embedded model completes."""
CROSS_FILE = PLACES[0]
MOVED = (
    Place("ledger/report.py", "", "        lines.append(account.name)", "The first selected line."),
    Place("ledger/report.py", '        lines.append(line("  balance", account.balance()))', "", "The last one."),
)
UNWRITTEN = Place("ledger/account.py", "def tagged(", "", "A function without a body.")


def main(model: str = "") -> int:
    """Run the commands one after another with a model, or the default one; return the first nonzero exit code."""
    console = Console(highlight=False, soft_wrap=True)
    started = time.monotonic()
    is_embedded = _choose(console, model)
    for title, command in _steps(FAMILIAR if is_embedded else PLACES, writes=not is_embedded):
        console.print(f"[bold cyan]{title}[/]")
        console.print(f"$ {command}", style="dim", markup=False)
        began = time.monotonic()
        code = subprocess.run(["sh", "-c", command], cwd=ROOT, check=False).returncode
        if code:
            console.print(f"\n[red]That command ended with {code}.[/] `{_spark('doctor')}` looks for the cause.")
            return code
        console.print(f"{time.monotonic() - began:.1f} s\n", style="dim")
    console.print(f"Done in {time.monotonic() - started:.1f} s. Next: your editor, see README.md.")
    return 0


def _choose(console: Console, model: str) -> bool:
    """Print which model is used, and return whether it is the embedded one.

    A model chosen by the caller reaches the commands through the environment.
    """
    if model:
        os.environ["SPARK_LSP_MODEL"] = model
    settings, _ = resolve([environment_source(os.environ)])
    try:
        path = model_path(settings)
    except ModelMissing as error:  # its download failed, and the set-up has printed why
        console.print(f"[yellow]{error}[/]")
        del os.environ["SPARK_LSP_MODEL"]
        settings, _ = resolve([environment_source(os.environ)])
        path = model_path(settings)
    reason = model_reason(settings) or "You named it."
    console.print(f"[bold]Spark LSP on a small workspace.[/] The model is {path.stem}. {reason}")
    if path in EMBEDDED_PATHS:
        console.print("That model is very small: it completes familiar lines and writes no bodies of functions.")
    if "SPARK_LSP_MODEL" in os.environ:
        console.print(f"$ export SPARK_LSP_MODEL={shlex.quote(os.environ['SPARK_LSP_MODEL'])}", style="dim")
    console.print()
    return path in EMBEDDED_PATHS


def _steps(places: Sequence[Place], *, writes: bool) -> list[tuple[str, str]]:
    body = _spark("actions", _position(UNWRITTEN), "--apply", "implement.body")
    function = _spark("actions", _selection(*MOVED), "--apply", "extract.function")
    return [
        ("Index the workspace.", _spark("index", WORKSPACE)),
        *((f"Complete. {place.note}", _complete(place)) for place in places),
        ("What the model was shown for the first one, and why.", _spark("context", _position(CROSS_FILE))),
        *([("A code action: write the missing body.", body)] if writes else []),
        ("A code action that needs no model: selected lines become a function.", function),
    ]


def _spark(*arguments: str) -> str:
    program = SPARK.relative_to(ROOT) if SPARK.is_relative_to(ROOT) else SPARK
    return shlex.join([str(program), *arguments])


def _complete(place: Place) -> str:
    """Return a command that removes the rest of a line and completes it, without changing the file."""
    line = _line_number(place)
    pattern = place.rest.replace("/", r"\/").replace(".", r"\.").replace("[", r"\[").replace("*", r"\*")
    cut = shlex.join(["sed", f"{line}s/{pattern}$//", f"{WORKSPACE}/{place.path}"])
    return f"{cut} | {_spark('complete', _position(place), '--stdin', '--max-lines', '1')}"


def _position(place: Place) -> str:
    """Return ``FILE:LINE:COL`` of the cursor, which stands right after ``typed``."""
    line = _line_number(place)
    text = (ROOT / WORKSPACE / place.path).read_text("utf-8").splitlines()[line - 1]
    return f"{WORKSPACE}/{place.path}:{line}:{text.index(place.typed) + len(place.typed) + 1}"


def _selection(first: Place, last: Place) -> str:
    """Return ``FILE:LINE:COL-LINE:COL`` from before the first place's line to after the last one's."""
    return f"{_position(first)}-{_position(last).split(':', 1)[1]}"


def _line_number(place: Place) -> int:
    lines = (ROOT / WORKSPACE / place.path).read_text("utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if place.typed + place.rest in line)


if __name__ == "__main__":
    sys.exit(main("".join(sys.argv[1:2])))
