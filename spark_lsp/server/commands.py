"""``workspace/executeCommand``: accept, apply an action, pause and resume, engine and index."""

from collections.abc import Awaitable, Callable
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from spark_lsp.server.code_actions import propose, rewrite
from spark_lsp.server.convert import clamped_position
from spark_lsp.server.copilot_inline_edit import ACCEPT_COMMAND, accept_next_edit
from spark_lsp.server.guard import as_dict, guarded
from spark_lsp.server.session import Session
from spark_lsp.server.suggested_imports import add_imports

Command = Callable[[Session, list[Any]], Awaitable[Any]]


def register(server: LanguageServer, session: Session) -> None:
    """Register the methods."""
    for name, command in COMMANDS.items():
        server.command(name)(_handler(session, command))


def _handler(session: Session, command: Command) -> Callable[..., Awaitable[Any]]:
    guard = guarded(session.client.show_error, lambda: None)

    async def run(*arguments: Any) -> Any:
        return await guard(command)(session, list(arguments))

    return run


async def accept_completion(session: Session, arguments: list[Any]) -> None:
    """Count an accepted suggestion, and import the names that it needs."""
    for workspace in session.folders.workspaces() if arguments else ():
        accepted = workspace.completer.accepted(_id(arguments[0]))
        if accepted is not None:
            session.tasks.spawn(add_imports(session, accepted), "imports of a suggestion")


async def apply_action(session: Session, arguments: list[Any]) -> bool:
    """Make an action's edit and ask the client to apply it."""
    edit = await propose(session, as_dict(arguments[0]) if arguments else {})
    return await _applied(session, edit)


async def rewrite_range(session: Session, arguments: list[Any]) -> bool:
    """Rewrite a range of a document as an instruction says: arguments uri, range, instruction."""
    place = _range(arguments[1]) if len(arguments) > 2 else None
    if place is None:
        session.client.answer("Spark: spark.rewrite needs three arguments: a document's URI, a range, an instruction.")
        return False
    return await _applied(session, await rewrite(session, str(arguments[0]), place, str(arguments[2])))


async def _applied(session: Session, edit: types.WorkspaceEdit | None) -> bool:
    """Ask the client to apply an edit; whether it did."""
    if edit is None:
        return False
    answer = await session.client.request(
        types.WORKSPACE_APPLY_EDIT, types.ApplyWorkspaceEditParams(edit=edit, label="Spark")
    )
    return bool(getattr(answer, "applied", False))


async def pause(session: Session, _arguments: list[Any]) -> None:
    """Stop completing: no request reaches the engine until ``spark.resume``, and it may give its memory back."""
    await session.folders.pause()
    session.tell_status()


async def resume(session: Session, _arguments: list[Any]) -> None:
    """Complete again."""
    session.folders.resume()
    session.tell_status()


async def restart_engine(session: Session, _arguments: list[Any]) -> None:
    """End the engine and start it again, once where folders share it."""
    for served, *others in session.folders.by_engine():
        for sharing in others:
            await sharing.engine.reconnect()
        await served.engine.restart()


async def unload_model(session: Session, _arguments: list[Any]) -> dict[str, int]:
    """Give the model's memory back; the next completion loads it again. Returns the engine's bytes before and after."""
    before_bytes = after_bytes = 0
    for sharing in session.folders.by_engine():
        workspaces = [served.workspace for served in sharing]
        for workspace in workspaces:
            await workspace.stop_generating()  # what goes on in the background would load it again
        engine = workspaces[0].engine
        before_bytes += (await engine.status()).ram_bytes
        for workspace in workspaces:
            await workspace.unload()
        after_bytes += (await engine.status()).ram_bytes
    session.tell_status()
    return {"ramBytesBefore": before_bytes, "ramBytesAfter": after_bytes}


async def reindex(session: Session, _arguments: list[Any]) -> None:
    """Read every folder again."""
    for folder in session.folders.all():
        if folder.served:
            await folder.served.index.refresh()


COMMANDS: dict[str, Command] = {
    "spark.acceptCompletion": accept_completion,
    ACCEPT_COMMAND: accept_next_edit,
    "spark.applyAction": apply_action,
    "spark.rewrite": rewrite_range,
    "spark.restartEngine": restart_engine,
    "spark.unloadModel": unload_model,
    "spark.pause": pause,
    "spark.resume": resume,
    "spark.reindex": reindex,
}


def _range(argument: Any) -> types.Range | None:
    """Read a range of an argument; None when it is none."""
    fields = as_dict(argument)
    ends = [as_dict(fields.get(name)) for name in ("start", "end")]
    numbers = [number for end in ends for name in ("line", "character") if isinstance(number := end.get(name), int)]
    if len(numbers) < 4:
        return None
    start_line, start_character, end_line, end_character = numbers
    return types.Range(clamped_position(start_line, start_character), clamped_position(end_line, end_character))


def _id(argument: Any) -> int:
    value = as_dict(argument).get("id")
    return value if isinstance(value, int) else 0
