"""Cached prefixes on disk, block by block: saved when nothing else is to do, taken back instead of reading them again.

A block is named after all tokens from the start of the cached prefix on, because its cells hold what was computed
behind them. Everything but the writing to disk belongs to the thread of the context.
"""

import logging
import math
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from spark_lsp.llama.kv.block_store import BlockStore
from spark_lsp.llama.kv.cells import Tokens
from spark_lsp.llama.kv.sequences import SlotPool

BLOCK_TOKENS: Final = 2048
"""Some ten files of source: small enough to be written between two keystrokes, large enough for few files."""

MAX_CLOSING_S: Final = 3.0  # whoever unloads a model waits for it
MAX_AWAITED_SAVE_S: Final = 0.05
"""How long saving may go on while a request waits for its cells; a block that was begun is still written."""
MIN_BLOCK_TOKENS: Final = 64  # fewer are read again in the time that a file takes

_log = logging.getLogger("spark_lsp.llama")


@dataclass(frozen=True, slots=True)
class SavedBlock:
    """Tokens ``start`` to ``end`` of a cached prefix, under the name that their cells have on disk."""

    name: bytes
    start: int
    end: int


class BlockCache:
    """The cached prefixes of one context on disk."""

    def __init__(self, pool: SlotPool, store: BlockStore) -> None:
        self._pool = pool
        self._store = store
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="block_cache")
        self._lock = Lock()  # the store belongs to one thread at a time
        self._written: Future[None] | None = None
        self._refused: set[bytes] = set()
        """Chunks that could not be written or read; not tried again by this process."""

    def close(self, *, save: bool) -> None:
        """Save the blocks that are not on disk yet, for some seconds at most, and wait for the last write."""
        until = time.monotonic() + MAX_CLOSING_S
        while save and time.monotonic() < until and self.save_next():
            pass
        self._writer.shutdown()

    def blocks(self, tokens: Tokens) -> tuple[SavedBlock, ...]:
        """Return the blocks of a cached prefix; the last one may be short."""
        blocks: list[SavedBlock] = []
        for start in range(0, len(tokens), BLOCK_TOKENS):
            end = min(start + BLOCK_TOKENS, len(tokens))
            if end - start >= MIN_BLOCK_TOKENS:
                parent = blocks[-1].name if blocks else b""
                blocks.append(SavedBlock(self._store.name(parent, tokens[start:end]), start, end))
        return tuple(blocks)

    def restore(self, sequence: int, tokens: Tokens, blocks: Sequence[SavedBlock]) -> int:
        """Append the next block of a cached prefix from disk to a sequence; return by how many tokens that grew.

        ``tokens`` are the whole cached prefix's, of which the sequence holds a beginning.
        """
        context = self._pool.context
        resident = len(context.mirrors[sequence])
        number = resident // BLOCK_TOKENS
        if number >= len(blocks) or blocks[number].end - resident < MIN_BLOCK_TOKENS:
            return 0
        block = blocks[number]
        if context.restorable(sequence, block.start) < block.start:
            return 0
        with self._lock:
            is_there = block.name not in self._refused and self._store.has(block.name)
            path = self._store.verified(block.name, block.end - block.start) if is_there else None
        if path is None:
            return 0
        context.truncate(sequence, block.start)
        self._pool.ensure_free(block.end - block.start, sequence)
        at_start = len(context.mirrors[sequence]) == block.start
        if at_start and context.load(sequence, path, tokens[block.start : block.end]):
            return block.end - resident
        self._refused.add(block.name)
        _log.warning("a block on disk could not be taken back")
        return 0

    def save_next(self) -> bool:
        """Save one block that is not on disk yet, the most recent cached prefix's first; whether there may be more."""
        if self._written is not None:
            self._written.result()  # one at a time: memory holds a copy of what is being written
        return any(self._save_one(cached_prefix) for cached_prefix in self._pool.prefix_slots())

    def save_evicted(self, cached_prefix: int, *, is_awaited: bool) -> None:
        """Save missing blocks of a cached prefix that is about to be evicted.

        All of them, unless a request waits for the cells (``is_awaited``) or comes meanwhile: what is not saved by then
        has to be prefilled again.
        """
        until = time.monotonic() + (MAX_AWAITED_SAVE_S if is_awaited else math.inf)
        abort = self._pool.context.abort
        while time.monotonic() < until and not abort.is_set and self._save_one(cached_prefix):
            if self._written is not None:
                self._written.result()

    def _save_one(self, cached_prefix: int) -> bool:
        context = self._pool.context
        with self._lock:
            blocks = self.blocks(context.mirrors[cached_prefix].tokens)
            missing = (
                candidate
                for candidate in blocks
                if candidate.name not in self._refused
                and context.restorable(cached_prefix, candidate.end) == candidate.end
                and not self._store.has(candidate.name)
            )
            block = next(missing, None)
            path = self._store.writing(block.name) if block else None
        if block is None:
            return False
        if path is None:  # nothing can be written there
            self._refused.add(block.name)
            return False
        size = context.save(cached_prefix, block.start, block.end, path)
        self._written = self._writer.submit(self._commit, block, path, size)
        return True

    def _commit(self, block: SavedBlock, path: Path, size: int) -> None:
        with self._lock:
            if not self._store.commit(block.name, path, block.end - block.start, size):
                self._refused.add(block.name)
