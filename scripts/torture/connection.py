"""Run a language server as a process and collect its messages, for programs that send what no editor sends."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psutil

PATIENCE_S = 120.0


def private_folders(folder: Path) -> dict[str, str]:
    """Return the variables that keep a server's files in a folder, and its offer of a model away."""
    names = ("XDG_CACHE_HOME", "XDG_STATE_HOME", "SPARK_LSP_RUNTIME_DIR")
    return {name: str(folder / name) for name in names} | {"SPARK_LSP_OFFER_MODEL": "false"}


class Server:
    """One server. Messages are sent at once; a thread collects the answers and counts them by id."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        with (folder / "stderr.log").open("ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, **private_folders(folder), **(environment or {})},
            )
        self.answers: Counter[int] = Counter()
        self.answered_s: dict[int, float] = {}
        """When the last answer to each request came, by the monotonic clock."""
        self.results: dict[int, Any] = {}
        self.messages: list[str] = []
        """Messages that were shown to the user."""
        self.statuses: list[Any] = []
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def initialize(
        self, root: Path | None, encoding: str = "utf-16", *, capabilities: Mapping[str, Any] | None = None
    ) -> None:
        """Open a session in a folder; ``capabilities`` are what the editor has beside the encoding."""
        general = {"positionEncodings": [encoding]}
        params = {"processId": os.getpid(), "rootUri": root.as_uri() if root else None}
        self.request(0, "initialize", {**params, "capabilities": {"general": general, **(capabilities or {})}})
        self.wait_for(0)
        self.send({"jsonrpc": "2.0", "method": "initialized", "params": {}})

    def send(self, message: Any) -> None:
        """Send a message without checking it."""
        self.send_bytes(json.dumps(message).encode())

    def send_bytes(self, body: bytes) -> None:
        """Send the body of a message."""
        stdin = self.process.stdin
        assert stdin is not None
        with self._sending:
            stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            stdin.flush()

    def request(self, number: int, method: str, params: Any) -> None:
        """Send a request."""
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def wait_for(self, number: int, patience_s: float = PATIENCE_S) -> Any:
        """Return the result of a request, waiting for it.

        Raises:
            TimeoutError: it did not come.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self.answers[number] or self.process.poll() is not None, patience_s):
                raise TimeoutError(f"request {number} was not answered within {patience_s:g} s")
        return self.results.pop(number, None)

    def resident_bytes(self) -> int:
        """Return the memory that the process uses."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def end(self, number: int = -1) -> int:
        """Shut down properly and return the exit status."""
        self.request(number, "shutdown", None)
        self.wait_for(number)
        self.notify("exit", None)
        status = self.process.wait(PATIENCE_S)
        self._close()
        return status

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        self._thread.join()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with suppress(OSError):  # unsent messages are lost with the process
                pipe.close()

    def _collect(self) -> None:
        stdout = self.process.stdout
        assert stdout is not None
        while (message := _read(stdout)) is not None:
            if "method" in message:
                self._handle(message)
                continue
            with self._changed:
                number = message.get("id") or 0
                self.answers[number] += 1
                self.answered_s[number] = time.monotonic()
                self.results[number] = message.get("result", message.get("error"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _handle(self, message: dict[str, Any]) -> None:
        """Process a notification; answer a request of the server with nothing, as an editor may."""
        if message["method"] == "window/showMessage":
            self.messages.append(message["params"]["message"])
        elif message["method"] == "spark/status":
            self.statuses.append(message["params"])
        if "id" in message:
            threading.Thread(target=self._answer, args=(message["id"],), daemon=True).start()

    def _answer(self, number: Any) -> None:
        try:
            self.send({"jsonrpc": "2.0", "id": number, "result": None})
        except OSError:
            return


def _read(stream: IO[bytes]) -> dict[str, Any] | None:
    """Read one message; None at the end. Anything else on standard output is an error."""
    length = 0
    while line := stream.readline():
        if not line.strip():
            message: dict[str, Any] = json.loads(stream.read(length))
            return message
        name, _, value = line.partition(b":")
        assert name in (b"Content-Length", b"Content-Type"), f"{line!r} is not LSP"
        length = int(value) if name == b"Content-Length" else length
    return None
