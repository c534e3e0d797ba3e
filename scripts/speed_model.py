"""Make a GGUF model of random weights in the shape of a real one, to measure speed. Its output is noise.

The shapes are those of Qwen2.5-Coder's published configurations. The vocabulary is the embedded
model's, so that nothing has to be downloaded, or that of any GGUF file, such as a file that holds a vocabulary only.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import gguf
import numpy as np
from gguf import GGMLQuantizationType
from numpy.typing import NDArray

SHIPPED: Final = Path(__file__).resolve().parents[1] / "models" / "spark-nano" / "spark-nano.gguf"
CONTEXT_TOKENS: Final = 131_072
NORM_EPSILON: Final = 1e-6
ROPE_BASE: Final = 1_000_000.0
ORDER_KEY: Final = "spark.fim_order"

FIM_TOKENS: Final = (
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
)
_PLACEHOLDER = re.compile(r"\[PAD\d+\]")
_Q8_ROW: Final = 32  # weights of one block, after a scale of 16 bits
_UNIFORM_STD: Final = 73.3  # integers from -127 to 127

Architecture = Literal["qwen2", "qwen3"]
Storage = Literal["f16", "q8_0"]
_KINDS: Final = {"f16": GGMLQuantizationType.F16, "q8_0": GGMLQuantizationType.Q8_0}
_FILE_TYPES: Final = {"f16": gguf.LlamaFileType.MOSTLY_F16, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a model. ``tied`` if the output uses the embedding's weights."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    feed_forward: int
    tied: bool = True

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads


SHAPES: Final = {
    "tiny": Shape(layers=2, width=128, heads=2, kv_heads=1, feed_forward=256),
    "0.5b": Shape(layers=24, width=896, heads=14, kv_heads=2, feed_forward=4864),
    "1.5b": Shape(layers=28, width=1536, heads=12, kv_heads=2, feed_forward=8960),
    "7b": Shape(layers=28, width=3584, heads=28, kv_heads=4, feed_forward=18944, tied=False),
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor to write: a row-major shape; a vector is a norm (ones) or a bias (zeros) and stays in 32 bits."""

    name: str
    shape: tuple[int, ...]
    fill: float | None = None
    """The value of all elements; None for random ones."""
    spread: float = 1.0
    """Standard deviation of random elements."""


