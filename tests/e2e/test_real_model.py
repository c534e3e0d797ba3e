"""The whole program on real input: the installed server, llama.cpp, the embedded model, several files."""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from lsprotocol import types

from scripts.harness.editor import REAL, Editor, editor
from spark_lsp.catalog.model_names import resolve_model

pytestmark = [pytest.mark.model, pytest.mark.e2e]

WORKSPACE = """
#- shop/item.py
class Item:
    def __init__(self, name, price):
        self.name = name
        self.price = price


def cheapest_item(items):
    return min(items, key=lambda item: item.price)
#- shop/cart.py
from shop.item import Item


class Cart:
    def __init__(self):
        self.items = []

    def add(self, item):
        self.items.append(item)
"""
MAIN = """
from shop.cart import Cart
from shop.item import Item, cheapest_item


def first_of(cart):
    return cheapest_item(cart.items)


def again(cart):
    return cheapest_i$0
"""
PATIENT = {"completion": {"deadlineMs": 20_000, "debounce": 0}, "engine": {"idleMinutes": 1}}


@asynccontextmanager
async def window_on(folder: Path, settings: dict[str, Any] | None = None) -> AsyncIterator[Editor]:
    """Open a window with the real server; its engine is stopped at the end."""
    async with editor(WORKSPACE, folder, REAL, settings=settings or PATIENT) as window:
        try:
            yield window
        finally:
            await _command(folder, "engine", "stop")


async def _command(folder: Path, *arguments: str, text: bytes = b"") -> tuple[int, bytes, bytes]:
    """Run ``spark-lsp`` with the folder's own engines and caches."""
    private = {name: str(folder / name) for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "SPARK_LSP_RUNTIME_DIR")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "spark_lsp",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **private},
    )
    out, err = await process.communicate(text)
    assert process.returncode is not None
    return process.returncode, out, err


async def test_ghost_text_with_code_of_another_file_in_the_prompt(tmp_path: Path) -> None:
    async with window_on(tmp_path) as window:
        await window.ready()
        at = window.open("shop/main.py", MAIN)
        item = await window.complete("shop/main.py", at)
        assert item is not None
        assert item.insert_text.strip()
        assert await window.reasons() == ["ok"]
        place = {
            "textDocument": {"uri": window.uri("shop/main.py")},
            "position": {"line": at.line, "character": at.character},
            "prompt": True,
        }
        report = await window.send("spark/context", place)
        assert "def cheapest_item(items):" in report.prompt.split("shop/main.py")[0]
        first = item.insert_text[0]
        typed = window.type("shop/main.py", at, first)
        rest = await window.complete("shop/main.py", typed)
        assert rest is not None
        assert first + rest.insert_text == item.insert_text


async def test_second_request_reads_only_what_was_typed(tmp_path: Path) -> None:
    # A copy, because the embedded model's prompts are kept too short for a cached prefix.
    model = shutil.copy(resolve_model(), tmp_path / "copy.gguf")
    async with window_on(tmp_path, {**PATIENT, "model": str(model)}) as window:
        await window.ready()
        await window.until(lambda w: w.statuses[-1].resident_tokens > 0)
        at = window.open("shop/other.py", MAIN.replace("cheapest_i$0", "$0").replace("again", "other"))
        await window.complete("shop/other.py", at)
        at = window.type("shop/other.py", at, "zq")  # the index has seen the opened file by now, so snippets stay
        await window.complete("shop/other.py", at)
        at = window.type("shop/other.py", at, " + len(ca")
        await window.complete("shop/other.py", at)
        log = await window.send("spark/log", {})
        first, second = (entry.facts for entry in log.requests[-2:])
        assert second.cached_tokens >= first.prompt_tokens - 8
        assert second.prompt_tokens - second.cached_tokens < 16


async def test_killed_engine_comes_back(tmp_path: Path) -> None:
    async with window_on(tmp_path) as window:
        await window.ready()
        at = window.open("shop/main.py", MAIN)
        assert await window.complete("shop/main.py", at)
        _, out, _ = await _command(tmp_path, "engine", "status", "--json")
        pid = json.loads(out)["pid"]
        os.kill(pid, signal.SIGKILL)
        assert await window.send("spark/log", {})
        at = window.type("shop/main.py", at, "X")
        item, reasons = None, set()
        async with asyncio.timeout(30):
            while item is None:
                at = window.type("shop/main.py", at, " ")
                item = await window.complete("shop/main.py", types.Position(7, 0), by_hand=True)
                reasons.add((await window.reasons())[-1])
        judged = {reason for reason in reasons if reason.startswith("trimmed.")}  # what the model wrote was no good
        assert reasons - judged <= {"ok", "engine.failed", "engine.starting", "empty", "superseded", "timeout"}


async def test_unloading_gives_the_memory_back_and_the_next_completion_loads_again(tmp_path: Path) -> None:
    async with window_on(tmp_path) as window:
        await window.ready()
        at = window.open("shop/main.py", MAIN)
        assert await window.complete("shop/main.py", at)
        answer = await window.client.workspace_execute_command_async(types.ExecuteCommandParams("spark.unloadModel"))
        model_bytes = resolve_model().stat().st_size
        assert answer["ramBytesBefore"] - answer["ramBytesAfter"] > model_bytes
        _, out, _ = await _command(tmp_path, "engine", "status", "--json")
        assert json.loads(out)["models"] == []
        at = window.type("shop/main.py", at, "X")
        item = None
        async with asyncio.timeout(30):
            while item is None:
                at = window.type("shop/main.py", at, " ")
                item = await window.complete("shop/main.py", types.Position(7, 0), by_hand=True)


