"""A stand-in for the model hub: one file, served as the hub does, with the faults that a test requests."""

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Fault = Literal[
    "",
    "cut",
    "damaged",
    "too large",
    "no checksum",
    "gone",
    "gated",
    "busy",
    "page",
    "silent",
    "no ranges",
    "halts",
    "no store",
]


@dataclass
class Hub:
    """The file of the stand-in and a log of its requests."""

    content: bytes
    fault: Fault = ""
    cut_at: int = 0
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path, range of each request."""
    tokens_at_store: list[str] = field(default_factory=list)
    """Authorization headers that reached the second host, which serves the bytes."""
    endpoint: str = ""
    held: threading.Event = field(default_factory=threading.Event)

    @property
    def sha256(self) -> str:
        """The published checksum."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def ranges(self) -> list[str]:
        """The byte ranges requested from the store."""
        return [asked for method, path, asked in self.requests if method == "GET" and path.startswith("/store")]


@contextlib.contextmanager
def running_hub(content: bytes) -> Iterator[Hub]:
    """Serve a file until the block ends. The hub is at ``localhost``, its store for bytes at ``127.0.0.1``."""
    hub = Hub(content)

    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.endpoint = f"http://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.held.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    served: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _answer(self) -> None:
        hub = self.served
        self.path = urlsplit(self.path).path  # as a proxy it receives whole addresses
        hub.requests.append((self.command, self.path, self.headers.get("Range", "")))
        if hub.fault == "silent":
            hub.held.wait(20)
            return
        if hub.fault == "gone":
            self._refuse(404, "RepoNotFound")
        elif hub.fault == "gated":
            self._refuse(403, "GatedRepo")
        elif hub.fault == "busy":
            self._refuse(503, "")
        elif self.path.startswith("/store"):
            hub.tokens_at_store.append(self.headers.get("Authorization", ""))
            self._send()
        else:
            self._lead_to_store()

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _lead_to_store(self) -> None:
        hub = self.served
        size = 10**15 if hub.fault == "too large" else len(hub.content)
        self.send_response(302)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("X-Linked-Size", str(size))
        self.send_header("X-Linked-Etag", '"abc"' if hub.fault == "no checksum" else f'"{hub.sha256}"')
        port = 9 if hub.fault == "no store" else self.server.server_address[1]
        self.send_header("Location", f"http://127.0.0.1:{port}/store/file")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self) -> None:
        hub = self.served
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if hub.fault == "no ranges":
            begin = 0
        content = hub.content[:-1] + b"!" if hub.fault == "damaged" else hub.content
        if hub.fault == "page":
            content = b"<html>Please log in to this network.</html>".ljust(len(content))
        body = content[begin:]
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if hub.fault == "halts":
            self.wfile.write(body[: len(body) // 2])
            hub.held.wait(20)
        elif hub.fault == "cut":
            self.wfile.write(content[begin : hub.cut_at])
            self.close_connection = True
            hub.fault = "busy"  # the next try is refused, so that the pull ends there
        else:
            self.wfile.write(body)
