"""What pygls does differently for us: documents are ours, and messages of our own methods stay plain dictionaries.

pygls keeps documents that mutate in place and cuts lines where LSP does not (form feeds, U+2028), so its copy is not
kept.
"""

from collections.abc import Iterator
from typing import Any

from cattrs import Converter
from lsprotocol import converters, types
from pygls.protocol import JsonRPCNotification, JsonRPCRequestMessage, JsonRPCResponseMessage
from pygls.protocol.language_server import LanguageServerProtocol, lsp_method

Step = tuple[Any, tuple[Any, ...], None]


class SparkProtocol(LanguageServerProtocol):
    """The pygls protocol without its document store."""

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> Iterator[Step]:
        """Pass the notification on."""
        yield from self._pass_on(types.TEXT_DOCUMENT_DID_OPEN, params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> Iterator[Step]:
        """Pass the notification on."""
        yield from self._pass_on(types.TEXT_DOCUMENT_DID_CHANGE, params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> Iterator[Step]:
        """Pass the notification on."""
        yield from self._pass_on(types.TEXT_DOCUMENT_DID_CLOSE, params)

    def _pass_on(self, method: str, params: Any) -> Iterator[Step]:
        handler = self.fm.features.get(method)
        if handler is not None:
            yield handler, (params,), None


def plain_converter() -> Converter:
    """Return lsprotocol's converter; params of methods that it does not know arrive as dictionaries."""
    converter = converters.get_converter()
    for kind in (JsonRPCRequestMessage, JsonRPCResponseMessage, JsonRPCNotification):
        converter.register_structure_hook(kind, lambda message, cls: cls(**message))
    return converter
