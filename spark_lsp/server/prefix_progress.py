"""Chooses the cached prefix of a workspace again and shows the progress of a long read of it."""

import asyncio

from spark_lsp.server.client import Report
from spark_lsp.server.editor_window import EditorWindow
from spark_lsp.workspace import Workspace

LONG_READ_TOKENS = 4096  # a shorter cached prefix is read within a second or two; progress would only flicker


async def rebuild_cached_prefix(window: EditorWindow, workspace: Workspace) -> None:
    """Rebuild it if there is a model, and wait for the read if it is a long one that begins here."""
    if workspace.engine.model is None or workspace.completer.is_paused:
        return

    report: Report | None = None

    def warmed(done: int, total: int) -> None:
        if report is not None:
            report(done, total, f"{done} of {total} tokens")
        window.tell_status()

    reading = await workspace.rebuild_cached_prefix(window.documents.paths(workspace.root), warmed)
    if reading is None or workspace.context.prefix.unread_tokens < LONG_READ_TOKENS:
        return
    async with window.client.progress("Prefilling the workspace") as progress:
        report = progress
        await asyncio.wait([reading])
