"""Starts, restarts and leaves the engine of one workspace, and tells the user what comes of it."""

import asyncio
from collections.abc import Awaitable, Callable

from spark_lsp.engine.base import ModelInfo
from spark_lsp.errors import ConsentNeeded, SparkError
from spark_lsp.server.editor_window import EditorWindow
from spark_lsp.server.prefix_progress import rebuild_cached_prefix
from spark_lsp.workspace import Workspace

ALLOW = "Allow"
BUSY_S = 0.2


class EngineStarts:
    """The starts of one workspace's engine. Belongs to the server's event loop."""

    def __init__(self, window: EditorWindow, workspace: Workspace, is_in_use: Callable[[], bool]) -> None:
        """``is_in_use`` says whether the user works in this workspace."""
        self.is_starting = False
        self.problem: SparkError | None = None
        """Why the engine does not work; None while it does."""
        self._window = window
        self._workspace = workspace
        self._is_in_use = is_in_use
        self._starts = 0
        self._is_closed = False

    @property
    def _is_wanted(self) -> bool:
        """Whether completions need an engine: what is switched off or paused starts none."""
        workspace = self._workspace
        return not self._is_closed and workspace.settings.completion.enabled and not workspace.completer.is_paused

    async def start(self) -> None:
        """Start the engine unless that goes on already or nobody wants it."""
        if self._is_wanted and not self.is_starting:
            await self._run(self._workspace.engine.start)

    async def restart(self) -> None:
        """End the engine, whatever state it is in, and start a new one; a failure is shown."""
        await self._forget()
        self._window.client.forget_shown()
        if self._is_wanted:
            await self._run(self._workspace.engine.restart)
        else:
            await self._workspace.engine.close()  # its crashes are forgiven

    async def reconnect(self) -> None:
        """Leave an engine that another folder of the window restarts; it is found again when it is needed."""
        await self._forget()
        await self._workspace.engine.close()
        self.problem = None

    async def _forget(self) -> None:
        await self._workspace.stop_generating()
        await self._workspace.leave_chat_engine()
        self._workspace.context.prefix.engine_lost()

    async def leave(self) -> None:
        """Leave the engine as soon as it has nothing to do for anyone, unless completions are resumed before."""
        while not self._is_closed and self._workspace.completer.is_paused:
            if not (await self._workspace.engine.status()).busy:  # what was stopped still ends, or a code action runs
                await self._workspace.engine.close()
                await self._workspace.leave_chat_engine()
                return
            await asyncio.sleep(BUSY_S)

    def lost(self) -> None:
        """Notice that a request met no engine: what it had read is gone, and it is started in the background."""
        self._workspace.context.prefix.engine_lost()
        self._window.tasks.spawn(self.start(), "engine")

    def close(self) -> None:
        """Start nothing and report nothing any more: another workspace takes this one's place."""
        self._is_closed = True
        self.is_starting = False

    async def _run(self, start: Callable[[], Awaitable[ModelInfo]]) -> None:
        """Start the engine and tell what comes of it, unless a later start replaces this one."""
        self._starts += 1
        number = self._starts
        self.is_starting = True
        try:
            async with self._window.client.progress("Loading the model"):
                model = await start()
            for note in model.notes:
                self._window.client.log(note)
            self.problem = None
            self._window.tell_status()
            if not self._is_closed and self._is_in_use():
                await rebuild_cached_prefix(self._window, self._workspace)
        except SparkError as error:
            if number == self._starts and not self._is_closed:  # else of an engine that was left meanwhile
                self._report(error)
        finally:
            if number == self._starts:
                self.is_starting = False
                self._window.tell_status()

    def _report(self, error: SparkError) -> None:
        self.problem = error
        if isinstance(error, ConsentNeeded):
            self._window.tasks.spawn(self._ask_consent(error), "consent")
        else:
            self._window.client.show_error(error)

    async def _ask_consent(self, error: ConsentNeeded) -> None:
        """Ask once in this session whether code may go to a remote host; nothing goes there without a yes."""
        if await self._window.client.ask(f"Spark: {error}", ALLOW, "Not now") == ALLOW:
            await asyncio.to_thread(error.grant)
            await self.start()
