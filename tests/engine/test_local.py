"""The engine process from outside: shared by windows, survives its clients, and they survive it."""

import asyncio
import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from spark_lsp.engine.base import Chunk, CompletionRequest, Sampling
from spark_lsp.engine.local.address import TRANSPORT_VARIABLE, endpoint_of
from spark_lsp.engine.local.link import connect
from spark_lsp.engine.local.local_engine import EngineLaunch, LocalEngine, describe_model, list_engines, stop_engines
from spark_lsp.engine.local.process import spawn
from spark_lsp.engine.wire import frames
from spark_lsp.engine.wire.peer import peer_user
from spark_lsp.errors import (
    EngineFailed,
    EngineProtocolError,
    EngineStarting,
    ModelMissing,
    ModelNoFim,
    ModelUnusable,
    SparkError,
)
from spark_lsp.llama.host import MAX_STRANGERS
from tests.engine.conftest import shipped
from tests.engine.test_contract import ENDLESS, PATIENCE_S, collect, prompt
from tests.llama.gguf_files import SHIPPED, long_context
from tests.support.marks import posix_only
from tests.support.processes import still_running

pytestmark = [pytest.mark.model, pytest.mark.usefixtures("runtime")]


async def gone(pid: int) -> None:
    """Wait until a process has ended."""
    await asyncio.to_thread(psutil.wait_procs, still_running([pid]), timeout=PATIENCE_S)
    assert not psutil.pid_exists(pid)


def exists(path: str) -> bool:
    return Path(path).exists()


def mode_of(path: str | Path) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


async def pid_of(engine: LocalEngine) -> int:
    return (await engine.status()).pid


async def started(launch: EngineLaunch) -> LocalEngine:
    engine = LocalEngine(launch)
    async with asyncio.timeout(PATIENCE_S):
        await engine.start()
    return engine


def truncated(path: Path) -> None:
    path.write_bytes(SHIPPED.read_bytes()[:-100_000])


def half_a_header(path: Path) -> None:
    path.write_bytes(SHIPPED.read_bytes()[:5_000])


def no_gguf_after_the_magic(path: Path) -> None:
    path.write_bytes(b"GGUF" + bytes(range(256)) * 64)


BAD_MODELS: list[tuple[Callable[[Path], object], type[SparkError], str]] = [
    (lambda path: None, ModelMissing, "There is no model file at"),
    (lambda path: path.mkdir(), ModelUnusable, "is a folder"),
    (lambda path: path.write_bytes(b""), ModelUnusable, "is empty"),
    (lambda path: path.write_text("not a model"), ModelUnusable, "is not a GGUF file"),
    (truncated, ModelUnusable, "may be truncated"),
    (half_a_header, ModelUnusable, "may be truncated"),
    (no_gguf_after_the_magic, ModelUnusable, "cannot be loaded"),
]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    BAD_MODELS,
    ids=["missing", "folder", "empty", "text", "truncated", "half-header", "garbage"],
)
async def test_a_bad_model_is_one_clear_sentence(
    tmp_path: Path, make: Callable[[Path], object], error: type[SparkError], message: str
) -> None:
    path = tmp_path / "model.gguf"
    make(path)
    engine = LocalEngine(shipped(model_path=str(path)))
    with pytest.raises(error, match=message) as caught:
        await engine.start()
    assert "\n" not in str(caught.value)
    assert caught.value.fix
    with pytest.raises(error, match=message):  # and every request says the same, until there is a model
        await collect(engine, CompletionRequest(prompt(), 1))
    await engine.close()
    with pytest.raises(error, match=message):
        await asyncio.to_thread(describe_model, path)


