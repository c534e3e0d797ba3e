"""Batches: samples put together for the trainer, as padded rows of one sample or as full rows of several.

Rows suit the CPU (short ones cost little); packed rows have one shape for ever, which a compiled model on CUDA needs.
Deterministic: (seed, pool number, progress) names the batches of a pool. Needs no torch.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.training.samples import Sample, Sampler

Layout = Literal["rows", "packed"]

POOL_BATCHES = 4  # made and sorted together, so that little of a batch is padding
MIN_POOL_TOKENS = 131_072
POOL_STRIDE = 1_000_000  # numbers of samples set aside for a pool, far more than it takes
ROW_STEP = 64  # rows are padded to a multiple of this
MIDDLE_WEIGHT = 3.0  # an answer is a twentieth of a sample
END_WEIGHT = 9.0  # its end is one token of an answer, and a model that runs on past it costs a user most
# Nothing marks where a prefix ends and the answer begins, so what prefixes teach of line ends holds for answers too:
# a dozen tokens like ")\n" beside one ")" that the end token follows.
LINE_END_WEIGHT = 0.05


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids with what follows each, what each weighs, and which sample it belongs to within its row."""

    ids: NDArray[np.int32]
    targets: NDArray[np.int32]
    weights: NDArray[np.float32]
    documents: NDArray[np.int32]

    @property
    def tokens(self) -> int:
        """Tokens that are learnt from."""
        return int((self.weights > 0).sum())


def pool(
    sampler: Sampler, *, seed: int, number: int, progress: float, layout: Layout, row_tokens: int, batch_tokens: int
) -> list[Batch]:
    """Return the batches of one pool of samples."""
    samples: list[Sample] = []
    left = max(MIN_POOL_TOKENS, POOL_BATCHES * batch_tokens)
    while left > 0:
        samples.append(sampler.sample(seed, number * POOL_STRIDE + len(samples), progress))
        left -= len(samples[-1].ids) - 1
    groups = _packed(samples, row_tokens, batch_tokens) if layout == "packed" else _rows(samples, batch_tokens)
    batches = [batch_of(rows, row_tokens if layout == "packed" else _padded(rows)) for rows in groups]
    random.Random(f"{seed}:{number}:order").shuffle(batches)
    return batches


def batch_of(rows: Sequence[Sequence[Sample]], tokens: int) -> Batch:
    """Put rows of samples into arrays that are ``tokens`` wide."""
    ids = np.zeros((len(rows), tokens), np.int32)
    targets, weights = np.zeros_like(ids), np.zeros(ids.shape, np.float32)
    documents = np.full_like(ids, -1)
    for row, samples in enumerate(rows):
        place = 0
        for number, sample in enumerate(samples):
            end = place + len(sample.ids) - 1
            ids[row, place:end] = sample.ids[:-1]
            targets[row, place:end] = sample.ids[1:]
            weights[row, place:end] = 1.0
            weights[row, [place + line_end - 1 for line_end in sample.prefix_line_ends]] = LINE_END_WEIGHT
            weights[row, place + sample.prompt_tokens - 1 : end] = MIDDLE_WEIGHT
            weights[row, end - 1] = END_WEIGHT
            documents[row, place:end] = number
            place = end
    return Batch(ids, targets, weights, documents)


def _padded(rows: Sequence[Sequence[Sample]]) -> int:
    longest = max(len(sample.ids) - 1 for samples in rows for sample in samples)
    return -(-longest // ROW_STEP) * ROW_STEP


def _rows(samples: Sequence[Sample], batch_tokens: int) -> Iterator[list[list[Sample]]]:
    """Group samples of like length, one a row, into batches of about ``batch_tokens``."""
    group: list[list[Sample]] = []
    for sample in sorted(samples, key=lambda longest: len(longest.ids)):
        if group and _padded([*group, [sample]]) * (len(group) + 1) > batch_tokens:
            yield group
            group = []
        group.append([sample])
    if group:
        yield group


def _packed(samples: Sequence[Sample], row_tokens: int, batch_tokens: int) -> Iterator[list[list[Sample]]]:
    """Fill rows, the longest samples first, each into the fullest row that has room; a rest too small is left out."""
    rows: list[tuple[int, list[Sample]]] = []
    for sample in sorted(samples, key=lambda longest: -len(longest.ids)):
        length = len(sample.ids) - 1
        fitting = [place for place, (used, _) in enumerate(rows) if used + length <= row_tokens]
        if fitting:
            place = max(fitting, key=lambda row: rows[row][0])
            rows[place] = (rows[place][0] + length, [*rows[place][1], sample])
        elif length <= row_tokens:
            rows.append((length, [sample]))
    height = max(1, batch_tokens // row_tokens)
    filled = [chosen for _, chosen in sorted(rows, key=lambda row: -row[0])]
    for start in range(0, max(1, len(filled) - height + 1), height):
        group = filled[start : start + height]
        yield group + [[] for _ in range(height - len(group))]
