"""Several folders in one window, added and removed while it is open: each has its own index, settings and prompt."""

import asyncio
from pathlib import Path

import pytest
from lsprotocol import types

from spark_lsp.server import commands, copilot_inline_edit, index_updates, information, suggestion_events
from spark_lsp.server.workspace_folder import WorkspaceFolder
from tests.server.folder_window import FolderWindow, folder_window
from tests.server.test_opening import HeldChoice, turns_until

FILES = """
#- bank/ledger.py
class BankLedger:
    def bank_total(self): ...
#- bank/use.py
from ledger import BankLedger
#- farm/ledger.py
class FarmLedger:
    def farm_total(self): ...
#- farm/use.py
from ledger import FarmLedger
#- bank/parts/part.py
class SparePart:
    def parts_total(self): ...
"""
ASK = "from ledger import *\nbook = {}\nbook.$0\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


async def ask(window: FolderWindow, path: str, name: str) -> types.InlineCompletionItem | None:
    """Ask for a completion in a new document of a folder that names a class of it."""
    return await window.complete(path, window.open(path, ASK.format(name)))


async def test_a_prompt_has_the_files_of_its_folder_alone(tmp_path: Path) -> None:
    async with folder_window(tmp_path, FILES, ["bank", "farm"]) as window:
        await window.open_folders()
        for path, name in (("bank/use.py", "BankLedger()"), ("farm/use.py", "FarmLedger()")):
            assert await ask(window, path, name)
            await window.session.tasks.wait()
        bank, farm = window.shown_to_model("bank"), window.shown_to_model("farm")
        assert "bank_total" in bank
        assert "farm_total" not in bank
        assert "FarmLedger" not in bank
        assert "farm_total" in farm
        assert "bank_total" not in farm
        assert "parts_total" not in farm


async def test_the_first_folder_alone_starts_the_engine_before_a_document_is_open(tmp_path: Path) -> None:
    async with folder_window(tmp_path, FILES, ["bank", "farm"]) as window:
        await window.open_folders()
        assert [window.engines[tmp_path / name].model is not None for name in ("bank", "farm")] == [True, False]
        window.open("farm/use.py", ASK.format("x"))
        await window.session.tasks.wait()
        assert window.engines[tmp_path / "farm"].model


async def test_each_folder_has_its_own_ignore_rules_and_settings(tmp_path: Path) -> None:
    files = f"{FILES}#- bank/.gitignore\nparts/\n#- farm/parts/part.py\nx = 1\n"
    files += "#- farm/.spark-lsp.toml\n[completion]\nenabled = false\n"
    async with folder_window(tmp_path, files, ["bank", "farm"]) as window:
        await window.open_folders()
        assert window.indexed("bank/use.py") >= {"ledger.py", "use.py"}
        assert "parts/part.py" not in window.indexed("bank/use.py")
        assert "parts/part.py" in window.indexed("farm/use.py")
        assert await ask(window, "bank/use.py", "1")
        assert not await ask(window, "farm/use.py", "1")
        assert window.last_reason() == "disabled"


async def test_a_folder_is_added_and_removed_while_the_window_is_open(tmp_path: Path) -> None:
    async with folder_window(tmp_path, FILES, ["bank"]) as window:
        await window.open_folders()
        cursor = window.open("farm/use.py", ASK.format("FarmLedger()"))
        assert await window.complete("farm/use.py", cursor)
        assert list(window.engines) == [tmp_path / "bank"]
        window.change_folders(added=["farm"])
        await window.open_folders()
        assert window.roots() == ["bank", "farm"]
        assert await window.complete("farm/use.py", cursor)
        assert "farm_total" in window.shown_to_model("farm")
        removed = window.folder("farm/use.py")
        window.change_folders(removed=["farm"])
        await window.open_folders()
        assert removed.workspace is None
        assert window.folder("farm/use.py") is window.folder("bank/use.py")
        cursor = window.type("farm/use.py", cursor, "y")
        assert await window.complete("farm/use.py", cursor)


async def test_a_document_outside_of_every_folder_belongs_to_the_first(tmp_path: Path) -> None:
    async with folder_window(tmp_path, FILES, ["farm", "bank"]) as window:
        await window.open_folders()
        assert await ask(window, "elsewhere/use.py", "1")
        assert "../use.py" in window.shown_to_model("farm")
        window.change_folders(removed=["farm", "bank"])
        await window.open_folders()
        assert window.roots() == []
        assert await window.complete("elsewhere/use.py", types.Position(2, 5))


