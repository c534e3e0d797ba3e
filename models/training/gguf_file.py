"""The model as a GGUF file that llama.cpp loads as it is, and back. Needs no torch.

Architecture qwen3 with tied embeddings; the special tokens' ids and the order that was trained stand in the metadata.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import gguf
import numpy as np
from gguf import GGMLQuantizationType
from numpy.typing import NDArray

from models.training.shape import ModelShape
from models.training.tokenizer import END, FIM_PAD, SPECIAL_TOKENS, Vocabulary

ARCHITECTURE = "qwen3"
StorageType = Literal["q8_0", "f16", "f32"]
Arrays = Mapping[str, NDArray[np.float32]]

_FILE_TYPES = {
    "q8_0": (gguf.LlamaFileType.MOSTLY_Q8_0, GGMLQuantizationType.Q8_0),
    "f16": (gguf.LlamaFileType.MOSTLY_F16, GGMLQuantizationType.F16),
    "f32": (gguf.LlamaFileType.ALL_F32, GGMLQuantizationType.F32),
}
_FIM_KEYS = {
    "fim_pre": "<|fim_prefix|>",
    "fim_suf": "<|fim_suffix|>",
    "fim_mid": "<|fim_middle|>",
    "fim_pad": "<|fim_pad|>",
    "fim_rep": "<|repo_name|>",
    "fim_sep": "<|file_sep|>",
}
_TOP = {"embedding.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}
_IN_BLOCK = {
    "attention_norm": "attn_norm",
    "query": "attn_q",
    "key": "attn_k",
    "value": "attn_v",
    "output": "attn_output",
    "query_norm": "attn_q_norm",
    "key_norm": "attn_k_norm",
    "feed_norm": "ffn_norm",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}


@dataclass(frozen=True, slots=True)
class Card:
    """What the file says of itself."""

    name: str = "spark-nano"
    description: str = "Fills holes in code; trained for Spark LSP."
    licence: str = "mit"
    context_tokens: int = 8192
    fim_order: str = "spm"
    training_tokens: int = 0


def gguf_names(shape: ModelShape) -> dict[str, str]:
    """Return the name in the file of each of the model's weights."""
    names = dict(_TOP)
    for layer in range(shape.layers):
        names |= {f"blocks.{layer}.{ours}.weight": f"blk.{layer}.{theirs}.weight" for ours, theirs in _IN_BLOCK.items()}
    return names


def write_model(
    path: Path, shape: ModelShape, weights: Arrays, vocabulary: Vocabulary, card: Card, storage: StorageType = "q8_0"
) -> None:
    """Write a model; norms stay in 32 bits whatever the storage type."""
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    file_type, kind = _FILE_TYPES[storage]
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _add_card(writer, shape, card)
    _add_shape(writer, shape, card.context_tokens)
    _add_vocabulary(writer, vocabulary)
    for ours, theirs in gguf_names(shape).items():
        array = np.ascontiguousarray(weights[ours], dtype=np.float32)
        if array.ndim == 2:
            writer.add_tensor(theirs, gguf.quants.quantize(array, kind), raw_dtype=kind)
        else:
            writer.add_tensor(theirs, array)
    _finish(writer)


def write_vocabulary(path: Path, vocabulary: Vocabulary) -> None:
    """Write a file that holds a tokenizer and no weights."""
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    _add_shape(writer, ModelShape(vocabulary=vocabulary.size), 512)
    _add_vocabulary(writer, vocabulary)
    _finish(writer)


def read_model(path: Path) -> tuple[ModelShape, dict[str, NDArray[np.float32]]]:
    """Return shape and weights of a file that ``write_model`` wrote, unpacked to 32 bits."""
    reader = gguf.GGUFReader(path)
    stored = {
        str(tensor.name): gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        for tensor in reader.tensors
    }

    def number(key: str) -> float:
        field = reader.get_field(f"{ARCHITECTURE}.{key}")
        assert field, f"{path.name} has no {key}"
        return float(field.contents())

    shape = ModelShape(
        vocabulary=len(stored["token_embd.weight"]),
        width=int(number("embedding_length")),
        layers=int(number("block_count")),
        heads=int(number("attention.head_count")),
        kv_heads=int(number("attention.head_count_kv")),
        head_width=int(number("attention.key_length")),
        feed_forward=int(number("feed_forward_length")),
        rope_base=number("rope.freq_base"),
    )
    return shape, {ours: stored[theirs].copy() for ours, theirs in gguf_names(shape).items()}


def _add_card(writer: gguf.GGUFWriter, shape: ModelShape, card: Card) -> None:
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(card.name)
    writer.add_description(card.description)
    writer.add_license(card.licence)
    writer.add_size_label(f"{shape.parameters / 1e6:.1f}M")
    writer.add_tags(["code", "fill-in-the-middle"])
    writer.add_string("spark.fim_order", card.fim_order)
    writer.add_uint64("spark.training_tokens", card.training_tokens)


def _add_shape(writer: gguf.GGUFWriter, shape: ModelShape, context_tokens: int) -> None:
    writer.add_context_length(context_tokens)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)


def _add_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    special_tokens = {vocabulary.special_token(text) for text in SPECIAL_TOKENS}
    kinds = [
        gguf.TokenType.CONTROL if number in special_tokens else gguf.TokenType.NORMAL
        for number in range(vocabulary.size)
    ]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(vocabulary.merges)
    writer.add_bos_token_id(vocabulary.special_token(END))
    writer.add_eos_token_id(vocabulary.special_token(END))
    writer.add_pad_token_id(vocabulary.special_token(FIM_PAD))
    writer.add_add_bos_token(False)
    for key, text in _FIM_KEYS.items():
        writer.add_uint32(f"tokenizer.ggml.{key}_token_id", vocabulary.special_token(text))


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
