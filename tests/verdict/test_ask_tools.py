"""Which tools are asked: those that the user allows, found outside of the workspace, where it configures them."""

import os
import re
import sys
from pathlib import Path

import pytest

from spark_lsp.config import SettingsSource, VerdictSettings, resolve
from spark_lsp.doctor.verdict_checks import verdict_checks
from spark_lsp.verdict.ask_tools import TOOLS, ToolVerdicts
from spark_lsp.verdict.base import VERDICT_STATUSES
from spark_lsp.verdict.tool import found_program
from tests.verdict.check import replacing, write

ROOT = Path(__file__).parents[2]
ON = VerdictSettings(tools=("mypy",))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "w"
    write(folder, {"main.py": "x = 1\n", "mypy.ini": "[mypy]\n", "bin/mypy": "#!/bin/sh\ntouch ran\n"})
    (folder / "bin" / "mypy").chmod(0o755)
    return folder


def on_path(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))


async def statuses(root: Path, settings: VerdictSettings, name: str = "main.py") -> list[str]:
    verdicts = ToolVerdicts(root, settings, root.parent / "cache")
    return [verdict.status for verdict in await verdicts.of([replacing(root, name, "1", "2")])]


async def test_without_the_setting_no_tool_is_asked(root: Path) -> None:
    assert await statuses(root, VerdictSettings()) == []


async def test_a_workspace_without_its_configuration_is_not_checked(root: Path) -> None:
    (root / "mypy.ini").unlink()
    assert await statuses(root, ON) == []
    write(root, {"part/main.py": "x = 1\n", "part/mypy.ini": "[mypy]\n"})
    settings = VerdictSettings(tools=("mypy",), paths={"mypy": "/nowhere/mypy"})
    assert await statuses(root, settings, "part/main.py") == ["absent"]


async def test_a_file_of_another_language_is_not_checked(root: Path) -> None:
    write(root, {"main.txt": "1\n"})
    assert await statuses(root, ON, "main.txt") == []


def test_a_repository_cannot_allow_a_tool_or_name_its_program() -> None:
    values = {"verdict": {"tools": ["mypy"], "paths": {"mypy": "./evil"}, "timeLimitMs": 600000}}
    settings, messages = resolve([SettingsSource(".spark-lsp.toml", values, trusted=False)])
    assert settings.verdict == VerdictSettings()
    assert len(messages) == 3
    assert all("is ignored: a workspace file may only set" in message for message in messages)


@pytest.mark.skipif(sys.platform == "win32", reason="the scripts start with #!")
async def test_a_tool_in_the_workspace_is_never_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path(monkeypatch, root / "bin")
    assert await statuses(root, ON) == ["absent"]
    linked = root.parent / "linked"
    linked.mkdir()
    (linked / "mypy").symlink_to(root / "bin" / "mypy")
    on_path(monkeypatch, linked)
    assert await statuses(root, ON) == ["absent"]
    monkeypatch.chdir(root)
    on_path(monkeypatch, Path("bin"))
    assert await statuses(root, ON) == ["absent"]
    assert not (root / "ran").exists()


def test_a_named_program_is_taken_by_its_absolute_path_only(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    assert found_program("mypy", "bin/mypy", root) is None
    if sys.platform != "win32":
        assert found_program("mypy", str(root / "bin" / "mypy"), root) == str(root / "bin" / "mypy")


def test_the_doctor_names_a_tool_that_is_missing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [off] = verdict_checks(VerdictSettings(), root)
    assert (off.status, "names none" in off.detail) == ("ok", True)
    on_path(monkeypatch, root / "bin")
    [missing] = verdict_checks(ON, root)
    assert (missing.status, missing.fix) == ("warn", TOOLS["mypy"].fix)
    assert "is not on your PATH outside of this folder" in missing.detail
    [wrong] = verdict_checks(VerdictSettings(tools=("mypy",), paths={"mypy": "mypy"}), root)
    assert "not an absolute path" in wrong.detail
    [ready] = verdict_checks(VerdictSettings(tools=("mypy",), paths={"mypy": sys.executable}), root)
    assert (ready.status, ready.detail) == ("ok", f"mypy: {sys.executable}; configured in this folder")


def test_every_status_is_documented() -> None:
    section = (ROOT / "docs" / "protocol.md").read_text("utf-8").split("### Verdicts\n", 1)[1].split("\n#", 1)[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(VERDICT_STATUSES)
