"""``spark-lsp serve``: runs the language server over standard input and output, or a loopback socket."""

import logging
import logging.handlers
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from spark_lsp.app import open_server
from spark_lsp.cli.terminal import SafeFormatter
from spark_lsp.errors import SettingsError
from spark_lsp.private_file import open_private

LOG_LIMIT_BYTES = 5_000_000
LEAVE_S = 5.0  # for threads that do not end by themselves; an index writes what it has within a second


def serve(
    *,
    stdio: Annotated[bool, typer.Option("--stdio", help="Use standard input and output (the default).")] = False,
    tcp: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Listen on this address; a port alone means loopback.")
    ] = "",
    log_file: Annotated[Path | None, typer.Option(help="Write the server's log to this file.")] = None,
    record: Annotated[Path | None, typer.Option(help="Record every request, with your code, in this folder.")] = None,
) -> None:
    """Run the language server.

    Example: spark-lsp serve --stdio
    """
    _log_to(log_file)
    if record:
        logging.getLogger("spark_lsp").warning("Requests are recorded in %s, with your code.", record)
    server = open_server(record.expanduser().resolve() if record else None)
    if tcp and not stdio:
        host, port = _address(tcp)
        with leaving_at_last():
            server.start_tcp(host, port)
        return
    # Whatever a library prints must not land in the LSP stream: it keeps its own copy of standard output.
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with leaving_at_last():
        server.start_io(sys.stdin.buffer, stream)


@contextmanager
def leaving_at_last(patience_s: float = LEAVE_S) -> Iterator[None]:
    """End the process some time after this block, whatever its threads still do: Python waits for them forever."""
    code = 0
    try:
        yield
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1 if error.code else 0
        raise
    finally:
        timer = threading.Timer(patience_s, os._exit, [code])
        timer.daemon = True
        timer.start()


class _PrivateFileHandler(logging.handlers.RotatingFileHandler):
    """A rotating log file that only its owner may read."""

    def _open(self) -> TextIOWrapper:
        return open_private(self.baseFilename, self.mode, encoding=self.encoding)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise SettingsError(f"--tcp takes HOST:PORT or PORT, not {text!r}.", fix="Try --tcp 127.0.0.1:7777.")
    return host or "127.0.0.1", int(port)


def _log_to(path: Path | None) -> None:
    from spark_lsp.server.protocol import OneLineFilter  # noqa: PLC0415 - pygls takes half a second that only serve needs

    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _PrivateFileHandler(path, maxBytes=LOG_LIMIT_BYTES, backupCount=1, encoding="utf-8")
    handler.setFormatter(SafeFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    handler.addFilter(OneLineFilter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("spark_lsp").setLevel(logging.DEBUG if path else logging.WARNING)
    # pygls logs whole messages, file contents included, at its lower levels.
    logging.getLogger("pygls").setLevel(logging.ERROR)
