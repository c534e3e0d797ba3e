"""Bursts of changes are one event, and one that never ends is handed over all the same."""

import asyncio

from spark_lsp.server.changes import Changes

LONG_S = 20.0


async def test_what_comes_close_together_is_handed_over_once() -> None:
    queue: asyncio.Queue[set[str]] = asyncio.Queue()
    changes = Changes(queue.put_nowait, quiet_s=0.05)
    for path in ("a.py", "b.py", "a.py"):
        changes.add([path])
        await asyncio.sleep(0)
    changes.add([])
    assert await asyncio.wait_for(queue.get(), LONG_S) == {"a.py", "b.py"}
    changes.add(["c.py"])
    assert await asyncio.wait_for(queue.get(), LONG_S) == {"c.py"}
    assert queue.empty()


async def test_changes_that_never_end_are_not_held_back() -> None:
    queue: asyncio.Queue[set[str]] = asyncio.Queue()
    changes = Changes(queue.put_nowait, quiet_s=LONG_S, longest_s=0.01)
    changes.add(["a.py"])
    assert await asyncio.wait_for(queue.get(), LONG_S) == {"a.py"}
    changes.add(["b.py"])
    changes.close()
    assert queue.empty()