async def test_a_model_that_appears_later_is_used(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    engine = LocalEngine(shipped(model_path=str(path)))
    with pytest.raises(ModelMissing):
        await engine.start()
    shutil.copy(SHIPPED, path)
    assert (await engine.start()).name == "spark-nano"
    await engine.close()


async def test_a_model_without_fim_loads_and_says_no_fim(fimless: Path) -> None:
    engine = await started(shipped(model_path=str(fimless)))
    info = engine.model
    assert info is not None
    assert info.family == ""
    assert any("fill-in-the-middle" in note for note in info.notes)
    with pytest.raises(ModelNoFim):
        await collect(engine, CompletionRequest(prompt(), 4))
    assert await engine.count_tokens(["def"]) == [1]
    await engine.close()


async def test_a_file_is_described_without_its_weights() -> None:
    info = await asyncio.to_thread(describe_model, SHIPPED)
    assert (info.name, info.family, info.fim_order) == ("spark-nano", "qwen2.5-coder", "spm")
    assert info.layers > 0
    assert info.kv_bytes_per_token > 0
    assert info.context_tokens == 0
    assert await list_engines() == []


async def test_two_windows_that_start_at_once_share_one_process() -> None:
    engines = [LocalEngine(shipped(idle_minutes=float(number))) for number in range(1, 4)]
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(engine.start() for engine in engines))
    assert len({await pid_of(engine) for engine in engines}) == 1
    (status,) = await list_engines()
    assert status.clients == 3
    answers = await asyncio.gather(*(collect(engine, CompletionRequest(prompt(), 8)) for engine in engines))
    assert all(chunks[-1].stop is not None for chunks in answers)
    for engine in engines:
        await engine.close()


async def test_other_parameters_are_another_process() -> None:
    first, second = await started(shipped()), await started(shipped(context_tokens=2048))
    assert await pid_of(first) != await pid_of(second)
    assert second.model is not None
    assert second.model.context_tokens == 2048
    assert len(await list_engines()) == 2
    assert len(await stop_engines()) == 2
    assert await list_engines() == []
    await first.close()
    await second.close()


async def test_a_killed_process_fails_the_answer_and_comes_back() -> None:
    engine = await started(shipped())
    before = await pid_of(engine)
    stream = engine.generate(CompletionRequest(prompt(), 3500, sampling=ENDLESS))
    await anext(stream)
    os.kill(before, signal.SIGKILL)
    with pytest.raises(EngineFailed, match="ended unexpectedly"):
        async for _ in stream:
            pass
    assert engine.model is None
    with pytest.raises(EngineStarting):
        await collect(engine, CompletionRequest(prompt(), 2))
    async with asyncio.timeout(PATIENCE_S):
        await engine.start()
    assert await pid_of(engine) != before
    assert (await collect(engine, CompletionRequest(prompt(), 2)))[-1].stop is not None
    await engine.close()


async def test_a_request_that_was_there_at_two_deaths_is_refused() -> None:
    engine = await started(shipped())
    fatal = CompletionRequest(prompt("import fatal\n"), 3500, sampling=ENDLESS)
    for _ in range(2):
        stream = engine.generate(fatal)
        await anext(stream)
        os.kill(await pid_of(engine), signal.SIGKILL)
        with pytest.raises(EngineFailed):
            async for _ in stream:
                pass
        async with asyncio.timeout(PATIENCE_S):
            await engine.start()
    with pytest.raises(EngineFailed, match="twice at this request"):
        await collect(engine, fatal)
    assert (await collect(engine, CompletionRequest(prompt(), 2)))[-1].stop is not None
    await engine.close()


async def test_three_deaths_are_enough() -> None:
    engine = await started(shipped())
    for death in range(3):
        pid = await pid_of(engine)
        os.kill(pid, signal.SIGKILL)
        await gone(pid)
        if death < 2:
            async with asyncio.timeout(PATIENCE_S):
                while await _pid_if_any(engine) in {0, pid}:
                    await _start_quietly(engine)
    async with asyncio.timeout(PATIENCE_S):
        while engine.model is not None:
            await engine.status()
    with pytest.raises(EngineFailed, match="three times"):
        await engine.start()
    await engine.close()
    await engine.start()  # closing forgives
    await engine.close()


