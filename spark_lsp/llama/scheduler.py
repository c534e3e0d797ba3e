"""Schedules requests on the model's one thread: one decode at a time, by priority, and a newer request of a key wins.

The thread owns every native object of the context. Other threads add jobs, mark them stopped and set the abort flag,
always under one lock, so a request that nobody wants any more never delays one that waits.
"""

import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Final, Protocol, TypeVar

from spark_lsp.engine.base import BACKGROUND_PRIORITY, Chunk, CompletionRequest, PrefillCost, StopCause, Usage
from spark_lsp.errors import EngineFailed, EngineStarting, SparkError
from spark_lsp.llama.generation import Generation
from spark_lsp.llama.kv.abort_flag import AbortFlag
from spark_lsp.llama.loading.fit import BATCH_TOKENS

QUIET_S: Final = 0.3
"""Time after an answer in which no background work runs: the next key usually comes within it."""
UNATTENDED_S: Final = 2.0
"""Time after an answer in which background work keeps to half of the cores and short batches. Later the user reads or
is away: then it takes all cores and whole micro-batches, which read two to four times as many tokens a second. A key
that comes after all aborts the batch."""
IDLE_S: Final = 10.0
"""Time without any work after which cached prefixes are saved to disk."""

_COALESCE_S: Final = 0.015  # tokens that come faster than this share a frame

T = TypeVar("T")
_log = logging.getLogger("spark_lsp.llama")


class Runtime(Protocol):
    """What the scheduler needs of the loaded model; all calls come from its thread."""

    def abort_flag(self) -> AbortFlag | None:
        """Return the flag that stops a running decode; None while no model is loaded."""
        ...

    def generation(self, request: CompletionRequest, received: float) -> Generation:
        """Begin an answer, loading the model first if need be."""
        ...

    def prefill_cost(self) -> PrefillCost:
        """Return the prefill cost of a token, zero before anything was measured."""
        ...

    def resident_tokens(self) -> int:
        """Return how many cells of the cache hold a token."""
        ...

    def tidy(self) -> bool:
        """Do a little background work, such as saving to disk; return whether more is left."""
        ...


@dataclass(frozen=True, slots=True)
class ThreadProgress:
    """Whether the model's thread makes progress: one turn for much longer than ``turn_s`` means that it hangs."""

    turns: int
    """Turns that ended, ever."""
    busy: bool
    """Whether there is anything to do."""
    turn_s: float
    """Expected seconds of a turn like the running one; infinite before anything was measured."""


class Job:
    """One request. ``tell`` and ``fail`` are called on the scheduler's thread; exactly one call ends the job."""

    def __init__(
        self,
        client: int,
        request: CompletionRequest,
        tell: Callable[[Chunk], None],
        fail: Callable[[SparkError], None],
    ) -> None:
        self.client = client
        self.request = request
        self.tell = tell
        self.fail = fail
        self.received = time.perf_counter()
        self.stop: StopCause | None = None
        """Set from outside when the answer is to end; the first cause stays."""
        self.generation: Generation | None = None
        self.told_at = 0.0


