"""Sizes of models: qwen3 as llama.cpp runs it, with tied embeddings. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The numbers that make a model. Every row of a matrix must be a multiple of 32 long to be stored in Q8_0."""

    vocabulary: int = 8192
    width: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    head_width: int = 64
    feed_forward: int = 704
    rope_base: float = 1_000_000.0
    norm_epsilon: float = 1e-6

    @property
    def parameters(self) -> int:
        """Number of weights."""
        attention = self.width * self.head_width * (2 * self.heads + 2 * self.kv_heads)
        norms = 2 * self.width + 2 * self.head_width
        block = attention + 3 * self.width * self.feed_forward + norms
        return self.vocabulary * self.width + self.layers * block + self.width

    @property
    def bytes_q8(self) -> int:
        """Size of the weights in Q8_0: 34 bytes for 32 weights."""
        return self.parameters * 34 // 32


# nano is what two CPU cores can teach something in hours; small fills 25 MB and needs a GPU.
SHAPES: dict[str, ModelShape] = {
    "tiny": ModelShape(width=64, layers=2, heads=2, kv_heads=1, head_width=32, feed_forward=128),
    "nano": ModelShape(),
    "mini": ModelShape(width=320, layers=8, heads=5, kv_heads=1, feed_forward=896),
    "small": ModelShape(width=384, layers=12, heads=6, kv_heads=2, feed_forward=1088),
}
