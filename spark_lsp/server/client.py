"""Sends to the editor: notifications, messages, log lines and work-done progress.

Shows each message once, and uses only what the client says it supports.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from spark_lsp.errors import SparkError
from spark_lsp.text.printable import printable

PROGRESS_WAIT_S = 0.5
"""Helix answers nothing while it waits for the edit of a code action: the work goes on then, without a bar."""


class Report(Protocol):
    """Takes progress: done, of, and what to say of it (``done/of`` where empty)."""

    def __call__(self, done: int, of: int, message: str = "") -> None:
        """Report a step."""
        ...


class Client:
    """The editor at the other end."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server
        self._shown: set[str] = set()
        self._asked: set[asyncio.Task[Any]] = set()

    @property
    def capabilities(self) -> types.ClientCapabilities:
        """What the editor said it understands."""
        return self._server.client_capabilities

    def notify(self, method: str, params: Any) -> None:
        """Send a notification of our own."""
        self._server.protocol.notify(method, params)

    def log(self, message: str, kind: types.MessageType = types.MessageType.Info) -> None:
        """Write to the editor's log of this server."""
        self._server.window_log_message(types.LogMessageParams(kind, message))

    def answer(self, message: str, kind: types.MessageType = types.MessageType.Warning) -> None:
        """Show a message that answers what the user has just asked for, however often it was said before."""
        self._server.window_show_message(types.ShowMessageParams(kind, message))

    def show(self, message: str, kind: types.MessageType = types.MessageType.Warning) -> None:
        """Show a message to the user, once in this session."""
        if message not in self._shown:
            self._shown.add(message)
            self._server.window_show_message(types.ShowMessageParams(kind, printable(message)))

    async def ask(self, message: str, *choices: str, kind: types.MessageType = types.MessageType.Warning) -> str | None:
        """Let the user choose, once in this session; None when nothing was chosen or it was asked before."""
        if message in self._shown:
            return None
        self._shown.add(message)
        actions = [types.MessageActionItem(choice) for choice in choices]
        params = types.ShowMessageRequestParams(kind, printable(message), actions)
        answer = await self.request(types.WINDOW_SHOW_MESSAGE_REQUEST, params)
        return getattr(answer, "title", None)

    def forget_shown(self) -> None:
        """Show again what was shown before: the user acted on it and wants to know whether it holds."""
        self._shown.clear()

    def show_error(self, error: SparkError) -> None:
        """Show an error with what the user can do about it."""
        self.show(f"Spark: {error} {error.fix}".strip(), types.MessageType.Error)

    async def request(self, method: str, params: Any) -> Any:
        """Ask the editor; None when it does not answer as asked."""
        try:
            return await self._server.protocol.send_request_async(method, params)
        except JsonRpcException:
            return None

    async def _may_report(self, token: types.ProgressToken) -> bool:
        """Whether the editor has made room for progress. One that waits for our answer meanwhile cannot say so."""
        asked = asyncio.create_task(
            self.request(types.WINDOW_WORK_DONE_PROGRESS_CREATE, types.WorkDoneProgressCreateParams(token=token))
        )
        self._asked.add(asked)
        asked.add_done_callback(self._asked.discard)
        answered, _ = await asyncio.wait({asked}, timeout=PROGRESS_WAIT_S)
        return bool(answered)

    @asynccontextmanager
    async def progress(
        self, title: str, token: types.ProgressToken | None = None, *, cancel: Callable[[], None] | None = None
    ) -> AsyncIterator[Report]:
        """Show work-done progress where the client can; the yielded function takes (done, of).

        With ``cancel`` the user can stop the work: it is called when they do.
        """
        window = self.capabilities.window
        if token is None and not (window and window.work_done_progress):
            yield _silent
            return
        progress = self._server.work_done_progress
        if token is None:
            token = str(uuid.uuid4())
            if not await self._may_report(token):
                yield _silent
                return
        progress.begin(
            token, types.WorkDoneProgressBegin(title=f"Spark: {title}", percentage=0, cancellable=cancel is not None)
        )
        if cancel:
            progress.tokens[token].add_done_callback(lambda _: cancel())
        last = 0

        def report(done: int, of: int, message: str = "") -> None:
            nonlocal last
            percentage = min(100, done * 100 // max(1, of))
            if percentage > last:
                last = percentage
                progress.report(
                    token, types.WorkDoneProgressReport(message=message or f"{done}/{of}", percentage=percentage)
                )

        try:
            yield report
        finally:
            progress.end(token, types.WorkDoneProgressEnd())
            progress.tokens.pop(token, None)


def _silent(done: int, of: int, message: str = "") -> None:
    """Tell nobody: the client shows no progress."""
