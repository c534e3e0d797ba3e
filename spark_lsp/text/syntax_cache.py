"""The syntax trees of the documents in use, shared by all threads: completion and actions parse a text once."""

import threading
from dataclasses import dataclass

from spark_lsp.text.language import Language
from spark_lsp.text.syntax import Syntax, parse, reparse

MAX_TREES = 12  # of the documents that a user types into by turns; some 10 times the text each
MAX_TREES_PER_DOCUMENT = 2  # a document, and the text that it was before a suggestion
MAX_CHANGED_SHARE = 0.25  # a text that has changed by more is parsed from the start


@dataclass(frozen=True, slots=True)
class _Cached:
    uri: str
    syntax: Syntax


class SyntaxCache:
    """The latest trees, the last used first.

    A lock guards the list; parsing happens outside it, so two threads may parse one text twice.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trees: tuple[_Cached, ...] = ()

    def of(self, language: Language | None, text: str, uri: str) -> Syntax | None:
        """Return a text's tree: a cached one, that of the document's last text brought up to date, or a new one."""
        with self._lock:
            trees = self._trees
        own = [cached.syntax for cached in trees if cached.uri == uri and cached.syntax.language is language]
        syntax = next((tree for tree in own if tree.text == text), None)
        if syntax is None:
            latest = own[0] if own else None
            changed = abs(len(latest.text) - len(text)) if latest else len(text)
            is_near = latest is not None and changed < max(1, len(text) * MAX_CHANGED_SHARE)
            syntax = reparse(latest, text) if latest and is_near else parse(language, text)
        if syntax is not None:
            self.keep(uri, syntax)
        return syntax

    def has(self, language: Language, uri: str) -> bool:
        """Whether some text of a document is cached, so that its next one costs little."""
        with self._lock:
            return any(cached.uri == uri and cached.syntax.language is language for cached in self._trees)

    def keep(self, uri: str, syntax: Syntax) -> None:
        """Make a tree the last used of its document."""
        with self._lock:
            others = [cached for cached in self._trees if cached.uri != uri or cached.syntax is not syntax]
            kept = [cached for cached in others if cached.uri == uri][: MAX_TREES_PER_DOCUMENT - 1]
            rest = [cached for cached in others if cached.uri != uri or cached in kept]
            self._trees = (_Cached(uri, syntax), *rest)[:MAX_TREES]


SYNTAX_CACHE = SyntaxCache()
"""The one cache of this process."""
