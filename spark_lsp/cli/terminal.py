r"""Everything that the command line prints goes through here, so that no file and no model can control the terminal.

A file name, a line of code or a model's text may hold escape sequences, characters that reorder a line, or parts of
broken characters. They are printed as ``\x1b`` or ``\u202e``; only rich's own styling reaches the terminal.
"""

import json
import logging
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from spark_lsp.text.printable import is_control, printable


def console(*, stderr: bool = False, highlight: bool = True) -> Console:
    """Return a console whose texts cannot control the terminal; ``[red]`` in a text is a text, too."""
    return _SafeConsole(stderr=stderr, highlight=highlight, markup=False)


def out(text: str) -> None:
    """Write text for people to standard output."""
    sys.stdout.write(printable(text))


def err(text: str) -> None:
    """Write text for people to standard error."""
    sys.stderr.write(printable(text))


def out_json(value: Any, *, indent: int | None = None) -> None:
    """Write one JSON document to standard output, with control and bidirectional characters as escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    sys.stdout.write("".join(_json_escape(char) if is_control(char) else char for char in text) + "\n")


class SafeFormatter(logging.Formatter):
    """Formats log records for a terminal or a file that is read in one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return printable(super().format(record))


class _SafeConsole(Console):
    """A console that spells out control characters of everything that is rendered."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of a renderable; those that move the cursor are rich's own and stay."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


def _json_escape(char: str) -> str:
    return f"\\u{ord(char):04x}"
