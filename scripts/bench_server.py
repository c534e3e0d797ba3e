"""Measure the server as an editor sees it, over stdio: ``make bench`` runs it.

Prints the time that a keystroke costs without the model (a scripted engine answers at once), and the time from kill -9
of a real engine to the next completion. Ratios would hide what a user waits for, so these are times of this machine.
"""

import asyncio
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lsprotocol import types

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.harness.editor import REAL, SCRIPTED, Editor, editor  # noqa: E402 - needs the checkout on the path

KEYS = 300
NO_WAIT = {"completion": {"debounce": 0, "deadlineMs": 20_000, "minConfidence": 0}}


async def keystrokes(folder: Path) -> dict[str, float]:
    """Type a long line into a file of about 1,000 lines in this project's own package, with a request at each key."""
    async with editor("#- a.py\nx = 1\n", folder, (*SCRIPTED, "answer"), settings=NO_WAIT) as window:
        shutil.copytree(ROOT / "spark_lsp", window.root / "spark_lsp", ignore=shutil.ignore_patterns("__pycache__"))
        await window.client.workspace_execute_command_async(types.ExecuteCommandParams("spark.reindex"))
        await window.ready()
        body = (ROOT / "spark_lsp" / "config.py").read_text("utf-8").replace("$0", "") * 5
        at = window.open("typed.py", body + "\n\ndef typed():\n    $0\n")
        spent: list[float] = []
        for number in range(KEYS):
            began = time.perf_counter()
            at = window.type("typed.py", at, "resolve_x "[number % 10])
            await window.complete("typed.py", at)
            spent.append((time.perf_counter() - began) * 1000)
        warm = sorted(spent[20:])
        return {
            "files": window.statuses[-1].indexed.of,
            "keystroke_p50_ms": round(statistics.median(warm), 2),
            "keystroke_p95_ms": round(warm[int(len(warm) * 0.95)], 2),
        }


async def recovery(folder: Path) -> dict[str, float]:
    """Kill the engine and send requests until a completion comes."""
    settings = {**NO_WAIT, "engine": {"idleMinutes": 1}}
    workspace = "#- a.py\ndef alpha(x):\n    return x\n"
    async with editor(workspace, folder, REAL, settings=settings) as window:
        await window.ready()
        at = window.open("b.py", "from a import alpha\n\nfirst = alpha(1)\nsecond = $0\n")
        began = time.perf_counter()
        await window.complete("b.py", at)
        first_ms = (time.perf_counter() - began) * 1000
        environment = {**os.environ, "SPARK_LSP_RUNTIME_DIR": str(folder / "SPARK_LSP_RUNTIME_DIR")}
        command = [sys.executable, "-m", "spark_lsp", "engine"]
        status = await asyncio.to_thread(_run, [*command, "status", "--json"], environment)
        os.kill(json.loads(status)["pid"], signal.SIGKILL)
        began = time.perf_counter()
        again_ms = await _until_completed(window, at, began)
        await asyncio.to_thread(_run, [*command, "stop"], environment)
    return {"first_completion_ms": round(first_ms, 1), "kill_to_completion_ms": round(again_ms, 1)}


def _run(command: list[str], environment: dict[str, str]) -> bytes:
    return subprocess.run(command, env=environment, capture_output=True, check=True).stdout


async def _until_completed(window: Editor, at: types.Position, began: float) -> float:
    """Continue typing and send requests until the new engine answers."""
    async with asyncio.timeout(60):
        while True:
            at = window.type("b.py", at, "a")
            if await window.complete("b.py", at):
                return (time.perf_counter() - began) * 1000


def main() -> None:
    """Run both measurements and print JSON."""
    report: dict[str, float] = {"cores": os.cpu_count() or 1}
    for measure in (keystrokes, recovery):
        with tempfile.TemporaryDirectory() as folder:
            report |= asyncio.run(measure(Path(folder)))
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
