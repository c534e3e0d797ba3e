"""An installation without llama-cpp-python: remote endpoints work, and a local model is refused with the fix."""

import asyncio
import json
import os
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from scripts.harness.editor import REAL, editor
from spark_lsp.doctor.graphics import look_at_graphics
from spark_lsp.doctor.machine_checks import binding
from spark_lsp.engine.local import binding as local_binding
from spark_lsp.engine.local.binding import REQUIREMENT, how_to_install
from spark_lsp.engine.local.local_engine import EngineLaunch, LocalEngine, describe_model
from spark_lsp.errors import EngineFailed
from tests.engine.conftest import private_runtime
from tests.engine.endpoint import Endpoint, running
from tests.repo.source import ROOT

HIDE = "import sys\nsys.modules['llama_cpp'] = None\n"
"""The content of a ``sitecustomize.py`` that keeps a process and its children from importing llama_cpp."""


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hide llama_cpp from this process and its children."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HIDE, "utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(ROOT)]))
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    for name in ("DATA", "CACHE", "STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    with private_runtime(monkeypatch):  # a running engine would answer
        yield


async def run(*arguments: str, **environment: str) -> tuple[int | None, str, str]:
    """Return the exit code, the output and the errors of a command."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "spark_lsp", *arguments),
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


def test_the_extra_is_what_the_message_installs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["optional-dependencies"]["local"] == [REQUIREMENT]


@pytest.mark.parametrize(
    ("receipt", "command"),
    [
        ("pipx_metadata.json", "pipx inject spark-lsp "),
        ("uv-receipt.toml", "uv pip install --python "),
        ("", sys.executable),
    ],
)
def test_the_command_suits_the_tool_that_installed_it(tmp_path: Path, receipt: str, command: str) -> None:
    if receipt:
        (tmp_path / receipt).touch()
    assert how_to_install(tmp_path).startswith(command)
    assert how_to_install(tmp_path).endswith(f"'{REQUIREMENT}'")


@pytest.mark.usefixtures("bare")
async def test_a_local_engine_names_what_is_missing() -> None:
    assert not local_binding.is_installed()
    with pytest.raises(EngineFailed, match="llama-cpp-python is not installed") as caught:
        await LocalEngine(EngineLaunch(model_path="none.gguf", context_tokens=2048)).start()
    assert how_to_install() in caught.value.fix
    assert "spark.backend.urls" in caught.value.fix
    with pytest.raises(EngineFailed, match="llama-cpp-python is not installed"):
        describe_model("none.gguf")


@pytest.mark.usefixtures("bare")
def test_the_doctor_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    (check,) = look_at_graphics()
    assert (check.status, check.fix) == ("fail", how_to_install())

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("spark_lsp.doctor.machine_checks.version", missing)
    assert binding().fix == how_to_install()


@pytest.mark.slow
@pytest.mark.usefixtures("bare")
async def test_a_completion_without_any_model_says_how_to_get_one(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def add(a, b):\n    return a", "utf-8")
    code, output, errors = await run("complete", f"{tmp_path / 'a.py'}:2:13", "--model", "spark-nano")
    assert code == 1
    assert output == ""
    assert "llama-cpp-python is not installed, so no model can run on this machine." in errors
    assert how_to_install() in errors
    assert "Traceback" not in errors


@pytest.mark.slow
@pytest.mark.usefixtures("bare")
async def test_a_remote_endpoint_needs_none_of_it(tmp_path: Path) -> None:
    """The doctor, a completion, and the language server, each in a process that cannot import llama_cpp."""
    async with running(Endpoint(words=["day", "\n"], row={"max_model_len": 8192})) as endpoint:
        code, output, errors = await run("doctor", "--json", SPARK_LSP_BACKEND_URLS=endpoint.url)
        checks = {check["name"]: check for check in json.loads(output)["checks"]}
        assert code == 0, errors + output
        assert not {"llama.cpp", "build", "compiler"} & set(checks)
        assert checks["known hole"]["status"] == "ok"
        (tmp_path / "a.py").write_text("print(last_week", "utf-8")
        command = ("complete", f"{tmp_path / 'a.py'}:1:16", "--json")
        code, output, errors = await run(*command, SPARK_LSP_BACKEND_URLS=endpoint.url)
        assert code == 0, errors
        assert json.loads(output)["items"][0]["insertText"] == "day"
        settings = {"backend": {"urls": [endpoint.url]}, "completion": {"debounce": 0, "minConfidence": 0}}
        async with editor("#- b.py\nx = 1\n", tmp_path / "w", REAL, settings=settings) as window:
            await window.ready()
            item = await window.complete("c.py", window.open("c.py", "print(last_week$0"), by_hand=True)
            assert item is not None
            assert item.insert_text == "day"