async def test_a_restart_ends_a_healthy_process_and_starts_another() -> None:
    engine, other_engine = await started(shipped()), await started(shipped())
    before = await pid_of(engine)
    async with asyncio.timeout(PATIENCE_S):
        await engine.restart()
        await gone(before)
        assert await pid_of(engine) != before
        assert (await collect(engine, CompletionRequest(prompt(), 2)))[-1].stop is not None
        await other_engine.start()  # another window goes over to the new process, and counts no crash
    assert await pid_of(other_engine) == await pid_of(engine)
    assert not other_engine._crashes
    await engine.close()
    await other_engine.close()


async def test_a_restart_forgives_three_deaths() -> None:
    engine = LocalEngine(shipped())
    now = asyncio.get_running_loop().time()
    engine._crashes.extend([now] * 3)
    with pytest.raises(EngineFailed, match="three times"):
        await engine.start()
    async with asyncio.timeout(PATIENCE_S):
        assert (await engine.restart()).name == "spark-nano"
    await engine.close()


@posix_only
async def test_a_restart_ends_a_stopped_process() -> None:
    engine = await started(shipped())
    before = await pid_of(engine)
    os.kill(before, signal.SIGSTOP)
    async with asyncio.timeout(PATIENCE_S):
        await engine.restart()
        await gone(before)
    assert (await collect(engine, CompletionRequest(prompt(), 2)))[-1].stop is not None
    await engine.close()


