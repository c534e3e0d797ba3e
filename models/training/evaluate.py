"""Measures a GGUF on held-out packages through the product's own packer and engine.

Each hole is asked for three times with the same window: with the packer's context, with none, with another package's.
usage: python -m models.training.evaluate models/spark-nano/spark-nano.gguf --lines 100 --blocks 50
"""

import argparse
import asyncio
import json
import math
import os
import random
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from models.training.corpus_file import HELD_OUT, SourceFile, read_corpus
from models.training.holes import Hole, Shape, hole_of_shape
from models.training.scores import Outcome, loss_table, table
from spark_lsp.engine.base import CompletionRequest, PromptPart, Sampling
from spark_lsp.engine.fim import FileBlock, build_prompt, family_named
from spark_lsp.engine.local.address import RUNTIME_VARIABLE
from spark_lsp.engine.local.local_engine import EngineLaunch, LocalEngine, stop_engines
from spark_lsp.index.ranking.recent import Recent
from spark_lsp.index.store import Index
from spark_lsp.llama.loading.gguf_model import GgufModel
from spark_lsp.prompt.budget_policy import PromptLimits
from spark_lsp.prompt.cached_prefix import block_of
from spark_lsp.prompt.pack import Packed
from spark_lsp.prompt.workspace_context import WorkspaceContext
from spark_lsp.text.snapshot import Snapshot

MODES = ("none", "context", "random")
MAX_TOKENS = {"line": 64, "block": 256}
MAX_CHARACTERS = {"line": 120, "block": 600}
HOLES_PER_FILE = 5
MIN_PROBABILITY = 1e-12  # a token that rounding made impossible costs this much
NAME = re.compile(r"[^\W\d]\w{2,}")


@dataclass(frozen=True, slots=True)
class Task:
    """A hole and what the packer shows for it."""

    file: SourceFile
    hole: Hole
    packed: Packed

    @property
    def expected(self) -> str:
        """The missing text."""
        return self.hole.of(self.file.text)

    @property
    def blocks(self) -> list[FileBlock]:
        """The other files in the prompt."""
        local = {"header", "prefix", "suffix"}
        return [block_of(segment) for segment in self.packed.segments if segment.kind not in local]

    def text_of(self, kind: str) -> str:
        """Return the window's prefix or suffix."""
        return next((segment.text for segment in self.packed.segments if segment.kind == kind), "")

    @property
    def needs_shown(self) -> bool:
        """Whether the missing text says a name that only the shown blocks have."""
        seen = set(NAME.findall(self.text_of("prefix") + " " + self.text_of("suffix")))
        shown = {name for block in self.blocks for name in NAME.findall(block.text)}
        return bool(set(NAME.findall(self.expected)) & shown - seen)


def choose_holes(
    files: Sequence[SourceFile], shape: Shape, count: int, seed: int
) -> Iterator[tuple[SourceFile, list[Hole]]]:
    """Yield files with some holes each, spread evenly over the packages."""
    chance = random.Random(f"{seed}:{shape}")
    packages: dict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        packages[file.package].append(file)
    for share, members in enumerate(packages.values()):
        wanted = count // len(packages) + (share < count % len(packages))
        while wanted > 0:
            file = chance.choice(members)
            holes = [
                hole
                for _ in range(min(HOLES_PER_FILE, wanted))
                if (hole := _one_hole(chance, file.text, shape)) is not None
            ]
            wanted -= len(holes)
            yield file, holes


def _one_hole(chance: random.Random, text: str, shape: Shape) -> Hole | None:
    """Choose a hole that says something; of a line, all of its rest."""
    for _ in range(20):
        hole = hole_of_shape(chance, text, shape, most_characters=MAX_CHARACTERS[shape])
        is_whole = shape != "line" or text[hole.end : hole.end + 1] in {"\n", ""}
        if hole.shape == shape and is_whole and len(hole.of(text).strip()) > 1:
            return hole
    return None


@contextmanager
def private_engine(model: Path, threads: int) -> Iterator[LocalEngine]:
    """An engine that shares nothing with the user's."""
    with tempfile.TemporaryDirectory(prefix="spark-") as folder:
        os.environ[RUNTIME_VARIABLE] = folder
        launch = EngineLaunch(model_path=str(model.resolve()), context_tokens=8192, idle_minutes=1.0, threads=threads)
        yield LocalEngine(launch)


async def tasks_of_package(
    engine: LocalEngine, files: Sequence[SourceFile], chosen: Sequence[tuple[SourceFile, list[Hole]]], tokens: int
) -> list[Task]:
    """Let the packer pack for the holes of one package, over an index of the package."""
    tasks: list[Task] = []
    with tempfile.TemporaryDirectory(prefix="spark-eval-") as folder:
        root = Path(folder)
        for file in files:
            (root / file.path).parent.mkdir(parents=True, exist_ok=True)
            (root / file.path).write_text(file.text, "utf-8")
        index = Index(root)
        index.refresh()
        context = WorkspaceContext(
            engine,
            index.view,
            Recent(),
            repository=files[0].package,
            relative=lambda snapshot: snapshot.uri.removeprefix("file:///"),
            limits=PromptLimits(tokens, 300, fixed_tokens=tokens),
        )
        for file, holes in chosen:
            await context.prefix.rebuild([file.path])
            context.prefix.assume_resident()
            for hole in holes:
                text = file.text[: hole.start] + file.text[hole.end :]
                snapshot = Snapshot(f"file:///{file.path}", root / file.path, 1, file.language, text)
                tasks.append(Task(file, hole, await context.pack_for(snapshot, hole.start)))
        index.close()
    return tasks