def write_speed_model(
    path: Path,
    shape: Shape,
    *,
    architecture: Architecture = "qwen2",
    storage: Storage = "f16",
    vocabulary: Path = SHIPPED,
    fim_order: str = "spm",
    seed: int = 0,
) -> int:
    """Write a model and return the number of its weights; only one tensor at a time is in memory.

    Raises:
        ValueError: the file with the vocabulary has none, or no place for fill-in-the-middle tokens.
    """
    reader = gguf.GGUFReader(vocabulary)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(f"speed-{path.stem}")
    writer.add_description("Random weights, for measuring speed.")
    writer.add_file_type(_FILE_TYPES[storage])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_string(ORDER_KEY, fim_order)
    _add_shape(writer, shape)
    tensors = list(_tensors(shape, architecture, _add_vocabulary(writer, reader)))
    for tensor in tensors:
        _announce(writer, tensor, _KINDS[storage] if len(tensor.shape) == 2 else GGMLQuantizationType.F32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    random = np.random.default_rng(seed)
    for tensor in tensors:
        writer.write_tensor_data(_values(tensor, storage, random))
    writer.close()
    return sum(int(np.prod(tensor.shape)) for tensor in tensors)


def _tensors(shape: Shape, architecture: Architecture, tokens: int) -> Iterator[Tensor]:
    """Yield all tensors of a model under llama.cpp's names."""
    kv_width = shape.kv_heads * shape.head_width
    yield Tensor("token_embd.weight", (tokens, shape.width))
    yield Tensor("output_norm.weight", (shape.width,), fill=1.0)
    if not shape.tied:
        yield _matrix("output", tokens, shape.width)
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        for norm in ("attn_norm", "ffn_norm"):
            yield Tensor(f"{block}{norm}.weight", (shape.width,), fill=1.0)
        for name, rows in (("attn_q", shape.width), ("attn_k", kv_width), ("attn_v", kv_width)):
            yield _matrix(block + name, rows, shape.width)
            if architecture == "qwen2":
                yield Tensor(f"{block}{name}.bias", (rows,), fill=0.0)
        if architecture == "qwen3":
            for norm in ("attn_q_norm", "attn_k_norm"):
                yield Tensor(f"{block}{norm}.weight", (shape.head_width,), fill=1.0)
        yield _matrix(f"{block}attn_output", shape.width, shape.width)
        yield _matrix(f"{block}ffn_gate", shape.feed_forward, shape.width)
        yield _matrix(f"{block}ffn_up", shape.feed_forward, shape.width)
        yield _matrix(f"{block}ffn_down", shape.width, shape.feed_forward)


def _matrix(name: str, rows: int, columns: int) -> Tensor:
    """Return a matrix that keeps the scale of its input."""
    return Tensor(f"{name}.weight", (rows, columns), spread=columns**-0.5)


def _values(tensor: Tensor, storage: Storage, random: np.random.Generator) -> NDArray[Any]:
    """Return a tensor's elements as they are stored."""
    if tensor.fill is not None:
        return np.full(tensor.shape, tensor.fill, dtype=np.float32)
    rows, columns = tensor.shape
    if storage == "f16":
        return (random.standard_normal(tensor.shape, dtype=np.float32) * np.float32(tensor.spread)).astype(np.float16)
    blocks = np.empty((rows, columns // _Q8_ROW, 2 + _Q8_ROW), dtype=np.uint8)
    blocks[..., :2] = np.frombuffer(np.float16(tensor.spread / _UNIFORM_STD).tobytes(), dtype=np.uint8)
    blocks[..., 2:] = random.integers(-127, 128, (rows, columns // _Q8_ROW, _Q8_ROW), dtype=np.int8).view(np.uint8)
    return blocks.reshape(rows, -1)


def _announce(writer: gguf.GGUFWriter, tensor: Tensor, kind: GGMLQuantizationType) -> None:
    """Add a tensor to the file's header; the library takes the shape in bytes."""
    stored = gguf.quants.quant_shape_to_byte_shape(tensor.shape, kind)
    writer.add_tensor_info(tensor.name, stored, np.dtype(np.uint8), int(np.prod(stored)), raw_dtype=kind)


def _add_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_context_length(CONTEXT_TOKENS)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(NORM_EPSILON)


def _add_vocabulary(writer: gguf.GGUFWriter, reader: gguf.GGUFReader) -> int:
    """Copy the tokenizer, with fill-in-the-middle tokens in free places if it has none; return its size.

    Raises:
        ValueError: there is no tokenizer, or no free place.
    """
    fields = {name: field for name, field in reader.fields.items() if name.startswith("tokenizer.")}
    contents: dict[str, Any] = {name: field.contents() for name, field in fields.items()}
    tokens = contents.get("tokenizer.ggml.tokens")
    if not tokens:
        raise ValueError("The file with the vocabulary holds no tokens.")
    if not set(FIM_TOKENS) <= set(tokens):
        _make_fim_tokens(contents)
    for name, field in fields.items():
        subtype = field.types[1] if len(field.types) > 1 else None
        writer.add_key_value(name, contents[name], field.types[0], sub_type=subtype)
    return len(tokens)


def _make_fim_tokens(contents: dict[str, Any]) -> None:
    """Rename placeholders; llama.cpp knows the tokens by their text."""
    tokens, kinds = contents["tokenizer.ggml.tokens"], contents["tokenizer.ggml.token_type"]
    free = [number for number, token in enumerate(tokens) if _PLACEHOLDER.fullmatch(token)]
    if len(free) < len(FIM_TOKENS):
        raise ValueError("The vocabulary has no fill-in-the-middle tokens and no free places for them.")
    for number, text in zip(free, FIM_TOKENS, strict=False):
        tokens[number], kinds[number] = text, int(gguf.TokenType.CONTROL)


def main(words: list[str]) -> int:
    """Write the file that the options describe."""
    parser = argparse.ArgumentParser(prog="python scripts/speed_model.py", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT.gguf")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="tiny")
    parser.add_argument("--architecture", choices=("qwen2", "qwen3"), default="qwen2")
    parser.add_argument("--storage", choices=sorted(_KINDS), default="f16")
    parser.add_argument("--vocabulary", type=Path, default=SHIPPED, metavar="FILE.gguf")
    parser.add_argument("--fim-order", choices=("spm", "psm"), default="spm")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(words)
    try:
        weights = write_speed_model(
            options.out,
            SHAPES[options.shape],
            architecture=options.architecture,
            storage=options.storage,
            vocabulary=options.vocabulary,
            fim_order=options.fim_order,
            seed=options.seed,
        )
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{options.out}: {weights / 1e6:,.1f} million random weights\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