class Scheduler:
    """The thread of the model and the queue in front of it."""

    def __init__(self, runtime: Runtime, *, idle_s: float = IDLE_S) -> None:
        self._runtime = runtime
        self._idle_s = idle_s
        self._worked_at = self._foreground_at = -math.inf
        self._is_tidy = True
        self._changed = Condition()
        self._jobs: list[Job] = []
        self._calls: list[Callable[[], None]] = []
        self._running: Job | None = None
        self._ended = False
        self._running_call = False
        self._turns = 0
        self._news = 0
        """Counts what may change whose turn it is; until it does, a job goes on without the lock."""
        self._turn_s = math.inf
        self._last: Callable[[], None] = _nothing
        self._thread = Thread(target=self._run, name="llama", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether any request is being answered or waits."""
        return bool(self._jobs)

    def progress(self) -> ThreadProgress:
        """Tell whether the thread gets on. Takes no lock, so it answers whatever the thread does."""
        return ThreadProgress(self._turns, bool(self._jobs or self._calls or self._running_call), self._turn_s)

    def submit(self, job: Job) -> None:
        """Queue a job. It supersedes an older one of the same client and key, and preempts a less urgent one."""
        with self._changed:
            if self._ended:
                job.fail(EngineFailed("The engine is stopping."))
                return
            key = job.request.key
            for older in self._jobs:
                if key and older.client == job.client and older.request.key == key:
                    self._stop(older, "cancelled")
            if self._running is not None and job.request.priority < self._running.request.priority:
                self._abort()
            self._jobs.append(job)
            self._news += 1
            self._changed.notify()

    def stop(self, job: Job, cause: StopCause) -> None:
        """End a job soon with the tokens that it has; no effect on one that has ended."""
        with self._changed:
            self._stop(job, cause)

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Run something on the model's thread, between two decodes."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  the caller gets it
                future.set_exception(error)

        with self._changed:
            if self._ended:
                future.set_exception(EngineStarting("The engine is stopping; another one can be started."))
            else:
                self._calls.append(run)
                self._news += 1
                self._changed.notify()
        return future

    def end(self, last: Callable[[], None]) -> None:
        """End the thread after ``last``, which frees what it owns, and wait for it."""
        with self._changed:
            self._ended = True
            self._news += 1
            for job in self._jobs:
                self._stop(job, "cancelled")
            self._last = last
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _stop(self, job: Job, cause: StopCause) -> None:
        if job.stop is None:
            job.stop = cause
            self._news += 1
        if job is self._running:
            self._abort()

    def _abort(self) -> None:
        flag = self._runtime.abort_flag()
        if flag is not None:
            flag.set()

    def _run(self) -> None:
        while self._turn():
            self._turns += 1
        self._last()

    def _turn(self) -> bool:
        """Run one call, or the most urgent job until another may be more urgent; False when it is time to leave."""
        with self._changed:
            self._running = None
            if not self._wait():
                return not self._ended
            call = self._calls.pop(0) if self._calls else None
            job = min(self._jobs, key=_urgency) if call is None else None
            self._running = job
            news = self._news
            flag = self._runtime.abort_flag()
            if flag is not None:
                flag.clear()
            self._running_call = call is not None
            self._turn_s = self._predicted_s() if job is not None and flag is not None else math.inf
        if call is not None:
            call()
            self._running_call = False
        elif job is not None:
            while self._advance(job) and self._news == news and flag is not None:
                self._turn_s = self._predicted_s()
                self._turns += 1
        return True

    def _wait(self) -> bool:
        """Wait for something to do, and in idle times tidy; False when there is nothing but the end or another look."""
        while not (self._jobs or self._calls or self._ended):
            left_s = self._idle_s - (time.perf_counter() - self._worked_at)
            if self._is_tidy:
                self._changed.wait()
            elif left_s > 0:
                self._changed.wait(left_s)
            else:
                self._tidy()
        if self._calls:
            return True
        if not self._jobs:
            return False
        self._is_tidy = False
        quiet_s = QUIET_S - (time.perf_counter() - self._foreground_at)
        if quiet_s > 0 and not self._ended and all(_is_background(job) and job.stop is None for job in self._jobs):
            self._changed.wait(quiet_s)
            return False
        return True

    def _tidy(self) -> None:
        """Let the runtime tidy a little, with the lock free: requests come in meanwhile."""
        self._changed.release()
        try:
            self._is_tidy = not self._runtime.tidy()
        except Exception:  # noqa: BLE001  what can wait must not end the thread of all
            _log.exception("what can wait failed")
            self._is_tidy = True
        finally:
            self._changed.acquire()

    def _predicted_s(self) -> float:
        """Return how long one step may take: a whole batch at the highest position."""
        cost_ms = self._runtime.prefill_cost().at(self._runtime.resident_tokens())
        return BATCH_TOKENS * cost_ms / 1000 if cost_ms else math.inf

    def _is_unattended(self) -> bool:
        """Whether nobody has waited for an answer for a while."""
        return time.perf_counter() - self._foreground_at >= UNATTENDED_S

    def _advance(self, job: Job) -> bool:
        """Make one step of a job and send its chunk; return whether the job goes on."""
        try:
            if job.stop is None and job.generation is None:
                job.generation = self._runtime.generation(job.request, job.received)
            stop = job.stop
            if stop is None and job.generation is not None:
                stop = job.generation.step(is_idle=self._is_unattended())
        except SparkError as error:
            self._finish(job)
            job.fail(error)
            return False
        except Exception as error:  # noqa: BLE001  one request must not end the thread of all
            _log.exception("a request failed in an unforeseen way")
            self._finish(job)
            job.fail(EngineFailed(f"The engine failed: {type(error).__name__}."))
            return False
        if stop is not None:
            last = job.generation.last_chunk(stop) if job.generation else _unstarted(job, stop)
            self._finish(job)
            job.tell(last)
        elif job.generation is not None:
            self._tell(job, job.generation)
        return stop is None

    def _tell(self, job: Job, generation: Generation) -> None:
        now = time.perf_counter()
        if now - job.told_at < _COALESCE_S:
            return
        chunk = generation.take()
        if chunk is not None:
            job.told_at = now
            job.tell(chunk)

    def _finish(self, job: Job) -> None:
        with self._changed:
            self._jobs.remove(job)
            self._running = None
            self._worked_at = time.perf_counter()
            if not _is_background(job):
                self._foreground_at = self._worked_at
        if job.generation is not None:
            job.generation.close()


def _urgency(job: Job) -> tuple[int, float]:
    # A stopped job ends first: it costs nothing and its client waits for the end.
    return (-1 if job.stop is not None else job.request.priority, job.received)


def _is_background(job: Job) -> bool:
    return job.request.priority >= BACKGROUND_PRIORITY


def _nothing() -> None:
    """Do nothing at the end, until told what."""


def _unstarted(job: Job, stop: StopCause) -> Chunk:
    return Chunk("", 0, stop=stop, usage=Usage(total_ms=(time.perf_counter() - job.received) * 1000))
