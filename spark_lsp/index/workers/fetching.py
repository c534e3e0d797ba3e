"""Facts of indexed files when somebody asks for them: from memory, from the cache file, or parsed once more.

Never fails: facts that are nowhere to be had (the file has changed meanwhile) are none.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable

from spark_lsp.index.parse.facts import NO_FACTS, Facts, decoded, facts_of
from spark_lsp.index.storage.symbol_cache import SymbolCache

REMEMBERED = 256  # files; each some 40 KB as objects


class FactsSource:
    """The facts asked for lately. Safe to call from any thread."""

    def __init__(self, cache: SymbolCache | None) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._lately: OrderedDict[tuple[str, str], Facts] = OrderedDict()

    def fetch(self, name: str, language: str, path: str, read: Callable[[], str]) -> Facts:
        """Return the facts of a content that the cache file keeps; ``read`` returns its text should it not."""
        key = (name, language)
        found = self._remembered(key)
        if found is None:
            found = self._cache.facts(name, language) if self._cache else None
            if found is None:
                text = read()
                if not text:
                    return NO_FACTS
                found = facts_of(path, text)
            self._remember(key, found)
        return found

    def unpack(self, name: str, language: str, payload: bytes) -> Facts:
        """Return facts that are held in memory as bytes."""
        key = (name, language)
        found = self._remembered(key)
        if found is None:
            found = decoded(payload)
            self._remember(key, found)
        return found

    def _remembered(self, key: tuple[str, str]) -> Facts | None:
        with self._lock:
            found = self._lately.get(key)
            if found is not None:
                self._lately.move_to_end(key)
            return found

    def _remember(self, key: tuple[str, str], facts: Facts) -> None:
        with self._lock:
            self._lately[key] = facts
            if len(self._lately) > REMEMBERED:
                self._lately.popitem(last=False)
