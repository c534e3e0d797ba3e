"""Ask a type checker that is a language server for the diagnostics of a text, over pipes. Blocks; call it on a thread.

The server sees a text that is open in an editor, so nothing is written. Its requests are answered with nothing.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from spark_lsp.verdict.base import ToolProblem
from spark_lsp.verdict.processes import MAX_OUTPUT_BYTES, ToolFailure

_REPORTED_SEVERITIES: Final = frozenset({1, 2})
"""Errors and warnings; information and hints are no reason to refuse an edit."""
_MAX_HEADER_BYTES: Final = 8_192
_LENGTH: Final = b"content-length:"


class LanguageServer:
    """A conversation with a running server, in one folder. It may end, or talk badly, at any time."""

    def __init__(self, process: "subprocess.Popen[bytes]", folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._requests = 0
        self._versions: dict[Path, int] = {}

    def initialize(self) -> bool:
        """Introduce ourselves; False if the server does not answer."""
        uri = self._folder.as_uri()
        capabilities = {"workspace": {"configuration": True}, "textDocument": {"diagnostic": {}}}
        params = {
            "processId": None,
            "rootUri": uri,
            "workspaceFolders": [{"uri": uri, "name": self._folder.name}],
            "capabilities": capabilities,
        }
        if self._request("initialize", params) is None:
            return False
        return self._send({"method": "initialized", "params": {}})

    def problems(self, texts: dict[Path, str]) -> tuple[ToolProblem, ...] | None:
        """Return the diagnostics of these files with these texts; the later call replaces the texts."""
        for path, text in texts.items():
            self._show(path, text)
        rows: list[ToolProblem] = []
        for path in texts:
            report = self._request("textDocument/diagnostic", {"textDocument": {"uri": path.as_uri()}})
            items = report.get("items") if isinstance(report, dict) else None
            if not isinstance(items, list):
                return None
            rows += _problems(path, items)
        return tuple(rows)

    def _show(self, path: Path, text: str) -> None:
        version = self._versions[path] = self._versions.get(path, 0) + 1
        document = {"uri": path.as_uri(), "version": version}
        if version == 1:
            opened = {**document, "languageId": "python", "text": text}
            self._send({"method": "textDocument/didOpen", "params": {"textDocument": opened}})
        else:
            changed = {"textDocument": document, "contentChanges": [{"text": text}]}
            self._send({"method": "textDocument/didChange", "params": changed})

    def _request(self, method: str, params: dict[str, Any]) -> Any:
        """Return the result of a request; None for an error."""
        self._requests += 1
        self._send({"id": self._requests, "method": method, "params": params})
        while (message := self._receive()) is not None:
            if "method" not in message and message.get("id") == self._requests:
                return message.get("result")
            if "method" in message and "id" in message:
                self._send({"id": message["id"], "result": _answer(message)})
        return None

    def _send(self, message: dict[str, Any]) -> bool:
        assert self._process.stdin
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        try:
            self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            self._process.stdin.flush()
        except (OSError, ValueError):
            return False
        return True

    def _receive(self) -> dict[str, Any] | None:
        """Return the next message; None at the end of the output, or for something that is none."""
        assert self._process.stdout
        size = 0
        while (header := self._process.stdout.readline(_MAX_HEADER_BYTES)).strip():
            if header.lower().startswith(_LENGTH):
                number = header[len(_LENGTH) :].strip()
                size = int(number) if number.isdigit() else 0
        if not 0 < size <= MAX_OUTPUT_BYTES:
            return None
        try:
            message = json.loads(self._process.stdout.read(size))
        except (ValueError, RecursionError):
            return None
        return message if isinstance(message, dict) else None


def gone(name: str) -> ToolFailure:
    """Return the failure of a server that gave no diagnostics."""
    message = f"{name} ended, or answered no request for diagnostics (an old version?)."
    return ToolFailure(is_timeout=False, message=message)


def _answer(message: dict[str, Any]) -> Any:
    """Return the answer to a request of the server: no settings for each section, nothing else."""
    params = message.get("params")
    if message["method"] != "workspace/configuration" or not isinstance(params, dict):
        return None
    items = params.get("items")
    return [{} for _ in items] if isinstance(items, list) else []


def _problems(path: Path, items: Sequence[Any]) -> list[ToolProblem]:
    rows = [item for item in items if isinstance(item, dict) and item.get("severity", 1) in _REPORTED_SEVERITIES]
    return [
        ToolProblem(path, _first_line(item) + 1, str(item.get("code") or ""), " ".join(str(item["message"]).split()))
        for item in rows
        if "message" in item
    ]


def _first_line(item: dict[str, Any]) -> int:
    try:
        return int(item["range"]["start"]["line"])
    except (KeyError, TypeError, ValueError):
        return 0
