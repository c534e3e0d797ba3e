"""``workspace/executeCommand``: accept, apply an action, pause and resume, engine and index."""

from collections.abc import Awaitable, Callable
from typing import Any

from lsprotocol import types

from spark_lsp.server.code_actions import propose
from spark_lsp.server.guard import as_dict
from spark_lsp.server.session import Session

Command = Callable[[Session, list[Any]], Awaitable[Any]]


async def accept_completion(session: Session, arguments: list[Any]) -> None:
    """Count an accepted suggestion."""
    if session.rooms and arguments:
        session.rooms.completer.feedback.accepted(_id(arguments[0]))


async def apply_action(session: Session, arguments: list[Any]) -> bool:
    """Make an action's edit and ask the client to apply it."""
    edit = await propose(session, as_dict(arguments[0]) if arguments else {})
    if edit is None:
        return False
    answer = await session.client.request(
        types.WORKSPACE_APPLY_EDIT, types.ApplyWorkspaceEditParams(edit=edit, label="Spark")
    )
    return bool(getattr(answer, "applied", False))


async def pause(session: Session, _arguments: list[Any]) -> None:
    """Stop completing: no request reaches the engine until ``spark.resume``."""
    if session.rooms:
        session.rooms.completer.paused = True
        await session.rooms.stop_generating()
    session.tell_status()


async def resume(session: Session, _arguments: list[Any]) -> None:
    """Complete again."""
    if session.rooms:
        session.rooms.completer.paused = False
    session.tell_status()


async def restart_engine(session: Session, _arguments: list[Any]) -> None:
    """Leave the engine and start it anew."""
    await session.restart_engine()


async def unload_model(session: Session, _arguments: list[Any]) -> dict[str, int]:
    """Give the model's memory back; the next completion loads it again. Returns the engine's bytes before and after."""
    if session.rooms is None:
        return {"ramBytesBefore": 0, "ramBytesAfter": 0}
    engine = session.rooms.engine
    before = await engine.status()
    await engine.unload()
    session.rooms.context.engine_lost()
    after = await engine.status()
    session.tell_status()
    return {"ramBytesBefore": before.ram_bytes, "ramBytesAfter": after.ram_bytes}


async def reindex(session: Session, _arguments: list[Any]) -> None:
    """Read the workspace again."""
    await session.reindex()


COMMANDS: dict[str, Command] = {
    "spark.acceptCompletion": accept_completion,
    "spark.applyAction": apply_action,
    "spark.restartEngine": restart_engine,
    "spark.unloadModel": unload_model,
    "spark.pause": pause,
    "spark.resume": resume,
    "spark.reindex": reindex,
}


def _id(argument: Any) -> int:
    value = as_dict(argument).get("id")
    return value if isinstance(value, int) else 0
