"""Run the long forms: ``python -m scripts.torture [lsp] [socket] [faults] [churn] [--rounds N] [--seed N] …``.

Prints one line of JSON for each part; the status is 1 if something was lost, doubled, wrong or left behind.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any, Final

from scripts.torture import churn, faults
from scripts.torture.clock import jump_clock
from scripts.torture.fuzz_lsp import Fuzzer
from scripts.torture.fuzz_socket import attack
from scripts.torture.neovim import kill_neovim
from scripts.torture.text_model import CODECS
from spark_lsp.engine.local.address import RUNTIME_VARIABLE, endpoint_of
from spark_lsp.engine.local.local_engine import EngineLaunch, LocalEngine

MODEL: Final = Path(__file__).parents[2] / "models" / "spark-nano" / "spark-nano.gguf"
CHURN_S: Final = 60.0
MAX_GROWTH: Final = 1.25
"""Factor by which the server's memory may grow from a fifth of a run to its end."""

Fault = Callable[[Path, Random, int], faults.Outcome]
FAULTS: Final[tuple[tuple[Fault, int], ...]] = (
    (faults.kill_engine, 200),
    (faults.kill_server, 100),
    (faults.kill_editor, 50),
    (kill_neovim, 50),
    (faults.stop_engine, 3),
    (jump_clock, 60),
    (faults.damage_files, 20),
    (faults.vanished_folders, 10),
    (faults.two_versions, 5),
    (faults.full_disk, 5),
    (faults.read_only_disk, 5),
)


def main(words: list[str]) -> int:
    """Run the named parts, all of them by default."""
    parser = argparse.ArgumentParser(prog="python -m scripts.torture", description=__doc__)
    parser.add_argument("parts", nargs="*", help="lsp, socket, faults, churn, or names of single faults")
    parser.add_argument("--messages", type=int, default=100_000, help="of the LSP fuzzer, in three encodings together")
    parser.add_argument("--connections", type=int, default=5_000, help="to the engine's socket")
    parser.add_argument("--rounds", type=int, default=0, help="of each fault; 0: as many as it is worth")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(words)
    parts = set(options.parts or ("lsp", "socket", "faults", "churn"))
    is_good = True
    if "lsp" in parts:
        for encoding in CODECS:
            is_good &= _lsp(options.seed, encoding, -(-options.messages // len(CODECS)))
    if "socket" in parts:
        is_good &= _socket(options.seed, options.connections)
    if "churn" in parts:
        is_good &= _churn(client_watches=False)
        is_good &= _churn(client_watches=True)
    for fault, rounds in FAULTS:
        if "faults" in parts or fault.__name__ in parts:
            is_good &= _fault(fault, options.seed, options.rounds or rounds)
    return int(not is_good)


def _lsp(seed: int, encoding: str, messages: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="sp-") as folder:
        fuzzer = Fuzzer(seed, encoding, Path(folder))
        try:
            report = fuzzer.run(messages)
        finally:
            fuzzer.close()
    grown = report.resident_bytes[-1] / report.resident_bytes[len(report.resident_bytes) // 5]
    _say({"part": "lsp", "encoding": encoding, **asdict(report), "growth": round(grown, 3)})
    faulty = report.unanswered or report.answered_twice or report.diverged or report.exit_status
    return not faulty and grown <= MAX_GROWTH


def _socket(seed: int, connections: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="sp-") as folder:
        os.environ[RUNTIME_VARIABLE] = folder
        before, after = asyncio.run(_attacked(seed, connections))
    _say({"part": "socket", "connections": connections, "same_process": before == after})
    return before == after


async def _attacked(seed: int, connections: int) -> tuple[int, int]:
    launch = EngineLaunch(model_path=str(MODEL), context_tokens=4096, idle_minutes=0.1, threads=1)
    engine = LocalEngine(launch)
    await engine.start()
    before = (await engine.status()).pid
    await attack(endpoint_of(launch).address, connections, seed)
    after = (await engine.status()).pid
    await engine.close()
    return before, after


def _churn(*, client_watches: bool) -> bool:
    with tempfile.TemporaryDirectory(prefix="sp-") as folder:
        cost = churn.measure(Path(folder), client_watches=client_watches, seconds=CHURN_S)
    _say({"part": "churn", **asdict(cost)})
    return cost.is_good


def _fault(fault: Fault, seed: int, rounds: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="sp-") as folder:
        began_s = time.monotonic()
        try:
            outcome = fault(Path(folder), Random(seed), rounds)  # noqa: S311 - a run that can be repeated
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            sys.stderr.write(f"{fault.__name__} is left out: {error}\n")
            return True
    outcome.seconds = round(time.monotonic() - began_s, 1)
    _say({"part": fault.__name__, **asdict(outcome)})
    return outcome.is_good


def _say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
