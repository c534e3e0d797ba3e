"""Measuring a small model at sizes that it was not trained for: how fast it is does not depend on what it has learnt.

Only measurements of speed may use this: what a model writes behind more than it was trained on means nothing.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from spark_lsp.cli.oneshot import errors

MAX_BYTES: Final = 64_000_000
"""Larger models know enough positions, and are not copied for a measurement."""
ROOM_TOKENS: Final = 16_384
"""For what is measured behind the resident prompt: volatile tokens, answers, other documents."""

# In a GGUF file: a key, its type (4 is a number of 32 bits without a sign), its value.
_LENGTH = re.compile(rb"[a-z0-9_-]+\.context_length\x04\x00\x00\x00(....)", re.DOTALL)


@contextmanager
def long_enough(path: str, context_tokens: int) -> Iterator[str]:
    """Yield the model's path, or for the block that of a copy that says it knows so many positions, and say so."""
    file = Path(path)
    content = bytearray(file.read_bytes()) if file.stat().st_size <= MAX_BYTES else bytearray()
    found = _LENGTH.search(content)
    trained = int.from_bytes(found[1], "little") if found else 0
    if found is None or trained >= context_tokens + ROOM_TOKENS:
        yield path
        return
    if trained < context_tokens:
        errors.print(f"{file.name} was trained for {trained:,} tokens: beyond, only its speed means something.")
    content[slice(*found.span(1))] = (context_tokens + ROOM_TOKENS).to_bytes(4, "little")
    with tempfile.TemporaryDirectory(prefix="spark-bench-") as folder:
        copy = Path(folder) / file.name
        copy.write_bytes(content)
        yield str(copy)
