"""Eight windows on one engine: 200 keys a second in all, while branches of 5,000 files are switched.

    python -m scripts.torture.eight_windows [--minutes 10] [--windows 8] [--keys 200] [--files 5000] [--switches 10]

Real servers with the embedded model in one engine process. Each window types in a file of its own, requests a
completion after each key and cancels the one before, as VS Code does. Prints what was answered, how long answers and
an empty request took, the most open requests, and the memory of servers and engine over time; the status is 1 if an
answer is missing or doubled, requests pile up, memory grows, or a process is left.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import mean, quantiles
from typing import Any, Final

import psutil

from scripts.torture.connection import Server
from scripts.torture.faults import COMMAND, GONE_S, processes_of, small_engine

FILES_PER_FOLDER: Final = 100
LOG_EVERY_S: Final = 4.0  # the log keeps 250 requests, which are ten seconds of keys
LOOK_EVERY_S: Final = 5.0
READY_S: Final = 300.0
MAX_OPEN: Final = 20
"""Requests of one window that may be open: those of less than a second."""
MAX_GROWTH: Final = 1.15
WORDS: Final = ("total", "value", "self", "return", "result", "for", "in", "items", "(", ")", " ", "=", "\n    ", ".")
RESET_CHARACTERS: Final = 12_000


@dataclass
class Typist:
    """One window and what it has seen. Belongs to its own thread."""

    server: Server
    path: Path
    random: Random
    keys_per_s: float
    sent_s: dict[int, float] = field(default_factory=dict)
    pings: list[int] = field(default_factory=list)
    records: dict[float, dict[str, Any]] = field(default_factory=dict)
    """Of the server's log, by the time of their begin."""
    max_open: int = 0
    _text: str = ""
    _version: int = 1
    _requests: int = 0
    _asked: int = 0
    """The last request for a completion."""

    def type_until(self, end_s: float) -> None:
        """Type at the pace of the window; what comes late is caught up with."""
        item = {"uri": self.path.as_uri(), "languageId": "python", "version": 1, "text": ""}
        self.server.notify("textDocument/didOpen", {"textDocument": item})
        began_s = logged_s = time.monotonic()
        keys = 0
        while (now_s := time.monotonic()) < end_s:
            while keys < (now_s - began_s) * self.keys_per_s:
                self._key()
                keys += 1
            if now_s - logged_s > LOG_EVERY_S:
                logged_s = now_s
                self._read_log()
            time.sleep(1 / self.keys_per_s / 4)
        for number in list(self.sent_s):
            self.server.wait_for(number)

    def latencies_ms(self, numbers: list[int]) -> list[float]:
        """Return how long the answers to requests took."""
        return [(self.server.answered_s[number] - self.sent_s[number]) * 1000 for number in numbers]

    def _key(self) -> None:
        text = self.random.choice(WORDS)
        place = self._end()
        if len(self._text) > RESET_CHARACTERS:
            start, text, self._text = {"line": 0, "character": 0}, "", ""
        else:
            start, self._text = place, self._text + text
        self._version += 1
        identity = {"uri": self.path.as_uri(), "version": self._version}
        change = {"range": {"start": start, "end": place}, "text": text}
        self.server.notify("textDocument/didChange", {"textDocument": identity, "contentChanges": [change]})
        if self._asked and not self.server.answers[self._asked]:
            self.server.notify("$/cancelRequest", {"id": self._asked})
        params = {"textDocument": {"uri": identity["uri"]}, "position": self._end(), "context": {"triggerKind": 2}}
        self._asked = self._request("textDocument/inlineCompletion", params)
        self.max_open = max(self.max_open, len(self.sent_s) - len(self.server.answered_s))

    def _read_log(self) -> None:
        self.pings.append(self._request("torture/nothing", {}))
        log: dict[str, Any] = self.server.wait_for(self._request("spark/log", {})) or {}
        self.records.update({record["started_s"]: record for record in log.get("requests", ())})

    def _request(self, method: str, params: Any) -> int:
        self._requests += 1
        self.sent_s[self._requests] = time.monotonic()
        self.server.request(self._requests, method, params)
        return self._requests

    def _end(self) -> dict[str, int]:
        before, _, line = self._text.rpartition("\n")
        return {"line": before.count("\n") + ("\n" in self._text), "character": len(line)}


def main(words: list[str]) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m scripts.torture.eight_windows", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--keys", type=float, default=200.0, help="a second, of all windows together")
    parser.add_argument("--files", type=int, default=5_000)
    parser.add_argument("--switches", type=int, default=10)
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="sp-") as folder:
        report = _run(Path(folder), options)
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    return int(not report["is_good"])


