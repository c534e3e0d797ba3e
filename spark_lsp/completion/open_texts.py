"""The texts of open documents that the index does not have: notebook cells and documents without a file.

Holds them as they are now; says only whether they have a name.
"""

import re


class OpenTexts:
    """The texts by their URIs. Belongs to one event loop."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def put(self, uri: str, text: str) -> None:
        """Take in a document's new text."""
        self._texts[uri] = text

    def drop(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._texts.pop(uri, None)

    def has_name(self, name: str) -> bool:
        """Whether a name occurs in one of the texts."""
        word = re.compile(rf"\b{re.escape(name)}\b")
        return any(name in text and word.search(text) for text in self._texts.values())
