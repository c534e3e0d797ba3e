"""Texts of indexed files: the latest in memory up to a limit, the others read again on demand.

Never hands out a text that differs from the one that was indexed: spans into it would be wrong.
"""

import threading
from collections import OrderedDict
from pathlib import Path

from spark_lsp.index.scan.crawl import Skipped, read_source
from spark_lsp.text.snapshot import content_hash

MEMORY_LIMIT_CHARS = 16_000_000  # texts are read again in a fraction of a millisecond; memory is the scarcer


class Texts:
    """A bounded store of texts by content hash, the least recently used dropped first. Safe to call from any thread."""

    def __init__(self, root: Path, *, limit_chars: int = MEMORY_LIMIT_CHARS) -> None:
        self._root = root
        self._limit_chars = limit_chars
        self._lock = threading.Lock()
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._held_chars = 0

    def keep(self, name: str, text: str) -> None:
        """Keep a text under its content hash."""
        with self._lock:
            if name in self._texts:
                self._texts.move_to_end(name)
                return
            self._texts[name] = text
            self._held_chars += len(text)
            while self._held_chars > self._limit_chars:
                _, dropped = self._texts.popitem(last=False)
                self._held_chars -= len(dropped)

    def read(self, path: str, name: str) -> str:
        """Return the text of a file; empty when the file no longer holds the text of that hash."""
        with self._lock:
            text = self._texts.get(name)
            if text is not None:
                self._texts.move_to_end(name)
                return text
        source = read_source(self._root, path)
        if isinstance(source, Skipped) or content_hash(source) != name:
            return ""
        self.keep(name, source)
        return source
