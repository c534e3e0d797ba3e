"""Training in several processes: all take the mean step, and the first one decides."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from models.training.batch_stream import BatchStream, StreamPlan  # noqa: E402
from models.training.model import plain_attention  # noqa: E402 - needs torch
from models.training.team import Team, train_together  # noqa: E402


class Work:
    """What each process does: a gradient of its own, averaged; values of its own, agreed on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, team: Team) -> None:
        weight = torch.nn.Parameter(torch.zeros(2, 3))
        weight.grad = torch.full((2, 3), float(team.rank + 1))
        team.average_gradients([weight])
        agreed = team.agree((float(team.rank), 7.0 + team.rank))
        torch.save((weight.grad, agreed), self.folder / f"{team.rank}.pt")


@pytest.mark.parametrize("size", [1, 2])
def test_all_learn_from_the_mean_gradient_and_follow_the_first(tmp_path: Path, size: int) -> None:
    train_together(size, Work(tmp_path))
    for rank in range(size):
        gradient, agreed = torch.load(tmp_path / f"{rank}.pt")
        assert gradient.tolist() == [[(1 + size) / 2] * 3] * 2
        assert agreed == (0.0, 7.0)


def test_plain_attention_is_the_fused_one() -> None:
    query, key, value = torch.randn(3, 2, 4, 37, 16).unbind(0)
    fused = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    assert torch.allclose(plain_attention(query, key, value), fused, atol=1e-5)


def test_members_share_the_pools_out() -> None:
    class Numbers(BatchStream):
        def numbers(self, count: int) -> list[int]:
            return [self._first + step * self._members for step in range(count)]

    plan = StreamPlan(1, "rows", 128, 128)
    streams = [Numbers(None, plan, 5, member=member, members=2) for member in range(2)]  # type: ignore[arg-type]
    assert sorted(number for stream in streams for number in stream.numbers(3)) == [5, 6, 7, 8, 9, 10]
