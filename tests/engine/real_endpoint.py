"""llama-cpp-python's own OpenAI-compatible server with the shipped model, in a process of its own."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from spark_lsp.engine.remote.hosts import address_of
from spark_lsp.engine.remote.http import EndpointFailure, RemoteLink
from tests.llama.gguf_files import SHIPPED

START_S = 60
ALIAS = "spark-nano"


@contextlib.contextmanager
def real_endpoint(log: Path, *, context_tokens: int = 2048) -> Iterator[str]:
    """Run the server until the block ends; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # A newer request must not break an older one off, as the server does for a single user by default.
    options = {
        "model": SHIPPED,
        "model_alias": ALIAS,
        "n_ctx": context_tokens,
        "n_threads": 1,
        "n_threads_batch": 1,
        "port": port,
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "llama_cpp.server", *arguments, "--interrupt_requests", "False"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, "HOST": "127.0.0.1"}
        )
        try:
            url = f"http://127.0.0.1:{port}"
            with ThreadPoolExecutor(1) as pool:  # a fixture may be asked for from within an event loop
                pool.submit(lambda: asyncio.run(_until_it_answers(url, process))).result()
            yield url
        finally:
            process.terminate()
            process.wait(10)


async def _until_it_answers(url: str, process: "subprocess.Popen[bytes]") -> None:
    link = RemoteLink(address_of(url), "", "")
    try:
        async with asyncio.timeout(START_S):
            while isinstance(await link.models(), EndpointFailure):
                assert process.poll() is None, "the server ended; see its log"
                await asyncio.sleep(0.05)
    finally:
        await link.close()
