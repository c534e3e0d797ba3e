"""``spark/log`` and ``spark/context``: what the server did and what the model was shown."""

from typing import Any

import msgspec
from pygls.lsp.server import LanguageServer

from spark_lsp.prompt.html_page import as_html
from spark_lsp.prompt.json_report import as_json
from spark_lsp.server.convert import position_in, uri_in
from spark_lsp.server.guard import as_dict, guarded
from spark_lsp.server.session import Session


def register(server: LanguageServer, session: Session) -> None:
    """Register the methods."""

    def no_context() -> dict[str, Any] | None:
        return None

    @server.feature("spark/log")
    def requests(_params: Any) -> dict[str, Any]:
        return log(session)

    @server.feature("spark/context")
    @guarded(session.client.show_error, no_context)
    async def prompt(params: Any) -> dict[str, Any] | None:
        return await context(session, as_dict(params))


def log(session: Session) -> dict[str, Any]:
    """Return the last requests, oldest first: reason, stage times, sizes; no file content."""
    return {"requests": [msgspec.to_builtins(record) for record in session.log.records()]}


async def context(session: Session, params: dict[str, Any]) -> dict[str, Any] | None:
    """Return the ``context`` object for a position; None for a document that is not open."""
    cursor = session.cursor_at(uri_in(params), position_in(params))
    workspace = (await session.open_folder_of(uri_in(params))).workspace
    if cursor is None or workspace is None:
        return None
    await workspace.engine.start()
    budget = params.get("budget")
    ceiling_tokens = budget if isinstance(budget, int) and budget > 0 else None
    last = workspace.cursor_prefetch.prompts.shown(cursor.snapshot, cursor.offset) if ceiling_tokens is None else None
    packed = last or await workspace.context.pack_for(cursor.snapshot, cursor.offset, ceiling_tokens)
    report = as_json(packed, with_prompt=params.get("prompt") is True)
    if params.get("html") is True:
        report["html"] = as_html(packed, f"Context of {cursor.snapshot.uri.rpartition('/')[2]}", session.log.records())
    return report
