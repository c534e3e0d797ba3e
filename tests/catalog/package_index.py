"""A stand-in for a package index: pages of names and wheels with parts of a file, for the real pip on loopback."""

import contextlib
import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from spark_lsp.catalog.known import IndexSource, WheelPart

VERSION = "1.0"


def wheel(distribution: str, members: dict[str, bytes]) -> bytes:
    """Build a wheel with these members and its metadata."""
    module = distribution.replace("-", "_")
    info = f"{module}-{VERSION}.dist-info"
    metadata = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {VERSION}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**members, **metadata}.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


@dataclass
class Index:
    """The wheels of the stand-in and a log of its requests."""

    parts: tuple[bytes, ...]
    extra: dict[str, bytes] = field(default_factory=dict)
    """More members of each wheel."""
    url: str = ""
    missing: set[int] = field(default_factory=set)
    """Numbers of the parts that it does not have."""
    swapped: dict[int, bytes] = field(default_factory=dict)
    """Wheels that it sends in place of the right ones."""
    held: set[int] = field(default_factory=set)
    """Numbers of the wheels of which it sends only the first half until ``release`` is set."""
    release: threading.Event = field(default_factory=threading.Event)
    half_sent: threading.Event = field(default_factory=threading.Event)
    paths: list[str] = field(default_factory=list)

    @property
    def fetched(self) -> list[int]:
        """Numbers of the requested wheels, in order."""
        return [int(path.rpartition("part")[2].split("-")[0]) for path in self.paths if path.startswith("/files/")]

    def wheel(self, number: int) -> bytes:
        """The right wheel of a part."""
        name = f"some_part{number}"
        return wheel(f"some-part{number}", {f"{name}/data/part{number:02}.bin": self.parts[number - 1], **self.extra})

    @property
    def source(self) -> IndexSource:
        """The catalogue's source row for this index."""
        numbers = range(1, len(self.parts) + 1)
        return IndexSource(
            version=VERSION,
            distribution="some-part{number}",
            member="some_part{number}/data/part{number:02}.bin",
            parts=tuple(_row(self.wheel(number), self.parts[number - 1]) for number in numbers),
        )


def _row(packed: bytes, part: bytes) -> WheelPart:
    return WheelPart(hashlib.sha256(packed).hexdigest(), len(packed), hashlib.sha256(part).hexdigest(), len(part))


def only_here(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pip use this index alone, whatever the machine's settings are."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")


@contextlib.contextmanager
def running_index(parts: tuple[bytes, ...]) -> Iterator[Index]:
    """Serve parts until the block ends."""
    index = Index(parts)

    class Handler(_Handler):
        served = index

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    index.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield index
    finally:
        index.release.set()
        server.shutdown()
        thread.join()
        server.server_close()


def save(index: Index, folder: Path, *numbers: int) -> None:
    """Write wheels to a folder, as a mirror of files has them."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        (folder / _file_name(number)).write_bytes(index.wheel(number))


def _file_name(number: int) -> str:
    return f"some_part{number}-{VERSION}-py3-none-any.whl"


class _Handler(BaseHTTPRequestHandler):
    served: Index

    def do_GET(self) -> None:
        index = self.served
        index.paths.append(self.path)
        digits = self.path.partition("part")[2].rstrip("/").split("-")[0]
        number = int(digits) if digits.isdecimal() else 0
        if not 1 <= number <= len(index.parts) or number in index.missing:
            self.send_error(404)
        elif self.path.startswith("/simple/"):
            self._send("text/html", f'<a href="/files/{_file_name(number)}">{_file_name(number)}</a>'.encode())
        else:
            content = index.swapped.get(number) or index.wheel(number)
            self._send("application/zip", content, halts=number in index.held)

    def _send(self, kind: str, content: bytes, *, halts: bool = False) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        half = len(content) // 2 if halts else len(content)
        with contextlib.suppress(OSError):  # the other end may have gone
            self.wfile.write(content[:half])
            self.wfile.flush()
            if halts:
                self.served.half_sent.set()
                self.served.release.wait(60)
                self.wfile.write(content[half:])

    def log_message(self, *_: object) -> None:
        """Log nothing."""
