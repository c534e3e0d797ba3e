"""The model: qwen3 in PyTorch (grouped-query attention with a norm on queries and keys, half-split RoPE, SwiGLU).

One row of a batch holds one sample, or several with ``documents`` telling which token belongs to which; tokens of
different samples never see each other. Loss is a weighted mean over tokens.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.training.shape import ModelShape

MASK_BLOCK = 128  # what flex attention works in
PLAIN_TOKENS = 512  # on a CPU, shorter rows learn 1.5 times as fast by plain matrix products as by the fused kernel


class Norm(nn.Module):
    """Root-mean-square norm with a scale."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Scale the last dimension."""
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.epsilon)


def rotated(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Apply RoPE to (batch, heads, tokens, width); the two halves of the width are the pairs."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), dim=-1)


class Block(nn.Module):
    """One layer: attention, then the gated feed-forward part."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.shape = shape
        wide, narrow = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
        self.attention_norm = Norm(shape.width, shape.norm_epsilon)
        self.query = nn.Linear(shape.width, wide, bias=False)
        self.key = nn.Linear(shape.width, narrow, bias=False)
        self.value = nn.Linear(shape.width, narrow, bias=False)
        self.output = nn.Linear(wide, shape.width, bias=False)
        self.query_norm = Norm(shape.head_width, shape.norm_epsilon)
        self.key_norm = Norm(shape.head_width, shape.norm_epsilon)
        self.feed_norm = Norm(shape.width, shape.norm_epsilon)
        self.gate = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.up = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.down = nn.Linear(shape.feed_forward, shape.width, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Any) -> Tensor:
        """Add what this layer finds."""
        x = x + self._attend(self.attention_norm(x), cosine, sine, mask)
        h = self.feed_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))

    def _attend(self, h: Tensor, cosine: Tensor, sine: Tensor, mask: Any) -> Tensor:
        rows, tokens, _ = h.shape
        heads = (rows, tokens, -1, self.shape.head_width)
        query = rotated(self.query_norm(self.query(h).view(heads)).transpose(1, 2), cosine, sine)
        key = rotated(self.key_norm(self.key(h).view(heads)).transpose(1, 2), cosine, sine)
        value = self.value(h).view(heads).transpose(1, 2)
        seen = attention(query.to(value.dtype), key.to(value.dtype), value, mask)
        return self.output(seen.transpose(1, 2).reshape(rows, tokens, -1))


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Any) -> Tensor:
    """Attend: causal without a mask, along a mask of booleans, or along a block mask (compiled, on CUDA)."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    if mask is None and query.device.type == "cpu" and query.shape[-2] <= PLAIN_TOKENS:
        return plain_attention(query, key, value)
    if mask is None or isinstance(mask, Tensor):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=mask is None)
    from torch.nn.attention.flex_attention import flex_attention  # noqa: PLC0415 - slow to import

    return flex_attention(query, key, value, block_mask=mask)


def plain_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend causally, all scores at once."""
    rows, heads, tokens, width = query.shape
    query, key, value = (tensor.reshape(rows * heads, tokens, width) for tensor in (query, key, value))
    later = torch.full((tokens, tokens), -math.inf, dtype=query.dtype).triu(1)
    scores = torch.baddbmm(later, query, key.transpose(1, 2), alpha=1 / math.sqrt(width))
    return (scores.softmax(-1) @ value).view(rows, heads, tokens, width)


def document_mask(documents: Tensor, *, in_blocks: bool) -> Any:
    """Return the mask that lets each token see the earlier ones of its own sample.

    ``in_blocks`` makes the sparse form that CUDA runs: it lists for each block of queries the blocks of keys from the
    start of its first sample on, so nothing of tokens times tokens is ever stored. Rows are whole blocks long.
    """
    rows, tokens = documents.shape
    if not in_blocks:
        causal = torch.ones(tokens, tokens, dtype=torch.bool, device=documents.device).tril()
        return (documents[:, None, :, None] == documents[:, None, None, :]) & causal
    from torch.nn.attention.flex_attention import BlockMask  # noqa: PLC0415 - slow to import

    places = torch.arange(tokens, device=documents.device).expand(rows, tokens)
    changed = F.pad(documents[:, 1:] != documents[:, :-1], (1, 0))
    starts = torch.where(changed, places, 0).cummax(dim=1).values
    first = starts[:, ::MASK_BLOCK] // MASK_BLOCK
    blocks = torch.arange(tokens // MASK_BLOCK, device=documents.device)
    listed = (first[:, :, None] + blocks).clamp(max=len(blocks) - 1)

    def sees(row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (documents[row, query] == documents[row, key])

    counts = (blocks - first + 1)[:, None].int()
    return BlockMask.from_kv_blocks(counts, listed[:, None].int(), BLOCK_SIZE=MASK_BLOCK, mask_mod=sees)


class SparkModel(nn.Module):
    """The whole model; input and output share the embedding."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.width, shape.norm_epsilon)
        self._begin()

    def _begin(self) -> None:
        """Start from a model in which every layer adds nothing yet."""
        nn.init.normal_(self.embedding.weight, std=0.02)
        for name, weight in self.named_parameters():
            if weight.dim() == 2 and not name.startswith("embedding"):
                nn.init.normal_(weight, std=1 / math.sqrt(weight.shape[1]))
            if name.endswith(("output.weight", "down.weight")):
                nn.init.zeros_(weight)

    def forward(self, ids: Tensor, documents: Tensor | None = None) -> Tensor:
        """Return the logits of every next token; ``documents`` tells the samples of packed rows apart."""
        mask = None if documents is None else document_mask(documents, in_blocks=documents.is_cuda)
        cosine, sine = self._angles(ids)
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x, cosine, sine, mask)
        return F.linear(self.norm(x), self.embedding.weight)

    def _angles(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        half = torch.arange(0, self.shape.head_width, 2, device=ids.device, dtype=torch.float32)
        places = torch.arange(ids.shape[1], device=ids.device, dtype=torch.float32)
        angles = torch.outer(places, self.shape.rope_base ** (-half / self.shape.head_width))
        is_half = torch.is_autocast_enabled(ids.device.type)
        kind = torch.get_autocast_dtype(ids.device.type) if is_half else torch.float32
        return angles.cos().to(kind), angles.sin().to(kind)


def token_losses(model: nn.Module, ids: Tensor, targets: Tensor, documents: Tensor | None = None) -> Tensor:
    """Return the loss of each target, in nats."""
    logits = model(ids, documents)
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)


def weighted_loss(
    model: nn.Module, ids: Tensor, targets: Tensor, weights: Tensor, documents: Tensor | None = None
) -> Tensor:
    """Return the mean loss; padding weighs nothing."""
    losses = token_losses(model, ids, targets, documents)
    return (losses * weights).sum() / weights.sum()
