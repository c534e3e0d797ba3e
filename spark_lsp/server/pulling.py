"""Downloads a model for an editor, with the user's consent, progress and cancel, in a thread that ends with the server.

What was downloaded is kept, so the next attempt resumes.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable

from spark_lsp.errors import ModelMissing, ModelNotPulled, SparkError
from spark_lsp.server.client import Client

PULL = "Pull it"


Pull = Callable[[Callable[[str, int, int], None]], object]
"""Downloads a model and reports step, bytes done and bytes in all; blocks."""


async def pull_missing(client: Client, missing: ModelNotPulled) -> bool:
    """Download the model of the settings if the user wants it; asks once a session. False when there is no download.

    Raises:
        SparkError: the download failed; the message says why.
    """
    wanted = await client.ask(f"Spark: {missing}", PULL, "Not now") == PULL
    if wanted and await pull_with_progress(client, "Pulling the model", missing.pull):
        return True
    client.show_error(missing)
    return False


async def pull_with_progress(client: Client, title: str, pull: Pull) -> bool:
    """Download a model with work-done progress; False when the user cancelled.

    Raises:
        SparkError: the download failed; the message says why.
    """
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    stop = threading.Event()

    def cancel() -> None:
        stop.set()
        loop.call_soon_threadsafe(stopped.set)

    async with client.progress(title, cancel=cancel) as report:

        def progress(step: str, done: int, of: int) -> None:
            if stop.is_set():
                raise ModelMissing("The download was stopped.", fix="Pull the model again; what has arrived is kept.")
            loop.call_soon_threadsafe(report, done, of, f"{step}: {done / 1e6:,.0f} of {of / 1e6:,.0f} MB")

        try:
            return await _until(stopped, lambda: pull(progress))
        finally:
            stop.set()  # a server that closes does not wait for the thread


async def _until(stopped: asyncio.Event, work: Callable[[], object]) -> bool:
    """Run work that blocks in a thread; return True at its end, False at once when it is stopped before."""
    ended = asyncio.ensure_future(_in_thread(work))
    halted = asyncio.ensure_future(stopped.wait())
    try:
        await asyncio.wait({ended, halted}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            return False
        await ended
        return True
    finally:
        ended.cancel()
        halted.cancel()


async def _in_thread(work: Callable[[], object]) -> None:
    """Run work that blocks for long in a thread of its own, which ends with the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if not done.done():
            done.set_result(None) if error is None else done.set_exception(error)

    def run() -> None:
        failure: SparkError | None = None
        try:
            work()
        except SparkError as error:
            failure = error
        except Exception as error:  # noqa: BLE001  somebody waits for the end
            failure = SparkError(f"The download failed: {type(error).__name__}.", fix="Pull the model again.")
        with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
            loop.call_soon_threadsafe(settle, failure)

    threading.Thread(target=run, name="pull", daemon=True).start()
    await done
