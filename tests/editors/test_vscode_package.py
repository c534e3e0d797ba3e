"""The VS Code extension compiles strictly and packs to one small file. Fast the second time: the modules are kept."""

import json
import re
import zipfile
from typing import Any

import pytest

from tests.editors.extension import EXTENSION, build, fetch_modules, run_script

pytestmark = pytest.mark.editor

MAX_PACKAGE_BYTES = 1_000_000


@pytest.fixture(scope="module", autouse=True)
def node_modules() -> None:
    fetch_modules()


def test_types_are_right() -> None:
    run_script("check")


def test_one_small_package_holds_what_it_needs_and_nothing_else() -> None:
    package = build()
    assert package.stat().st_size < MAX_PACKAGE_BYTES
    with zipfile.ZipFile(package) as archive:
        names = {name.removeprefix("extension/") for name in archive.namelist() if name.startswith("extension/")}
    pictures = {f"images/{path.name}" for path in (EXTENSION / "images").glob("*.png")}
    pages = {f"media/{path.name}" for path in (EXTENSION / "media").glob("*.md")}
    assert names == {"package.json", "readme.md", "LICENSE.txt", "dist/extension.js", *pictures, *pages}


def test_every_command_has_a_handler() -> None:
    contributed = {row["command"] for row in _manifest()["contributes"]["commands"]}
    source = (EXTENSION / "src" / "commands.ts").read_text(encoding="utf-8")
    handled = {f"sparkLsp.{name}" for name in re.findall(r'\bid: "(\w+)"', source)}
    handled |= {f"sparkLsp.action.{name}" for name in _manifest()["sparkActions"]}
    assert contributed == handled


def test_the_walkthrough_names_what_is_there() -> None:
    manifest = _manifest()
    commands = {row["command"] for row in manifest["contributes"]["commands"]}
    for step in (step for walk in manifest["contributes"]["walkthroughs"] for step in walk["steps"]):
        media = step["media"]
        assert (EXTENSION / media.get("image", media.get("markdown", ""))).is_file(), step["id"]
        named = re.findall(r"command:(sparkLsp\.[\w.]+)", step["description"])
        named += [event.removeprefix("onCommand:") for event in step.get("completionEvents", ()) if "Command:" in event]
        assert set(named) <= commands, step["id"]


def test_settings_of_a_program_are_out_of_a_workspace_s_reach() -> None:
    manifest = _manifest()
    own = {key for key in manifest["contributes"]["configuration"]["properties"] if key.startswith("spark.server.")}
    assert set(manifest["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]) == own
    assert {manifest["contributes"]["configuration"]["properties"][key]["scope"] for key in own} == {"machine"}


def _manifest() -> dict[str, Any]:
    return json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))


def test_the_lock_file_holds_no_address() -> None:
    assert "resolved" not in (EXTENSION / "package-lock.json").read_text(encoding="utf-8")


def test_the_licence_is_the_repository_s() -> None:
    assert (EXTENSION / "LICENSE").read_bytes() == (EXTENSION.parents[1] / "LICENSE").read_bytes()
