"""Which file a model's name or path stands for, and the message if there is none."""

from pathlib import Path

import pytest

from spark_lsp.catalog import model_names
from spark_lsp.catalog.model_names import EMBEDDED_NAME, MODELS, known_model, resolve_model
from spark_lsp.errors import ModelMissing, Reason
from tests.support.marks import permissions_bind


@pytest.mark.parametrize("wanted", ["", "  ", EMBEDDED_NAME])
def test_nothing_and_its_name_mean_the_embedded_model(wanted: str) -> None:
    path = resolve_model(wanted)
    assert path.name == "spark-nano.gguf"
    assert path.read_bytes()[:4] == b"GGUF"


def test_every_known_model_says_what_it_is() -> None:
    for model in MODELS:
        assert known_model(model.name) is model
        assert model.summary
        assert model.licence
        assert model.languages
    assert known_model("no-such-name") is None


def test_size_follows_the_file(tmp_path: Path) -> None:
    model = MODELS[0]
    assert model.path is not None
    assert model.size_bytes == model.path.stat().st_size


def test_a_path_is_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mein modell ü.gguf"
    file.write_bytes(b"GGUF")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert resolve_model(str(file)) == file.resolve()
    assert resolve_model("mein modell ü.gguf") == file.resolve()
    assert resolve_model("~/mein modell ü.gguf") == file.resolve()


@pytest.mark.parametrize(
    "wanted", ["/no/such/file.gguf", "qwen-unknown", "x" * 5000, "null\0character", "~nobody-here/m"]
)
def test_what_is_nowhere_is_model_missing(wanted: str) -> None:
    with pytest.raises(ModelMissing) as caught:
        resolve_model(wanted)
    assert caught.value.reason == Reason.MODEL_MISSING
    assert wanted[:40] in str(caught.value)
    assert "spark.model" in caught.value.fix
    assert EMBEDDED_NAME in caught.value.fix


def test_a_folder_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="is a folder"):
        resolve_model(str(tmp_path))


def test_an_embedded_model_that_was_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = model_names.KnownModel(EMBEDDED_NAME, "summary", "MIT", 1, ("python",), (tmp_path / "gone.gguf",))
    monkeypatch.setattr(model_names, "MODELS", (gone,))
    with pytest.raises(ModelMissing, match=r"gone\.gguf") as caught:
        resolve_model("")
    assert "Reinstall" in caught.value.fix
    assert gone.size_bytes == 0


@permissions_bind
def test_a_folder_that_may_not_be_entered(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    try:
        with pytest.raises(ModelMissing):
            resolve_model(str(closed / "model.gguf"))
    finally:
        closed.chmod(0o700)
