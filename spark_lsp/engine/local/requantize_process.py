"""Starts a process that writes a model's weights in faster types, and reads its progress. Never loads a model here."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from spark_lsp.engine.local.binding import require_binding
from spark_lsp.engine.wire import frames
from spark_lsp.errors import EngineFailed


def requantize_model(source: Path, target: Path, text: str, progress: Callable[[str], None]) -> frames.Requantized:
    """Write the fastest file that answers nearly as ``source`` does to ``target``; none where none is worth it.

    ``text`` is code whose tokens both predict. Minutes for a large model.

    Raises:
        ModelMissing, ModelUnusable: the original cannot be used.
        EngineFailed: the process ended without an answer.
    """
    require_binding()
    order = msgspec.json.encode(frames.RequantizeOrder(str(source), str(target), text))
    command = [sys.executable, "-P", "-m", "spark_lsp", "engine", "requantize"]
    try:
        process = subprocess.Popen(  # noqa: S603  our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise EngineFailed(f"The process that optimizes models cannot be started: {error.strerror}.") from error
    with process:
        assert process.stdin is not None, "a pipe was asked for"
        assert process.stdout is not None, "a pipe was asked for"
        try:
            process.stdin.write(order)
            process.stdin.close()
            for line in process.stdout:
                answer = msgspec.json.decode(line, type=frames.RequantizeAnswer)
                if answer.error is not None:
                    raise frames.error_of(answer.error)
                if answer.result is not None:
                    return answer.result
                progress(answer.step)
        except (OSError, msgspec.DecodeError) as error:
            raise EngineFailed(f"The process that optimizes models gave no answer: {error}.") from error
        finally:
            process.kill()
    raise EngineFailed("The process that optimizes models ended without an answer.", fix="Free some memory and retry.")
