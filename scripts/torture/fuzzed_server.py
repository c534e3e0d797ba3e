"""Run the real server with a scripted engine and one more request, which returns digests of its texts.

Started as a process: ``python -m scripts.torture.fuzzed_server``.
"""

import hashlib
from functools import partial
from typing import Any

from spark_lsp.app import open_workspace
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.server.server import SparkServer

ANSWERS = ["x = 1\n", "return value\n", "(a, b)\n", ""]
TEXTS = "torture/texts"


def digest(text: str) -> str:
    """Return a short name for a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def main() -> None:
    """Serve over standard input and output."""
    server = SparkServer(partial(open_workspace, engine=ScriptedEngine(ANSWERS)))

    @server.feature(TEXTS)
    def texts(_params: Any) -> dict[str, str]:
        return {snapshot.uri: digest(snapshot.text) for snapshot in server.session.documents.all()}

    server.start_io()


if __name__ == "__main__":
    main()
