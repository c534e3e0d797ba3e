"""``doctor``: each possible problem, each fix as a shell command, and a support file without code."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.catalog.folder import FOLDER_VARIABLE
from spark_lsp.catalog.model_names import known_model
from spark_lsp.catalog.recommend import GIB, Machine
from spark_lsp.config import BackendSettings, Settings
from spark_lsp.doctor.bundle import write_bundle
from spark_lsp.doctor.check_result import Check
from spark_lsp.doctor.editor_checks import editor_checks, environment_check, set_up_command
from spark_lsp.doctor.machine_checks import (
    binding,
    compiler,
    endpoint,
    install,
    memory,
    pasteable,
    watches,
    worst,
    writable,
)
from spark_lsp.doctor.model_checks import pulled_models
from spark_lsp.doctor.redaction import without_private
from spark_lsp.openai_api.running import record
from tests.support.marks import permissions_bind

NAMES = {"apt": "g++", "dnf": "gcc-c++", "pacman": "gcc", "apk": "g++", "brew": "gcc", "winget": "X.Y"}


def can_be_pasted(fix: str) -> bool:
    """Whether a POSIX shell accepts the line's syntax, without running it."""
    done = subprocess.run(["sh", "-n", "-c", fix], capture_output=True, check=False)
    return done.returncode == 0 and "\n" not in fix


def bad(check: Check, status: str, *words: str) -> None:
    """Assert that a check complains about these things and has a fix."""
    assert check.status == status
    for word in words:
        assert word in check.detail
    assert check.fix
    assert can_be_pasted(check.fix), check.fix


def test_no_compiler() -> None:
    bad(compiler(lambda name: "/usr/bin/apt-get" if name == "apt-get" else None), "warn", "No C++ compiler")
    assert compiler(lambda name: "/usr/bin/c++" if name == "c++" else None).status == "ok"


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("apt-get", "sudo apt-get install -y g++"),
        ("dnf", "sudo dnf install -y gcc-c++"),
        ("pacman", "sudo pacman -S --needed gcc"),
        ("apk", "sudo apk add g++"),
        ("brew", "brew install gcc"),
        ("nothing", "# Install g++ with your system's package manager."),
    ],
)
def test_each_package_manager_has_its_command(program: str, expected: str) -> None:
    assert install(lambda name: f"/usr/bin/{name}" if name == program else None, **NAMES) == expected


def test_an_old_binding() -> None:
    bad(binding("0.3.2"), "fail", "0.3.2 is older")
    assert binding("0.3.36").status == binding("0.4.0+cu124").status == "ok"


def test_an_endpoint_for_other_machines(tmp_path: Path) -> None:
    assert endpoint(tmp_path) == []
    record(tmp_path, "http://127.0.0.1:8012/v1", loopback=True)
    assert [check.status for check in endpoint(tmp_path)] == ["ok"]
    record(tmp_path, "http://0.0.0.0:8012/v1", loopback=False)
    bad(endpoint(tmp_path)[0], "warn", "http://0.0.0.0:8012/v1")


def test_few_watches(tmp_path: Path) -> None:
    limit = tmp_path / "max_user_watches"
    limit.write_text("8192\n")
    bad(watches(limit), "warn", "8192")
    limit.write_text("524288\n")
    assert watches(limit).status == "ok"
    assert watches(tmp_path / "none").status == "ok"


def test_too_little_memory() -> None:
    bad(memory(8 * 2**30, "qwen", available_bytes=2 * 2**30), "warn", "qwen needs about 8.0 GiB")
    assert memory(1, "nano", available_bytes=2 * 2**30).status == "ok"


@permissions_bind
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        bad(writable("cache", tmp_path / "a" / "b"), "fail", "cannot be written")
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert writable("cache", tmp_path / "a" / "b").status in {"ok", "warn"}


@pytest.mark.parametrize(
    ("advice", "expected"),
    [
        ("Run `spark-lsp models pull x` (1.6 GB).", "spark-lsp models pull x"),
        ("Download it again.", "# Download it again."),
        ("Two\nlines.", "# Two lines."),
        ("Set `spark.model`.", "# Set `spark.model`."),
        ("", ""),
    ],
)
def test_advice_becomes_a_line(advice: str, expected: str) -> None:
    assert pasteable(advice) == expected


