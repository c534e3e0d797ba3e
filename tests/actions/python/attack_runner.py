"""Runs the programs of a JSON list on standard input one after the other; prints what each prints and its error."""

import contextlib
import io
import json
import runpy
import signal
import sys
from pathlib import Path

LIMIT_S = 20


def run(text: str, path: Path) -> tuple[str, str]:
    """Run a program as the main module and return what it prints and the error it ends with."""
    path.write_text(text, "utf-8")
    printed, error = io.StringIO(), ""
    signal.alarm(LIMIT_S)
    with contextlib.redirect_stdout(printed):
        try:
            runpy.run_path(str(path), run_name="__main__")
        except Exception as raised:  # noqa: BLE001 - whatever a program ends with is its outcome
            error = f"{type(raised).__name__}: {raised}"
    signal.alarm(0)
    return printed.getvalue(), error


def _stop(_number: int, _frame: object) -> None:
    raise TimeoutError


def main() -> None:
    """Run all, each text once."""
    import linecache  # noqa: PLC0415 - only to forget the text of the program before

    signal.signal(signal.SIGALRM, _stop)
    outcomes: dict[str, tuple[str, str]] = {}
    texts = json.load(sys.stdin)
    for text in texts:
        if text not in outcomes:
            linecache.clearcache()
            outcomes[text] = run(text, Path(sys.argv[1]) / "main.py")
    sys.stdout.write(json.dumps([outcomes[text] for text in texts]))


if __name__ == "__main__":
    main()