def prompts(task: Task, foreign: Sequence[FileBlock], order: str) -> dict[str, tuple[PromptPart, ...]]:
    """Return the prompt of each mode; only the blocks in front differ."""
    family = family_named("qwen2.5-coder")
    assert family, "the engine knows the family of its own model"

    def laid_out(blocks: Sequence[FileBlock]) -> tuple[PromptPart, ...]:
        return build_prompt(
            family,
            "psm" if order == "psm" else "spm",
            repository=task.file.package,
            blocks=blocks,
            current_path=task.file.path,
            prefix=task.text_of("prefix"),
            suffix=task.text_of("suffix"),
        )

    return {"none": laid_out(()), "context": task.packed.parts, "random": laid_out(foreign)}


async def ask(engine: LocalEngine, parts: tuple[PromptPart, ...], most_tokens: int) -> tuple[str, bool]:
    """Return the greedy answer and whether it ended by itself."""
    text, ends = "", False
    async with aclosing(engine.generate(CompletionRequest(prompt=parts, max_tokens=most_tokens))) as chunks:
        async for chunk in chunks:
            text += chunk.text
            ends = chunk.stop in ("end", "stop_token")
    return text, ends


async def cost_of(engine: LocalEngine, parts: tuple[PromptPart, ...], tokens: Sequence[int]) -> float:
    """Return the nats that a text costs behind a prompt: a grammar makes the model write it, token by token.

    A grammar forbids tokens and leaves probabilities as they are, so those of the answer are the model's own.
    """
    grammar = "root ::= " + " ".join(f"<[{token}]>" for token in tokens)
    request = CompletionRequest(
        prompt=parts, max_tokens=len(tokens), sampling=Sampling(grammar=grammar), speculate=False
    )
    scores: list[float] = []
    async with aclosing(engine.generate(request)) as chunks:
        async for chunk in chunks:
            scores += [probability for _, probability in chunk.scores]
    assert len(scores) == len(tokens), "a forced answer has the tokens that it is forced to"
    return -sum(math.log(max(probability, MIN_PROBABILITY)) for probability in scores)


def judged(task: Task, mode: str, answer: str, *, ends: bool) -> Outcome:
    """Compare an answer; of a line only its first line counts, as the product shows it."""
    shape = task.hole.shape
    shown = answer.split("\n", 1)[0] if shape == "line" else answer
    expected, shown = task.expected.rstrip(), shown.rstrip()
    similarity = Levenshtein.normalized_similarity(expected, shown)
    file = task.file
    return Outcome(file.package, file.path, shape, mode, expected, answer, expected == shown, similarity, ends)


async def evaluate(options: argparse.Namespace) -> list[Outcome]:
    """Measure; all tasks are packed first, so that each finds another package's context."""
    files = [file for file in read_corpus(options.held_out) if file.language in options.languages]
    packages: dict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        packages[file.package].append(file)
    outcomes: list[Outcome] = []
    tokenizer = GgufModel(str(options.model), gpu_layers=0, vocab_only=True) if options.loss else None
    with private_engine(options.model, options.threads) as engine:
        info = await engine.start()
        for shape, count in (("line", options.lines), ("block", options.blocks)):
            chosen = list(choose_holes(files, shape, count, options.seed))
            tasks: list[Task] = []
            for package, members in packages.items():
                own = [(file, holes) for file, holes in chosen if file.package == package]
                tasks += await tasks_of_package(engine, members, own, options.tokens)
            for place, task in enumerate(tasks):
                foreign = _foreign(tasks, place)
                for mode, parts in prompts(task, foreign, info.fim_order).items():
                    answer, ends = await ask(engine, parts, MAX_TOKENS[shape])
                    outcome = judged(task, mode, answer, ends=ends)
                    if tokenizer is not None:
                        tokens = tokenizer.vocabulary.tokenize(task.expected).tolist()
                        nats = await cost_of(engine, parts, tokens)
                        outcome = replace(outcome, nats=nats, tokens=len(tokens), needs_shown=task.needs_shown)
                    outcomes.append(outcome)
        await engine.close()
        await stop_engines()
    return outcomes


def _foreign(tasks: Sequence[Task], place: int) -> list[FileBlock]:
    """Return the blocks of the task of another package that is half a round away."""
    turned = [*tasks[place + len(tasks) // 2 :], *tasks[: place + len(tasks) // 2]]
    own = tasks[place].file.package
    return next((task.blocks for task in turned if task.file.package != own), [])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and keep each answer where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--blocks", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=2048, help="size of the prompts")
    parser.add_argument("--languages", nargs="+", default=["python"])
    parser.add_argument("--held-out", type=Path, default=HELD_OUT)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--loss", action="store_true", help="also what the expected text costs the model, in nats")
    parser.add_argument("--out", type=Path, help="write every answer here, one JSON object a line")
    options = parser.parse_args(arguments)
    outcomes = asyncio.run(evaluate(options))
    print("\n".join(table(outcomes)))
    if options.loss:
        print("\n".join(loss_table(outcomes)))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text("".join(json.dumps(asdict(outcome)) + "\n" for outcome in outcomes), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
