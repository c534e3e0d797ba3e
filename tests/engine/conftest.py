"""Fixtures for engines: a private runtime folder, and no process left running."""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from spark_lsp.engine.local.address import RUNTIME_VARIABLE, TRANSPORT_VARIABLE
from spark_lsp.engine.local.local_engine import EngineLaunch, list_engines, stop_engines
from tests.llama.gguf_files import SHIPPED, without_fim
from tests.support.processes import kill


@contextlib.contextmanager
def private_runtime(patch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give engines a private folder with a short path, and end those that still run."""
    with tempfile.TemporaryDirectory(prefix="spark-") as folder:
        patch.setenv(RUNTIME_VARIABLE, folder)
        patch.delenv(TRANSPORT_VARIABLE, raising=False)
        try:
            yield Path(folder)
        finally:
            asyncio.run(_end_all())


async def _end_all() -> None:
    running = [status.pid for status in await list_engines()]
    stopped = await stop_engines()
    for pid in {*running} - {*stopped}:
        kill(pid)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with private_runtime(monkeypatch) as folder:
        yield folder


@pytest.fixture(scope="module")
def shared_runtime() -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch, private_runtime(patch) as folder:
        yield folder


@pytest.fixture(scope="session")
def fimless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return without_fim(tmp_path_factory.mktemp("models") / "no-fim.gguf")


def shipped(**changes: object) -> EngineLaunch:
    """Start the embedded model with a small context and changes. One thread, so that its sums are reproducible."""
    usual = {"model_path": str(SHIPPED), "context_tokens": 4096, "idle_minutes": 1.0, "threads": 1}
    fields: dict[str, object] = {**usual, **changes}
    return EngineLaunch(**fields)  # type: ignore[arg-type]