def _run(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    root = folder / "w"
    _write_branches(root, options.files)
    typists = []
    for number in range(options.windows):
        server = Server(COMMAND, folder, {**small_engine(folder), "SPARK_LSP_COMPLETION_DEBOUNCE": "auto"})
        server.initialize(root)
        path = root / f"window{number}.py"
        typists.append(Typist(server, path, Random(number), options.keys / options.windows))  # noqa: S311 - repeatable
    for typist in typists:
        _wait_until_indexed(typist.server, options.files)
    seconds = options.minutes * 60
    end_s = time.monotonic() + seconds
    threads = [threading.Thread(target=typist.type_until, args=(end_s,)) for typist in typists]
    for thread in threads:
        thread.start()
    memory = _switch_and_look(folder, root, end_s, seconds / (options.switches + 1))
    for thread in threads:
        thread.join()
    report = _report(typists, memory, seconds)
    for typist in typists:
        typist.server.end()
    until_s = time.monotonic() + GONE_S
    while (left := processes_of(folder)) and time.monotonic() < until_s:
        time.sleep(0.2)
    report["processes_left"] = len(left)
    report["is_good"] = report["is_good"] and not left
    return report


def _write_branches(root: Path, files: int) -> None:
    root.mkdir()
    (root / ".gitignore").write_text("window*.py\n", "utf-8")
    for branch in ("one", "two"):
        for number in range(files):
            path = root / f"part{number // FILES_PER_FOLDER}" / f"module{number}.py"
            path.parent.mkdir(exist_ok=True)
            body = f"def {branch}_function_{number}(value):\n    return value + {number}\n"
            path.write_text(body, "utf-8")
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        steps = [("init", "-q"), ("checkout", "-q", "-b", branch), ("add", "."), (*identity, "commit", "-qm", branch)]
        for step in steps if branch == "one" else steps[1:]:
            subprocess.run(["git", "-c", "gc.auto=0", *step], cwd=root, check=True)


def _wait_until_indexed(server: Server, files: int) -> None:
    until_s = time.monotonic() + READY_S
    while not server.statuses or server.statuses[-1]["indexed"]["files"] < files:
        if time.monotonic() > until_s:
            raise TimeoutError("the index is not whole")
        time.sleep(0.2)


def _switch_and_look(folder: Path, root: Path, end_s: float, every_s: float) -> list[dict[str, int]]:
    """Switch branches and note the memory of all processes, until the end."""
    memory, branch = [], "two"
    next_s = time.monotonic() + every_s
    while (now_s := time.monotonic()) < end_s:
        memory.append(_memory_of(folder))
        if now_s >= next_s:
            next_s += every_s
            branch = "one" if branch == "two" else "two"
            subprocess.run(["git", "checkout", "-q", branch], cwd=root, check=True)
        time.sleep(max(0.0, min(LOOK_EVERY_S, end_s - time.monotonic())))
    return memory


def _memory_of(folder: Path) -> dict[str, int]:
    used: Counter[str] = Counter()
    for process in processes_of(folder):
        with suppress(psutil.Error):
            words = process.cmdline()
            kind = next((kind for kind in ("serve", "engine") if kind in words), "workers")
            used[kind] += process.memory_info().rss
    return dict(used)


def _report(typists: list[Typist], memory: list[dict[str, int]], seconds: float) -> dict[str, Any]:
    pings = [ms for typist in typists for ms in typist.latencies_ms(typist.pings)]
    asked = {typist.path.name: [number for number in typist.sent_s if number not in typist.pings] for typist in typists}
    answers = [ms for typist in typists for ms in typist.latencies_ms(asked[typist.path.name])]
    twice = sum(count > 1 for typist in typists for number, count in typist.server.answers.items() if number > 0)
    records = [record for typist in typists for record in typist.records.values() if record["name"] == "completion"]
    own = [sum(float(record["facts"].get(name, 0)) for name in ("gather_ms", "pack_ms")) for record in records]
    packed = [ms for ms in own if ms]
    growth = {kind: _growth([look.get(kind, 0) for look in memory]) for kind in ("serve", "engine")}
    max_open, looks = max(typist.max_open for typist in typists), memory[:: max(1, len(memory) // 12)]
    return {
        "windows": len(typists),
        "seconds": seconds,
        "requests": len(answers),
        "requests_per_s": round(len(answers) / seconds, 1),
        "answered_twice": twice,
        "answers_ms": _spread(answers),
        "empty_request_ms": _spread(pings),
        "gather_and_pack_ms": _spread(packed),
        "reasons": dict(Counter(record["reason"] for record in records).most_common(8)),
        "max_open": max_open,
        "memory_mb": {kind: [round(look.get(kind, 0) / 1e6) for look in looks] for kind in growth},
        "growth": growth,
        "messages": sorted({message for typist in typists for message in typist.server.messages}),
        "is_good": not twice and max_open <= MAX_OPEN and max(growth.values()) <= MAX_GROWTH,
    }


def _growth(used: list[int]) -> float:
    """Return the last quarter's memory as a multiple of the second quarter's."""
    quarter = max(1, len(used) // 4)
    early = mean(used[quarter : 2 * quarter] or used)
    return round(mean(used[-quarter:]) / early, 3) if early else 1.0


def _spread(values: list[float]) -> dict[str, float]:
    if len(values) < 2:
        return {}
    cuts = quantiles(values, n=100, method="inclusive")
    return {
        name: round(ms, 1) for name, ms in zip(("p50", "p95", "max"), (cuts[49], cuts[94], max(values)), strict=True)
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
