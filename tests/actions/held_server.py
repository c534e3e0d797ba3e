"""Run the real server with an engine that pauses in its first answer: ``python -m tests.actions.held_server``.

Its second answer is code only if the first one's stream was closed by then.
"""

from functools import partial

from spark_lsp.app import open_workspace
from spark_lsp.engine.base import CompletionRequest
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.server.server import SparkServer


def main() -> None:
    """Serve over standard input and output."""

    def answer(_request: CompletionRequest) -> str:
        if sum(request.key.startswith("action:") for request in engine.requests) < 2:
            engine.step(3)
            return "return w * h"
        engine.release()
        return "return w * h" if None in engine.stopped else "pass"

    engine = ScriptedEngine(answer, chunk_chars=2)
    engine.hold()
    SparkServer(partial(open_workspace, engine=engine)).start_io()


if __name__ == "__main__":
    main()
