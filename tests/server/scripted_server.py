"""The real server with a scripted engine, as a process: ``python -m tests.server.scripted_server ANSWER...``.

``SCRIPTED_CHUNK`` is the characters a chunk; ``SCRIPTED_FAMILY`` the model's family; ``SCRIPTED_CHAT`` its template.
``SCRIPTED_CRASHED`` makes each start fail until a restart (``restart``), or for ever (``for ever``).
"""

import os
import sys
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path

from spark_lsp.app import open_workspace
from spark_lsp.engine.base import Chunk, CompletionRequest, ModelInfo
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.errors import EngineFailed
from spark_lsp.server.server import SparkServer


class TellingEngine(ScriptedEngine):
    """Writes down what reaches it."""

    crashed = os.environ.get("SCRIPTED_CRASHED", "")

    async def start(self) -> ModelInfo:
        """Tell of a start."""
        _tell("start")
        if self.crashed:
            raise EngineFailed("The engine process stopped three times.", fix="Run spark-lsp doctor.")
        return await super().start()

    async def restart(self) -> ModelInfo:
        """Tell of a restart."""
        _tell("restart")
        if self.crashed == "restart":
            self.crashed = ""
        return await super().restart()

    def generate(self, request: CompletionRequest) -> AsyncGenerator[Chunk]:
        """Tell of a request, with its priority."""
        _tell(f"generate {request.priority}")
        return super().generate(request)


def _tell(what: str) -> None:
    path = os.environ.get("SCRIPTED_LOG")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{what}\n")


def main() -> None:
    """Serve over standard input and output."""
    engine = TellingEngine(
        sys.argv[1:] or ["x"],
        int(os.environ.get("SCRIPTED_CHUNK", "4")),
        family=os.environ.get("SCRIPTED_FAMILY", "qwen2.5-coder"),
        chat_template=os.environ.get("SCRIPTED_CHAT", ""),
    )
    record = os.environ.get("SCRIPTED_RECORD")
    SparkServer(partial(open_workspace, engine=engine, record=Path(record) if record else None)).start_io()


if __name__ == "__main__":
    main()
