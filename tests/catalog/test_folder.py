"""The user's own files under registered names."""

from pathlib import Path

import pytest

from spark_lsp.catalog.folder import FOLDER_VARIABLE, models_folder, register, registered, unregister
from spark_lsp.catalog.model_names import resolve_model
from spark_lsp.errors import ModelMissing, SettingsError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my model.gguf"
    path.write_bytes(b"GGUF")
    return path


def test_a_name_leads_to_the_file(file: Path) -> None:
    assert registered() == {}
    register("mine", file)
    assert resolve_model("mine") == file
    assert unregister("mine")
    assert not unregister("mine")
    assert file.exists()
    with pytest.raises(ModelMissing):
        resolve_model("mine")


def test_a_name_given_again_leads_to_the_new_file(file: Path, tmp_path: Path) -> None:
    other_path = tmp_path / "other.gguf"
    other_path.write_bytes(b"GGUF")
    register("mine", file)
    register("mine", other_path)
    assert registered() == {"mine": other_path}


@pytest.mark.parametrize("name", ["", "Mine", "../mine", "a b", "x" * 65, "-x"])
def test_names_that_cannot_be_one(name: str, file: Path) -> None:
    with pytest.raises(SettingsError, match="is not a valid model name"):
        register(name, file)


def test_what_is_no_gguf_file(tmp_path: Path) -> None:
    text = tmp_path / "text.gguf"
    text.write_text("hello")
    for path in (text, tmp_path / "gone.gguf", tmp_path):
        with pytest.raises(ModelMissing):
            register("mine", path)
    assert registered() == {}


def test_a_file_that_went_away(file: Path) -> None:
    register("mine", file)
    file.unlink()
    with pytest.raises(ModelMissing, match="that file no longer exists") as caught:
        resolve_model("mine")
    assert "models remove mine" in caught.value.fix


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b"\xff"])
def test_a_damaged_list_is_told_and_kept(content: bytes, folder: Path, file: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "registered.json").write_bytes(content)
    with pytest.raises(SettingsError, match="damaged"):
        register("mine", file)
    assert (folder / "registered.json").read_bytes() == content


def test_the_folder_can_be_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert models_folder() == folder
    monkeypatch.delenv(FOLDER_VARIABLE)
    assert models_folder().parts[-2:] == ("spark-lsp", "models")
