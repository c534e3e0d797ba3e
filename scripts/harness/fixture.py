"""A workspace as one string: `#- path` headers, `$0` for the cursor, `$0…$0` for a selection.

#- app/greet.py
def greet(name): ...
#- app/main.py
from app.greet import greet
gre$0
"""

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spark_lsp.text.edit import Span

CURSOR = "$0"
DEFAULT_PATH = "main.py"

_HEADER = re.compile(r"^(?:#|//)- (\S.*?)[ \t]*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Fixture:
    """Files by workspace path, and the cursor: ``offset`` in ``files[path]``.

    Without a cursor ``path`` is the first file and ``offset`` 0. With a selection ``offset`` is its end.
    """

    files: Mapping[str, str]
    path: str
    offset: int
    selection: Span | None = None

    @property
    def text(self) -> str:
        """The text of the file with the cursor."""
        return self.files[self.path]


def parse_fixture(text: str, *, default_path: str = DEFAULT_PATH) -> Fixture:
    """Read a fixture; a text that starts with a newline is dedented first.

    Text before the first header (all of it, if there is none) is the file ``default_path``.

    Raises:
        ValueError: cursors in two files, more than two of them, or one path twice.
    """
    if text.startswith("\n"):
        text = textwrap.dedent(text[1:])
    pieces = _HEADER.split(text)
    sections = list(zip(pieces[1::2], pieces[2::2], strict=True))
    if pieces[0].strip() or not sections:
        sections.insert(0, (default_path, pieces[0]))
    files: dict[str, str] = {}
    marked_file: tuple[str, list[int]] | None = None
    for path, marked in sections:
        if path in files:
            raise ValueError(f"two sections are named {path}")
        parts = marked.split(CURSOR)
        files[path] = "".join(parts)
        if len(parts) == 1:
            continue
        if marked_file or len(parts) > 3:
            raise ValueError("a fixture holds one cursor or one selection")
        marked_file = path, [len("".join(parts[: count + 1])) for count in range(len(parts) - 1)]
    path, offsets = marked_file or (next(iter(files)), [0])
    selection = Span(offsets[0], offsets[1]) if len(offsets) == 2 else None
    return Fixture(files, path, offsets[-1], selection)


def write_workspace(fixture: Fixture, root: Path) -> Path:
    """Write the fixture's files under a folder (a test's ``tmp_path``); return the path of the file with the cursor."""
    for path, text in fixture.files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode("utf-8", "surrogatepass"))
    return root / fixture.path
