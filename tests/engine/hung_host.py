"""An engine process whose model's thread hangs at one request: the real host, with a model that never answers that."""

import logging
import sys
import threading

import msgspec

from spark_lsp.engine.base import CompletionRequest
from spark_lsp.engine.wire import frames
from spark_lsp.llama import host
from spark_lsp.llama.generation import Generation
from spark_lsp.llama.runtime import ModelRuntime

KEY = "hang"
"""The key of the request that is never answered."""
TOLD = "the thread of the model hangs from here on"

_answer = ModelRuntime.generation


def _hang(runtime: ModelRuntime, request: CompletionRequest, received: float) -> Generation:
    if request.key == KEY:
        logging.getLogger("spark_lsp.llama").warning(TOLD)
        threading.Event().wait()
    return _answer(runtime, request, received)


if __name__ == "__main__":
    host._END_S = 0.5  # type: ignore[misc]
    ModelRuntime.generation = _hang  # type: ignore[method-assign]
    sys.exit(host.run_host(msgspec.json.decode(sys.argv[1], type=frames.HostOrder)))
