"""Headers of GGUF files are held against their files before llama.cpp sees them."""

import io
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import gguf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_lsp.errors import ModelUnusable
from spark_lsp.llama.loading.gguf_header import TENSOR_TYPES, HeaderError, check_header, read_header
from spark_lsp.llama.loading.gguf_model import check_file, split_parts
from tests.llama.gguf_files import SHIPPED, rewrite

WHOLE = SHIPPED.read_bytes()
DATA_START = read_header(io.BytesIO(WHOLE), len(WHOLE)).data_start
VOCABULARY = range(1_400, DATA_START - 8_000)
"""Where the names of tokens stand: any byte is right there."""


def test_sizes_of_blocks_are_those_of_ggml() -> None:
    assert dict(TENSOR_TYPES) == {int(kind): sizes for kind, sizes in gguf.GGML_QUANT_SIZES.items()}


def test_a_header_is_read_as_the_format_s_own_library_reads_it() -> None:
    header, theirs = read_header(io.BytesIO(WHOLE), len(WHOLE)), gguf.GGUFReader(SHIPPED)
    assert header.data_start == theirs.data_offset
    assert header.number("block_count") == theirs.fields["qwen3.block_count"].contents()
    assert header.lengths["tokenizer.ggml.tokens"] == len(theirs.fields["tokenizer.ggml.tokens"].data)
    assert [(tensor.name, list(tensor.shape), tensor.size_bytes) for tensor in header.tensors] == [
        (tensor.name, tensor.shape.tolist(), tensor.n_bytes) for tensor in theirs.tensors
    ]


@pytest.mark.parametrize(
    ("key", "number", "words"),
    [
        ("block_count", 0, "0 layers"),
        ("block_count", 1000, "1000 layers"),
        ("block_count", 2**31 - 1, "2147483647 layers"),
        ("block_count", 5, "5 layers and holds 6"),
        ("block_count", 7, "7 layers and holds 6"),
        ("embedding_length", 0, "embedding_length is 0"),
        ("embedding_length", 512, "512 values"),
        ("context_length", 0, "context_length is 0"),
        ("context_length", 2**32 - 1, "context_length is 4294967295"),
        ("attention.head_count_kv", 3, "4 heads cannot share 3"),
        ("attention.key_length", 2**31, "key_length is 2147483648"),
        ("feed_forward_length", 2**32 - 1, "feed_forward_length is 4294967295"),
    ],
)
def test_a_figure_that_does_not_fit_the_file_is_refused(key: str, number: int, words: str, tmp_path: Path) -> None:
    path = rewrite(tmp_path / "odd.gguf", rename={}, numbers={f"qwen3.{key}": number})
    with pytest.raises(ModelUnusable, match=words):
        check_file(str(path))


@pytest.mark.parametrize("epsilon", [-1.0, float("nan")])
def test_an_epsilon_that_ends_llama_cpp_is_refused(epsilon: float, tmp_path: Path) -> None:
    """``GGML_ASSERT(eps >= 0.0f)`` at the first decode."""
    path = rewrite(tmp_path / "odd.gguf", rename={}, floats={"qwen3.attention.layer_norm_rms_epsilon": epsilon})
    with pytest.raises(ModelUnusable, match="epsilon"):
        check_file(str(path))


@pytest.mark.parametrize("kept_bytes", [5, 8, 20, 1_000, 100_000, DATA_START - 1, DATA_START, len(WHOLE) - 1])
def test_a_file_that_is_cut_off_is_refused(kept_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / "short.gguf"
    path.write_bytes(WHOLE[:kept_bytes])
    with pytest.raises(ModelUnusable, match=r"end of the file|more than fit"):
        check_file(str(path))


def test_the_other_files_of_a_split_model_are_looked_at_too(tmp_path: Path) -> None:
    first, second = (tmp_path / f"a-0000{number}-of-00002.gguf" for number in (1, 2))
    first.write_bytes(WHOLE)
    check_file(str(first))
    second.write_bytes(WHOLE[:1000])
    assert split_parts(first) == [second]
    with pytest.raises(ModelUnusable, match="00002-of-00002"):
        check_file(str(first))


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(0, DATA_START - 1).filter(lambda at: at not in VOCABULARY), st.integers(0, 255)),
        min_size=1,
        max_size=8,
    ),
    st.integers(0, 2_000),
)
def test_whatever_a_header_holds_it_is_read_or_refused(changes: list[tuple[int, int]], cut_bytes: int) -> None:
    """Never another error, and never more read than the file has."""
    raw = bytearray(WHOLE[: DATA_START - cut_bytes])
    for at, byte in changes:
        if at < len(raw):
            raw[at] = byte
    with suppress(HeaderError):
        header = read_header(io.BytesIO(raw), len(raw))
        assert header.data_start <= len(raw) + 2**20


def test_lengths_that_no_file_can_have_cost_nothing() -> None:
    """A header may say that it holds 2^64 - 1 values; it is refused before one of them is read."""
    for at in (8, 16):
        raw = bytearray(WHOLE[:200])
        raw[at : at + 8] = (2**64 - 1).to_bytes(8, "little")
        with pytest.raises(HeaderError, match="more than fit"):
            read_header(io.BytesIO(raw), len(raw))


@pytest.mark.model
def test_llama_cpp_never_sees_a_file_that_would_end_it(tmp_path: Path) -> None:
    """A block count of 1,000 ended the process with an assertion, in a probe as in a load."""
    path = rewrite(tmp_path / "odd.gguf", rename={}, numbers={"qwen3.block_count": 1000})
    probed = subprocess.run(
        [sys.executable, "-P", "-m", "spark_lsp", "engine", "probe", str(path)], capture_output=True, check=False
    )
    assert probed.returncode in {0, 1}
    assert b"1000 layers and holds 6" in probed.stdout + probed.stderr


def test_the_check_is_kept_for_an_unchanged_file(tmp_path: Path) -> None:
    path = tmp_path / "same.gguf"
    path.write_bytes(WHOLE)
    status = path.stat()
    check_header(path, status.st_size, status.st_mtime_ns)
    hits = check_header.cache_info().hits
    check_header(path, status.st_size, status.st_mtime_ns)
    assert check_header.cache_info().hits == hits + 1
