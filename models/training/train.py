"""Trains the model for a number of minutes, from nothing, from where it stopped, or from a shipped GGUF.

Warm-up, then a steady rate, so that it can go on from any point; with ``--decay`` the last share of the run lowers
the rate and writes a checkpoint of its own, while the one to go on from stays. Survives being killed: a run with the
same ``--out`` goes on from the last checkpoint. usage: python -m models.training.train --minutes 60
"""

import argparse
import contextlib
import json
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from models.training import checkpoint
from models.training.batch_stream import BatchStream, StreamPlan, on_device, read
from models.training.batches import Batch, batch_of
from models.training.corpus_file import CORPUS, HELD_OUT, read_corpus
from models.training.manifest import HERE
from models.training.model import SparkModel, token_losses, weighted_loss
from models.training.samples import Sampler
from models.training.shape import SHAPES, ModelShape
from models.training.team import Team, train_together
from models.training.tokenizer import TOKENIZER, Vocabulary
from models.training.weights import load_weights

STEADY, DECAYED = "train", "decayed"  # names of checkpoints
MATRIX_RATE, OTHER_RATE = 0.02, 0.003  # measured for the shape of 6.5M parameters
WARM_UP_STEPS = 100
LAST_RATE = 0.02  # share of the rate at the end of the decay
LOG_STEPS = 20
DRY_STEPS, DRY_SECONDS = 50, 150.0
VALIDATION_SAMPLES, VALIDATION_SEED, VALIDATION_LONGEST = 48, 20_251, 2048


@dataclass
class Progress:
    """How far training is, over all its runs."""

    steps: int = 0
    tokens: int = 0
    minutes: float = 0.0
    next_pool: int = 0


@dataclass
class Trainer:
    """The model with its optimisers."""

    model: SparkModel
    device: torch.device
    compiles: bool
    team: Team = field(default_factory=Team)
    optimisers: list[torch.optim.Optimizer] = field(init=False)
    _loss: Any = field(init=False)

    def __post_init__(self) -> None:
        self.model.to(self.device)
        matrices, others = [], []
        for name, weight in self.model.named_parameters():
            is_matrix = weight.dim() == 2 and not name.startswith("embedding")
            (matrices if is_matrix else others).append(weight)
        is_cuda = self.device.type == "cuda"
        self.optimisers = [
            torch.optim.Muon(matrices, lr=MATRIX_RATE, momentum=0.95, weight_decay=0.0),
            torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.95), weight_decay=0.0, fused=is_cuda),
        ]
        self._loss = torch.compile(weighted_loss, dynamic=False) if self.compiles else weighted_loss

    def step(self, batch: Batch, rate: float, *, packed: bool) -> torch.Tensor:
        """Learn from one batch; ``rate`` scales the learning rates. Returns the loss, still on the device."""
        for optimiser, usual in zip(self.optimisers, (MATRIX_RATE, OTHER_RATE), strict=True):
            for group in optimiser.param_groups:
                group["lr"] = usual * rate
        ids, targets, weights, documents = on_device(batch, self.device)
        with torch.autocast(self.device.type, torch.bfloat16):
            loss = self._loss(self.model, ids, targets, weights, documents if packed else None)
        loss.backward()
        self.team.average_gradients(self.model.parameters())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        return loss.detach()

    def state(self, progress: Progress) -> dict[str, Any]:
        """Return all that is needed to go on."""
        return {
            "shape": asdict(self.model.shape),
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "progress": asdict(progress),
        }


def rate_at(steps: int, share: float, decay: float) -> float:
    """Return the scale of the learning rates: up over the first steps, then 1, down over the last ``decay``."""
    warm = min(1.0, (steps + 1) / WARM_UP_STEPS)
    if decay and share > 1 - decay:
        return warm * max(LAST_RATE, (1 - share) / decay)
    return warm


def validation_batches(vocabulary: Vocabulary, path: Path, languages: Sequence[str]) -> list[Batch]:
    """Return the same held-out samples each time."""
    sampler = Sampler(read_corpus(path, languages), vocabulary, longest=VALIDATION_LONGEST)
    samples = (sampler.sample(VALIDATION_SEED, number, 0.9) for number in range(VALIDATION_SAMPLES))
    return [batch_of([[sample]], len(sample.ids) - 1) for sample in samples]


