"""Work of hostile text is answered in time, and no thread of it keeps the process."""

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from spark_lsp.server.time_limit import THREADS, TimeLimit


async def test_work_in_time_gives_its_result() -> None:
    limit = TimeLimit(60)
    assert await limit.run(lambda: 3) == 3
    with pytest.raises(ValueError, match="odd"):
        await limit.run(lambda: int("odd"))
    limit.close()


async def test_late_work_gives_none_and_holds_few_threads() -> None:
    limit, go_on, begun = TimeLimit(0.05), threading.Event(), []

    def late() -> int:
        begun.append(threading.get_ident())
        return go_on.wait(60) + 0

    assert await asyncio.gather(*(limit.run(late) for _ in range(3 * THREADS))) == [None] * 3 * THREADS
    assert len(begun) == THREADS
    go_on.set()
    patient = TimeLimit(60)
    assert await patient.run(lambda: 4) == 4
    limit.close()
    patient.close()


def test_the_process_ends_whatever_its_threads_do() -> None:
    program = (
        "import threading, time, sys\n"
        "from spark_lsp.cli.serve import leaving_at_last\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "with leaving_at_last(0.1):\n"
        "    sys.exit(1)\n"
    )
    began = time.monotonic()
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=120).returncode == 1
    assert time.monotonic() - began < 120
