"""Measure the speed of a small model at sizes that it was not trained for; speed does not depend on training.

Only measurements of speed may use this: what a model writes behind more than it was trained on means nothing.
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 64_000_000
"""Larger models know enough positions, and are not copied for a measurement."""
ROOM_TOKENS: Final = 16_384
"""Tokens after the cached prompt that a measurement needs: volatile tokens, answers, other documents."""

# In a GGUF file: a key, its type (4 is a number of 32 bits without a sign), its value.
_LENGTH = re.compile(rb"[a-z0-9_-]+\.context_length\x04\x00\x00\x00(....)", re.DOTALL)


@contextmanager
def long_enough(path: str, context_tokens: int, warn: Callable[[str], None]) -> Iterator[str]:
    """Yield the model's path, or for the block the path of a copy whose metadata claims enough positions.

    ``warn`` gets a sentence when the measurement goes beyond what the model was trained for.
    """
    file = Path(path)
    content = bytearray(file.read_bytes()) if file.stat().st_size <= MAX_BYTES else bytearray()
    match = _LENGTH.search(content)
    trained = int.from_bytes(match[1], "little") if match else 0
    if match is None or trained >= context_tokens + ROOM_TOKENS:
        yield path
        return
    if trained < context_tokens:
        warn(f"{file.name} was trained for {trained:,} tokens; beyond them only its speed is meaningful.")
    content[slice(*match.span(1))] = (context_tokens + ROOM_TOKENS).to_bytes(4, "little")
    with tempfile.TemporaryDirectory(prefix="spark-bench-") as folder:
        copy = Path(folder) / file.name
        copy.write_bytes(content)
        yield str(copy)
