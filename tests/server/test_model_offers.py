"""An editor on the embedded model offers a better one once: download, not now, never; and follows what is pulled."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from lsprotocol import types

from scripts.harness.editor import Editor, editor
from tests.server.offering_server import QUESTION

pytestmark = pytest.mark.slow

WORKSPACE = "#- a.py\nx = 1\n"
CODE = "def double(x):\n    return $0\n"


@asynccontextmanager
async def window_with_offer(
    folder: Path, choice: str | None, environment: dict[str, str] | None = None
) -> AsyncIterator[Editor]:
    """A window on the embedded model, whose user has just been shown a suggestion."""
    (folder / "state").mkdir(exist_ok=True)
    if not (folder / "state" / "serving").exists():
        (folder / "state" / "serving").write_text("embedded.gguf", "utf-8")
    command = ("-m", "tests.server.offering_server", str(folder / "state"))
    environment = {"SPARK_LSP_OFFER_MODEL": "true", **(environment or {})}
    async with editor(WORKSPACE, folder, command, choice=choice, environment=environment) as window:
        await window.ready()
        at = window.open("b.py", CODE)
        assert await window.complete("b.py", at)
        yield window


def declined(folder: Path) -> str | None:
    file = folder / "state" / "declined"
    return file.read_text("utf-8") if file.exists() else None


async def test_the_downloaded_model_serves_without_a_restart(tmp_path: Path) -> None:
    async with window_with_offer(tmp_path, "Download") as window:
        assert window.statuses[-1].why == "embedded suits"
        await window.until(lambda log: log.statuses[-1].why == "better suits" and log.statuses[-1].kind == "Normal")
        assert window.questions == [f"Spark: {QUESTION}"]
        assert window.messages == []
        (begin,) = [part.value for part in window.progress if "Downloading better" in str(part.value)]
        assert (begin["kind"], begin["cancellable"]) == ("begin", True)
        assert "download: 100 of 100 MB" in [part.value.get("message") for part in window.progress]
        at = window.type("b.py", types.Position(1, 11), "x")
        assert await window.complete("b.py", at), "it completes right away"


@pytest.mark.parametrize(("choice", "expected"), [("Not now", "False"), ("Never", "True"), (None, None)])
async def test_a_no_is_remembered_and_nothing_is_downloaded(
    choice: str | None, expected: str | None, tmp_path: Path
) -> None:
    async with window_with_offer(tmp_path, choice) as window:
        await window.until(lambda log: log.questions)
        at = window.type("b.py", types.Position(1, 11), "x")
        await window.complete("b.py", at)
        await window.send("spark/log", {})
    assert len(window.questions) == 1, "asked once in a session"
    assert declined(tmp_path) == expected
    assert (tmp_path / "state" / "serving").read_text("utf-8") == "embedded.gguf"


async def test_an_answer_that_no_person_gave_is_none(tmp_path: Path) -> None:
    """Some configurations confirm every question with its first choice."""
    async with window_with_offer(tmp_path, "Download", environment={"OFFER_PERSON_S": "60"}) as window:
        await window.until(lambda log: log.questions)
        await window.send("spark/log", {})
    assert (tmp_path / "state" / "serving").read_text("utf-8") == "embedded.gguf"
    assert declined(tmp_path) is None


async def test_a_client_without_windows_is_not_asked(tmp_path: Path) -> None:
    bare = types.ClientCapabilities()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "serving").write_text("embedded.gguf", "utf-8")
    command = ("-m", "tests.server.offering_server", str(tmp_path / "state"))
    async with editor(WORKSPACE, tmp_path, command, says=bare, choice="Download") as window:
        await window.ready()
        at = window.open("b.py", CODE)
        assert await window.complete("b.py", at)
        (tmp_path / "state" / "serving").write_text("better.gguf", "utf-8")
        window.type("b.py", at, "x")
        await window.until(lambda log: log.statuses[-1].why == "better suits")  # the keys have rested since
    assert window.questions == []


async def test_a_user_who_only_reads_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "serving").write_text("embedded.gguf", "utf-8")
    command = ("-m", "tests.server.offering_server", str(tmp_path / "state"))
    async with editor(WORKSPACE, tmp_path, command, choice="Download") as window:
        await window.ready()
        at = window.open("b.py", CODE)
        (tmp_path / "state" / "serving").write_text("better.gguf", "utf-8")
        window.type("b.py", at, "x")
        await window.until(lambda log: log.statuses[-1].why == "better suits")
    assert window.questions == []
    assert not (tmp_path / "state" / "asked").exists()


async def test_a_failed_download_is_one_plain_message(tmp_path: Path) -> None:
    async with window_with_offer(tmp_path, "Download", environment={"OFFER_FAULT": "failed"}) as window:
        await window.until(lambda log: log.messages)
        assert window.messages == ["Spark: No source can be reached. Try again later."]
        at = window.type("b.py", types.Position(1, 11), "x")
        assert await window.complete("b.py", at), "the embedded model goes on"
        assert window.statuses[-1].kind == "Normal"


async def test_a_download_can_be_cancelled(tmp_path: Path) -> None:
    async with window_with_offer(tmp_path, "Download", environment={"OFFER_FAULT": "endless"}) as window:
        await window.until(lambda log: any("MB" in str(part.value) for part in log.progress))
        token = next(part.token for part in window.progress if "better" in str(part.value))
        window.client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token))
        await window.until(
            lambda log: any(part.token == token and part.value["kind"] == "end" for part in log.progress)
        )
        assert window.messages == []
    assert (tmp_path / "state" / "serving").read_text("utf-8") == "embedded.gguf"


async def test_a_server_that_ends_in_the_middle_of_a_download_ends(tmp_path: Path) -> None:
    async with window_with_offer(tmp_path, "Download", environment={"OFFER_FAULT": "endless"}) as window:
        await window.until(lambda log: any("MB" in str(part.value) for part in log.progress))


async def test_a_model_pulled_elsewhere_serves_in_an_open_window(tmp_path: Path) -> None:
    async with window_with_offer(tmp_path, None) as window:
        (tmp_path / "state" / "serving").write_text("pulled.gguf", "utf-8")
        window.client.text_document_did_save(
            types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(window.uri("b.py")))
        )
        await window.until(lambda log: log.statuses[-1].why == "pulled suits" and log.statuses[-1].kind == "Normal")
