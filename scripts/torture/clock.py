"""Put the wall clock back and forth by days under a server and its engine while they answer.

A small library is preloaded into both, which moves the wall clock and nothing else: the monotonic clock and the times
of files stay, so what was written before a jump is then from the future or from long ago.
"""

import shutil
import struct
import subprocess
import time
from pathlib import Path
from random import Random
from typing import Final

from scripts.torture.faults import Outcome, Window, finish

SOURCE: Final = Path(__file__).with_name("jumping_clock.c")
DAY_S: Final = 86_400


def jump_clock(folder: Path, random: Random, rounds: int) -> Outcome:
    """Jump by up to ten days between and under requests; each third round the server begins again.

    Raises:
        FileNotFoundError: there is no C compiler.
    """
    outcome = Outcome("jumps of the wall clock")
    clock, library = folder / "clock", folder / "jumping_clock.so"
    _jump(clock, 0)
    compiler = shutil.which("cc")
    if compiler is None:
        raise FileNotFoundError("there is no C compiler")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    faked = {"LD_PRELOAD": str(library), "JUMPING_CLOCK": str(clock)}
    window = Window(folder, random, faked)
    assert window.works(), window.server.messages
    for number in range(rounds):
        asked = [window.ask() for _ in range(random.randrange(1, 4))]
        _jump(clock, random.randrange(-10 * DAY_S, 10 * DAY_S))
        asked.append(window.ask())
        for request in asked:
            try:
                window.server.wait_for(request)
                outcome.answered += 1
            except TimeoutError:
                outcome.unanswered += 1
        (folder / "w" / f"part{number}.py").write_text(f"def part_{number}(value):\n    return value\n", "utf-8")
        outcome.rounds += 1
        if number % 3 == 2:
            outcome.messages += window.server.messages
            outcome.answered_twice += sum(count > 1 for count in window.server.answers.values())
            window.server.end()
            window = Window(folder, random, faked)
            if not window.works():
                break
    twice, messages = outcome.answered_twice, outcome.messages
    _wait_for_files(window, rounds + 2)  # with money.py and the open document
    outcome = finish(outcome, window)
    outcome.answered_twice += twice
    outcome.messages = sorted({*messages, *outcome.messages})
    return outcome


def _jump(clock: Path, offset_s: int) -> None:
    """Let the clock be off by so many seconds; the file is mapped, so it is written in place."""
    with clock.open("r+b" if clock.exists() else "wb") as file:
        file.write(struct.pack("=q", offset_s))


def _wait_for_files(window: Window, files: int) -> None:
    """Wait until the index has every file that was written.

    Raises:
        TimeoutError: it has not.
    """
    until_s = time.monotonic() + 60
    while not window.server.statuses or window.server.statuses[-1]["indexed"]["files"] != files:
        if time.monotonic() > until_s:
            raise TimeoutError(f"the index has {window.server.statuses[-1:]} and not {files} files")
        time.sleep(0.2)
