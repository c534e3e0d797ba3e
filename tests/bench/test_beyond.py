"""A model with too few positions for a measurement is measured as a copy whose header names more."""

from pathlib import Path

import gguf
import pytest

from spark_lsp.bench.beyond import ROOM_TOKENS, long_enough
from tests.llama.gguf_files import rewrite

pytestmark = pytest.mark.slow

LENGTH = "qwen3.context_length"


def positions(path: str | Path) -> int:
    field = gguf.GGUFReader(path).get_field(LENGTH)
    assert field is not None
    return int(field.contents())


def test_a_short_model_is_copied_and_says_so(tmp_path: Path) -> None:
    short = rewrite(tmp_path / "short.gguf", rename={}, numbers={LENGTH: 2048})
    before = short.read_bytes()
    warnings: list[str] = []
    with long_enough(str(short), 8192, warnings.append) as path:
        assert positions(path) == 8192 + ROOM_TOKENS
        assert len(Path(path).read_bytes()) == len(before)
        assert Path(path).name == "short.gguf"
    assert not Path(path).exists()
    assert short.read_bytes() == before
    assert len(warnings) == 1
    assert "short.gguf was trained for 2,048 tokens" in warnings[0]


def test_a_model_that_knows_enough_is_measured_itself(tmp_path: Path) -> None:
    model = rewrite(tmp_path / "long.gguf", rename={}, numbers={LENGTH: 131_072})
    warnings: list[str] = []
    with long_enough(str(model), 8192, warnings.append) as path:
        assert path == str(model)
    assert not warnings


def test_only_the_length_differs_in_the_copy(tmp_path: Path) -> None:
    model = rewrite(tmp_path / "short.gguf", rename={}, numbers={LENGTH: 1024})
    with long_enough(str(model), 4096, print) as path:
        ours, theirs = gguf.GGUFReader(path), gguf.GGUFReader(model)
        differing = {
            name for name in theirs.fields if ours.fields[name].contents() != theirs.fields[name].contents()
        }  # fmt: skip
        assert differing == {LENGTH}
        assert all((a.data == b.data).all() for a, b in zip(ours.tensors, theirs.tensors, strict=True))


def test_what_is_no_model_is_left_to_the_engine(tmp_path: Path) -> None:
    (tmp_path / "none.gguf").write_bytes(b"nothing")
    with long_enough(str(tmp_path / "none.gguf"), 4096, print) as path:
        assert path == str(tmp_path / "none.gguf")
