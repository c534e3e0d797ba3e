"""What all answers of one llama.cpp context share: its slots, the vocabulary, tokenised texts, what drafts cost.

Frozen. Holds nothing of a single answer.
"""

from dataclasses import dataclass

from spark_lsp.llama.kv.block_cache import BlockCache
from spark_lsp.llama.kv.sequences import SlotPool
from spark_lsp.llama.loading.gguf_model import TokenCache, Vocabulary
from spark_lsp.llama.speculative.length_policy import LengthPolicy


@dataclass(frozen=True, slots=True)
class GenerationContext:
    """What all answers of a context share. ``block_cache`` is None where cached prefixes are not kept on disk."""

    pool: SlotPool
    vocabulary: Vocabulary
    cache: TokenCache
    completion_length_policy: LengthPolicy
    rewrite_length_policy: LengthPolicy
    block_cache: BlockCache | None = None
