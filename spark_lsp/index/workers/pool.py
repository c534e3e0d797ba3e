"""Manage the worker processes of one index: started when there is work, ended when there is none.

Jobs go to whichever process is free, urgent ones first. A process that dies costs its job and nothing else. When this
process ends, however it ends, its workers see their input close and end too.
"""

import itertools
import logging
import os
import queue
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

import msgspec

from spark_lsp.index.workers.worker import JobResult, WorkerJob, receive, send

MAX_WORKERS: Final = 8  # beyond that the disk and the one thread that takes the answers in are busier than the workers
IDLE_S: Final = 20.0
ATTEMPTS: Final = 3  # workers that die at their first job, one after another: this machine does not let us have any

URGENT: Final = 0
NORMAL: Final = 1

_log = logging.getLogger(__name__)


class WorkerLostError(Exception):
    """A worker died over a job, or there are none; the caller does without."""


class Workers:
    """A few processes. Calls may come from any thread and never block."""

    def __init__(self, count: int = 0, *, idle_s: float = IDLE_S) -> None:
        """Prepare the pool; ``count`` 0 means one process per core but one; an idle process ends after ``idle_s``."""
        self.count = count or max(1, min(MAX_WORKERS, len(os.sched_getaffinity(0)) - 1 if _HAS_AFFINITY else 1))
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._jobs: queue.PriorityQueue[tuple[int, int, WorkerJob, Future[JobResult]]] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._threads = 0
        self._waiting = 0
        self._lost = 0
        self._closed = False

    @property
    def usable(self) -> bool:
        """Whether there is any hope of a worker."""
        return not self._closed and self._lost < ATTEMPTS

    def pids(self) -> list[int]:
        """Return the ids of the processes that run."""
        with self._lock:
            return [process.pid for process in self._running]

    def submit(self, job: WorkerJob, *, urgency: int = NORMAL) -> "Future[JobResult]":
        """Order a job; the answer comes in the future, or ``WorkerLostError``."""
        future: Future[JobResult] = Future()
        with self._lock:
            if not self.usable:
                future.set_exception(WorkerLostError("no worker can be had"))
                return future
            self._jobs.put((urgency, next(self._numbers), job, future))
            if self._waiting < self._jobs.qsize() and self._threads < self.count:
                self._threads += 1
                threading.Thread(target=self._serve, name="spark-index-worker", daemon=True).start()
        return future

    def close(self) -> None:
        """End all processes now; jobs not done are lost."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for process in running:
            with suppress(OSError):
                process.kill()
        self._drop_jobs()

    def _drop_jobs(self) -> None:
        while True:
            try:
                *_, future = self._jobs.get_nowait()
            except queue.Empty:
                return
            _fail(future)

    def _serve(self) -> None:
        """Give jobs to one process, and to another one when it dies, until there are none for a while."""
        process: subprocess.Popen[bytes] | None = None
        while True:
            with self._lock:
                self._waiting += 1
            try:
                *_, job, future = self._jobs.get(timeout=self._idle_s)
            except queue.Empty:
                job = None
            with self._lock:
                self._waiting -= 1
                if job is None and self._jobs.empty():
                    self._threads -= 1
                    break
            if job is not None:
                process = self._give(process, job, future)
        self._end(process)

    def _give(
        self, process: "subprocess.Popen[bytes] | None", job: WorkerJob, future: "Future[JobResult]"
    ) -> "subprocess.Popen[bytes] | None":
        """Have one job done; returns the process when it is fit for more."""
        if not future.set_running_or_notify_cancel():
            return process
        try:
            process = process or self._start()
            assert process.stdin
            assert process.stdout
            send(process.stdin, job)  # type: ignore[arg-type]
            raw = receive(process.stdout)  # type: ignore[arg-type]
            answer = _decoder.decode(raw) if raw else None
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            _log.debug("a worker was lost: %s", error)
            answer = None
        if answer is None:
            with self._lock:
                self._lost += 1
            self._end(process)
            _fail(future)
            return None
        with self._lock:
            self._lost = 0
        future.set_result(answer)
        return process

    def _start(self) -> "subprocess.Popen[bytes]":
        # -P keeps modules of the working folder, which is the user's workspace, out of our process.
        command = [sys.executable, "-P", "-m", "spark_lsp.index.workers.worker"]
        with self._lock:
            if self._closed:
                raise OSError("closed")
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=_NO_WINDOW,
            )
            self._running.add(process)
        return process

    def _end(self, process: "subprocess.Popen[bytes] | None") -> None:
        if process is None:
            return
        with suppress(OSError):
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            with suppress(OSError):
                if stream:
                    stream.close()
        with self._lock:
            self._running.discard(process)


_NO_WINDOW: Final[int] = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows alone opens one for a child
_HAS_AFFINITY = hasattr(os, "sched_getaffinity")
_decoder = msgspec.msgpack.Decoder(JobResult)


def _fail(future: "Future[JobResult]") -> None:
    if not future.done():
        future.set_exception(WorkerLostError("a worker died"))