@posix_only
@pytest.mark.parametrize("obstacle", ["folder", "link", "pipe", "no folder"])
async def test_an_engine_without_a_log_works_and_says_so(
    obstacle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = tmp_path / "logs"
    monkeypatch.setattr("spark_lsp.engine.local.address.log_folder", lambda: logs)
    log = Path(endpoint_of(shipped()).log)
    if obstacle == "no folder":
        logs.write_text("a file where the folder should be")
    else:
        logs.mkdir()
        make: dict[str, Callable[[], object]] = {
            "folder": log.mkdir,
            "link": lambda: log.symlink_to(tmp_path / "elsewhere"),
            "pipe": lambda: os.mkfifo(log),
        }
        make[obstacle]()
    engine = await started(shipped())
    assert engine.model is not None
    notes = [note for note in engine.model.notes if "without a log" in note]
    assert notes == [next(iter(notes))], "once"
    assert str(log) in notes[0]
    assert (await collect(engine, CompletionRequest(prompt(), 2)))[-1].stop is not None
    assert not (tmp_path / "elsewhere").exists()
    await engine.close()


async def _pid_if_any(engine: LocalEngine) -> int:
    return await pid_of(engine) if engine.model is not None else 0


async def _start_quietly(engine: LocalEngine) -> None:
    try:
        await engine.start()
    except EngineFailed:
        assert engine.model is None


async def test_the_process_leaves_after_its_last_client() -> None:
    engine = await started(shipped(idle_minutes=0.0))
    pid, address = await pid_of(engine), endpoint_of(shipped(idle_minutes=0.0)).address
    assert exists(address)
    await engine.close()
    await gone(pid)
    assert not exists(address)


async def test_the_process_leaves_when_nobody_ever_comes() -> None:
    launch = shipped(idle_minutes=100.0)
    order = frames.HostOrder(launch=launch, endpoint=endpoint_of(launch), first_client_s=0.1)
    process = spawn(order)
    assert await asyncio.to_thread(process.wait, PATIENCE_S) == 0


@posix_only
async def test_a_terminated_process_leaves_in_order() -> None:
    engine = await started(shipped())
    pid = await pid_of(engine)
    os.kill(pid, signal.SIGTERM)
    await gone(pid)
    assert not exists(endpoint_of(shipped()).address)
    async with asyncio.timeout(PATIENCE_S):
        while engine.model is not None:
            await engine.status()
    await engine.start()
    assert await pid_of(engine) != pid
    await engine.close()


async def test_a_stale_socket_is_replaced() -> None:
    engine = await started(shipped())
    pid = await pid_of(engine)
    await engine.close()
    os.kill(pid, signal.SIGKILL)
    await gone(pid)
    assert exists(endpoint_of(shipped()).address)
    assert await list_engines() == []
    async with asyncio.timeout(PATIENCE_S):
        await engine.start()
    assert await pid_of(engine) != pid
    await engine.close()


async def test_a_client_that_vanishes_leaves_its_work_behind_only() -> None:
    engine = await started(shipped())
    vanishing = await connect(endpoint_of(shipped()))
    assert vanishing is not None
    number, answers = vanishing.open()
    vanishing.ask(number, CompletionRequest(prompt(), 3500, sampling=ENDLESS))
    assert isinstance(await answers.get(), frames.AnswerChunk)
    vanishing._writer.transport.abort()
    async with asyncio.timeout(PATIENCE_S):
        while (await engine.status()).busy or (await engine.status()).clients > 1:
            pass
    assert (await collect(engine, CompletionRequest(prompt(), 2)))[-1].stop is not None
    await vanishing.close()
    await engine.close()


async def test_a_request_that_is_too_large_costs_nobody_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = await started(shipped())
    pid = await pid_of(engine)
    texts = ["first = 1\n" * 20, "second = 2\n" * 20]
    await collect(engine, CompletionRequest(prompt(texts[0]), 2))
    with monkeypatch.context() as patch:
        patch.setattr(frames, "MAX_FRAME_BYTES", 100)
        with pytest.raises(EngineProtocolError, match="over the limit"):
            await collect(engine, CompletionRequest(prompt(texts[1]), 2))
    for text in reversed(texts):  # what could not be sent does not count as sent
        (*_, last) = await collect(engine, CompletionRequest(prompt(text), 2))
        assert last.stop is not None
    assert await pid_of(engine) == pid
    await engine.close()


async def test_a_number_without_a_text_ends_the_connection() -> None:
    engine = await started(shipped())
    stranger = await connect(endpoint_of(shipped()))
    assert stranger is not None
    number, answers = stranger.open()
    stranger.send(frames.Generate(number, CompletionRequest((), 1), (12,)))
    assert isinstance(await answers.get(), EngineFailed)
    assert (await collect(engine, CompletionRequest(prompt(), 2)))[-1].stop is not None
    await stranger.close()
    await engine.close()


BAD_BYTES = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "oversize": b"\xff\xff\xff\xff" + b"x" * 100,
    "no msgpack": b"\x00\x00\x00\x04\xc1\xc1\xc1\xc1",
    "deep": b"\x00\x00\x40\x00" + b"\x91" * 0x4000,
    "unknown frame": frames._length.pack(12) + msgspec.msgpack.encode({"type": "bogus"}),
    "empty": b"\x00\x00\x00\x00",
    "no hello": frames.encode(frames.Stop()),
    "old protocol": frames.encode(frames.Hello(0)),
    "two hellos": frames.encode(frames.Hello(frames.PROTOCOL)) * 2,
    "half a frame": frames.encode(frames.Hello(frames.PROTOCOL))[:-2],
}


def log_of(launch: EngineLaunch) -> str:
    return Path(endpoint_of(launch).log).read_text(encoding="utf-8")


@posix_only
async def test_garbage_costs_only_its_own_connection() -> None:
    engine = await started(shipped())
    pid = await pid_of(engine)
    for garbage in BAD_BYTES.values():
        reader, writer = await asyncio.open_unix_connection(endpoint_of(shipped()).address)
        writer.write(garbage)
        writer.write_eof()
        async with asyncio.timeout(PATIENCE_S):
            while await reader.read(65536):
                pass
        writer.close()
        await writer.wait_closed()
    assert (await collect(engine, CompletionRequest(prompt(), 2)))[-1].stop is not None
    assert await pid_of(engine) == pid
    await engine.close()
    assert log_of(shipped()).count("is disconnected") == len(BAD_BYTES) - 1  # half a frame is only an early end