def validate(model: SparkModel, batches: Sequence[Batch], device: torch.device) -> dict[str, float]:
    """Return the mean loss of all held-out tokens and of the answers alone, in nats."""
    sums, counts = torch.zeros(2), torch.zeros(2)
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
        for batch in batches:
            ids, targets, weights, _ = on_device(batch, device)
            losses = token_losses(model, ids, targets).cpu()
            answer = weights.cpu() > 1
            sums += torch.stack((losses.sum(), losses[answer].sum()))
            counts += torch.tensor([losses.numel(), int(answer.sum())])
    whole, middle = (sums / counts).tolist()
    return {"validation": round(whole, 4), "validation_middle": round(middle, 4)}


class TrainingRun:
    """One run of the program: trains until its time is over or it is told to stop, and keeps checkpoints."""

    def __init__(self, options: argparse.Namespace, trainer: Trainer, stream: BatchStream, progress: Progress) -> None:
        self.options = options
        self.trainer = trainer
        self.stream = stream
        self.progress = progress
        self.stopped = False
        self._held_out = validation_batches(trainer_vocabulary(options), options.held_out, options.languages)

    def run(self) -> None:
        """Train; the last thing is a checkpoint."""
        options, progress = self.options, self.progress
        began = saved = logged = time.monotonic()
        first_minutes, first_step = progress.minutes, progress.steps
        plan = options.plan_minutes or progress.minutes + options.minutes
        losses: list[torch.Tensor] = []
        name, tokens = STEADY, 0
        for number, batch in read(self.stream, options.workers):
            now = (time.monotonic() - began) / 60
            share, minutes, stopped = self.team.agree((now / options.minutes, first_minutes + now, self.stopped))
            if share >= 1 or stopped:
                break
            if options.decay and share > 1 - options.decay and name == STEADY:
                self.keep(STEADY)  # what a later run continues from
                name = DECAYED
            self.stream.progress = min(1.0, progress.minutes / plan)
            rate = rate_at(progress.steps - first_step, share, options.decay)
            losses.append(self.trainer.step(batch, rate, packed=options.layout == "packed"))
            progress.steps += 1
            progress.tokens += batch.tokens * self.team.size
            progress.next_pool = max(progress.next_pool, number + 1)
            progress.minutes = minutes
            tokens += batch.tokens * self.team.size
            if len(losses) == LOG_STEPS:
                mean = torch.stack(losses).mean().item()
                pace, logged = tokens / (time.monotonic() - logged), time.monotonic()
                self.say(loss=round(mean, 4), rate=round(rate, 3), tokens_per_s=round(pace), longest=batch.ids.shape[1])
                losses, tokens = [], 0
            if time.monotonic() - saved > options.save_minutes * 60:
                self.keep(name)
                saved = logged = time.monotonic()
                losses, tokens = [], 0
        self.keep(name)

    @property
    def team(self) -> Team:
        """The processes that train together."""
        return self.trainer.team

    def keep(self, name: str) -> None:
        """Write a checkpoint, measure it, and hand its weights over where that is wanted."""
        if not self.team.leads:
            return
        checkpoint.save(self.options.out, name, self.trainer.state(self.progress))
        if self.options.deliver:
            halves = {key: value.half() for key, value in self.trainer.model.state_dict().items()}
            shape = asdict(self.trainer.model.shape)
            value = {"shape": shape, "model": halves, "progress": asdict(self.progress)}
            checkpoint.save(self.options.deliver, "weights", value)
        self.say(kept=name, **validate(self.trainer.model, self._held_out, self.trainer.device))

    def say(self, **facts: object) -> None:
        """Print a line and add it to the log."""
        if not self.team.leads:
            return
        done = self.progress
        row = {"steps": done.steps, "tokens": done.tokens, "minutes": round(done.minutes, 2), **facts}
        print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)
        for folder in filter(None, (self.options.out, self.options.deliver)):
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(row) + "\n")


def dry_run(trainer: Trainer, stream: BatchStream, options: argparse.Namespace) -> None:
    """Take some steps through all lengths and print loss, speed and memory; writes nothing."""
    began, tokens, warm_began, warm_tokens = time.monotonic(), 0, 0.0, 0
    for step, (_, batch) in enumerate(read(stream, options.workers)):
        if step == DRY_STEPS or time.monotonic() - began > DRY_SECONDS:
            break
        stream.progress = step / DRY_STEPS
        loss = trainer.step(batch, rate_at(step, 0.0, 0.0), packed=options.layout == "packed")
        tokens += batch.tokens
        if step % 10 == 0:
            print(f"step {step} shape {batch.ids.shape} loss {loss.item():.3f} {time.monotonic() - began:.1f} s")
            if step == 10:  # compiled by now
                warm_began, warm_tokens = time.monotonic(), tokens
    last = loss.item()  # waits for the device
    pace = (tokens - warm_tokens) / (time.monotonic() - warm_began) if warm_began else 0.0
    filled = batch.tokens / batch.ids.size
    is_cuda = trainer.device.type == "cuda"
    memory = torch.cuda.max_memory_allocated() if is_cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"loss {last:.3f}, {pace:,.0f} tokens/s, {memory / 1e9:.2f} GB, last batch {filled:.0%} full")


