"""Downloads a model for an editor: asked for first, with progress, in a thread that does not outlive the server.

What has come is kept, so a server that ends in the middle loses nothing.
"""

import asyncio
import threading
from collections.abc import Callable

from spark_lsp.errors import ModelNotPulled, SparkError
from spark_lsp.server.client import Client

PULL = "Pull it"


async def offer_pull(client: Client, missing: ModelNotPulled) -> bool:
    """Ask once in this session whether to download a model, and do it; tell whether it is there now.

    Raises:
        SparkError: the download failed; the message says why.
    """
    if await client.ask(f"Spark: {missing}", PULL, "Not now") != PULL:
        return False
    loop = asyncio.get_running_loop()
    async with client.progress("Pulling the model") as report:

        def told(step: str, done: int, of: int) -> None:
            loop.call_soon_threadsafe(report, done, of, f"{step}: {done / 1e6:,.0f} of {of / 1e6:,.0f} MB")

        await _in_thread(lambda: missing.pull(told))
    return True


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
        loop.call_soon_threadsafe(settle, failure)

    threading.Thread(target=run, name="pull", daemon=True).start()
    await done
