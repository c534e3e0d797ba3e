"""``spark-lsp remote``: consent and the state of endpoints, for people and for machines."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spark_lsp.cli.remote import app
from spark_lsp.engine.remote.consent import CONFIG_VARIABLE
from spark_lsp.errors import SettingsError
from tests.engine.endpoint import Endpoint, running

HOST = "https://models.example.com"


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path))
    monkeypatch.delenv("SPARK_LSP_BACKEND_URLS", raising=False)
    return tmp_path


def json_output(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_consent_is_given_and_taken_back(config: Path) -> None:
    assert json_output("status")["allowed"] == []
    assert json_output("allow", f"{HOST}:8443/v1")["allowed"] == [HOST]
    assert json_output("status")["allowed"] == [HOST]
    assert json.loads((config / "remote-hosts.json").read_text()) == [HOST]
    assert json_output("forget", HOST)["forgotten"] == [HOST]
    assert json_output("status")["allowed"] == []
    result = CliRunner().invoke(app, ["forget", HOST])
    assert isinstance(result.exception, SettingsError)


def test_without_endpoints_the_model_is_here() -> None:
    assert "runs on this machine" in CliRunner().invoke(app, ["status"]).stdout


def test_a_host_that_was_not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_LSP_BACKEND_URLS", HOST)
    status = json_output("status")
    assert status["model"] is None
    assert f"spark-lsp remote allow {HOST}" in str(status["problem"])


async def test_an_endpoint_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(Endpoint(row={"max_model_len": 4096})) as endpoint:
        monkeypatch.setenv("SPARK_LSP_BACKEND_URLS", endpoint.url)
        status = await asyncio.to_thread(json_output, "status")
        assert status["model"]["name"] == endpoint.model  # type: ignore[index]
        assert status["problem"] is None
        shown = await asyncio.to_thread(CliRunner().invoke, app, ["status"])
        assert "family qwen2.5-coder" in shown.stdout
