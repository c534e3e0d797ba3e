"""The stream of batches that a trainer reads: made in worker processes, or in its own where there are few cores."""

import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from models.training.batches import Batch, Layout, pool
from models.training.samples import Sampler


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """How batches are made."""

    seed: int
    layout: Layout
    row_tokens: int
    batch_tokens: int


class BatchStream(IterableDataset[tuple[int, Batch]]):
    """Batches from a pool number on, without end, each with its pool's number.

    ``progress`` may be set while the stream is read; pools made after that follow it.
    """

    def __init__(
        self, sampler: Sampler, plan: StreamPlan, first_pool: int, *, member: int = 0, members: int = 1
    ) -> None:
        self._sampler = sampler
        self._plan = plan
        self._first = first_pool + (member - first_pool) % members  # the members of a team share the pools out
        self._members = members
        self._progress: Any = multiprocessing.Value("d", 0.0)

    @property
    def progress(self) -> float:
        """Share of the run that is done."""
        return float(self._progress.value)

    @progress.setter
    def progress(self, share: float) -> None:
        self._progress.value = share

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        """Make the pools of this worker, in order."""
        worker = get_worker_info()
        place, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        number, step = self._first + place * self._members, workers * self._members
        while True:
            for batch in pool(
                self._sampler,
                seed=self._plan.seed,
                number=number,
                progress=self.progress,
                layout=self._plan.layout,
                row_tokens=self._plan.row_tokens,
                batch_tokens=self._plan.batch_tokens,
            ):
                yield number, batch
            number += step


def read(stream: BatchStream, workers: int) -> Iterator[tuple[int, Batch]]:
    """Read a stream, made ahead by worker processes where there are any."""
    if not workers:
        return iter(stream)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # each worker has one core
    loader = DataLoader(stream, batch_size=None, num_workers=workers, prefetch_factor=8)
    return iter(loader)


def on_device(batch: Batch, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return ids, targets, weights and documents as tensors."""
    kinds = ((batch.ids, torch.long), (batch.targets, torch.long), (batch.weights, torch.float32))
    ids, targets, weights = (torch.as_tensor(array).to(device, kind, non_blocking=True) for array, kind in kinds)
    return ids, targets, weights, torch.as_tensor(batch.documents).to(device, non_blocking=True)
