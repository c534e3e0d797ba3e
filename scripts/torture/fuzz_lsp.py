"""Fuzz LSP: valid and invalid messages to a real server over stdio, compared with a reference of every document's text.

Each request must be answered exactly once, the texts must be equal, and the memory must not grow.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from scripts.torture.connection import Server
from scripts.torture.fuzzed_server import TEXTS, digest
from scripts.torture.text_model import Document, position, random_text

COMMAND: Final = ("-m", "scripts.torture.fuzzed_server")
MAX_UNANSWERED: Final = 200
COMPARE_EVERY: Final = 25
DOCUMENTS: Final = 4
LANGUAGES: Final = ("python", "typescript", "plaintext", "rust")
NUMBERS: Final[tuple[Any, ...]] = (-1, 0, 1, 7, 2**31 - 1, 2**31, 2**80, None, "a", 1.5, True, [], {})
COMMANDS: Final = ("spark.pause", "spark.resume", "spark.reindex", "spark.unloadModel", "spark.applyAction", "no.such")
METHODS: Final = (
    *("textDocument/inlineCompletion", "spark/inlineCompletionStream", "textDocument/completion", "spark/context"),
    *("textDocument/codeAction", "codeAction/resolve", "workspace/executeCommand", "spark/log", "no/such", "$/no"),
    *("textDocument/didOpen", "textDocument/didChange", "textDocument/didClose", "textDocument/didSave"),
    *("textDocument/didFocus", "textDocument/didShowCompletion", "textDocument/didPartiallyAcceptCompletion"),
    *("workspace/didChangeConfiguration", "workspace/didChangeWatchedFiles", "$/cancelRequest", "$/setTrace"),
    *("initialized", "textDocument/hover", "textDocument/copilotInlineEdit", "window/workDoneProgress/cancel"),
)
BODIES: Final = (
    b"{{{{",
    b"",
    b"null",
    b"[1, 2]",
    b'"x"',
    b"\xff\xfe",
    b'{"jsonrpc": "2.0"}',
    b"[" * 2_000,
    b"1" * 5_000,
)


@dataclass
class Report:
    """The outcome of a run."""

    messages: int = 0
    requests: int = 0
    unanswered: int = 0
    answered_twice: int = 0
    compared: int = 0
    diverged: int = 0
    exit_status: int | None = None
    seconds: float = 0.0
    resident_bytes: list[int] = field(default_factory=list)
    """At each tenth of the run."""


class Fuzzer:
    """One server, one seed, one position encoding."""

    def __init__(self, seed: int, encoding: str, folder: Path) -> None:
        self._random = Random(seed)  # noqa: S311 - a run that can be repeated
        self._encoding = encoding
        self._server = Server(COMMAND, folder)
        self._root = folder / "w"
        self._root.mkdir()
        (self._root / "helper.py").write_text("def helper(value):\n    return value\n", "utf-8")
        self._documents: dict[str, Document] = {}
        self._asked: list[int] = []
        self._number = 0
        self.report = Report()
        self._steps: tuple[tuple[int, Callable[[], None]], ...] = (
            (50, self._change),
            (4, self._open),
            (2, self._close),
            (12, self._ask),
            (6, self._cancel),
            (14, self._nonsense),
            (4, self._raw),
        )

    def run(self, messages: int) -> Report:
        """Send so many messages, and return the outcome."""
        began = time.monotonic()
        self._server.initialize(self._root, self._encoding)
        steps, weights = [step for _, step in self._steps], [weight for weight, _ in self._steps]
        while self.report.messages < messages and self._server.process.poll() is None:
            self._random.choices(steps, weights)[0]()
            if self.report.messages % COMPARE_EVERY == 0:
                self._compare()
            if self.report.messages * 10 // messages > len(self.report.resident_bytes):
                self.report.resident_bytes.append(self._server.resident_bytes())
        self._compare()
        self._wait(0)
        self.report.exit_status = self._server.process.poll()
        if self.report.exit_status is None:
            self.report.exit_status = self._server.end()
        self.report.answered_twice = sum(count > 1 for count in self._server.answers.values())
        self.report.seconds = round(time.monotonic() - began, 1)
        return self.report

    def close(self) -> None:
        """End the server in any state."""
        if self._server.process.poll() is None:
            self._server.kill()

    # -- valid messages ----------------------------------------------------------------------------------------------

    def _change(self) -> None:
        if not self._documents:
            self._open()
            return
        document = self._any()
        changes = [document.edit(self._random, self._encoding) for _ in range(self._random.choice((1, 1, 1, 2, 3)))]
        document.version += 1
        identity = {"uri": document.uri, "version": document.version}
        self._notify("textDocument/didChange", {"textDocument": identity, "contentChanges": changes})

    def _open(self) -> None:
        number = self._random.randrange(DOCUMENTS)
        uri = (self._root / f"f{number}{('.py', '.ts', '.txt', '.rs')[number]}").as_uri()
        if uri in self._documents:
            return
        document = self._documents[uri] = Document(uri, random_text(self._random, 120))
        item = {"uri": uri, "languageId": LANGUAGES[number], "version": 1, "text": document.text}
        self._notify("textDocument/didOpen", {"textDocument": item})

    def _close(self) -> None:
        if self._documents:
            uri = self._any().uri
            del self._documents[uri]
            self._notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def _ask(self) -> None:
        if not self._documents:
            return
        document = self._any()
        place = position(document.text, self._random.randrange(len(document.text) + 1), self._encoding)
        params: dict[str, Any] = {"textDocument": {"uri": document.uri}, "position": place}
        method = self._random.choice(METHODS[:6])
        if method == "spark/inlineCompletionStream":
            params["partialResultToken"] = self._number
        if method in METHODS[:2]:
            params["context"] = {"triggerKind": self._random.choice((1, 2))}
        if method == "textDocument/codeAction":
            params |= {"range": {"start": place, "end": place}, "context": {"diagnostics": []}}
        if method == "codeAction/resolve":
            params = {"title": "x", "data": {"id": "extract.variable", "uri": document.uri, "range": {}}}
        self._request(method, params)

    def _cancel(self) -> None:
        if self._asked:
            self._notify("$/cancelRequest", {"id": self._random.choice(self._asked)})

    # -- messages that no client should send --------------------------------------------------------------------------

    def _nonsense(self) -> None:
        """Send a known or unknown method with parameters of wrong kinds, as a request or as a notification."""
        method = self._random.choice(METHODS)
        document = self._any().uri if self._documents and self._random.random() < 0.3 else "file:///no/such"
        params = self._value(3, document)
        if method == "workspace/executeCommand":
            params = {"command": self._random.choice(COMMANDS), "arguments": [self._value(2, document)]}
        touches_text = method in {"textDocument/didOpen", "textDocument/didChange", "textDocument/didClose"}
        if self._random.random() < 0.6:
            self._request(method, params)
        elif not touches_text or not isinstance(params, dict):  # those might change a text that the reference keeps
            self._notify(method, params)

    def _raw(self) -> None:
        self._server.send_bytes(self._random.choice(BODIES))
        self.report.messages += 1

    def _value(self, depth: int, uri: str) -> Any:
        """Return a JSON value that may look like parameters."""
        if depth == 0 or self._random.random() < 0.2:
            return self._random.choice((*NUMBERS, uri, random_text(self._random, 6)))
        if self._random.random() < 0.2:
            return [self._value(depth - 1, uri) for _ in range(self._random.randrange(3))]
        names = ("textDocument", "position", "uri", "line", "character", "range", "context", "data", "item", "settings")
        return {name: self._value(depth - 1, uri) for name in self._random.sample(names, self._random.randrange(5))}

    # -- sending and comparing ----------------------------------------------------------------------------------------

    def _any(self) -> Document:
        return self._random.choice(list(self._documents.values()))

    def _notify(self, method: str, params: Any) -> None:
        self._server.notify(method, params)
        self.report.messages += 1

    def _request(self, method: str, params: Any) -> int:
        self._wait(MAX_UNANSWERED)
        self._number += 1
        self._asked.append(self._number)
        self._server.request(self._number, method, params)
        self.report.messages += 1
        self.report.requests += 1
        return self._number

    def _wait(self, most: int) -> None:
        """Wait until at most ``most`` requests are unanswered, the oldest first."""
        while len(self._asked) > most:
            try:
                self._server.wait_for(self._asked.pop(0))
            except TimeoutError:
                self.report.unanswered += 1

    def _compare(self) -> None:
        number = self._request(TEXTS, {})
        try:
            texts = self._server.wait_for(number)
        except TimeoutError:
            return  # counted in its turn
        self.report.compared += 1
        expected = {uri: digest(document.text) for uri, document in self._documents.items()}
        self.report.diverged += texts != expected