async def ended(writer: asyncio.StreamWriter) -> None:
    """Close a connection, and wait until it is closed."""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@posix_only
async def test_strangers_cost_no_memory_and_keep_nobody_out() -> None:
    engine = await started(shipped())
    pid = await pid_of(engine)
    before = psutil.Process(pid).memory_info().rss
    address = endpoint_of(shipped()).address
    writers = []
    for _ in range(40):
        reader, writer = await asyncio.open_unix_connection(address)
        writer.write(frames._length.pack(frames.MAX_FRAME_BYTES) + bytes(1_000_000))
        writers.append((reader, writer))
    second = LocalEngine(shipped())
    async with asyncio.timeout(PATIENCE_S):
        await second.start()  # while all of them are still there
        for reader, writer in writers:
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            await ended(writer)
    assert await pid_of(engine) == pid
    assert psutil.Process(pid).memory_info().rss - before < 20_000_000
    await second.close()
    await engine.close()


@posix_only
async def test_silent_strangers_are_only_a_few() -> None:
    engine = await started(shipped())
    address = endpoint_of(shipped()).address
    silent = [await asyncio.open_unix_connection(address) for _ in range(MAX_STRANGERS + 5)]
    async with asyncio.timeout(5):  # less than the time that one may stay silent
        for reader, _ in silent[:5]:
            assert await reader.read() == b""
    assert not silent[-1][0].at_eof()
    for _, writer in silent:
        await ended(writer)
    assert len(await list_engines()) == 1
    await engine.close()


