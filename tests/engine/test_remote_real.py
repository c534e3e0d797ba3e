"""The remote engine against llama-cpp-python's real server with the shipped model."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest

from spark_lsp.app import open_workspace
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.config import BackendSettings, Settings
from spark_lsp.engine.base import Chunk, CompletionRequest, TextPart
from spark_lsp.engine.fim import build_prompt, family_named
from spark_lsp.engine.local.local_engine import LocalEngine
from spark_lsp.engine.remote.remote_engine import RemoteEngine
from spark_lsp.engine.remote.setup import RemoteLaunch
from spark_lsp.text.snapshot import Snapshot
from tests.engine.conftest import shipped
from tests.engine.real_endpoint import ALIAS, real_endpoint

pytestmark = pytest.mark.model

PATIENCE_S = 60
PREFIX = "def add(left, right):\n    return "
SUFFIX = "\n\n\nprint(add(1, 2))\n"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real_endpoint(tmp_path_factory.mktemp("server") / "log") as address:
        yield address


@pytest.fixture
async def engine(url: str) -> AsyncIterator[RemoteEngine]:
    remote_engine = RemoteEngine(RemoteLaunch(urls=(url,), context_tokens=2048))
    async with asyncio.timeout(PATIENCE_S):
        await remote_engine.start()
        yield remote_engine
        await remote_engine.close()


def request(prefix: str = PREFIX, max_tokens: int = 16, **changes: object) -> CompletionRequest:
    family = family_named("qwen2.5-coder")
    assert family is not None
    prompt = build_prompt(family, "spm", repository="", blocks=(), current_path="main.py", prefix=prefix, suffix=SUFFIX)
    return CompletionRequest(prompt, max_tokens, stops=family.stops, **changes)  # type: ignore[arg-type]


def unhealed(asked: CompletionRequest) -> CompletionRequest:
    """The same request without the mark of the cursor's word, which a remote endpoint is sent as text."""
    parts = [msgspec.structs.replace(part, heal=False) if isinstance(part, TextPart) else part for part in asked.prompt]
    return msgspec.structs.replace(asked, prompt=tuple(parts))


async def collect(engine: RemoteEngine | LocalEngine, asked: CompletionRequest) -> list[Chunk]:
    async with aclosing(engine.generate(asked)) as chunks:
        return [chunk async for chunk in chunks]


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


async def test_it_describes_the_served_model(engine: RemoteEngine) -> None:
    info = await engine.start()
    assert (info.name, info.family, info.fim_order) == (ALIAS, "qwen2.5-coder", "spm")
    assert (await engine.status()).running


async def test_it_writes_what_the_local_engine_writes(engine: RemoteEngine, shared_runtime: Path) -> None:
    local = LocalEngine(shipped())
    await local.start()
    try:
        expected = text_of(await collect(local, unhealed(request())))
    finally:
        await local.close()
    answer = await collect(engine, request())
    assert text_of(answer) == expected
    assert answer[-1].stop in {"end", "stop_token", "max_tokens"}
    assert answer[-1].usage is not None
    assert 0 < answer[-1].usage.generated_tokens <= 16


async def test_closing_frees_the_server_for_the_next(engine: RemoteEngine) -> None:
    stream = engine.generate(request(max_tokens=1500))
    await anext(stream)
    await stream.aclose()
    assert text_of(await collect(engine, request()))


async def test_many_at_once_are_all_answered(engine: RemoteEngine) -> None:
    asked = [request(f"def add_{number}(left, right):\n    return ", 8, key=f"{number}.py") for number in range(8)]
    answers = await asyncio.gather(*(collect(engine, asked_request) for asked_request in asked))
    assert all(answer[-1].stop in {"end", "stop_token", "max_tokens"} for answer in answers)


async def test_the_rooms_complete_with_it(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "shapes.py").write_text("def area_of(width, height):\n    return width * height\n")
    settings = Settings(backend=BackendSettings(urls=(url,), context_tokens=2048))
    async with asyncio.timeout(PATIENCE_S):
        workspace = open_workspace(tmp_path / "w", settings)
        assert isinstance(workspace.engine, RemoteEngine)
        try:
            await workspace.engine.start()
            text = "from shapes import area_of\n\n\ndef double(width, height):\n    return 2 * are"
            cursor = CursorContext(Snapshot("file:///w/a.py", tmp_path / "w" / "a.py", 0, "python", text), len(text))
            answer = await workspace.completer.complete(cursor, manual=True)
            assert answer.reason in {"ok", "empty"} or answer.reason.startswith("trimmed.")
        finally:
            await workspace.close()
            if workspace.index is not None:
                workspace.index.close()
