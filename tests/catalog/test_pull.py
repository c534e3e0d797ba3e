"""Pull a model from a stand-in for the hub: complete, interrupted, damaged, too large, refused, unreachable."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from spark_lsp.catalog.folder import FOLDER_VARIABLE
from spark_lsp.catalog.known import HubSource, KnownModel, PublishedFile
from spark_lsp.catalog.model_names import known_model
from spark_lsp.catalog.pull import Pulled, pull, remove
from spark_lsp.errors import ModelMissing
from tests.catalog.hub import COMMIT, Hub, running_hub

CONTENT = b"GGUF" + bytes(range(256)) * 2000
PIECE = 10 * 1024**2  # what the hub's library writes at once
LONG = b"GGUF" + bytes(range(256)) * (PIECE // 128)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub(CONTENT) as running:
        yield running


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "models"))
    return tmp_path / "models"


def some_model(sha256: str = "") -> KnownModel:
    file = PublishedFile("some.gguf", 1, sha256, (HubSource("owner/some", COMMIT),))
    return KnownModel("some", "s", "MIT", 1, ("c",), file=file)


def fetch(hub: Hub, model: KnownModel | None = None) -> Pulled:
    return pull(model or some_model(), lambda *_: None, endpoint=hub.endpoint)


def refused(hub: Hub, model: KnownModel | None = None) -> ModelMissing:
    with pytest.raises(ModelMissing) as caught:
        fetch(hub, model)
    assert caught.value.fix
    return caught.value


def nothing_became_a_model(folder: Path) -> bool:
    return not list(folder.glob("*.gguf")) and some_model().path is None


@pytest.mark.slow
def test_a_pulled_file_is_a_model(hub: Hub, folder: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    pulled = pull(some_model(hub.sha256), lambda *step: steps.append(step), endpoint=hub.endpoint)
    assert pulled.path == folder / "some.gguf"
    assert pulled.path.read_bytes() == CONTENT
    assert (pulled.sha256, pulled.was_there) == (hub.sha256, False)
    assert steps[-1] == ("check", len(CONTENT), len(CONTENT))
    assert ("download from the hub", len(CONTENT), len(CONTENT)) in steps
    assert hub.requests[0][1] == f"/owner/some/resolve/{COMMIT}/some.gguf"
    assert not list((folder / ".pulling").glob("*.part"))
    asked = len(hub.requests)
    assert fetch(hub).was_there
    assert len(hub.requests) == asked, "what is here needs no network"


def break_off(hub: Hub) -> None:
    """Interrupt the pull of a long file after its first part."""
    hub.content, hub.fault, hub.cut_at = LONG, "cut", PIECE + 100
    assert "503" in str(refused(hub))


@pytest.mark.slow
def test_a_broken_pull_goes_on_where_it_stopped(hub: Hub, folder: Path) -> None:
    break_off(hub)
    assert nothing_became_a_model(folder)
    hub.fault = ""
    pulled = fetch(hub)
    assert pulled.resumed_bytes == PIECE
    assert hub.ranges[-1] == f"bytes={PIECE}-"
    assert pulled.path.read_bytes() == LONG


@pytest.mark.slow
def test_a_hub_that_knows_no_ranges_sends_all_again(hub: Hub) -> None:
    break_off(hub)
    hub.fault = "no ranges"
    assert fetch(hub).path.read_bytes() == LONG


@pytest.mark.slow
def test_a_part_of_another_version_is_not_gone_on_with(hub: Hub, folder: Path) -> None:
    break_off(hub)
    hub.fault, hub.content = "", CONTENT
    pulled = fetch(hub)
    assert pulled.resumed_bytes == 0
    assert pulled.path.read_bytes() == hub.content
    assert not list((folder / ".pulling").glob("*.part"))


def test_a_damaged_file_is_refused_and_not_gone_on_with(hub: Hub, folder: Path) -> None:
    hub.fault = "damaged"
    assert "checksum" in str(refused(hub))
    assert nothing_became_a_model(folder)
    assert not list((folder / ".pulling").glob("*.part"))
    hub.fault = ""
    assert fetch(hub).path.read_bytes() == CONTENT


def test_another_file_than_the_catalogues_is_refused_before_it_is_loaded(hub: Hub) -> None:
    assert "another file" in str(refused(hub, some_model("0" * 64)))
    assert hub.ranges == []


def test_without_a_published_checksum_the_size_counts(hub: Hub) -> None:
    hub.fault = "no checksum"
    assert fetch(hub).sha256 == ""


def test_a_page_instead_of_a_file(hub: Hub, folder: Path) -> None:
    hub.fault = "no checksum"
    hub.content = b"<html>not a model</html>"
    assert "not a GGUF file" in str(refused(hub))
    assert nothing_became_a_model(folder)


def test_a_disk_that_is_too_full(hub: Hub) -> None:
    hub.fault = "too large"
    error = refused(hub)
    assert "disk is too full" in str(error)
    assert FOLDER_VARIABLE in error.fix
    assert hub.ranges == []


@pytest.mark.parametrize(
    ("fault", "text"), [("gone", "no longer has"), ("gated", "accepted its licence"), ("busy", "status 503")]
)
def test_refusals_are_one_sentence(hub: Hub, fault: str, text: str) -> None:
    hub.fault = fault  # type: ignore[assignment]
    error = refused(hub)
    assert text in str(error)
    assert "models add" in error.fix


def test_the_token_stays_with_the_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch(hub)
    assert hub.tokens_at_store == [""]


def test_no_network(folder: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = refused(Hub(b"", endpoint=f"http://127.0.0.1:{unused.getsockname()[1]}"))
    assert "cannot be reached" in str(error)
    assert "HTTPS_PROXY" in error.fix
    assert nothing_became_a_model(folder)


@pytest.mark.slow
def test_removing(hub: Hub, folder: Path) -> None:
    fetch(hub)
    assert remove(some_model()) == folder / "some.gguf"
    assert nothing_became_a_model(folder)
    with pytest.raises(ModelMissing, match="not on this machine"):
        remove(some_model())
    break_off(hub)
    remove(some_model())
    assert not list((folder / ".pulling").glob("*.part"))


def test_the_embedded_model_stays() -> None:
    embedded = known_model("spark-nano")
    assert embedded is not None
    with pytest.raises(ModelMissing, match="part of spark-lsp"):
        remove(embedded)
    with pytest.raises(ModelMissing, match="cannot be pulled"):
        pull(replace(embedded, paths=()), lambda *_: None)


def _spark(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spark_lsp", "models", *arguments]
    variables = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=variables)


@pytest.mark.slow
def test_the_command(hub: Hub, folder: Path) -> None:
    known = known_model("starcoder2-3b")
    assert known is not None
    assert known.file is not None
    done = _spark("pull", known.name, "--json", HF_ENDPOINT=hub.endpoint)
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["path"] == str(folder / known.file.name)
    assert Path(data["path"]).read_bytes() == CONTENT
    listed = json.loads(_spark("list", "--json").stdout)
    assert next(row for row in listed if row["name"] == known.name)["path"] == data["path"]
    assert json.loads(_spark("remove", known.name, "--json").stdout)["deleted"] is True
    assert not Path(data["path"]).exists()


@pytest.mark.slow
def test_a_mirror_behind_a_proxy(hub: Hub) -> None:
    environment = {"HF_ENDPOINT": "http://mirror.invalid", "HTTP_PROXY": hub.endpoint, "NO_PROXY": ""}
    done = _spark(
        "pull", "starcoder2-3b", "--json", **environment, **{name.lower(): v for name, v in environment.items()}
    )
    assert done.returncode == 0, done.stderr
    assert Path(json.loads(done.stdout)["path"]).read_bytes() == CONTENT


@pytest.mark.slow
def test_the_command_off_line_and_with_a_hub_that_says_nothing(hub: Hub) -> None:
    offline = _spark("pull", "starcoder2-3b", HF_ENDPOINT=hub.endpoint, HF_HUB_OFFLINE="1")
    hub.fault = "silent"
    silent = _spark("pull", "starcoder2-3b", HF_ENDPOINT=hub.endpoint, HF_HUB_ETAG_TIMEOUT="1")
    for done, message in ((offline, "HF_HUB_OFFLINE"), (silent, "cannot be reached")):
        assert (done.returncode, done.stdout) == (1, "")
        assert message in done.stderr
        assert "Traceback" not in done.stderr