def trainer_vocabulary(options: argparse.Namespace) -> Vocabulary:
    """Return the tokenizer that the run uses."""
    return Vocabulary(options.tokenizer)


def prepare(options: argparse.Namespace, team: Team) -> tuple[Trainer, BatchStream, Progress]:
    """Load data and model: the last checkpoint of ``--out``, else ``--from``, else a new model."""
    torch.manual_seed(options.seed)
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    torch.set_float32_matmul_precision("high")
    vocabulary = trainer_vocabulary(options)
    progress, state = Progress(), None
    if checkpoint.exists(options.out, STEADY) and not options.dry_run:
        state = checkpoint.load(options.out, STEADY)
        progress = Progress(**state["progress"])
        model = SparkModel(ModelShape(**state["shape"]))
        model.load_state_dict(state["model"])
        print(f"going on after {progress.minutes:.0f} minutes, {progress.tokens / 1e6:.1f} M tokens")
    elif options.start:
        shape, weights = load_weights(options.start)
        model = SparkModel(shape)
        model.load_state_dict(weights)
    else:
        sizes = {**asdict(SHAPES[options.shape]), "vocabulary": vocabulary.size}
        model = SparkModel(ModelShape(**sizes))
    trainer = Trainer(model, device, compiles=options.layout == "packed" and device.type == "cuda", team=team)
    for optimiser, saved in zip(trainer.optimisers, state["optimisers"] if state else (), strict=False):
        optimiser.load_state_dict(saved)
    sampler = Sampler(read_corpus(options.corpus, options.languages), vocabulary, longest=options.longest)
    _ = sampler.library.twins  # made once, before workers are forked
    plan = StreamPlan(options.seed, options.layout, options.row_tokens, options.batch_tokens // team.size)
    print(f"{model.shape.parameters:,} parameters, {len(sampler.files):,} files, {options.layout} on {device}")
    return trainer, BatchStream(sampler, plan, progress.next_pool, member=team.rank, members=team.size), progress


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; what depends on the device is filled in."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="wall-clock budget of this run")
    parser.add_argument("--plan-minutes", type=float, help="of all runs together; sets how soon samples grow long")
    parser.add_argument("--decay", type=float, default=0.0, help="last share of the run in which the rate falls")
    parser.add_argument("--dry-run", action="store_true", help="some steps, then tokens/s, memory and loss")
    parser.add_argument("--shape", choices=SHAPES, default="nano")
    parser.add_argument("--from", dest="start", type=Path, help="a GGUF or a checkpoint folder to start from")
    parser.add_argument("--out", type=Path, default=HERE / "out" / "nano", help="where checkpoints are kept")
    parser.add_argument("--deliver", type=Path, help="folder for half-precision weights and the log")
    parser.add_argument("--save-minutes", type=float, default=5.0)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--held-out", type=Path, default=HELD_OUT)
    parser.add_argument("--languages", nargs="*", default=(), help="only these, python say; all where none is named")
    parser.add_argument("--tokenizer", type=Path, default=TOKENIZER)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--layout", choices=("rows", "packed"))
    parser.add_argument("--longest", type=int, help="longest sample in tokens")
    parser.add_argument("--row-tokens", type=int, default=8192, help="width of packed rows")
    parser.add_argument("--batch-tokens", type=int)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1, help="on a CPU: as many as cores, with --threads 1")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    is_cuda = options.device.startswith("cuda")
    usual = (("layout", "rows", "packed"), ("longest", 2048, 8192), ("batch_tokens", 8192, 131_072), ("workers", 0, 14))
    for name, on_cpu, on_cuda in usual:
        if getattr(options, name) is None:
            setattr(options, name, on_cuda if is_cuda else on_cpu)
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, or do a dry run."""
    options = read_options(arguments)
    train_together(options.processes, partial(take_part, options))
    return 0


def take_part(options: argparse.Namespace, team: Team) -> None:
    """Train, or do a dry run, as one process of a team."""
    trainer, stream, progress = prepare(options, team)
    if options.dry_run:
        dry_run(trainer, stream, options)
        return
    run = TrainingRun(options, trainer, stream, progress)

    def stop(_signal: int, _frame: object) -> None:
        run.stopped = True

    for signal_number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(ValueError):  # not on the main thread, as in tests
            signal.signal(signal_number, stop)
    run.run()


if __name__ == "__main__":
    sys.exit(main())
