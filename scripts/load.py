"""Simulate fifty editors at once: the first token of each answer, from a remote server and from a shared local engine.

    python scripts/load.py [--editors 50] [--keys 2] [--pause 20] [--model PATH] [--threads 1] [--json]

Each simulated editor types in a file of its own, sends a request after each pause (``--pause`` seconds on average, from
half to one and a half times that), waits for the whole answer and types on. The
server is llama-cpp-python's own (``pip install "llama-cpp-python[server]"``), in a process of its own; the local engine
is the one that all windows of a user share. Nothing may be lost: each request ends once.
"""

import argparse
import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from spark_lsp.catalog.model_names import resolve_model
from spark_lsp.engine.base import CompletionRequest, Engine, ModelInfo
from spark_lsp.engine.fim import FileBlock, build_prompt, family_named
from spark_lsp.engine.local.local_engine import EngineLaunch, LocalEngine, stop_engines
from spark_lsp.engine.remote.remote_engine import RemoteEngine, RemoteLaunch
from spark_lsp.errors import SparkError

ROOT = Path(__file__).resolve().parent.parent
CONTEXT_TOKENS = 2048
MAX_TOKENS = 16
START_S = 60


@dataclass(frozen=True)
class Outcome:
    """The outcomes of all requests to one backend. Times in milliseconds."""

    backend: str
    editors: int
    requests: int
    answered: int
    failed: int
    lost: int
    first_token_p50_ms: float
    first_token_p95_ms: float
    total_p50_ms: float
    total_p95_ms: float
    seconds: float


