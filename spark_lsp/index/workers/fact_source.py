"""File facts on demand: from memory, from the cache file, or parsed again.

Never fails: a file that has changed meanwhile has no facts.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable

from spark_lsp.index.parse.facts import NO_FILE_FACTS, FileFacts, decoded, file_facts
from spark_lsp.index.storage.symbol_cache import SymbolCache

REMEMBERED = 256  # files; each some 40 KB as objects


class FileFactsSource:
    """The facts requested last. Safe to call from any thread."""

    def __init__(self, cache: SymbolCache | None) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._lately: OrderedDict[tuple[str, str], FileFacts] = OrderedDict()

    def fetch(self, name: str, language: str, path: str, read: Callable[[], str]) -> FileFacts:
        """Return the facts of a content that the cache file keeps; ``read`` returns its text should it not."""
        key = (name, language)
        remembered = self._remembered(key)
        if remembered is None:
            remembered = self._cache.facts(name, language) if self._cache else None
            if remembered is None:
                text = read()
                if not text:
                    return NO_FILE_FACTS
                remembered = file_facts(path, text)
            self._remember(key, remembered)
        return remembered

    def unpack(self, name: str, language: str, payload: bytes) -> FileFacts:
        """Return facts that are held in memory as bytes."""
        key = (name, language)
        remembered = self._remembered(key)
        if remembered is None:
            remembered = decoded(payload)
            self._remember(key, remembered)
        return remembered

    def _remembered(self, key: tuple[str, str]) -> FileFacts | None:
        with self._lock:
            recent = self._lately.get(key)
            if recent is not None:
                self._lately.move_to_end(key)
            return recent

    def _remember(self, key: tuple[str, str], facts: FileFacts) -> None:
        with self._lock:
            self._lately[key] = facts
            if len(self._lately) > REMEMBERED:
                self._lately.popitem(last=False)
