"""Cause faults during typing: processes that are killed or stopped, full disks, damaged files.

A real server with the embedded model in the engine process. After each fault the next completion must work, every
request must be answered once, and no process may remain at the end.
"""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path
from random import Random
from typing import Any, Final

import psutil

from scripts.torture.connection import Server

COMMAND: Final = ("-m", "spark_lsp", "serve", "--stdio")
IDLE_MINUTES: Final = 0.02
GONE_S: Final = 60.0
READY_S: Final = 180.0
CRASHES_BEFORE_A_RESTART: Final = 2
"""Kills; a third crash within ten minutes would stop the restarts, see ``spark.restartEngine``."""


@dataclass
class Outcome:
    """The outcome of one kind of fault."""

    name: str
    rounds: int = 0
    answered: int = 0
    unanswered: int = 0
    answered_twice: int = 0
    works_afterwards: bool = False
    messages: list[str] = field(default_factory=list)
    orphans: int = 0
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether the fault did no more harm than necessary."""
        return not (self.unanswered or self.answered_twice or self.orphans) and self.works_afterwards


class Window:
    """An editor's window on a small workspace, which types and sends requests."""

    def __init__(self, folder: Path, random: Random, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self._random = random
        root = folder / "w"
        root.mkdir(exist_ok=True)
        with suppress(OSError):
            (root / "money.py").write_text("def total(values):\n    return sum(values)\n", "utf-8")
        self.server = Server(COMMAND, folder, small_engine(folder) | (environment or {}))
        self.server.initialize(root)
        self._uri = (root / "main.py").as_uri()
        self._text = "from money import total\n\n\ndef main(values):\n    result = "
        self._version = 1
        self._number = 0
        item = {"uri": self._uri, "languageId": "python", "version": 1, "text": self._text}
        self.server.notify("textDocument/didOpen", {"textDocument": item})

    def type(self, text: str) -> None:
        """Type at the end of the document."""
        place = self._end()
        self._text += text
        self._version += 1
        identity = {"uri": self._uri, "version": self._version}
        change = {"range": {"start": place, "end": place}, "text": text}
        self.server.notify("textDocument/didChange", {"textDocument": identity, "contentChanges": [change]})

    def ask(self) -> int:
        """Trigger a completion by hand after a new key; return the number of the request."""
        self.type(self._random.choice("abcdefghij") if self._random.random() < 0.8 else "\n    value = ")
        self._number += 1
        params = {"textDocument": {"uri": self._uri}, "position": self._end(), "context": {"triggerKind": 1}}
        self.server.request(self._number, "textDocument/inlineCompletion", params)
        return self._number

    def command(self, name: str) -> None:
        """Run a command and wait for its end."""
        self._number += 1
        self.server.request(self._number, "workspace/executeCommand", {"command": name})
        self.server.wait_for(self._number)

    def reason(self) -> str:
        """Return the reason of the latest answer."""
        self._number += 1
        self.server.request(self._number, "spark/log", {})
        log: dict[str, Any] = self.server.wait_for(self._number) or {}
        requests = log.get("requests") or [{}]
        return str(requests[-1].get("reason", ""))

    def works(self, patience_s: float = READY_S) -> bool:
        """Whether the model delivers a completion within some time."""
        until = time.monotonic() + patience_s
        while time.monotonic() < until and self.server.process.poll() is None:
            self.server.wait_for(self.ask())
            if self.reason().partition(".")[0] not in {"engine", "timeout", "model", "disabled", "paused"}:
                return True
            time.sleep(0.2)
        return False

    def engines(self) -> list[psutil.Process]:
        """Return the engine processes that serve this folder."""
        return [process for process in processes_of(self.folder) if "engine" in process.cmdline()]

    def _end(self) -> dict[str, int]:
        lines = self._text.split("\n")
        return {"line": len(lines) - 1, "character": len(lines[-1])}


def small_engine(folder: Path) -> dict[str, str]:
    """Return the variables of a server whose engine is small and leaves soon."""
    return {
        "SPARK_LSP_MODELS_DIR": str(folder / "models"),
        "SPARK_LSP_ENGINE_IDLE_MINUTES": str(IDLE_MINUTES),
        "SPARK_LSP_CONTEXT_MAX_TOKENS": "4096",
        "SPARK_LSP_ENGINE_THREADS": "1",
    }


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return the processes that were started with this folder for their caches, except this one."""
    running = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get("XDG_CACHE_HOME", "").startswith(str(folder)):
                running.append(process)
    return running


def kill_engine(folder: Path, random: Random, rounds: int) -> Outcome:
    """Kill the engine at random moments under requests."""
    return _under_requests("kill -9 of the engine", folder, random, rounds, _kill)


def stop_engine(folder: Path, random: Random, rounds: int, *, stopped_s: float = 20.0) -> Outcome:
    """Stop the engine for a while, as a sleeping laptop does."""

    def pause(process: psutil.Process) -> None:
        process.send_signal(signal.SIGSTOP)
        time.sleep(stopped_s)
        with suppress(psutil.Error):
            process.send_signal(signal.SIGCONT)

    return _under_requests(f"SIGSTOP of the engine for {stopped_s:g} s", folder, random, rounds, pause)


def _kill(process: psutil.Process) -> None:
    process.kill()


def _under_requests(
    name: str, folder: Path, random: Random, rounds: int, harm: Callable[[psutil.Process], None]
) -> Outcome:
    outcome = Outcome(name)
    window = Window(folder, random)
    assert window.works(), window.server.messages
    for number in range(rounds):
        asked = [window.ask() for _ in range(random.randrange(1, 4))]
        time.sleep(random.random() * 0.3)
        for engine in window.engines():
            with suppress(psutil.Error):
                harm(engine)
        _collect(outcome, window, asked)
        if number % CRASHES_BEFORE_A_RESTART == CRASHES_BEFORE_A_RESTART - 1:
            window.command("spark.restartEngine")
        outcome.rounds += 1
    return finish(outcome, window)


def kill_server(folder: Path, random: Random, rounds: int) -> Outcome:
    """Kill the server at random moments; its engine and its workers must exit by themselves."""
    outcome = Outcome("kill -9 of the server")
    for _ in range(rounds):
        window = Window(folder, random)
        window.ask()
        time.sleep(random.random() * 2)
        window.server.kill()
        outcome.rounds += 1
    return finish(outcome, Window(folder, random))


def kill_editor(folder: Path, random: Random, rounds: int) -> Outcome:
    """Kill the editor's process while it types; its server, workers and engine have to leave by themselves."""
    outcome = Outcome("kill -9 of the editor")
    spawn = multiprocessing.get_context("spawn")
    for _ in range(rounds):
        is_typing = spawn.Event()
        editor = spawn.Process(target=_type_for_ever, args=(folder, random.randrange(2**31), is_typing))
        editor.start()
        is_typing.wait(READY_S)
        time.sleep(random.random() * 2)
        editor.kill()
        editor.join()
        outcome.rounds += 1
    return finish(outcome, Window(folder, random))


def _type_for_ever(folder: Path, seed: int, is_typing: Event) -> None:
    window = Window(folder, Random(seed))  # noqa: S311 - a run that can be repeated
    is_typing.set()
    while True:
        window.server.wait_for(window.ask())


def damage_files(folder: Path, random: Random, rounds: int) -> Outcome:
    """Change, truncate or empty files of the caches, the state and the settings between two sessions."""
    outcome = Outcome("damaged caches, state and settings")
    for _ in range(rounds):
        window = Window(folder, random)
        if not window.works():
            return finish(outcome, window)
        outcome.messages += window.server.messages
        window.server.end()
        kept = [folder / name for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME")]
        files = [path for place in kept for path in place.rglob("*") if path.is_file()]
        for path in random.sample(files, min(len(files), 3)):
            _damage(path, random)
        (folder / "w" / ".spark-lsp.toml").write_bytes(random.randbytes(random.randrange(200)))
        outcome.rounds += 1
    return finish(outcome, Window(folder, random))


def _damage(path: Path, random: Random) -> None:
    raw = bytearray(path.read_bytes())
    match random.randrange(4):
        case 0:
            raw = raw[: random.randrange(len(raw) + 1)]
        case 1:
            raw = bytearray()
        case 2:
            os.utime(path, (2**31, 2**31))  # as if the clock had jumped
            return
        case _:
            for _ in range(min(len(raw), 20)):
                raw[random.randrange(len(raw))] = random.randrange(256)
    path.write_bytes(raw)


def full_disk(folder: Path, random: Random, rounds: int) -> Outcome:
    """Put caches and state on a full disk. Needs the superuser, who can mount a small one."""
    return _on_a_disk("full disk", folder, random, rounds, _fill)


def read_only_disk(folder: Path, random: Random, rounds: int) -> Outcome:
    """Put caches and state on a read-only disk."""
    return _on_a_disk("read-only disk", folder, random, rounds, lambda disk: _mount(disk, "remount,ro"))


def _on_a_disk(name: str, folder: Path, random: Random, rounds: int, harm: Callable[[Path], None]) -> Outcome:
    outcome = Outcome(name)
    disk = folder / "disk"
    disk.mkdir()
    _mount(disk, "size=2m")
    try:
        harm(disk)
        places = {name: str(disk / name) for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME")}
        for _ in range(rounds - 1):
            window = Window(folder, random, places)
            _collect(outcome, window, [window.ask()])
            window.server.end()
            outcome.rounds += 1
        outcome.rounds += 1
        return finish(outcome, Window(folder, random, places), disk)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=False)


def _mount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], check=True)


