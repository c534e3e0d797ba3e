"""Records what happened to a request and how long each stage took; keeps the last ones; reports broken invariants.

Imports nothing of ours. Facts are names, numbers and codes; file content never enters a trace.
"""

import logging
import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

Fact = str | int | float | bool

RING_RECORDS: Final = 250

_log = logging.getLogger("spark_lsp.trace")


class TraceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A finished request. ``stages_ms`` is in the order the stages were first entered."""

    name: str
    reason: str
    started_s: float
    """Wall clock, seconds since the epoch."""
    total_ms: float
    stages_ms: dict[str, float]
    facts: dict[str, Fact]

    def line(self) -> str:
        """Return the one log line of this request."""
        stages = " ".join(f"{stage}={spent:.1f}" for stage, spent in self.stages_ms.items())
        facts = " ".join(f"{name}={value}" for name, value in self.facts.items())
        words = (self.name, self.reason, f"{self.total_ms:.1f}ms", stages, facts)
        return " ".join(word for word in words if word)


class Trace:
    """The running account of one request; ``finish`` closes it, once."""

    def __init__(self, name: str, **facts: Fact) -> None:
        self._name = name
        self._facts: dict[str, Fact] = dict(facts)
        self._stages_ms: dict[str, float] = {}
        self._started_s = time.time()
        self._started = time.perf_counter()
        self._record: TraceRecord | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; entering one twice adds up. The time counts also when the stage raises."""
        entered = time.perf_counter()
        self._stages_ms.setdefault(name, 0.0)
        try:
            yield
        finally:
            self._stages_ms[name] += (time.perf_counter() - entered) * 1000

    def note(self, **facts: Fact) -> None:
        """Keep sizes, counts and codes."""
        self._facts.update(facts)

    def stage_ms(self, name: str) -> float:
        """Return the time spent in a stage so far; 0.0 for one never entered."""
        return self._stages_ms.get(name, 0.0)

    @property
    def elapsed_ms(self) -> float:
        """Time since the request began."""
        return (time.perf_counter() - self._started) * 1000

    def finish(self, reason: str) -> TraceRecord:
        """Close the account with its reason code. A second call returns the first record."""
        if self._record is None:
            self._record = TraceRecord(
                name=self._name,
                reason=reason,
                started_s=self._started_s,
                total_ms=self.elapsed_ms,
                stages_ms=dict(self._stages_ms),
                facts=dict(self._facts),
            )
        return self._record


class TraceLog:
    """The last requests, oldest first."""

    def __init__(self, size: int = RING_RECORDS) -> None:
        self._records: deque[TraceRecord] = deque(maxlen=size)

    def add(self, record: TraceRecord) -> None:
        """Keep a record and write its log line at debug level."""
        self._records.append(record)
        _log.debug("%s", record.line())

    def records(self) -> tuple[TraceRecord, ...]:
        """Return what is kept, oldest first."""
        return tuple(self._records)


def bug(message: str, **facts: Fact) -> None:
    """Report a broken invariant: logged in production, raised where SPARK_LSP_STRICT=1 (our own tests).

    The caller goes on as best it can: a sidecar that the user cannot restart must not stop for what it can survive.
    """
    fields = " ".join(f"{name}={value}" for name, value in facts.items())
    text = f"bug: {message} {fields}".rstrip()
    if os.environ.get("SPARK_LSP_STRICT") == "1":
        raise AssertionError(text)
    _log.error("%s", text, stack_info=True)
