"""The KV cache: cells and sequences in memory, blocks on disk, and what prefilling costs."""