class Typist:
    """One editor: a file, a moving cursor, and its own engine client."""

    def __init__(self, number: int, engine: Engine, arguments: argparse.Namespace) -> None:
        self._random = random.Random(arguments.seed + number)  # noqa: S311  no secret, a repeatable load
        files = sorted((ROOT / "spark_lsp").rglob("*.py"))
        self._text = files[number % len(files)].read_text("utf-8")
        self._other = files[(number + 7) % len(files)].read_text("utf-8")[: arguments.window * 2 // 3]
        self._pause_s: float = arguments.pause
        self._window: int = arguments.window
        self._path = f"editor_{number}.py"
        self._engine = engine
        self._at = self._random.randrange(200, max(201, len(self._text) - 200))
        self.first_ms: list[float] = []
        self.total_ms: list[float] = []
        self.failed = 0
        self.begun = 0

    async def work(self, keys: int) -> None:
        """Type and send requests."""
        info = await self._engine.start()
        for _ in range(keys):
            await asyncio.sleep(self._random.uniform(0.5, 1.5) * self._pause_s)
            self._at += self._random.randrange(1, 12)
            self.begun += 1
            await self._ask(info)

    async def _ask(self, info: ModelInfo) -> None:
        family = family_named(info.family)
        assert family is not None, "the model can complete"
        prompt = build_prompt(
            family,
            info.fim_order,
            repository="load",
            blocks=[FileBlock("other.py", self._other, stable=True)],
            current_path=self._path,
            prefix=self._text[max(0, self._at - self._window) : self._at],
            suffix=self._text[self._at : self._at + 300],
        )
        request = CompletionRequest(prompt, MAX_TOKENS, stops=family.stops, key=self._path)
        began = perf_counter()
        first = 0.0
        try:
            async with aclosing(self._engine.generate(request)) as chunks:
                async for chunk in chunks:
                    first = first or perf_counter() - began
                    if chunk.stop is not None:
                        self.first_ms.append(first * 1000)
                        self.total_ms.append((perf_counter() - began) * 1000)
        except SparkError as error:
            self.failed += 1
            sys.stderr.write(f"{error}\n")


async def measure(backend: str, engines: list[Engine], arguments: argparse.Namespace) -> Outcome:
    """Run all editors at once."""
    typists = [Typist(number, engine, arguments) for number, engine in enumerate(engines)]
    began = perf_counter()
    await asyncio.gather(*(typist.work(arguments.keys) for typist in typists))
    firsts = [ms for typist in typists for ms in typist.first_ms]
    totals = [ms for typist in typists for ms in typist.total_ms]
    begun, failed = sum(typist.begun for typist in typists), sum(typist.failed for typist in typists)
    return Outcome(
        backend=backend,
        editors=len(engines),
        requests=begun,
        answered=len(totals),
        failed=failed,
        lost=begun - len(totals) - failed,
        first_token_p50_ms=round(statistics.median(firsts), 1),
        first_token_p95_ms=round(statistics.quantiles(firsts, n=20)[-1], 1),
        total_p50_ms=round(statistics.median(totals), 1),
        total_p95_ms=round(statistics.quantiles(totals, n=20)[-1], 1),
        seconds=round(perf_counter() - began, 1),
    )


@asynccontextmanager
async def remote_engines(count: int, model: Path, threads: int, log: Path) -> AsyncIterator[list[Engine]]:
    """Start the server and one engine for each editor."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"model": model, "model_alias": "spark-nano", "n_ctx": CONTEXT_TOKENS, "n_threads": threads}
    options |= {"n_threads_batch": threads, "port": port}  # more threads than free cores wait for each other
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [
        sys.executable,
        "-m",
        "llama_cpp.server",
        *words,
        "--interrupt_requests",
        "False",
        "--logits_all",
        "False",
    ]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, "HOST": "127.0.0.1"}
        )
        try:
            async with AsyncExitStack() as stack:
                engines: list[Engine] = []
                for number in range(count):
                    launch = RemoteLaunch(
                        urls=(f"http://127.0.0.1:{port}",),
                        template="qwen2.5-coder:spm",
                        context_tokens=CONTEXT_TOKENS,
                        workspace=str(number),
                        answer_s=120.0,
                    )
                    engine = RemoteEngine(launch)
                    stack.push_async_callback(engine.close)
                    engines.append(engine)
                await until_started(engines[0])
                yield engines
        finally:
            process.terminate()
            await process.wait()


@asynccontextmanager
async def local_engines(count: int, model: Path, threads: int) -> AsyncIterator[list[Engine]]:
    """Connect that many windows to one private engine process."""
    launch = EngineLaunch(
        model_path=str(model), context_tokens=8192, threads=threads, idle_minutes=1.0, cache_folder="", cache_bytes=0
    )
    engines: list[Engine] = [LocalEngine(launch) for _ in range(count)]
    try:
        await until_started(engines[0])
        yield engines
    finally:
        for engine in engines:
            await engine.close()
        await stop_engines()


async def until_started(engine: Engine) -> None:
    """Wait until an engine answers."""
    async with asyncio.timeout(START_S):
        while True:
            try:
                await engine.start()
            except SparkError:
                await asyncio.sleep(0.2)
            else:
                return


async def run(arguments: argparse.Namespace, folder: Path) -> list[Outcome]:
    """Measure both backends, one after the other."""
    model = resolve_model(arguments.model)
    async with remote_engines(arguments.editors, model, arguments.threads, folder / "server.log") as engines:
        outcomes = [await measure("one remote server", engines, arguments)]
    async with local_engines(arguments.editors, model, arguments.threads) as engines:
        outcomes.append(await measure("one shared local engine", engines, arguments))
    return outcomes


def main() -> int:
    """Measure and print; fail if a request was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--editors", type=int, default=50)
    parser.add_argument("--keys", type=int, default=2)
    parser.add_argument("--pause", type=float, default=20.0)
    parser.add_argument("--window", type=int, default=600, help="characters before the cursor")
    parser.add_argument("--model", default="")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spark-") as folder:
        os.environ["SPARK_LSP_RUNTIME_DIR"] = folder  # a private engine, which no editor of the user shares
        outcomes = asyncio.run(run(arguments, Path(folder)))
    if arguments.json:
        sys.stdout.write(json.dumps([asdict(outcome) for outcome in outcomes], indent=2) + "\n")
    else:
        for outcome in outcomes:
            for name, value in asdict(outcome).items():
                sys.stdout.write(f"{name:<20} {value}\n")
            sys.stdout.write("\n")
    return 1 if any(outcome.lost or outcome.failed for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
