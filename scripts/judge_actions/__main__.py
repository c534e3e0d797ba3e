"""Run code actions with a real model on published packages, judged from outside: ``python -m scripts.judge_actions``.

Examples: python -m scripts.judge_actions run --model FILE --packages FOLDER --out FOLDER/results.jsonl --tasks 40
          python -m scripts.judge_actions run --typescript --model FILE --packages FOLDER --out FOLDER/results.jsonl
          python -m scripts.judge_actions run --actions implement.body,document --tasks 10 …
          python -m scripts.judge_actions table FOLDER/results.jsonl
          python -m scripts.judge_actions checks --packages FOLDER --tests

Results are written line by line and existing ones are not computed again; the model's answers are stored beside them.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from scripts.judge_actions.corpus import Corpus, corpus_of
from scripts.judge_actions.judges import Verdict, judged
from scripts.judge_actions.recorded import RecordedEngine, ReplayedEngine
from scripts.judge_actions.script_corpus import script_corpora
from scripts.judge_actions.script_judges import judged_script
from scripts.judge_actions.script_tasks import script_tasks
from scripts.judge_actions.solving import Solution, wait_for_names, workspace_of
from scripts.judge_actions.soundness import Soundness, count_checks, soundness_table
from scripts.judge_actions.table import table
from scripts.judge_actions.tasks import MAKERS, Task, tasks_of
from scripts.prove_actions.packages import load
from spark_lsp.actions import implement_body
from spark_lsp.actions.chat import rewrite
from spark_lsp.app import open_engine
from spark_lsp.cli.oneshot import settings_of
from spark_lsp.engine.base import ModelInfo
from spark_lsp.errors import Reason, SparkError

ENGINE_TOKENS = 8192
"""Cells of the engine's context."""


