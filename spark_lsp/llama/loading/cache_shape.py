"""What a token and a sequence take in the cache, from a model's metadata.

Attention layers keep each token's keys and values, recurrent layers one state for a whole sequence. Sizes are
llama.cpp's (``llama-hparams.cpp``).
"""

from typing import Final

from spark_lsp.llama.loading.gguf_model import GgufModel

STATE_BYTES: Final = 4
"""Bytes of a number in a recurrent state, which llama.cpp always keeps as 32-bit floats."""

_RECURRENT: Final = frozenset({"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"})
"""Architectures without attention layers."""
_INTERVALS: Final = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}
"""Each how many layers attention comes in architectures that may leave the number out."""


def kv_values_per_token(model: GgufModel) -> int:
    """Return how many numbers the cache keeps for a token, keys and values of all attention layers."""
    heads = model.number("attention.head_count", 1)
    head = model.number("embedding_length", 0) // max(heads, 1)
    key = model.number("attention.key_length", head)
    value = model.number("attention.value_length", key)
    return sum(_kv_heads(model)) * (key + value)


def state_bytes(model: GgufModel) -> int:
    """Return the bytes of one sequence's recurrent state, 0 for a model without one."""
    layers = _recurrent_layers(model)
    return STATE_BYTES * layers * _state_values(model) if layers else 0


def _kv_heads(model: GgufModel) -> list[int]:
    """Return the key and value heads of each layer, 0 for one without attention."""
    layers = model.number("block_count", 0)
    if model.architecture in _RECURRENT:
        return [0] * layers
    heads = model.numbers("attention.head_count_kv") or [model.number("attention.head_count", 1)]
    if len(heads) > 1:
        return heads[:layers]
    interval = model.number("full_attention_interval", _INTERVALS.get(model.architecture, 1))
    return heads * (layers // max(interval, 1))


def _recurrent_layers(model: GgufModel) -> int:
    layers = model.number("block_count", 0)
    attention = sum(heads > 0 for heads in _kv_heads(model))
    if not _state_values(model):
        return 0
    return layers - attention if attention < layers else layers  # else each layer has both, as in Falcon H1


def _state_values(model: GgufModel) -> int:
    """Return how many numbers a recurrent layer keeps for a sequence."""
    embedding = model.number("embedding_length", 0)
    head = model.number("wkv.head_size", 0)
    if head:
        return embedding * (model.number("token_shift_count", 2) + head)
    convolved = model.number("shortconv.l_cache", 0)
    if convolved:
        return embedding * (convolved - 1)
    inner, state = model.number("ssm.inner_size", 0), model.number("ssm.state_size", 0)
    width = max(model.number("ssm.conv_kernel", 0) - 1, 0)
    return width * (inner + 2 * model.number("ssm.group_count", 0) * state) + state * inner