def test_the_worst_counts() -> None:
    assert worst([]) == "ok"
    assert worst([Check("a", "ok", ""), Check("b", "fail", ""), Check("c", "warn", "")]) == "fail"


# -- editors and settings ---------------------------------------------------------------------------------------------


def told_of(name: str, home: Path) -> list[Check]:
    return [check for check in editor_checks(home, {}) if check.name == name]


def code_settings(home: Path, text: str) -> None:
    base = home / "Library" / "Application Support" if sys.platform == "darwin" else home / ".config"
    file = base / "Code" / "User" / "settings.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)


def test_vs_codes_settings_are_read_with_their_comments(tmp_path: Path) -> None:
    code_settings(tmp_path, '{ // mine\n "spark.completion.maxLines": 4, /* "x" */ "url": "http://a//b",\n}')
    (check,) = told_of("editor config", tmp_path)
    assert (check.status, check.fix) == ("ok", "")
    assert "1 settings" in check.detail


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        ('{"spark.completion.maxLnes": 4}', "warn", "spark.completion.maxLnes"),
        ('{"spark.completion.maxLines": "four"}', "warn", "'four'"),
        ('{"spark.server.path": "/no/such/spark-lsp"}', "fail", "which is not a program"),
        ('{"spark.model": ', "fail", "is not valid JSON"),
    ],
)
def test_a_wrong_setting_of_vs_code(text: str, status: str, message: str, tmp_path: Path) -> None:
    code_settings(tmp_path, text)
    (check,) = told_of("editor config", tmp_path)
    bad(check, status, message)
    assert "settings.json" in check.fix


def test_an_editor_that_is_set_up(tmp_path: Path) -> None:
    lua = tmp_path / ".config" / "nvim" / "lua" / "plugins.lua"
    lua.parent.mkdir(parents=True)
    lua.write_text('require("spark").setup({})\n')
    (check,) = told_of("editor", tmp_path)
    assert check.status == "ok"
    assert "nvim" in check.detail


def test_an_editor_that_is_not(tmp_path: Path) -> None:
    (check,) = told_of("editor", tmp_path)
    bad(check, "warn")


@pytest.mark.parametrize("editor", ["nvim", "code", "codium", "emacs"])
def test_the_command_that_sets_an_editor_up(editor: str, tmp_path: Path) -> None:
    assert can_be_pasted(set_up_command(editor))
    assert set_up_command(editor, tmp_path / "installed from a wheel").startswith("#")


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_the_neovim_line_does_what_it_says(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run(["sh", "-c", set_up_command("nvim")], check=True, env=environment)
    (check,) = told_of("editor", tmp_path)
    assert check.status == "ok"


def test_the_environment() -> None:
    bad(environment_check({"SPARK_LSP_COMPLETION_MAXLINES": "4"}), "warn", "SPARK_LSP_COMPLETION_MAXLINES")
    bad(environment_check({"SPARK_LSP_COMPLETION_MAX_LINES": "four"}), "warn", "completion.maxLines")
    good = {"SPARK_LSP_COMPLETION_MAX_LINES": "4", "SPARK_LSP_MODELS_DIR": "/models", "PATH": "/bin"}
    assert environment_check(good).status == "ok"


def test_the_workspace_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".spark-lsp.toml").write_text('model = "x"\n')
    (check,) = told_of("workspace file", tmp_path)
    bad(check, "warn", "spark.model")


# -- the support file -------------------------------------------------------------------------------------------------


@given(st.text(max_size=60))
def test_private_things_are_left_out(text: str) -> None:
    cleaned = without_private(f"/home/user/{text}/ada Bearer sk-abcdef123456 {text}", home="/home/user", user="ada")
    assert "/home/user" not in cleaned.replace(text, "")
    assert "abcdef123456" not in cleaned.replace(text, "")