async def test_the_deepest_folder_has_a_document_and_the_outer_one_has_it_in_its_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_updates, "REINDEX_DELAY_S", 0.0)
    async with folder_window(tmp_path, FILES, ["bank", "bank/parts"]) as window:
        await window.open_folders()
        assert window.folder("bank/parts/part.py").name == "parts"
        assert window.folder("bank/use.py").name == "bank"
        at = window.open("bank/parts/part.py", "def freshly_typed():\n    return $0\n")
        window.type("bank/parts/part.py", at, "1")
        outer = window.folder("bank/use.py").workspace
        assert outer
        await asyncio.sleep(0)
        await window.session.tasks.wait()
        assert "freshly_typed" in outer.context.view.files["parts/part.py"].text


@pytest.mark.parametrize("again", ["bank", "link"])
async def test_a_folder_that_is_named_twice_is_one(tmp_path: Path, again: str) -> None:
    async with folder_window(tmp_path, FILES, ["bank"]) as window:
        (tmp_path / "link").symlink_to(tmp_path / "bank")
        await window.open_folders()
        window.change_folders(added=[again])
        await window.open_folders()
        assert window.roots() == ["bank"]
        assert await ask(window, "link/use.py", "BankLedger()")
        window.change_folders(removed=["bank"])
        await window.open_folders()
        assert len(window.engines) == (1 if again == "link" else 2)


async def test_a_request_that_runs_while_its_folder_is_removed_is_answered(tmp_path: Path) -> None:
    async with folder_window(tmp_path, FILES, ["bank", "farm"]) as window:
        await window.open_folders()
        cursor = window.open("farm/use.py", ASK.format("1"))
        await window.session.tasks.wait()
        engine = window.engines[tmp_path / "farm"]
        engine.hold()
        engine.asked.clear()
        request = asyncio.create_task(window.complete("farm/use.py", cursor))
        await engine.asked.wait()
        window.change_folders(removed=["farm"])
        assert await request is None
        assert window.last_reason() == "superseded"
        await window.session.tasks.wait()
        assert engine.model is None, "nothing of the folder keeps its connection"


async def test_a_request_that_waits_for_a_removed_folder_is_answered_from_the_next(tmp_path: Path) -> None:
    choice = HeldChoice()
    async with folder_window(tmp_path, FILES, ["bank", "farm"], choice) as window:
        opening = asyncio.create_task(window.open_folders())
        cursor = window.open("farm/use.py", ASK.format("1"))
        request = asyncio.create_task(window.complete("farm/use.py", cursor))
        await asyncio.sleep(0)
        window.change_folders(removed=["farm"])
        choice.released.set()
        await opening
        assert await request
        assert set(window.engines) == {tmp_path / "bank"}


async def test_a_paused_window_pauses_what_is_added(tmp_path: Path) -> None:
    async with folder_window(tmp_path, FILES, ["bank"]) as window:
        await window.open_folders()
        await commands.pause(window.session, [])
        window.change_folders(added=["farm"])
        await window.open_folders()
        for path in ("bank/use.py", "farm/use.py"):
            assert not await ask(window, path, "1")
            assert window.last_reason() == "paused"
        await commands.resume(window.session, [])
        assert await window.complete("farm/use.py", types.Position(2, 5))


async def test_a_suggestion_is_counted_by_the_folder_that_made_it(tmp_path: Path) -> None:
    async with folder_window(tmp_path, FILES, ["bank", "farm"]) as window:
        await window.open_folders()
        items = [await ask(window, f"{name}/use.py", "1") for name in ("bank", "farm")]
        commands_of = [item.command for item in items if item]
        numbers = [command.arguments[0]["id"] for command in commands_of if command and command.arguments]
        assert len(set(numbers)) == 2
        shown = {"item": {"command": {"arguments": [{"id": numbers[1]}]}}}
        suggestion_events.did_show(window.session, shown)
        await commands.accept_completion(window.session, [{"id": numbers[1]}])
        counts = [counts_of(window.folder(f"{name}/use.py")) for name in ("bank", "farm")]
        assert counts == [(0, 0), (1, 1)]


