"""The real server with a scripted engine, as a process: ``python -m tests.server.scripted_server ANSWER...``.

``SCRIPTED_CHUNK`` is the characters a chunk; ``SCRIPTED_FAMILY`` the model's family; ``SCRIPTED_CHAT`` its template.
"""

import os
import sys
from functools import partial

from spark_lsp.app import open_rooms
from spark_lsp.engine.fake import ScriptedEngine
from spark_lsp.server.server import SparkServer


def main() -> None:
    """Serve over standard input and output."""
    engine = ScriptedEngine(
        sys.argv[1:] or ["x"],
        int(os.environ.get("SCRIPTED_CHUNK", "4")),
        family=os.environ.get("SCRIPTED_FAMILY", "qwen2.5-coder"),
        chat_template=os.environ.get("SCRIPTED_CHAT", ""),
    )
    SparkServer(partial(open_rooms, engine=engine)).start_io()


if __name__ == "__main__":
    main()
