"""Time one key, and wait until processes are at rest. The same for both sides."""

import time
from collections.abc import Iterable
from typing import Final, Literal

import msgspec
import psutil

How = Literal["model", "kept", "refused"]
"""Where an answer came from: the model, an earlier answer that was typed through, or no request at all."""

REST_S: Final = 0.5
RESTING_SHARE: Final = 0.06
"""Share of one core below which a process counts as at rest: timers and a sleeping event loop take about 1 %."""


class KeyTime(msgspec.Struct, frozen=True, kw_only=True):
    """One key: milliseconds from the change to the first text, and to the whole answer; tokens as reported."""

    visit: int
    key: int
    how: How
    first_text_ms: float
    """Until the first text arrived, or an empty answer."""
    answer_ms: float
    prompt_tokens: int = 0
    read_tokens: int = 0
    """Tokens of the prompt that were not in the KV cache."""
    written_tokens: int = 0

    @property
    def is_switch(self) -> bool:
        """Whether this is the first key after a change of the file."""
        return self.key == 0 and self.visit > 0


def rest(pids: Iterable[int], limit_s: float, look_s: float = REST_S) -> bool:
    """Wait until processes and their children compute nothing; False if they still do after the limit."""
    ids = list(pids)
    until = time.monotonic() + limit_s
    quiet = 0
    spent = _cpu_s(ids)
    while time.monotonic() < until:
        time.sleep(look_s)
        now = _cpu_s(ids)
        quiet = quiet + 1 if now - spent < RESTING_SHARE * look_s else 0
        spent = now
        if quiet >= 3:  # a pause between two steps of background work is shorter
            return True
    return False


def _cpu_s(pids: Iterable[int]) -> float:
    """Return the processor seconds that processes and their living children have used."""
    family: dict[int, psutil.Process] = {}
    for pid in pids:
        try:
            parent = psutil.Process(pid)
            family |= {process.pid: process for process in (parent, *parent.children(recursive=True))}
        except psutil.NoSuchProcess:
            continue
    total = 0.0
    for process in family.values():
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += float(times.user + times.system)
    return total