@posix_only
async def test_a_hello_of_another_user_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client asks the system who listens before it sends anything."""
    engine = await started(shipped())
    with monkeypatch.context() as patched:  # undone alone: the folder of the socket stays as it is
        patched.setattr("spark_lsp.engine.wire.peer.peer_user", lambda _socket: os.getuid() + 1)
        with pytest.raises(EngineFailed, match="Another user's program listens"):
            await connect(endpoint_of(shipped()))
    await engine.close()


@posix_only
async def test_the_system_says_whose_socket_it_is(tmp_path: Path) -> None:
    server = await asyncio.start_unix_server(lambda _reader, writer: writer.close(), tmp_path / "s")
    reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
    assert peer_user(writer.get_extra_info("socket")) == os.getuid()
    assert await reader.read() == b""  # the other side has closed its own end
    await ended(writer)
    server.close()
    await server.wait_closed()


@posix_only
async def test_nobody_else_can_reach_the_socket(runtime: Path) -> None:
    engine = await started(shipped())
    assert mode_of(endpoint_of(shipped()).address) == 0o600
    assert mode_of(runtime) == 0o700
    await engine.close()


def told_by(file: str) -> frames.TcpAddress:
    return msgspec.json.decode(Path(file).read_bytes(), type=frames.TcpAddress)


async def test_loopback_with_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRANSPORT_VARIABLE, "tcp")
    engine = await started(shipped())
    assert (await collect(engine, CompletionRequest(prompt(), 4)))[-1].stop is not None
    if sys.platform != "win32":
        assert mode_of(endpoint_of(shipped()).address) == 0o600
    address = told_by(endpoint_of(shipped()).address)
    for token in ("", "wrong", "é", address.token[:-1]):
        reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
        writer.write(frames.encode(frames.Hello(frames.PROTOCOL, token)))
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    assert len(await list_engines()) == 1
    await engine.close()


def test_nothing_is_written_to_standard_output() -> None:
    launch = shipped(idle_minutes=0.0)
    order = frames.HostOrder(launch=launch, endpoint=endpoint_of(launch))
    command = [sys.executable, "-m", "spark_lsp", "engine", "run", msgspec.json.encode(order).decode()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:

        async def use() -> None:
            engine = LocalEngine(launch)
            async with asyncio.timeout(PATIENCE_S):
                while await connect_briefly(launch) is None:
                    assert process.poll() is None
            await engine.start()
            await collect(engine, CompletionRequest(prompt(), 8))
            await engine.close()

        asyncio.run(use())
        output, log = process.communicate(timeout=PATIENCE_S)
    assert output == b""
    assert b"loaded" in log


async def connect_briefly(launch: EngineLaunch) -> int | None:
    link = await connect(endpoint_of(launch), observer=True)
    if link is None:
        return None
    await link.close()
    return link.pid


async def test_a_memory_limit_makes_the_context_smaller_and_says_so() -> None:
    weights = SHIPPED.stat().st_size
    limit = weights + 48 * 1024 * 1024
    engine = await started(shipped(model_path=str(long_context()), context_tokens=32_768, memory_limit_bytes=limit))
    assert engine.model is not None
    assert 2048 <= engine.model.context_tokens < 8192
    assert any("engine.memoryLimitBytes" in note for note in engine.model.notes)
    assert (await collect(engine, CompletionRequest(prompt(), 2)))[-1].stop is not None
    await engine.close()


async def test_too_little_memory_is_said() -> None:
    engine = LocalEngine(shipped(memory_limit_bytes=1024))
    with pytest.raises(ModelUnusable, match="not enough memory"):
        await engine.start()
    await engine.close()


async def test_modules_in_the_workspace_stay_out_of_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("msgspec", "typer", "queue"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(3)\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    engine = await started(shipped(context_tokens=2048))
    assert (await collect(engine, CompletionRequest(prompt(), 2)))[-1].stop is not None
    assert (await asyncio.to_thread(describe_model, SHIPPED)).name == "spark-nano"
    await engine.close()


async def test_a_prompt_that_does_not_fit_is_said() -> None:
    engine = await started(shipped(context_tokens=2048))
    with pytest.raises(EngineFailed, match="the context holds 2,048"):
        await collect(engine, CompletionRequest(prompt("word " * 4000), 2))
    full: list[Chunk] = await collect(engine, CompletionRequest(prompt(), 100_000, sampling=ENDLESS))
    assert full[-1].stop == "max_tokens"
    await engine.close()


async def test_sampling_and_grammars() -> None:
    engine = await started(shipped())
    warm = Sampling(temperature=0.8, seed=7)
    first, second = [await collect(engine, CompletionRequest(prompt(), 16, sampling=warm)) for _ in range(2)]
    assert first[-1].stop == second[-1].stop
    yes = Sampling(grammar='root ::= "yes" | "no"')
    for sampling in (yes, msgspec.structs.replace(yes, temperature=1.0)):
        chunks = await collect(engine, CompletionRequest(prompt(), 16, sampling=sampling))
        assert "".join(chunk.text for chunk in chunks) in {"yes", "no"}
        assert chunks[-1].stop in {"end", "stop_token"}
    with pytest.raises(EngineFailed, match="grammar"):
        await collect(engine, CompletionRequest(prompt(), 4, sampling=Sampling(grammar="root ::= (")))
    await engine.close()


async def test_counting_does_not_wait_for_the_model() -> None:
    engine = await started(shipped())
    await engine.count_tokens(["warm"])
    stream = engine.generate(CompletionRequest(prompt(), 3500, sampling=ENDLESS))
    await anext(stream)
    began = time.perf_counter()
    await engine.count_tokens(["text that was never seen"])
    assert time.perf_counter() - began < 1.0
    assert (await engine.status()).busy
    await stream.aclose()
    await engine.close()


async def test_a_process_that_is_killed_while_it_starts_is_told_in_the_same_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last line of its log says nothing of why, and would make each message another one."""

    def killed(*_arguments: object) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(["sh", "-c", "kill -9 $$"])
        process.wait()
        return process

    monkeypatch.setattr("spark_lsp.engine.local.local_engine.spawn", killed)
    messages = set()
    for _ in range(2):
        engine = LocalEngine(shipped())
        with pytest.raises(EngineFailed) as caught:
            await engine.start()
        messages.add(str(caught.value))
        await engine.close()
    assert messages == {"The engine process was killed while it started; the system does so when memory runs out."}
