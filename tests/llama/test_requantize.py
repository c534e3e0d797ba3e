"""Weights written in faster types: what is kept and why, and the whole way with the shipped model."""

from pathlib import Path

import pytest

from spark_lsp.catalog.folder import FOLDER_VARIABLE, register
from spark_lsp.catalog.model_names import original_of, resolve_model
from spark_lsp.catalog.optimized import (
    Optimized,
    forget,
    optimize_hint,
    optimized_file,
    record_of,
    remember,
    target_for,
)
from spark_lsp.cli.optimize import _record, check_text
from spark_lsp.engine.local.requantize_process import requantize_model
from spark_lsp.engine.wire.frames import Measured, Requantized
from spark_lsp.errors import ModelMissing
from spark_lsp.llama.requantize import MAX_LOSS, MIN_SAME, choose
from tests.llama.gguf_files import SHIPPED

SLOW = Measured("original", 100, 100.0, 10.0)


def candidate(name: str = "q8_0", *, speed: float = 3.0, loss: float = 0.0, same: float = 1.0) -> Measured:
    return Measured(name, 100, 100.0 * speed, 10.0 * speed, loss, same)


@pytest.mark.parametrize(
    ("candidates", "kept"),
    [
        ([candidate()], "q8_0"),
        ([candidate(), candidate("q4_0", speed=4.0)], "q4_0"),
        ([candidate(), candidate("q4_0", speed=4.0, loss=MAX_LOSS * 1.01)], "q8_0"),
        ([candidate(), candidate("q4_0", speed=4.0, same=MIN_SAME - 0.01)], "q8_0"),
        ([candidate(speed=1.05)], None),
        ([candidate(speed=0.5)], None),
        ([], None),
    ],
)
def test_the_fastest_that_answers_as_well_is_kept(candidates: list[Measured], kept: str | None) -> None:
    best = choose(SLOW, candidates)
    assert (best.name if best else None) == kept


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


def optimized(original: Path) -> Path:
    target = target_for(original)
    target.write_bytes(b"GGUF faster")
    record = Optimized(
        original=original.name,
        original_bytes=original.stat().st_size,
        original_sha256="",
        file=target.name,
        type="q8_0",
        prefill_tokens_per_s=(100.0, 300.0),
        decode_tokens_per_s=(10.0, 20.0),
        loss=0.001,
    )
    remember(original, record)
    return target


def test_an_optimized_file_stands_in_for_a_name_and_not_for_a_path(models: Path, tmp_path: Path) -> None:
    original = tmp_path / "mine.gguf"
    original.write_bytes(b"GGUF original")
    register("mine", original)
    target = optimized(original)
    assert resolve_model("mine") == target
    assert resolve_model(str(original)) == original
    assert original_of("mine") == original
    assert forget(original) == target
    assert not target.exists()
    assert resolve_model("mine") == original
    assert forget(original) is None


def test_a_record_counts_only_while_both_files_are_as_they_were(models: Path, tmp_path: Path) -> None:
    original = tmp_path / "mine.gguf"
    original.write_bytes(b"GGUF original")
    target = optimized(original)
    assert record_of(original) is not None
    original.write_bytes(b"GGUF another version")
    assert optimized_file(original) is None
    original.write_bytes(b"GGUF original")
    target.unlink()
    assert optimized_file(original) is None


def test_the_command_is_named_until_it_was_run(models: Path, tmp_path: Path) -> None:
    original = tmp_path / "mine.gguf"
    original.write_bytes(b"GGUF original")
    assert optimize_hint("mine", original, "") == "spark-lsp models optimize mine"
    assert optimize_hint("mine", original, "a graphics card") == ""
    assert optimize_hint("mine", None, "") == ""
    target = optimized(original)
    assert optimize_hint("mine", original, "") == ""
    target.unlink()
    assert optimize_hint("mine", original, "") != ""


def test_a_model_that_stays_as_it_is_is_remembered_as_measured(models: Path, tmp_path: Path) -> None:
    original = tmp_path / "mine.gguf"
    original.write_bytes(b"GGUF original")
    register("mine", original)
    measured = Measured("original", 13, 100.0, 20.0, 0.0, 1.0)
    remember(original, _record("mine", original, Requantized("", (measured,))))
    assert optimize_hint("mine", original, "") == ""
    assert resolve_model("mine") == original
    assert forget(original) is None
    assert models.is_dir()
    assert optimize_hint("mine", original, "") != ""
    original.write_bytes(b"GGUF another version")
    assert optimize_hint("mine", original, "") != ""


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": 1}', b"\xff", b"[" * 100_000])
def test_a_damaged_list_is_as_good_as_none(models: Path, tmp_path: Path, content: bytes) -> None:
    original = tmp_path / "mine.gguf"
    original.write_bytes(b"GGUF original")
    (models / "optimized.json").write_bytes(content)
    assert optimized_file(original) is None
    assert optimized(original) == optimized_file(original)


@pytest.mark.model
def test_the_whole_way_with_the_shipped_model(tmp_path: Path) -> None:
    steps: list[str] = []
    target = tmp_path / "faster.gguf"
    result = requantize_model(SHIPPED, target, check_text(), steps.append)
    original, *candidates = result.measured
    assert original.name == "original"
    assert (original.loss, original.same) == (0.0, 1.0)
    assert {quantization.name for quantization in candidates} == {"q8_0", "q4_0"}
    assert all(row.prefill_tokens_per_s > 0 and row.decode_tokens_per_s > 0 for row in result.measured)
    assert target.exists() == bool(result.kept)
    assert [path.name for path in tmp_path.iterdir()] == ([target.name] if result.kept else [])
    assert steps[0] == "writing q8_0"


@pytest.mark.model
def test_a_file_that_is_no_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        requantize_model(tmp_path / "missing.gguf", tmp_path / "faster.gguf", "x = 1\n", lambda _step: None)
    assert list(tmp_path.iterdir()) == []
