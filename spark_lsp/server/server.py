"""The language server: which features it has, and nothing else.

One module for each feature registers its LSP methods and has the work. Handlers are async only where they wait; plain
ones must not take 5 ms.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from pygls.lsp.server import LanguageServer

from spark_lsp import __version__
from spark_lsp.server import (
    code_actions,
    commands,
    completion_item,
    copilot_inline_edit,
    did_focus,
    documents,
    information,
    inline_completion,
    lifecycle,
    notebook_documents,
    suggestion_events,
    watched_files,
)
from spark_lsp.server.client import Client
from spark_lsp.server.model_offers import ModelChoice, ModelOfferTimes
from spark_lsp.server.notebooks import SYNC
from spark_lsp.server.protocol import SparkProtocol, plain_converter
from spark_lsp.server.session import Session
from spark_lsp.workspace import OpenWorkspace

FEATURES: Final[tuple[Callable[[LanguageServer, Session], None], ...]] = (
    lifecycle.register,
    documents.register,
    notebook_documents.register,
    watched_files.register,
    inline_completion.register,
    completion_item.register,
    suggestion_events.register,
    did_focus.register,
    copilot_inline_edit.register,
    code_actions.register,
    commands.register,
    information.register,
)
"""A new feature is a module with ``register`` and a row here."""

_log = logging.getLogger("spark_lsp.server")


class SparkServer(LanguageServer):
    """A pygls server with one session."""

    def __init__(
        self, open_workspace: OpenWorkspace, choice: ModelChoice | None = None, times: ModelOfferTimes | None = None
    ) -> None:
        super().__init__(
            "spark-lsp",
            __version__,
            protocol_cls=SparkProtocol,
            converter_factory=plain_converter,
            max_workers=2,
            notebook_document_sync=SYNC,
        )
        self.session = Session(Client(self), open_workspace, choice, times)
        for register in FEATURES:
            register(self, self.session)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log what pygls could not handle; a popup for each stray message would help nobody."""
        _log.error("%s: %s", getattr(source, "__name__", source), error)
