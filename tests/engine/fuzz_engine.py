"""Try to break the engine with a long random walk: ``make fuzz`` runs it.

The first part walks over the steps of a model in this process (tests/llama/walk.py). The second drives real engine
processes with several clients, of which some are processes that get killed, as the engine does; each request must end
exactly once, no answer may hold another one's text, and nothing may be left running.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

import gguf
import msgspec
import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from spark_lsp.engine.base import BACKGROUND_PRIORITY, Chunk, CompletionRequest, Sampling  # noqa: E402
from spark_lsp.engine.local.address import RUNTIME_VARIABLE  # noqa: E402 - needs the checkout on the path
from spark_lsp.engine.local.local_engine import EngineLaunch, LocalEngine, stop_engines  # noqa: E402
from spark_lsp.errors import EngineFailed, EngineStarting, ModelNoFim  # noqa: E402
from spark_lsp.llama.loading.fit import cells_for  # noqa: E402
from tests.engine.test_contract import collect  # noqa: E402
from tests.llama.walk import (  # noqa: E402
    DISK_BYTES,
    GRAMMARS,
    Alone,
    Scene,
    SmallRuntime,
    Walk,
    cached_prefix_of,
    fim_prompt,
    launch_of,
    small_and_exact,
    wide,
)

CLIENTS: Final = 3
MAX_ASKED: Final = 8
EARLY: Final = (None, "deadline", "cancelled")  # stops that have nothing to do with what was written
GIVEN_UP: Final = 0.1  # share of waits in which somebody does not wait to the end
PATIENCE_S: Final = 120
ROUNDING: Final = 0.1  # of logits; engine processes compute attention with 16 bits, as the product does
STEPS_A_WALK: Final = 1000
STEPS_A_DEATH_MAY_COST: Final = 2  # LocalEngine gives up at the third death within ten minutes
IDLE_MINUTES: Final = 0.05
ENDLESS: Final = Sampling(grammar=GRAMMARS[0])


def walks(steps: int, seed: int, model: Path, folder: Path) -> dict[str, object]:
    """Walk in this process, with a new seed after every thousand steps."""
    began = time.perf_counter()
    names: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    worst = 0.0
    done = 0
    while done < steps:
        part = min(STEPS_A_WALK, steps - done)
        sys.stderr.write(f"walk with seed {seed}, {part} steps; {done} are done\n")
        with small_and_exact():
            walk = Walk(seed, launch_of(seed, model, folder / f"kv-{seed}"))
            for _ in range(part):
                walk.step()
            walk.end()
        figures = walk.figures
        names += figures.steps
        ends += figures.ends
        counts += figures.counts
        counts["answers compared"] += figures.compared_answers
        counts["near ties"] += figures.near_ties
        counts["logits compared"] += figures.compared_logits
        worst = max(worst, figures.worst_difference)
        done, seed = done + part, seed + 1
    return {
        "steps": done,
        "kinds": dict(names),
        "requests": sum(ends.values()),
        "ends": dict(ends),
        "counts": dict(counts),
        "largest_logit_difference": round(worst, 4),
        "wall_s": round(time.perf_counter() - began, 1),
    }


class Windows:
    """Several clients of one engine process, and what happens to them."""

    def __init__(self, seed: int, launch: EngineLaunch, alone: Alone) -> None:
        self._random = random.Random(seed)
        self._launch = launch
        self._alone = alone
        self._scene = Scene(self._random)
        self._engines = [LocalEngine(launch) for _ in range(CLIENTS)]
        self._running: set[asyncio.Task[None]] = set()
        self._deaths = 0
        self.steps: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.requests = 0

    async def step(self) -> None:
        """Do one random thing."""
        ways = {
            "ask": (50, self._ask),
            "wait": (50, self._wait),
            "change cached prefix": (8, self._change_cached_prefix),
            "count and status": (4, self._inquire),
            "unload": (2, self._unload),
            "stop for a while": (2, self._stop_for_a_while),
            "kill engine": (1, self._kill_engine),
            "kill client": (1, self._kill_client),
            "leave and come back": (2, self._leave),
        }
        (name,) = self._random.choices(list(ways), [weight for weight, _ in ways.values()])
        self.steps[name] += 1
        async with asyncio.timeout(PATIENCE_S):
            await ways[name][1]()

    async def begin(self) -> None:
        """Start the engine for all clients."""
        await asyncio.gather(*(engine.start() for engine in self._engines))

    async def end(self) -> dict[str, object]:
        """Wait until everything has ended, and return what happened."""
        await self._all_answered()
        freed, needed = await self._give_back()
        for engine in self._engines:
            await engine.close()
        assert self.requests == sum(self.ends.values()), "each request ends exactly once"
        return {
            "steps": sum(self.steps.values()),
            "kinds": dict(self.steps),
            "requests": self.requests,
            "ends": dict(self.ends),
            "bytes_given_back": freed,
            "bytes_of_weights_and_context": needed,
        }

    async def _give_back(self) -> tuple[int, int]:
        """Unload while nothing else runs; return by how much the process shrinks, and by how much it must."""
        engine = self._engines[0]
        info = await engine.start()
        await collect(
            engine, CompletionRequest(fim_prompt("x", ""), 1)
        )  # one that another client unloaded is loaded by a request
        before = await engine.status()
        while before.busy:
            before = await engine.status()
        await engine.unload()
        after = await engine.status()
        weights = sum(int(tensor.n_bytes) for tensor in gguf.GGUFReader(info.path).tensors)
        freed = before.ram_bytes - after.ram_bytes
        needed = weights + int(cells_for(info.context_tokens) * info.kv_bytes_per_token)
        assert freed >= needed, f"{freed:,} bytes came back of {needed:,}"
        return freed, needed

    async def _ask(self) -> None:
        if len(self._running) >= MAX_ASKED:
            await self._wait()
        client, request = self._scene.request()
        kind = self._random.randrange(10)
        if kind == 0:
            request = msgspec.structs.replace(request, deadline_ms=self._random.randrange(1, 80))
        chunks_wanted = self._random.randrange(1, 4) if kind == 1 else 0
        answer = self._answer(self._engines[client], request, chunks_wanted)
        self._running.add(asyncio.create_task(answer))

    async def _answer(self, engine: LocalEngine, request: CompletionRequest, chunks_wanted: int) -> None:
        """Send a request and check that the answer ends once and is the right one; leave it early if requested."""
        self.requests += 1
        chunks: list[Chunk] = []
        stream = engine.generate(request)
        try:
            async for chunk in stream:
                assert not chunks or chunks[-1].stop is None, "nothing follows the end"
                chunks.append(chunk)
                if chunks_wanted and len(chunks) >= chunks_wanted:
                    break
        except (EngineStarting, EngineFailed, ModelNoFim) as error:
            assert not chunks or chunks[-1].stop is None, "an error is no second end"
            self.ends[f"error: {type(error).__name__}"] += 1
            return
        except asyncio.CancelledError:
            self.ends["given up"] += 1
            raise
        finally:
            await stream.aclose()
        text = "".join(chunk.text for chunk in chunks)
        stop = chunks[-1].stop
        assert stop is not None or chunks_wanted
        self.ends[stop or "left"] += 1
        if request.sampling.temperature == 0 and (text or chunks[-1].tokens or stop not in EARLY):
            self._compare(request, text, is_whole=stop not in EARLY)

    def _compare(self, request: CompletionRequest, text: str, *, is_whole: bool) -> None:
        """Compare with the answer of a separate context; they may differ only at a tie between two tokens."""
        run, tokens, pieces = self._alone.written(request)
        alone = b"".join(pieces).decode(errors="replace")
        if text == alone or (not is_whole and alone.startswith(text.rstrip("\N{REPLACEMENT CHARACTER}"))):
            return
        assert not request.sampling.grammar, f"{text!r} is not {alone!r}"
        same = next(
            at for at in range(len(tokens)) if not text.startswith(b"".join(pieces[: at + 1]).decode(errors="ignore"))
        )
        logits = self._alone.logits(np.concatenate([run, np.array(tokens[:same], np.int32)]))
        first, second = sorted(logits)[-1:-3:-1]
        assert first - second <= 2 * ROUNDING, f"{text!r} is not {alone!r}"

    async def _wait(self) -> None:
        if self._running:
            if self._random.random() < GIVEN_UP:
                self._random.choice(sorted(self._running, key=asyncio.Task.get_name)).cancel()
            done, self._running = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not task.cancelled():
                    task.result()

    async def _all_answered(self) -> None:
        while self._running:
            await self._wait()

    async def _change_cached_prefix(self) -> None:
        self._scene.change_cached_prefix()

    async def _inquire(self) -> None:
        with suppress(EngineStarting, EngineFailed):
            assert await self._any().count_tokens(["def", ""]) == [1, 0]
        assert (await self._any().status()).pid >= 0

    async def _unload(self) -> None:
        """Unload during an answer."""
        with suppress(EngineFailed):
            await self._any().unload()

    async def _stop_for_a_while(self) -> None:
        pid = await self._pid()
        os.kill(pid, signal.SIGSTOP)
        await self._ask()
        await asyncio.sleep(self._random.random() * 0.3)
        os.kill(pid, signal.SIGCONT)

    async def _kill_engine(self) -> None:
        """Kill the process during its work; all clients reconnect by themselves."""
        engine = psutil.Process(await self._pid())
        engine.kill()
        await self._all_answered()
        self._deaths += 1
        if self._deaths % STEPS_A_DEATH_MAY_COST == 0:  # closing resets the count
            for client in self._engines:
                await client.close()
        await asyncio.to_thread(psutil.wait_procs, [engine], timeout=PATIENCE_S)
        for client in self._engines:
            while client.model is None:
                with suppress(EngineFailed):
                    await client.start()

    async def _kill_client(self) -> None:
        """Kill a client process during its answer while others are being answered."""
        command = [sys.executable, str(Path(__file__)), "--client", msgspec.json.encode(self._launch).decode()]
        client = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        assert client.stdout is not None
        await client.stdout.readline()
        await self._ask()
        if self._random.random() < 0.5:
            client.send_signal(signal.SIGSTOP)
        await self._ask()
        client.kill()
        await client.wait()

    async def _leave(self) -> None:
        await self._all_answered()
        engine = self._any()
        await engine.close()
        await engine.start()

    def _any(self) -> LocalEngine:
        return self._random.choice(self._engines)

    async def _pid(self) -> int:
        await asyncio.gather(*(engine.start() for engine in self._engines))
        return (await self._any().status()).pid


async def processes(steps: int, seed: int, model: Path, folder: Path) -> dict[str, object]:
    """Run real engine processes, and check that none is left at the end."""
    began = time.perf_counter()
    launch = launch_of(1, model, folder / "kv")
    launch = msgspec.structs.replace(launch, idle_minutes=IDLE_MINUTES, cache_bytes=DISK_BYTES)
    runtime = SmallRuntime(launch_of(0, model, folder), random.Random(seed))
    runtime.load()
    windows = Windows(seed, launch, Alone(runtime))
    try:
        await windows.begin()
        for number in range(steps):
            if number % 100 == 0:
                sys.stderr.write(f"processes with seed {seed}, step {number} of {steps}\n")
            await windows.step()
        report = await windows.end()
    except BaseException:
        await stop_engines()
        raise
    runtime.unload()
    report["orphans"] = await orphans()
    report["wall_s"] = round(time.perf_counter() - began, 1)
    return report


async def orphans() -> int:
    """Return how many of our processes are left long after their idle time."""
    folder = os.environ[RUNTIME_VARIABLE]
    left = 1
    until = time.monotonic() + IDLE_MINUTES * 60 + PATIENCE_S
    while left and time.monotonic() < until:
        await asyncio.sleep(0.2)
        left = sum(_is_ours(process, folder) for process in psutil.process_iter())
    return left


def _is_ours(process: psutil.Process, folder: str) -> bool:
    with suppress(psutil.Error):
        return process.pid != os.getpid() and any(folder in word for word in process.cmdline())
    return False


async def be_client(launch: EngineLaunch) -> None:
    """Hold a cached prefix and receive an endless answer, until the parent process kills this one."""
    engine = LocalEngine(launch)
    await engine.start()
    cached_prefix = cached_prefix_of("killed", ((5, 1), (4, 1)))
    async for _ in engine.generate(CompletionRequest(cached_prefix, 0, priority=BACKGROUND_PRIORITY)):
        pass
    async for _ in engine.generate(
        CompletionRequest(cached_prefix + fim_prompt("x", ""), 1500, sampling=ENDLESS, priority=1)
    ):
        sys.stdout.write("begun\n")
        sys.stdout.flush()
    await asyncio.Event().wait()


def main(words: list[str]) -> int:
    """Run both parts and print their statistics as JSON."""
    parser = argparse.ArgumentParser(prog="python tests/engine/fuzz_engine.py", description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000, help="in this process")
    parser.add_argument("--process-steps", type=int, default=1_000, help="with engine processes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--client", default="", help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.client:
        asyncio.run(be_client(msgspec.json.decode(options.client, type=EngineLaunch)))
        return 0
    with tempfile.TemporaryDirectory(prefix="spark-") as temporary:
        folder = Path(temporary)
        os.environ[RUNTIME_VARIABLE] = str(folder / "run")
        model = wide(folder / "wide.gguf")
        report = {"seed": options.seed, "walks": walks(options.steps, options.seed, model, folder)}
        report["processes"] = asyncio.run(processes(options.process_steps, options.seed, model, folder))
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return int(report["processes"]["orphans"] > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
