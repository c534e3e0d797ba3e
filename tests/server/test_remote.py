"""The language server with remote endpoints: what an editor gets, and what its status says of their health."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from lsprotocol import types

from scripts.harness.editor import REAL, editor
from tests.engine.endpoint import Endpoint, running

pytestmark = pytest.mark.slow

WORKSPACE = "#- shapes.py\ndef area_of(width, height):\n    return width * height\n"
WORDS = ["width", " * ", "height", "\n"]
ROW = {"max_model_len": 8192}


def settings(*endpoints: Endpoint) -> dict[str, object]:
    urls = [endpoint.url for endpoint in endpoints]
    return {"backend": {"urls": urls}, "completion": {"debounce": 0, "minConfidence": 0, "deadlineMs": 10_000}}


async def test_a_completion_from_an_endpoint(tmp_path: Path) -> None:
    async with (
        running(Endpoint(words=WORDS, row=ROW)) as endpoint,
        editor(WORKSPACE, tmp_path, REAL, settings=settings(endpoint)) as window,
    ):
        await window.ready()
        assert window.statuses[-1].model == endpoint.model
        at = window.open("a.py", "from shapes import area_of\n\n\ndef twice(width, height):\n    return $0\n")
        item = await window.complete("a.py", at, by_hand=True)
        assert item is not None
        assert item.insert_text == "width * height"
        prompt = endpoint.bodies[-1]["prompt"]
        assert "def area_of(width, height)" in prompt, "the workspace is in front of the remote model too"
        assert prompt.endswith("<|fim_middle|>from shapes import area_of\n\n\ndef twice(width, height):\n    return ")


async def test_the_status_tells_of_an_endpoint_that_fails_and_of_its_return(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(running(Endpoint(words=WORDS, row=ROW))) for _ in range(2)]
        window = await stack.enter_async_context(editor(WORKSPACE, tmp_path, REAL, settings=settings(first, second)))
        await window.ready()
        text = "def twice(width, height):\n    return $0\n"
        before = len(first.bodies), len(second.bodies)
        assert await window.complete("a.py", window.open("a.py", text), by_hand=True) is not None
        used = first if len(first.bodies) > before[0] else second
        used.script = ["drop"] * 20
        assert await window.complete("b.py", window.open("b.py", text), by_hand=True) is not None, (
            "the other one answers"
        )
        await window.until(lambda log: log.statuses[-1].kind == "Warning")
        assert "127.0.0.1 closed the connection" in window.statuses[-1].message
        used.script = []
        number = 0
        while window.statuses[-1].kind == "Warning":
            number += 1
            await window.complete(f"c{number}.py", window.open(f"c{number}.py", text), by_hand=True)
        assert window.statuses[-1].kind == "Normal"


async def test_an_instruction_goes_to_the_chat_endpoint(tmp_path: Path) -> None:
    """Endpoints begin an answer in their own way: what is said before its fence is no code."""
    words = ["Here you are:\n\n", "```python\n", "    return width", " * 2\n", "```\n"]
    async with (
        running(Endpoint(words=words, row=ROW)) as endpoint,
        editor(WORKSPACE, tmp_path, REAL, settings=settings(endpoint)) as window,
    ):
        await window.ready()
        window.open("a.py", "def twice(width):\n    return width + width$0\n")
        place = {"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": 24}}
        arguments = [window.uri("a.py"), place, "use a product"]
        command = types.ExecuteCommandParams("spark.rewrite", arguments)
        assert await window.client.workspace_execute_command_async(command) is True, await window.reasons()
        (edit,) = window.edits
        assert "width * 2" in str(edit.document_changes)
        asked = next(request for request in endpoint.asked if request.path == "/v1/chat/completions")
        assert "use a product" in asked.body["messages"][-1]["content"]


async def test_what_is_ignored_or_secret_is_never_sent(tmp_path: Path) -> None:
    files = WORKSPACE + "#- .gitignore\nprivate/\n#- .sparkignore\nhidden.py\n#- .git/HEAD\nref: refs/heads/main\n"
    async with (
        running(Endpoint(words=WORDS, row=ROW)) as endpoint,
        editor(files, tmp_path, REAL, settings=settings(endpoint)) as window,
    ):
        await window.ready()
        (window.root / "notes.txt").symlink_to(".env")
        for path in ("private/p.py", "hidden.py", ".ssh/config", "notes.txt"):
            at = window.open(path, "def quokka(width, height):\n    return $0\n")
            at = window.type(path, at, "w")
            assert await window.complete(path, at, by_hand=True) is None
            assert (await window.reasons())[-1] == "gate.withheld"
            place = {"start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 8}}
            command = types.ExecuteCommandParams("spark.rewrite", [window.uri(path), place, "use a product"])
            assert not await window.client.workspace_execute_command_async(command)
        assert any("is not sent to a remote endpoint" in message for message in window.messages)
        assert await window.complete(
            "a.py", window.open("a.py", "def f(width, height):\n    return $0\n"), by_hand=True
        )
        assert not any("quokka" in str(request.body) for request in endpoint.asked)
