"""The workflows, the hooks and the lock file: well formed, of few rights, and naming what is there."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.repo.source import ROOT, report

yaml = pytest.importorskip("yaml", reason="no PyYAML here: pip install --group quick")

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
LOCKED = re.compile(r"[a-z0-9._-]+==\S+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
PINNED = re.compile(r"[\w.-]+/[\w./-]+@(v\d+|release/v\d+|[0-9a-f]{40})")


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def _steps(workflow: Any) -> list[tuple[str, Any]]:
    return [(name, step) for name, job in workflow["jobs"].items() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_few_rights_and_an_end(path: Path) -> None:
    workflow = _read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert "concurrency" in workflow
    assert True in workflow, "yaml reads the key `on` as true"
    assert [name for name, job in workflow["jobs"].items() if "timeout-minutes" not in job] == []
    for job in workflow["jobs"].values():
        assert set(job.get("needs", [])) <= set(workflow["jobs"]) or job["needs"] in workflow["jobs"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned(path: Path) -> None:
    used = [step["uses"] for _, step in _steps(_read(path)) if "uses" in step]
    assert used
    assert [name for name in used if not PINNED.fullmatch(name)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_a_workflow_runs_is_there(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    package = (ROOT / "editors" / "vscode" / "package.json").read_text("utf-8")
    faults = []
    for job, step in _steps(_read(path)):
        command = step.get("run", "")
        faults += [
            f"{path.name}:{job}: make {target} is no target"
            for target in re.findall(r"\bmake ([a-z-]+)", command)
            if target not in targets
        ]
        faults += [
            f"{path.name}:{job}: npm run {script} is no script"
            for script in re.findall(r"\bnpm run ([\w:-]+)", command)
            if f'"{script}":' not in package
        ]
        # What comes from outside reaches a script as a variable, never as its text.
        faults += [f"{path.name}:{job}: an expression in a script" for _ in re.findall(r"\$\{\{", command)]
    report(faults)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_is_well_formed(path: Path) -> None:
    form = _read(path)
    if path.stem == "config":
        return
    assert form["name"]
    assert form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)


def test_every_python_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert _read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["quick"]["strategy"]["matrix"]["python"] == named


def test_the_hooks_have_the_versions_of_the_project() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    hooks = {repo["repo"].rpartition("/")[2]: repo for repo in _read(ROOT / ".pre-commit-config.yaml")["repos"]}
    assert f"ruff=={hooks['ruff-pre-commit']['rev'].removeprefix('v')}" in groups["quick"]


def test_the_lock_file_is_exact_and_complete() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    lines = (ROOT / "requirements" / "dev.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not LOCKED.fullmatch(line)] == []
    groups = project["dependency-groups"]
    named = [name for name in groups["dev"] + groups["quick"] if isinstance(name, str)]
    named += project["project"]["dependencies"]
    named += [name for extra in project["project"]["optional-dependencies"].values() for name in extra]
    wanted = {re.split(r"[<>=\[ ]", name)[0].replace("_", "-") for name in named}
    assert wanted <= {line.split("==")[0] for line in lines if "==" in line}
