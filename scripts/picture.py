"""Write docs/demo.md and draw docs/pictures/demo.svg from the terminal output of ``scripts/demo.py``.

python scripts/picture.py
"""

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "pictures" / "demo.svg"
PAGE = ROOT / "docs" / "demo.md"
PAGE_TEXT = """\
# The demo

`make demo` prints this on a sample workspace, with the model that suits the machine.
You can repeat each command by hand; `python scripts/picture.py` writes this page and [the picture](pictures/demo.svg).

```text
{transcript}
```
"""
COLUMNS = 100
SPINNER = re.compile(r"\s*[\u2800-\u28ff] ")
BAR = re.compile(r"Indexing\s+[\u2500-\u257f]")
CONTROL = re.compile(r"(\x1b\[[\d;?]*[A-Za-z]|\r|\n)")


def main() -> int:
    """Run the demo and draw its output; return its exit code."""
    code, output = _in_terminal([sys.executable, str(ROOT / "scripts" / "demo.py")])
    if code == 0:
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        PICTURE.write_text(_draw(output), "utf-8")
        PAGE.write_text(_page(output), "utf-8")
        sys.stdout.write(f"wrote {PICTURE.relative_to(ROOT)} and {PAGE.relative_to(ROOT)}\n")
    return code


def _in_terminal(command: list[str]) -> tuple[int, str]:
    """Run a command on a pseudo-terminal; return its exit code and all its output."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "LINES": "50", "TERM": "xterm-256color"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    output = io.BytesIO()
    while True:
        try:
            block = os.read(ours, 65536)
        except OSError:  # Linux reports the closed other end by an error
            break
        if not block:
            break
        output.write(block)
    os.close(ours)
    return process.wait(), output.getvalue().decode("utf-8", "replace")


def _draw(output: str) -> str:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(_settle(output).replace(str(ROOT), "~/spark-lsp")))
    drawing = console.export_svg(title="make demo", unique_id="demo")
    return re.sub(r"\s*@font-face \{.*?\}\n", "\n", drawing, flags=re.DOTALL)  # no fonts from the network


def _page(output: str) -> str:
    """Return the page with the transcript: plain text, no trailing blanks."""
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", _settle(output)).replace(str(ROOT), "~/spark-lsp")
    transcript = "\n".join(line.rstrip() for line in plain.strip().splitlines())
    return PAGE_TEXT.format(transcript=transcript)


def _settle(output: str) -> str:
    """Return the final screen: lines that a progress display overwrote are gone, colours stay."""
    lines, row, is_rewritten = [""], 0, False
    for part in CONTROL.split(output.replace("\r\n", "\n")):
        if part == "\n":
            row, is_rewritten = row + 1, False
            lines += [""] * (row - len(lines) + 1)
        elif part == "\r":
            is_rewritten = True
        elif part.startswith("\x1b[") and part.endswith("K"):
            lines[row] = ""
        elif part.startswith("\x1b[") and part.endswith("A"):
            row = max(0, row - int(part[2:-1] or 1))
        elif part.startswith("\x1b[") and not part.endswith("m"):
            continue
        elif part:
            lines[row] = part if is_rewritten else lines[row] + part
            is_rewritten = False
    return "\n".join(_last_frames(lines))


def _last_frames(lines: list[str]) -> list[str]:
    """Drop spinners, and all but the last frame of a progress bar: a slow machine draws many."""
    plain = [re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", line) for line in lines]
    following = [*plain[1:], ""]
    return [
        line
        for line, text, after in zip(lines, plain, following, strict=True)
        if not SPINNER.match(text) and not (BAR.match(text) and BAR.match(after))
    ]


if __name__ == "__main__":
    sys.exit(main())
