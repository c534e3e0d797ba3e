"""Generated files are what their sources say."""

import json
import subprocess
import sys

from spark_lsp.config import CLIENT_SECTIONS, settings_keys
from tests.repo.source import ROOT


def test_generated_files_are_fresh() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr


def test_the_extension_offers_every_setting_and_no_unknown_one() -> None:
    manifest = json.loads((ROOT / "editors" / "vscode" / "package.json").read_text("utf-8"))
    offered = set(manifest["contributes"]["configuration"]["properties"])
    known = {f"spark.{key}" for key in settings_keys()}
    assert known <= offered
    unknown = {key for key in offered - known if key.split(".")[1] not in CLIENT_SECTIONS}
    assert not unknown, f"neither the server nor the extension reads {sorted(unknown)}"


def test_what_a_workspace_may_not_set_is_out_of_its_reach() -> None:
    """A repository's .vscode/settings.json must not choose a model, an endpoint or a program."""
    manifest = json.loads((ROOT / "editors" / "vscode" / "package.json").read_text("utf-8"))
    properties = manifest["contributes"]["configuration"]["properties"]
    guarded = ("spark.model", "spark.backend.", "spark.engine.")
    for key, setting in properties.items():
        if key.startswith(guarded):
            assert setting["scope"] == "machine", f"{key} can be set by a repository"
