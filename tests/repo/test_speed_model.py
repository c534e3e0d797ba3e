"""The generator of random models: what it writes is what llama.cpp loads and decodes."""

import json
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest

from scripts.speed_model import CONTEXT_TOKENS, SHAPES, SHIPPED, Architecture, Storage, main, write_speed_model

pytestmark = pytest.mark.slow

TINY = SHAPES["tiny"]
DECODE = """
import json, sys
import llama_cpp, numpy
model = llama_cpp.Llama(sys.argv[1], n_ctx=256, n_threads=1, verbose=False)
model.eval(list(range(16, 80)))
for _ in range(4):
    logits = numpy.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(model.ctx, -1), (model.n_vocab(),))
    model.eval([int(logits.argmax())])
print(json.dumps({"cells": model.n_tokens, "logits": len(logits), "finite": bool(numpy.isfinite(logits).all())}))
"""


@pytest.mark.model
@pytest.mark.parametrize(("architecture", "storage"), [("qwen2", "f16"), ("qwen3", "q8_0")])
def test_llama_cpp_loads_and_decodes_the_tiny_one(tmp_path: Path, architecture: Architecture, storage: Storage) -> None:
    path = tmp_path / "tiny.gguf"
    write_speed_model(path, TINY, architecture=architecture, storage=storage)
    probe = [sys.executable, "-m", "spark_lsp", "engine", "probe", str(path)]
    probed = subprocess.run(probe, capture_output=True, check=True, timeout=60)
    model = json.loads(probed.stdout)["model"]
    assert (model["architecture"], model["layers"], model["fim_order"]) == (architecture, TINY.layers, "spm")
    assert model["trained_context_tokens"] == CONTEXT_TOKENS == 131_072
    assert model["family"]
    decoded = subprocess.run([sys.executable, "-c", DECODE, str(path)], capture_output=True, check=True, timeout=60)
    assert json.loads(decoded.stdout) == {"cells": 68, "logits": 8192, "finite": True}


def test_the_same_seed_writes_the_same_file(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_speed_model(tmp_path / name, TINY, seed=seed)
    tensors = {name: gguf.GGUFReader(tmp_path / name).tensors for name in "abc"}
    assert [tensor.name for tensor in tensors["a"]] == [tensor.name for tensor in tensors["b"]]
    assert all(np.array_equal(left.data, right.data) for left, right in zip(tensors["a"], tensors["b"], strict=True))
    assert not np.array_equal(tensors["a"][0].data, tensors["c"][0].data)


@pytest.mark.parametrize("storage", ["f16", "q8_0"])
def test_weights_keep_the_size_of_what_goes_through_them(tmp_path: Path, storage: Storage) -> None:
    path = tmp_path / "tiny.gguf"
    count = write_speed_model(path, TINY, storage=storage)
    reader = gguf.GGUFReader(path)
    assert count == sum(int(tensor.n_elements) for tensor in reader.tensors)
    query = next(tensor for tensor in reader.tensors if tensor.name == "blk.0.attn_q.weight")
    values = gguf.quants.dequantize(query.data, query.tensor_type)
    assert values.shape == (TINY.width, TINY.width)
    assert values.std() == pytest.approx(TINY.width**-0.5, rel=0.05)


def test_a_vocabulary_without_fim_tokens_gets_them_in_free_places(tmp_path: Path) -> None:
    bare = _vocabulary(tmp_path / "bare.gguf", ["a", "b", *(f"[PAD{number}]" for number in range(7))])
    write_speed_model(tmp_path / "model.gguf", TINY, vocabulary=bare)
    fields = gguf.GGUFReader(tmp_path / "model.gguf").fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    assert tokens[2:4] == ["<|fim_prefix|>", "<|fim_middle|>"]
    assert tokens[8] == "[PAD6]"
    assert kinds[2] == gguf.TokenType.CONTROL != kinds[0]


def test_a_vocabulary_without_a_place_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = _vocabulary(tmp_path / "bare.gguf", ["a", "b"])
    assert main([str(tmp_path / "model.gguf"), "--vocabulary", str(bare)]) == 1
    assert "no free places" in capsys.readouterr().err


def test_the_command_writes_the_shape_that_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tiny.gguf"
    assert main([str(path), "--shape", "tiny", "--fim-order", "psm"]) == 0
    assert "1.3 million" in capsys.readouterr().out
    fields = gguf.GGUFReader(path).fields
    shipped = gguf.GGUFReader(SHIPPED).fields
    assert fields["spark.fim_order"].contents() == "psm"
    assert fields["tokenizer.ggml.tokens"].contents() == shipped["tokenizer.ggml.tokens"].contents()


def _vocabulary(path: Path, tokens: list[str]) -> Path:
    """Write a file that holds tokens and no weights."""
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(tokens))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
