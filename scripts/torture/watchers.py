"""Compare watchers, side by side on one tree: ``python -m scripts.torture.watchers [--seconds N] [--folders N]``.

Each runs in a process of its own while the same ignored files are rewritten as in ``churn``: the one of this system,
watchdog, and watchfiles where it is installed (``pip install watchfiles``). Prints processor time as a share of one
core, memory, and how long each took to begin.
"""

import argparse
import importlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from unittest.mock import patch

import psutil

from scripts.torture.churn import rewrite, used_s, write_tree
from spark_lsp.index import watch
from spark_lsp.index.change_policy import matters
from spark_lsp.index.watchdog_tree import WatchdogTree

ROUNDS: Final = 3
PAUSE_S: Final = 3.0


def main(words: list[str]) -> int:
    """Measure, or be one of the watchers."""
    parser = argparse.ArgumentParser(prog="python -m scripts.torture.watchers", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each of three rounds")
    parser.add_argument("--folders", type=int, default=2_000, help="in node_modules, which is left out")
    parser.add_argument("--be", nargs=2, metavar=("WATCHER", "ROOT"), help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.be:
        WATCHERS[options.be[0]](Path(options.be[1]))
        return 0
    with tempfile.TemporaryDirectory(prefix="sp-") as folder:
        root = Path(folder)
        write_tree(root)
        for number in range(options.folders):
            (root / "node_modules" / f"package{number}").mkdir(parents=True)
        _compare(root, options.seconds)
    return 0


def _compare(root: Path, seconds: float) -> None:
    running = {name: _start(name, root) for name in WATCHERS if name != "watchfiles" or _has_watchfiles()}
    try:
        shares: dict[str, list[float]] = {name: [] for name in running}
        for _ in range(ROUNDS):
            time.sleep(PAUSE_S)
            before = {name: used_s(process) for name, (process, _) in running.items()}
            began_s = time.monotonic()
            rewrite(root, seconds)
            passed_s = time.monotonic() - began_s
            for name, (process, _) in running.items():
                shares[name].append(round((used_s(process) - before[name]) / passed_s, 4))
        for name, (process, began_s) in running.items():
            memory_bytes = process.memory_info().rss
            row = {"watcher": name, "shares": shares[name], "begins_s": began_s, "memory_bytes": memory_bytes}
            sys.stdout.write(json.dumps(row) + "\n")
    finally:
        for process, _ in running.values():
            process.kill()


def _start(name: str, root: Path) -> tuple[psutil.Process, float]:
    command = [sys.executable, "-m", "scripts.torture.watchers", "--be", name, str(root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return psutil.Process(process.pid), float(process.stdout.readline())


def _has_watchfiles() -> bool:
    return importlib.util.find_spec("watchfiles") is not None


def _say_begun(began_s: float) -> None:
    sys.stdout.write(f"{time.monotonic() - began_s:.3f}\n")
    sys.stdout.flush()


def _be_ours(root: Path) -> None:
    began_s = time.monotonic()
    watcher = watch.Watcher(root, lambda _paths: None, sys.exit)
    watcher.start()
    watcher.wait_until_watching(60)
    _say_begun(began_s)
    threading.Event().wait()


def _be_watchdog(root: Path) -> None:
    with patch.object(watch, "change_source", WatchdogTree):
        _be_ours(root)


def _be_watchfiles(root: Path) -> None:
    began_s = time.monotonic()
    watchfiles = importlib.import_module("watchfiles")

    def is_wanted(_change: object, path: str) -> bool:
        return matters(Path(path).relative_to(root).as_posix())

    changes = watchfiles.watch(root, watch_filter=is_wanted, debounce=2000, step=100, rust_timeout=100)
    threading.Timer(0, _say_begun, [began_s]).start()
    for _ in changes:
        pass


WATCHERS: Final[Mapping[str, Callable[[Path], None]]] = {
    "this system's": _be_ours,
    "watchdog": _be_watchdog,
    "watchfiles": _be_watchfiles,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