async def test_paused_the_model_leaves_after_the_idle_time(tmp_path: Path) -> None:
    settings = {**PATIENT, "engine": {"idleMinutes": 0.05}}
    async with window_on(tmp_path, settings) as window:
        await window.ready()
        at = window.open("shop/main.py", MAIN)
        assert await window.complete("shop/main.py", at, by_hand=True)
        _, out, _ = await _command(tmp_path, "engine", "status", "--json")
        process = psutil.Process(json.loads(out)["pid"])
        await window.client.workspace_execute_command_async(types.ExecuteCommandParams("spark.pause"))
        await asyncio.to_thread(psutil.wait_procs, [process], timeout=60)
        assert not process.is_running()


async def test_two_windows_share_one_engine(tmp_path: Path) -> None:
    async with window_on(tmp_path) as window:
        await window.ready()
        async with editor(WORKSPACE, tmp_path, REAL, settings=PATIENT) as other_window:
            await other_window.ready()
            _, out, _ = await _command(tmp_path, "engine", "status", "--json")
            status = json.loads(out)
            assert len(status["models"]) == 1
            assert status["clients"] == 2


async def test_missing_model_is_one_message_and_a_reason(tmp_path: Path) -> None:
    settings = {"model": str(tmp_path / "nowhere.gguf")}
    async with window_on(tmp_path, settings) as window:
        await window.until(lambda w: w.messages and w.statuses and w.statuses[-1].kind == "Error")
        assert "nowhere.gguf" in window.statuses[-1].message
        at = window.open("shop/main.py", MAIN)
        assert await window.complete("shop/main.py", at) is None
        assert await window.reasons() == ["model.missing"]
        assert len(window.messages) == 1


async def test_command_line_answers_with_the_contracts_json(tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    (root / "shop").mkdir(parents=True)
    (root / "shop" / "item.py").write_text("def cheapest_item(items):\n    return min(items)\n")
    (root / "main.py").write_text("from shop.item import cheapest_item\n\nx = cheapest_item([1])\ny = cheapest_i\n")
    try:
        code, out, err = await _command(
            tmp_path, "complete", f"{root}/main.py:4:15", "--workspace", str(root), "--json"
        )
        assert code == 0, err
        answer = json.loads(out)
        assert answer["reason"] == "ok"
        assert answer["items"][0]["range"]["start"] == {"line": 3, "character": 14}
        assert answer["model"]["family"] == "qwen2.5-coder"
        assert answer["stats"]["prompt_tokens"] > answer["stats"]["cached_tokens"] >= 0
        code, out, _ = await _command(tmp_path, "context", f"{root}/main.py:4:15", "--budget", "300", "--json")
        report = json.loads(out)
        assert code == 0
        assert report["tokens"] <= report["budget"] == 300
        assert any(segment["path"] == "shop/item.py" for segment in report["segments"])
        code, out, _ = await _command(tmp_path, "context", f"{root}/main.py:4:15", "--budget", "32000", "--json")
        assert (code, json.loads(out)["budget"]) == (0, 32_000)
        place = (f"{root}/main.py:4:15", "--context-tokens", "3000")
        code, out, err = await _command(tmp_path, "complete", *place, "--workspace", str(root), "--json")
        assert (code, json.loads(out)["reason"]) == (0, "ok"), err
        code, out, _ = await _command(
            tmp_path, "complete", f"{root}/main.py:1:1", "--stdin", "--json", text=b"import os\nprint(os.\n"
        )
        assert code == 0
        assert json.loads(out)["reason"]
    finally:
        await _command(tmp_path, "engine", "stop")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("complete", "nowhere.py:1:1"), "There is no file"),
        (("complete", "pyproject.toml:9999:1"), "is outside"),
        (("complete", "pyproject.toml:1:999"), "is outside"),
        (("complete", "pyproject.toml"), "is not a position"),
        (("complete", "pyproject.toml:1:1", "--workspace", "/nowhere"), "There is no folder"),
        (("complete", "pyproject.toml:1:1", "--model", "/nowhere.gguf"), "/nowhere.gguf"),
        (("complete", "pyproject.toml:1:1", "--model", "README.md"), "GGUF"),
        (("index", "/nowhere"), "/nowhere"),
        (("index", "/"), "/"),
        (("serve", "--tcp", "nonsense"), "HOST:PORT"),
        (("actions", "spark_lsp/__init__.py:1:1", "--apply", "no.such"), "does not apply"),
    ],
)
async def test_bad_input_is_one_sentence_and_exit_code_1(
    arguments: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    code, out, err = await _command(tmp_path, *arguments)
    await _command(tmp_path, "engine", "stop")
    assert (code, out) == (1, b"")
    assert sentence in err.decode()
    assert "Traceback" not in err.decode()


async def test_stdout_holds_nothing_but_lsp(tmp_path: Path) -> None:
    body = (
        b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"processId":null,"rootUri":null,"capabilities":{}}}'
    )
    messages = [
        body,
        b'{"jsonrpc":"2.0","method":"initialized","params":{}}',
        b"this is no JSON",
        b'{"jsonrpc":"2.0","id":2,"method":"spark/log","params":{}}',
        b'{"jsonrpc":"2.0","id":3,"method":"shutdown"}',
        b'{"jsonrpc":"2.0","method":"exit"}',
    ]
    framed = b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(message), message) for message in messages)
    code, out, _ = await _command(tmp_path, "serve", "--stdio", text=framed)
    await _command(tmp_path, "engine", "stop")
    ids = []
    while out:
        head, _, rest = out.partition(b"\r\n\r\n")
        length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        ids.append(json.loads(rest[:length]).get("id"))
        out = rest[length:]
    assert code == 0
    assert {1, 2, 3} <= set(ids)