def main() -> int:
    """Run tasks or print the table."""
    parser = argparse.ArgumentParser(
        prog="judge_actions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="do and judge tasks")
    run.add_argument("--model", required=True, help="a GGUF file with a chat template, or a model's name")
    run.add_argument("--packages", type=Path, required=True, help="where published packages are or will be")
    run.add_argument("--out", type=Path, required=True, help="the file of results")
    run.add_argument("--answers", type=Path, help="the file of the model's answers; beside the results without")
    run.add_argument("--pyright", type=Path, help="the program that judges annotations")
    run.add_argument("--actions", default=",".join(MAKERS), help="actions by id, with commas")
    run.add_argument("--typescript", action="store_true", help="packages of npm, judged by vitest, tsc and eslint")
    run.add_argument("--tasks", type=int, default=40, help="tasks of each action")
    run.add_argument("--holes", action="store_true", help="fill in the middle; a chat model is told nothing")
    run.add_argument("--replay", type=Path, help="results whose answers are given again, to holes and whole lines")
    run.add_argument("--seed", type=int, default=1, help="where the dice start")
    run.add_argument("--names", default="", help="packages by name, with commas; all without")
    show = commands.add_parser("table", help="print outcomes")
    show.add_argument("files", type=Path, nargs="+")
    checks = commands.add_parser("checks", help="count what the checks refuse of right and of wrong bodies")
    checks.add_argument("--packages", type=Path, required=True, help="where published packages are or will be")
    checks.add_argument("--names", default="", help="packages by name, with commas; all without")
    checks.add_argument("--tests", action="store_true", help="also run the tests that are made of examples")
    options = parser.parse_args()
    if options.command == "table":
        sys.stdout.write(table(row for file in options.files for row in _rows(file)))
        return 0
    if options.command == "checks":
        soundness = Soundness()
        for corpus in _corpora(options):
            count_checks(corpus, soundness, run_tests=options.tests)
            sys.stderr.write(f"{corpus.package.name}, so far:\n{soundness_table(soundness)}")
        sys.stdout.write(soundness_table(soundness))
        return 0
    asyncio.run(_run(options))
    return 0


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    if file.exists():
        yield from (json.loads(line) for line in file.read_text("utf-8").splitlines() if line)


def _corpora(options: argparse.Namespace) -> Iterator[Corpus]:
    wanted = set(options.names.split(",")) - {""}
    for package in load():
        corpus = corpus_of(package, options.packages) if not wanted or package.name in wanted else None
        if corpus is not None:
            yield corpus


@dataclass(frozen=True, slots=True)
class _Subject:
    """A package and its judge."""

    name: str
    root: Path
    judge: Callable[[Task, Solution], Verdict]


def _subjects(options: argparse.Namespace) -> tuple[list[_Subject], list[Task]]:
    corpora = list(_corpora(options))
    actions = options.actions.split(",")
    subjects = [
        _Subject(corpus.package.name, corpus.root, partial(judged, corpus=corpus, pyright=options.pyright))
        for corpus in corpora
    ]
    return subjects, [task for action in actions for task in tasks_of(action, corpora, options.tasks, options.seed)]


def _script_subjects(options: argparse.Namespace) -> tuple[list[_Subject], list[Task]]:
    corpora = list(script_corpora(options.packages, set(options.names.split(",")) - {""}))
    actions = options.actions.split(",")
    subjects = [_Subject(corpus.name, corpus.folder.root, partial(judged_script, corpus=corpus)) for corpus in corpora]
    return subjects, [task for action in actions for task in script_tasks(action, corpora, options.tasks, options.seed)]


async def _run(options: argparse.Namespace) -> None:
    wait_for_names()
    implement_body.ASKS_IN_WORDS = not options.holes
    if options.replay:
        await _replay(options)
        return
    subjects, tasks = (_script_subjects if options.typescript else _subjects)(options)
    done = {row["id"] for row in _rows(options.out)}
    settings = settings_of(None, options.model)
    small = msgspec.structs.replace(settings.context, max_tokens=ENGINE_TOKENS)
    real = open_engine(msgspec.structs.replace(settings, context=small))
    engine = RecordedEngine(real, options.answers or options.out.with_suffix(".answers.jsonl"))
    try:
        model = (await engine.start()).name
        for subject in subjects:
            own = [task for task in tasks if task.package == subject.name and task.id not in done]
            if own:
                await _of_package(subject, own, engine, model, options)
    finally:
        await engine.close()


async def _replay(options: argparse.Namespace) -> None:
    """Judge the answers of an earlier run by the current checks; those answers did not begin with a signature."""
    implement_body.ASKS_IN_WORDS = False
    vars(rewrite)["head_of"] = lambda _target, _region: ""
    before = {row["id"]: row for row in _rows(options.replay)}
    subjects, tasks = _subjects(options)
    done = {row["id"] for row in _rows(options.out)}
    for subject in subjects:
        for task in (
            own_task for own_task in tasks if own_task.package == subject.name and own_task.id in before.keys() - done
        ):
            engine = ReplayedEngine(_MODEL)
            engine.left = list(before[task.id]["answers"])
            await _of_package(subject, [task], engine, before[task.id]["model"], options)


_MODEL = ModelInfo(
    name="replayed",
    path="",
    family="qwen2.5-coder",
    fim_order="psm",
    architecture="",
    vocabulary_size=1,
    trained_context_tokens=ENGINE_TOKENS,
    context_tokens=ENGINE_TOKENS,
    has_chat_template=True,
    size_bytes=0,
    fingerprint="replayed",
    chat_template="{% for message in messages %}{{ message.content }}{% endfor %}",
)


async def _of_package(
    subject: _Subject,
    tasks: list[Task],
    engine: RecordedEngine | ReplayedEngine,
    model: str,
    options: argparse.Namespace,
) -> None:
    with workspace_of(subject.name, subject.root, engine) as workspace:
        for task in tasks:
            began = time.perf_counter()
            try:
                solution = await workspace.solve(task)
            except SparkError as error:
                solution = Solution(error.reason, str(error), {}, list(engine.answers), 0)
            row: dict[str, Any] = {
                "id": task.id,
                "action": task.action,
                "model": model,
                "seconds": 0.0,
                **_outcome(task, solution, subject),
            }
            row |= {"task": {"path": task.path, "name": task.name, "instruction": task.instruction}, **asdict(solution)}
            row["seconds"] = round(time.perf_counter() - began, 1)
            options.out.parent.mkdir(parents=True, exist_ok=True)
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            sys.stderr.write(
                f"{row['outcome']:8} {row['seconds']:6} s  {task.id}  {row['message'] or row['said'][-100:]!r}\n"
            )


def _outcome(task: Task, solution: Solution, subject: _Subject) -> dict[str, str]:
    if solution.reason != Reason.OK or not solution.texts:
        return {"outcome": "refused", "said": ""}
    is_right, reason = subject.judge(task, solution)
    return {"outcome": "right" if is_right else "wrong", "said": reason}


if __name__ == "__main__":
    sys.exit(main())
