"""Small models with random weights, of architectures that keep more than attention cells: for tests of the KV cache.

Their answers mean nothing. What counts is that the same tokens give the same logits, whatever was cached before.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import gguf
import numpy as np
import numpy.typing as npt

from tests.llama.gguf_files import SHIPPED

Shapes = dict[str, tuple[int, ...]]
Metadata = Mapping[str, int | float | list[int]]

LAYERS: Final = 4
EMBEDDING: Final = 64
FEED_FORWARD: Final = 96
HEADS: Final = 4
KV_HEADS: Final = 2
HEAD: Final = EMBEDDING // HEADS
WINDOW_TOKENS: Final = 48
"""A sliding window much shorter than the prompts of the tests."""
_CONTEXT_TOKENS: Final = 2048
_CONV: Final = 4
_STATE: Final = 16
_INNER: Final = 2 * EMBEDDING
_GROUPS: Final = 2
_SSM_HEADS: Final = 4
_DELTA_HEADS: Final = 2
_SEED: Final = 11
_GEMMA_EMBEDDING: Final = 1 / 8  # Gemma multiplies embeddings by the root of their length


def _attention(layer: int, *, query: int = EMBEDDING) -> Shapes:
    kv = KV_HEADS * HEAD
    return {
        f"blk.{layer}.attn_q.weight": (query, EMBEDDING),
        f"blk.{layer}.attn_k.weight": (kv, EMBEDDING),
        f"blk.{layer}.attn_v.weight": (kv, EMBEDDING),
        f"blk.{layer}.attn_output.weight": (EMBEDDING, EMBEDDING),
    }


def _query_key_norms(layer: int) -> Shapes:
    return {f"blk.{layer}.attn_q_norm.weight": (HEAD,), f"blk.{layer}.attn_k_norm.weight": (HEAD,)}


def _feed_forward(layer: int, *, norm: str = "ffn_norm") -> Shapes:
    return {
        f"blk.{layer}.{norm}.weight": (EMBEDDING,),
        f"blk.{layer}.ffn_gate.weight": (FEED_FORWARD, EMBEDDING),
        f"blk.{layer}.ffn_up.weight": (FEED_FORWARD, EMBEDDING),
        f"blk.{layer}.ffn_down.weight": (EMBEDDING, FEED_FORWARD),
    }


def _mamba2(layer: int) -> Shapes:
    conv = _INNER + 2 * _GROUPS * _STATE
    return {
        f"blk.{layer}.ssm_in.weight": (_INNER + conv + _SSM_HEADS, EMBEDDING),
        f"blk.{layer}.ssm_conv1d.weight": (conv, _CONV),
        f"blk.{layer}.ssm_conv1d.bias": (conv,),
        f"blk.{layer}.ssm_dt.bias": (_SSM_HEADS,),
        f"blk.{layer}.ssm_a": (_SSM_HEADS, 1),
        f"blk.{layer}.ssm_d": (_SSM_HEADS, 1),
        f"blk.{layer}.ssm_norm.weight": (_GROUPS, _INNER // _GROUPS),
        f"blk.{layer}.ssm_out.weight": (EMBEDDING, _INNER),
    }


def _delta_net(layer: int) -> Shapes:
    key, value = _STATE * _GROUPS, _STATE * _DELTA_HEADS
    conv = 2 * key + value
    return {
        f"blk.{layer}.attn_qkv.weight": (conv, EMBEDDING),
        f"blk.{layer}.attn_gate.weight": (value, EMBEDDING),
        f"blk.{layer}.ssm_conv1d.weight": (conv, _CONV),
        f"blk.{layer}.ssm_dt.bias": (_DELTA_HEADS,),
        f"blk.{layer}.ssm_a": (_DELTA_HEADS,),
        f"blk.{layer}.ssm_beta.weight": (_DELTA_HEADS, EMBEDDING),
        f"blk.{layer}.ssm_alpha.weight": (_DELTA_HEADS, EMBEDDING),
        f"blk.{layer}.ssm_norm.weight": (_STATE,),
        f"blk.{layer}.ssm_out.weight": (EMBEDDING, value),
    }


def _is_attention(layer: int) -> bool:
    """Whether a layer of a hybrid model here is an attention layer: every second one."""
    return layer % 2 == 1


def _lfm2() -> tuple[Metadata, Shapes]:
    """Short convolutions between attention layers."""
    shapes: Shapes = {"token_embd_norm.weight": (EMBEDDING,)}
    for layer in range(LAYERS):
        shapes[f"blk.{layer}.attn_norm.weight"] = (EMBEDDING,)
        shapes |= _feed_forward(layer)
        if _is_attention(layer):
            shapes |= _attention(layer) | _query_key_norms(layer)
        else:
            shapes[f"blk.{layer}.shortconv.conv.weight"] = (EMBEDDING, _CONV)
            shapes[f"blk.{layer}.shortconv.in_proj.weight"] = (3 * EMBEDDING, EMBEDDING)
            shapes[f"blk.{layer}.shortconv.out_proj.weight"] = (EMBEDDING, EMBEDDING)
    return {"shortconv.l_cache": _CONV, "attention.head_count_kv": _hybrid_kv_heads()}, shapes


def _granite_hybrid() -> tuple[Metadata, Shapes]:
    """Mamba 2 layers between attention layers, as in Granite 4."""
    shapes: Shapes = {"output_norm.weight": (EMBEDDING,)}
    for layer in range(LAYERS):
        shapes[f"blk.{layer}.attn_norm.weight"] = (EMBEDDING,)
        shapes |= _feed_forward(layer) | (_attention(layer) if _is_attention(layer) else _mamba2(layer))
    return {**_SSM, "attention.head_count_kv": _hybrid_kv_heads()}, shapes


def _qwen35() -> tuple[Metadata, Shapes]:
    """Gated delta networks between attention layers, as in Qwen3.5."""
    shapes: Shapes = {"output_norm.weight": (EMBEDDING,)}
    for layer in range(LAYERS):
        shapes[f"blk.{layer}.attn_norm.weight"] = (EMBEDDING,)
        shapes |= _feed_forward(layer, norm="post_attention_norm")
        if _is_attention(layer):
            shapes |= _attention(layer, query=2 * EMBEDDING) | _query_key_norms(layer)
        else:
            shapes |= _delta_net(layer)
    metadata: Metadata = {
        **_SSM,
        "ssm.inner_size": _STATE * _DELTA_HEADS,
        "ssm.time_step_rank": _DELTA_HEADS,
        "full_attention_interval": 2,
        "rope.dimension_count": HEAD,
        "rope.dimension_sections": [4, 2, 2, 0],
    }
    return metadata, shapes


def _mamba() -> tuple[Metadata, Shapes]:
    """Nothing but Mamba 2 layers: a recurrent model without attention cells."""
    shapes: Shapes = {"output_norm.weight": (EMBEDDING,)}
    for layer in range(LAYERS):
        shapes[f"blk.{layer}.attn_norm.weight"] = (EMBEDDING,)
        shapes |= _mamba2(layer)
    return _SSM, shapes


def _gemma3() -> tuple[Metadata, Shapes]:
    """Layers that attend to a sliding window only, but for the last of them."""
    shapes: Shapes = {"output_norm.weight": (EMBEDDING,)}
    for layer in range(LAYERS):
        for norm in ("attn_norm", "post_attention_norm", "post_ffw_norm"):
            shapes[f"blk.{layer}.{norm}.weight"] = (EMBEDDING,)
        shapes |= _attention(layer) | _query_key_norms(layer) | _feed_forward(layer)
    return {"attention.sliding_window": WINDOW_TOKENS}, shapes


_SSM: Final[Metadata] = {
    "ssm.conv_kernel": _CONV,
    "ssm.inner_size": _INNER,
    "ssm.state_size": _STATE,
    "ssm.time_step_rank": _SSM_HEADS,
    "ssm.group_count": _GROUPS,
}

_ARCHITECTURES: Final[Mapping[str, Callable[[], tuple[Metadata, Shapes]]]] = {
    "lfm2": _lfm2,
    "granitehybrid": _granite_hybrid,
    "qwen35": _qwen35,
    "mamba2": _mamba,
    "gemma3": _gemma3,
}

HYBRID: Final = ("lfm2", "granitehybrid", "qwen35")
RECURRENT: Final = ("mamba2",)
SLIDING: Final = ("gemma3",)


def write(target: Path, architecture: str) -> Path:
    """Write a model of an architecture with the shipped model's tokens and seeded random weights, as 32-bit numbers."""
    specific, shapes = _ARCHITECTURES[architecture]()
    shipped = gguf.GGUFReader(SHIPPED)
    tokens = shipped.get_field("tokenizer.ggml.tokens")
    assert tokens is not None
    writer = gguf.GGUFWriter(target, architecture)
    for name, field in shipped.fields.items():
        if name.startswith(("tokenizer.", "spark.", "general.name")):
            subtype = field.types[1] if len(field.types) > 1 else None
            writer.add_key_value(name, field.contents(), field.types[0], sub_type=subtype)
    common: dict[str, Any] = {
        "context_length": _CONTEXT_TOKENS,
        "embedding_length": EMBEDDING,
        "block_count": LAYERS,
        "feed_forward_length": FEED_FORWARD,
        "vocab_size": len(tokens.contents()),
        "attention.head_count": HEADS,
        "attention.head_count_kv": KV_HEADS,
        "attention.key_length": HEAD,
        "attention.value_length": HEAD,
        "attention.layer_norm_rms_epsilon": 1e-6,
        "rope.freq_base": 10000.0,
    }
    for key, value in {**common, **specific}.items():
        _add(writer, f"{architecture}.{key}", value)
    random = np.random.default_rng(_SEED)
    embedding_scale = _GEMMA_EMBEDDING if architecture == "gemma3" else 1.0
    for name, shape in {"token_embd.weight": (len(tokens.contents()), EMBEDDING), **shapes}.items():
        values = _weights(random, name, shape)
        writer.add_tensor(name, values * np.float32(embedding_scale) if name == "token_embd.weight" else values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def _add(writer: gguf.GGUFWriter, key: str, value: float | list[int]) -> None:
    if isinstance(value, list):
        writer.add_array(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    else:
        writer.add_float32(key, value)


def _hybrid_kv_heads() -> list[int]:
    return [KV_HEADS if _is_attention(layer) else 0 for layer in range(LAYERS)]


def _weights(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    if "norm" in name:
        return np.ones(shape, np.float32)
    values = random.normal(0.0, 1.0, shape)
    if name.endswith("ssm_a"):  # the decay of the state: negative, slow enough for old tokens to count
        values = -0.02 - 0.05 * np.abs(values)
    elif len(shape) > 1 and name != "token_embd.weight":
        values *= 1.5 / np.sqrt(shape[-1])
    return values.astype(np.float32)