def test_it_holds_no_code_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM_KEY", "sk-very-secret-key")
    monkeypatch.setenv("SPARK_LSP_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "engine-1.log").write_text("loaded\nAuthorization: Bearer sk-very-secret-key\n")
    settings = Settings(backend=BackendSettings(urls=("http://127.0.0.1:9",), api_key_env="TEAM_KEY"))
    target = tmp_path / "support.zip"
    names = write_bundle(target, [Check("model", "ok", "fine")], settings)
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == names
        whole = "\n".join(archive.read(name).decode() for name in names)
    assert "secret" not in whole
    assert "TEAM_KEY" in whole
    assert "logs/engine-1.log" in names


def doctor(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    private = {name: str(folder / name) for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")}
    variables = {**os.environ, **private, "SPARK_LSP_RUNTIME_DIR": str(folder / "run"), **environment}
    command = [sys.executable, "-m", "spark_lsp", "doctor", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=variables, cwd=folder, stdin=subprocess.DEVNULL
    )


@pytest.mark.model
def test_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "secret_module.py").write_text("def hidden_function():\n    return 'hidden_word'\n")
    done = doctor(tmp_path, "--json", "--bundle", "support.zip", SPARK_LSP_ENGINE_IDLE_MINUTES="0.01")
    report = json.loads(done.stdout)
    checks = {check["name"]: check for check in report["checks"]}
    assert {"compiler", "build", "model", "fim tokens", "known hole", "memory", "context", "editor", "watcher"} <= {
        *checks
    }
    assert report["ok"] == all(check["status"] != "fail" for check in report["checks"])
    assert done.returncode == (0 if report["ok"] else 1)
    for check in report["checks"]:
        assert (check["status"] == "ok") == (not check["fix"])
        assert not check["fix"] or can_be_pasted(check["fix"]), check
    with zipfile.ZipFile(tmp_path / "support.zip") as archive:
        whole = "\n".join(archive.read(name).decode() for name in archive.namelist())
    assert "hidden" not in whole
    assert str(Path.home()) not in whole or len(str(Path.home())) < 2


def test_pulled_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    laptop = Machine(16 * GIB, 8, 200 * GIB, 500e9, 40e9)
    (check,) = pulled_models(Settings(), lambda: laptop)
    bad(check, "warn", "No model is pulled", "embedded")
    assert check.fix == "spark-lsp models pull qwen2.5-coder-1.5b-instruct"
    (check,) = pulled_models(Settings(), lambda: None)
    assert check.fix == "spark-lsp models recommend"
    assert pulled_models(Settings(model="spark-nano"), lambda: laptop) == []
    known = known_model("qwen2.5-coder-0.5b-instruct")
    assert known is not None
    assert known.file is not None
    (tmp_path / known.file.name).write_bytes(b"GGUF")
    monkeypatch.setattr("spark_lsp.catalog.model_names.this_machine", lambda: laptop)
    (check,) = pulled_models(Settings(), lambda: laptop)
    assert (check.status, check.fix) == ("ok", "")
    assert check.detail.startswith(f"{known.name}; {known.name} is used. ")
    assert f"`spark-lsp models optimize {known.name}`" in check.detail
    (check,) = pulled_models(Settings(), lambda: replace(laptop, card="a card", vram_bytes=8 * GIB))
    assert "optimize" not in check.detail


@pytest.mark.slow
def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--json", "--model", "qwen2.5-coder-7b", SPARK_LSP_MODELS_DIR=str(tmp_path))
    assert done.returncode == 1
    (check,) = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "model"]
    assert (check["status"], check["fix"]) == ("fail", "spark-lsp models pull qwen2.5-coder-7b")


@pytest.mark.slow
def test_a_remote_host_that_was_not_allowed(tmp_path: Path) -> None:
    environment = {"SPARK_LSP_BACKEND_URLS": "https://models.invalid", "SPARK_LSP_CONFIG_DIR": str(tmp_path)}
    done = doctor(tmp_path, "--json", **environment)
    (check,) = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "remote"]
    assert (check["status"], check["fix"]) == ("fail", "spark-lsp remote allow https://models.invalid")
    allowed = subprocess.run(
        [sys.executable, "-m", *check["fix"].replace("spark-lsp", "spark_lsp", 1).split()],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )
    assert allowed.returncode == 0
    done = doctor(tmp_path, "--json", **environment)
    (check,) = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "remote"]
    assert "cannot be reached" in check["detail"]
