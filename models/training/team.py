"""Training in several processes on one machine: each learns from batches of its own, and all take the same step.

On two cores this is 1.5 times as fast as two threads in one process, which wait for each other at every operation.
"""

import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.multiprocessing
from torch import distributed

KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
    "MALLOC_ARENA_MAX": "1",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
"""For glibc's malloc, read when a process begins: tensors of 100 MB come and go in every step, and getting their pages
from the system each time took a fifth of it (6,000 tokens a second on two cores, 7,500 with this)."""


@dataclass(frozen=True, slots=True)
class Team:
    """This process among those that train together; the first one decides, logs and keeps."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that decides."""
        return self.rank == 0

    def agree(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """Return the leader's values in every process."""
        if self.size == 1:
            return values
        shared = torch.tensor(values, dtype=torch.float64)
        distributed.broadcast(shared, src=0)
        return tuple(shared.tolist())

    def average_gradients(self, weights: Iterable[torch.Tensor]) -> None:
        """Replace each gradient by its mean over all processes."""
        if self.size == 1:
            return
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        for gradient, mean in zip(gradients, flat.split([part.numel() for part in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def train_together(size: int, work: Callable[[Team], None]) -> None:
    """Run ``work`` in ``size`` processes, this one's child each; with one it runs here."""
    if size == 1:
        work(Team())
        return
    for name, value in KEEP_MEMORY.items():
        os.environ.setdefault(name, value)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free_port()), GLOO_SOCKET_IFNAME="lo")
    torch.multiprocessing.spawn(_member, (size, work), nprocs=size)


def _member(rank: int, size: int, work: Callable[[Team], None]) -> None:
    distributed.init_process_group("gloo", rank=rank, world_size=size)
    try:
        work(Team(rank, size))
    finally:
        distributed.destroy_process_group()