def counts_of(folder: WorkspaceFolder) -> tuple[int, int]:
    assert folder.workspace
    feedback = folder.workspace.completer.feedback
    return feedback.shown_count, feedback.accepted_count


async def test_a_next_edit_stays_in_its_folder(tmp_path: Path) -> None:
    files = "".join(
        f"#- {name}/shapes.py\ndef area(w):\n    return w\n#- {name}/use.py\nfrom shapes import area\nprint(area(1))\n"
        for name in ("bank", "farm")
    )
    async with folder_window(tmp_path, files, ["bank", "farm"]) as window:
        await window.open_folders()
        at = window.open("farm/shapes.py", "def area$0(w):\n    return w\n")
        window.type("farm/shapes.py", at, "s")
        document = window.session.documents.snapshot(window.uri("farm/shapes.py"))
        assert document
        params = {
            "textDocument": {"uri": window.uri("farm/shapes.py"), "version": document.version},
            "position": {"line": 0, "character": 9},
        }
        answer = await copilot_inline_edit.inline_edit(window.session, params)
        assert [edit["textDocument"]["uri"] for edit in answer["edits"]] == [window.uri("farm/use.py")]
        number = answer["edits"][0]["command"].arguments[0]["id"]
        await copilot_inline_edit.accept_next_edit(window.session, [{"id": number}])
        counts = [window.folder(f"{name}/use.py").next_edits.counts.accepted for name in ("bank", "farm")]
        assert counts == [0, 1]


async def test_the_context_view_is_of_the_documents_folder(tmp_path: Path) -> None:
    async with folder_window(tmp_path, FILES, ["bank", "farm"]) as window:
        await window.open_folders()
        window.open("farm/use.py", ASK.format("FarmLedger()"))
        place = {"textDocument": {"uri": window.uri("farm/use.py")}, "position": {"line": 2, "character": 5}}
        report = await information.context(window.session, {**place, "prompt": True})
        assert report
        assert "farm_total" in report["prompt"]
        assert "bank_total" not in report["prompt"]


async def test_one_engine_is_restarted_once(tmp_path: Path) -> None:
    async with folder_window(tmp_path, FILES, ["bank", "farm"]) as window:
        await window.open_folders()
        for path in ("bank/use.py", "farm/use.py"):
            await ask(window, path, "1")
        restarted: list[str] = []
        for name in ("bank", "farm"):
            engine = window.engines[tmp_path / name]

            async def restart(name: str = name, engine: object = engine) -> object:
                restarted.append(name)
                return await type(engine).start(engine)  # type: ignore[attr-defined]

            engine.restart = restart  # type: ignore[method-assign, assignment]
        await commands.restart_engine(window.session, [])
        assert restarted == ["farm"], "that of the folder in use, which has the same process as the other"
        assert await window.complete("bank/use.py", types.Position(2, 5))


async def test_the_folder_that_is_used_again_sees_what_the_engine_still_holds(tmp_path: Path) -> None:
    async with folder_window(tmp_path, FILES, ["bank", "farm"]) as window:
        await window.open_folders()
        cursor = window.open("bank/use.py", ASK.format("1"))
        await window.session.tasks.wait()
        workspace, engine = window.folder("bank/use.py").workspace, window.engines[tmp_path / "bank"]
        assert workspace
        await turns_until(
            lambda: workspace.context.prefix.resident_tokens > 0 and not workspace.context.prefix.unread_tokens
        )
        resident_tokens = workspace.context.prefix.resident_tokens
        window.open("farm/use.py", ASK.format("1"))
        await window.session.tasks.wait()
        before = len(engine.requests)
        window.type("bank/use.py", cursor, "x")
        assert workspace.context.prefix.resident_tokens == 0, "the other folder's prefix may have taken its cells"
        await window.session.tasks.wait()
        await turns_until(lambda: workspace.context.prefix.resident_tokens == resident_tokens)
        assert len(engine.requests) > before


async def test_the_status_counts_the_files_of_all_folders(tmp_path: Path) -> None:
    async with folder_window(tmp_path, FILES, ["bank", "farm"]) as window:
        sent: list[dict[str, object]] = []
        window.session.client.notify = lambda _method, params: sent.append(params)  # type: ignore[method-assign]
        await window.open_folders()
        assert sent[-1]["indexed"] == {"files": 5, "of": 5}
