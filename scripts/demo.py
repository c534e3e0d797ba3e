"""Shows Spark LSP at work on samples/ledger, with the commands that a user would type.

Every command is printed before it runs, so each can be repeated by hand. ``make demo`` calls this after the set-up.
"""

import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent
WORKSPACE = "samples/ledger"
SPARK = Path(sys.executable).with_name("spark-lsp")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the sample where a line is taken away and the cursor stands: ``typed`` is there, ``rest`` is not."""

    path: str
    typed: str
    rest: str
    note: str


PLACES = (
    Place("ledger/money.py", "def __add__(", 'self, other: "Money") -> "Money":', "The signature of a method."),
    Place("ledger/book.py", "for account in s", "elf.accounts.values():", "A loop over an attribute of this class."),
    Place("ledger/account.py", "self.balance() + entry.am", "ount", "An attribute that ledger/entry.py defines."),
)
CROSS_FILE = PLACES[-1]
MOVED = (
    Place("ledger/report.py", "", "        lines.append(account.name)", "The first selected line."),
    Place("ledger/report.py", '        lines.append(line("  balance", account.balance()))', "", "The last one."),
)
UNWRITTEN = Place("ledger/money.py", "def __radd__(", "", "A function without a body.")


def main() -> int:
    """Run the commands one after the other; return the exit code of the first that fails."""
    console = Console(highlight=False, soft_wrap=True)
    started = time.monotonic()
    console.print("[bold]Spark LSP on a small workspace[/], with the embedded model.")
    console.print("That model is very small: it finishes what it has seen the like of.\n")
    steps = [("Index the workspace.", _spark("index", WORKSPACE))]
    steps += [(f"Complete. {place.note}", _complete(place)) for place in PLACES]
    steps += [
        ("What the model was shown for the last one, and why.", _spark("context", _position(CROSS_FILE))),
        (
            "A code action: write the missing body.",
            _spark("actions", _position(UNWRITTEN), "--apply", "implement.body"),
        ),
        (
            "Another one: selected lines become a function of their own.",
            _spark("actions", _selection(*MOVED), "--apply", "extract.function"),
        ),
    ]
    for title, command in steps:
        console.print(f"[bold cyan]{title}[/]")
        console.print(f"$ {command}", style="dim", markup=False)
        code = subprocess.run(["sh", "-c", command], cwd=ROOT, check=False).returncode
        if code:
            console.print(f"\n[red]That command ended with {code}.[/] `{_spark('doctor')}` looks for the cause.")
            return code
        console.print()
    console.print(f"Done in {time.monotonic() - started:.1f} s. Next: your editor, see README.md.")
    return 0


def _spark(*arguments: str) -> str:
    program = SPARK.relative_to(ROOT) if SPARK.is_relative_to(ROOT) else SPARK
    return shlex.join([str(program), *arguments])


def _complete(place: Place) -> str:
    """Return a command that takes the rest of a line away and completes what is left, the file itself untouched."""
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
    """Return ``FILE:LINE:COL-LINE:COL`` from before the first place's line to behind the last one's."""
    return f"{_position(first)}-{_position(last).split(':', 1)[1]}"


def _line_number(place: Place) -> int:
    lines = (ROOT / WORKSPACE / place.path).read_text("utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if place.typed + place.rest in line)


if __name__ == "__main__":
    sys.exit(main())