def _fill(disk: Path) -> None:
    with suppress(OSError), (disk / "filler").open("wb") as file:
        while True:
            file.write(b"\0" * 4096)
            file.flush()


def vanished_folders(folder: Path, random: Random, rounds: int) -> Outcome:
    """Remove caches, state and workspace under a running server."""
    outcome = Outcome("vanished folders")
    for number in range(rounds):
        window = Window(folder, random)
        if not window.works():
            return finish(outcome, window)
        for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "w")[: 2 + number % 2]:
            shutil.rmtree(folder / name, ignore_errors=True)
        _collect(outcome, window, [window.ask(), window.ask()])
        outcome.messages += window.server.messages
        window.server.end()
        outcome.rounds += 1
    return finish(outcome, Window(folder, random))


def two_versions(folder: Path, random: Random, rounds: int) -> Outcome:
    """Run another version of the program on the same caches at the same time."""
    outcome = Outcome("two versions on one cache")
    package = Path(__file__).parents[2] / "spark_lsp"
    newer = folder / "other"
    shutil.copytree(package, newer / "spark_lsp", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(package.parent / "models" / "spark-nano", newer / "models" / "spark-nano")
    start = newer / "spark_lsp" / "__init__.py"
    start.write_text(start.read_text("utf-8").replace('__version__ = "', '__version__ = "9'), "utf-8")
    for _ in range(rounds):
        windows = [Window(folder, random), Window(folder, random, {"PYTHONPATH": str(newer)})]
        for window in windows:
            if not window.works():
                return finish(outcome, window)
            _collect(outcome, window, [window.ask(), window.ask()])
        for window in windows:
            outcome.messages += window.server.messages
            window.server.end()
        outcome.rounds += 1
    return finish(outcome, Window(folder, random))


def _collect(outcome: Outcome, window: Window, asked: list[int]) -> None:
    for number in asked:
        try:
            window.server.wait_for(number)
            outcome.answered += 1
        except TimeoutError:
            outcome.unanswered += 1


def finish(outcome: Outcome, window: Window, caches: Path | None = None) -> Outcome:
    """Check that the last window works, end it, and count remaining processes."""
    outcome.works_afterwards = window.works()
    outcome.answered_twice = sum(count > 1 for count in window.server.answers.values())
    outcome.messages = sorted({*outcome.messages, *window.server.messages})
    if window.server.process.poll() is None:
        window.server.end()
    until = time.monotonic() + GONE_S
    while (left := processes_of(caches or window.folder)) and time.monotonic() < until:
        time.sleep(0.2)
    outcome.orphans = len(left)
    for process in left:
        sys.stderr.write(f"left behind: {process.pid} {' '.join(process.cmdline())}\n")
        with suppress(psutil.Error):
            process.kill()
    return outcome
