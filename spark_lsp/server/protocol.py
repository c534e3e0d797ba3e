"""What pygls does differently for us: documents, messages of our own, and requests that it would leave unanswered.

Documents are ours; messages of our own methods stay plain dictionaries; a request that cannot be read or that comes
after shutdown is answered all the same.

pygls keeps documents that mutate in place and cuts lines where LSP does not (form feeds, U+2028), so its copy is not
kept.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Iterator
from typing import Any

from cattrs import Converter
from lsprotocol import converters, types
from pygls.exceptions import JsonRpcException
from pygls.protocol import JsonRPCNotification, JsonRPCRequestMessage, JsonRPCResponseMessage
from pygls.protocol.language_server import LanguageServerProtocol, lsp_method

ParserStep = tuple[Any, tuple[Any, ...], None]


_log = logging.getLogger("spark_lsp.server")


class SparkProtocol(LanguageServerProtocol):
    """The pygls protocol without its document store; no request goes unanswered."""

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Read a message; one that cannot be read is answered here if it was a request, and ``None`` is handed on."""
        if "jsonrpc" in data and "id" not in data and data.get("method") == types.WORKSPACE_DID_CHANGE_WATCHED_FILES:
            # It stays plain, since a build makes editors report hundreds of files a second.
            return JsonRPCNotification(method=data["method"], jsonrpc=data["jsonrpc"], params=data.get("params"))
        is_request = "jsonrpc" in data and "id" in data and "method" in data
        if is_request and _is_notification(data["method"]):
            message = f"{data['method']} is a notification and takes no id."
            self._send_response(data["id"], error=types.ResponseError(types.ErrorCodes.InvalidRequest.value, message))
            return None
        if "jsonrpc" in data and "method" in data and self.get_message_type(data["method"]) is None:
            data.setdefault("params", None)
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            _log.warning("A message cannot be read: %s", error)
            if is_request:
                self._send_response(data["id"], error=error.to_response_error())
            return None

    def _send_response(self, msg_id: Any, result: Any = None, error: types.ResponseError | None = None) -> None:
        """Answer a request; a result that cannot be written is answered with an error."""
        if error is None:
            response_type = self._result_types.get(msg_id, JsonRPCResponseMessage)
            try:
                json.dumps(response_type(id=msg_id, result=result, jsonrpc="2.0"), default=self._serialize_message)
            except (RecursionError, TypeError, ValueError) as problem:
                _log.warning("An answer cannot be written: %s", problem)
                error = types.ResponseError(types.ErrorCodes.InternalError.value, "The answer is nested too deeply.")
        super()._send_response(msg_id, result, error)

    def _execute_handler(self, msg_id: Any, handler: Any, *arguments: Any, **options: Any) -> None:
        """Run a handler; pygls keeps the future of each notification for ever, which is a kilobyte a key."""
        super()._execute_handler(msg_id, handler, *arguments, **options)
        future = self._request_futures.get(msg_id)
        if future is None:
            return
        if future.done():
            self._request_futures.pop(msg_id, None)
            return
        loop = asyncio.get_running_loop()

        def forget(_: object) -> None:  # on any thread, and in the middle of pygls' own walk through them
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._request_futures.pop, msg_id, None)

        future.add_done_callback(forget)

    def handle_message(self, message: Any) -> None:
        """Handle a message; what is none of JSON-RPC's is logged and left."""
        if not hasattr(message, "jsonrpc"):
            if message is not None:
                _log.warning("A message is not JSON-RPC: %s", type(message).__name__)
            return
        if self._shutdown and hasattr(message, "id") and hasattr(message, "method"):
            refusal = types.ResponseError(types.ErrorCodes.InvalidRequest.value, "The server is shutting down.")
            self._send_response(message.id, error=refusal)
            return
        super().handle_message(message)

    @lsp_method(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def lsp_workspace__did_change_workspace_folders(
        self, params: types.DidChangeWorkspaceFoldersParams
    ) -> Iterator[ParserStep]:
        """Pass the notification on; pygls would raise for a folder that it does not know."""
        yield from self._pass_on(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, params)

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> Iterator[ParserStep]:
        """Pass the notification on."""
        yield from self._pass_on(types.TEXT_DOCUMENT_DID_OPEN, params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> Iterator[ParserStep]:
        """Pass the notification on."""
        yield from self._pass_on(types.TEXT_DOCUMENT_DID_CHANGE, params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> Iterator[ParserStep]:
        """Pass the notification on."""
        yield from self._pass_on(types.TEXT_DOCUMENT_DID_CLOSE, params)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def lsp_notebook_document__did_open(self, params: types.DidOpenNotebookDocumentParams) -> Iterator[ParserStep]:
        """Pass the notification on."""
        yield from self._pass_on(types.NOTEBOOK_DOCUMENT_DID_OPEN, params)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def lsp_notebook_document__did_change(self, params: types.DidChangeNotebookDocumentParams) -> Iterator[ParserStep]:
        """Pass the notification on."""
        yield from self._pass_on(types.NOTEBOOK_DOCUMENT_DID_CHANGE, params)

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def lsp_notebook_document__did_close(self, params: types.DidCloseNotebookDocumentParams) -> Iterator[ParserStep]:
        """Pass the notification on."""
        yield from self._pass_on(types.NOTEBOOK_DOCUMENT_DID_CLOSE, params)

    def _pass_on(self, method: str, params: Any) -> Iterator[ParserStep]:
        handler = self.fm.features.get(method)
        if handler is not None:
            yield handler, (params,), None


def _is_notification(method: object) -> bool:
    """Whether a method of the specification takes no answer."""
    kinds = types.METHOD_TO_TYPES.get(method) if isinstance(method, str) else None
    return kinds is not None and kinds[1] is None


class OneLineFilter(logging.Filter):
    """Shortens what pygls logs to a line: a broken message is the client's fault, and a traceback helps nobody.

    Drops what ``SparkProtocol`` says itself.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a record, shortened."""
        if not record.name.startswith("pygls"):
            return True
        record.msg, record.args = record.getMessage().split("\n", 1)[0], ()
        record.exc_info = record.exc_text = None
        return not record.msg.startswith("Unable to deserialize message")


def plain_converter() -> Converter:
    """Return lsprotocol's converter; params of methods that it does not know arrive as dictionaries."""
    converter = converters.get_converter()
    for kind in (JsonRPCRequestMessage, JsonRPCResponseMessage, JsonRPCNotification):
        converter.register_structure_hook(kind, lambda message, cls: cls(**message))
    return converter
