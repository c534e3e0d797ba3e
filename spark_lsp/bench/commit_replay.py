"""What ``spark-lsp bench edits`` measures: scenarios, and the commits of a repository replayed hunk by hunk.

Of a commit the first hunks of a file are made; what is offered is compared with the rest of the commit.
"""

import random
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Final

from spark_lsp.bench.edit_scenarios import play, read_scenario
from spark_lsp.edits.chain import Chain
from spark_lsp.edits.computed import computed
from spark_lsp.edits.gate import GateContext, gate
from spark_lsp.edits.next_edit import NextEdit, Situation
from spark_lsp.errors import WorkspaceError
from spark_lsp.index.scan.repository import git_environment, git_program
from spark_lsp.text.language import language_of_path
from spark_lsp.text.syntax import common_length

MAX_CHARACTERS: Final = 200_000
MAX_COMMITS: Final = 5_000

Hunk = tuple[int, int, int, int]
"""First and last line before, first and last line after, as ``difflib`` counts them."""


@dataclass(frozen=True, slots=True)
class ReplayedHunk:
    """One file of one commit with its first hunks made: ``rest`` are the lines that the commit still changes.

    ``texts_before`` are the texts before each of them, the newest first.
    """

    path: str
    texts_before: tuple[str, ...]
    now: str
    rest: tuple[Hunk, ...]
    final: str


def measure_scenarios(folder: Path) -> dict[str, Any]:
    """Play every scenario of a folder; return the counts, and the names of those that came out otherwise."""
    counts: Counter[str] = Counter(scenarios=0, as_wanted=0, silent=0, silent_as_wanted=0)
    times_ms: list[float] = []
    wrong: list[str] = []
    for path in sorted(folder.glob("*.txt")):
        scenario = read_scenario(path)
        with tempfile.TemporaryDirectory(prefix="spark-edits-") as scratch:
            started = time.perf_counter()
            outcome = play(scenario, Path(scratch))
            times_ms.append((time.perf_counter() - started) * 1000)
        is_right = outcome.texts == scenario.wanted if scenario.wanted else outcome.steps == 0
        kind = "scenarios" if scenario.wanted else "silent"
        counts[kind] += 1
        counts["as_wanted" if scenario.wanted else "silent_as_wanted"] += is_right
        wrong += [] if is_right else [scenario.name]
    return {**counts, "otherwise": ", ".join(wrong)}


def measure_history(repository: Path, count: int, seed: int, hunk_count: int = 1) -> dict[str, Any]:
    """Replay commits of a repository, drawn at random, with so many hunks of a file made; return counts and times.

    Raises:
        WorkspaceError: the folder is no git repository.
    """
    names = ("asked", "offered", "place_right", "text_exact", "offered_where_nothing_follows", "nothing_follows")
    counts: Counter[str] = Counter(dict.fromkeys(names, 0))
    sources: Counter[str] = Counter()
    times_ms: list[float] = []
    for step in _steps(repository, count, seed, hunk_count):
        started = time.perf_counter()
        edit = _offered(step)
        times_ms.append((time.perf_counter() - started) * 1000)
        follows = bool(step.rest)
        counts["asked" if follows else "nothing_follows"] += 1
        if edit is None:
            continue
        sources[edit.source] += 1
        if not follows:
            counts["offered_where_nothing_follows"] += 1
            continue
        counts["offered"] += 1
        hunk = _hunk_at(step, edit)
        counts["place_right"] += hunk is not None
        counts["text_exact"] += hunk is not None and _is_exact(step, edit, hunk)
    times_ms.sort()
    return {
        **counts,
        "sources": dict(sources),
        "ms_p50": round(times_ms[len(times_ms) // 2]) if times_ms else 0,
        "ms_p95": round(times_ms[len(times_ms) * 95 // 100]) if times_ms else 0,
    }


def _offered(step: ReplayedHunk) -> NextEdit | None:
    """Return the first edit that passes the gate, nearest to the change."""
    language = language_of_path(step.path)
    if language is None:
        return None
    chain = computed(Situation(step.path, language, step.now, step.texts_before, is_whole=False))
    if not isinstance(chain, Chain):
        return None
    shown = GateContext(step.now, step.texts_before)
    offset = common_length(step.texts_before[0], step.now)
    return next((edit for edit in chain.in_order(step.path, offset) if not gate(edit, shown)), None)


def _hunk_at(step: ReplayedHunk, edit: NextEdit) -> Hunk | None:
    line = step.now.count("\n", 0, edit.span.start)
    return next((hunk for hunk in step.rest if hunk[0] <= line < max(hunk[1], hunk[0] + 1)), None)


def _is_exact(step: ReplayedHunk, edit: NextEdit, hunk: Hunk) -> bool:
    """Whether the lines that the edit leaves are among those that the commit has there."""
    start = edit.text_after.rfind("\n", 0, edit.span.start) + 1
    end = edit.text_after.find("\n", edit.span.start + len(edit.new_text.rstrip("\n")))
    lines = edit.text_after[start : end if end >= 0 else None].split("\n")
    wanted = step.final.split("\n")[hunk[2] : hunk[3]]
    return all(line in wanted for line in lines)


def _steps(repository: Path, count: int, seed: int, hunk_count: int) -> Iterator[ReplayedHunk]:
    draw = random.Random(seed)  # noqa: S311 - a sample, not a secret
    commits = _git(repository, "log", "--no-merges", f"--max-count={MAX_COMMITS}", "--format=%H").split()
    draw.shuffle(commits)
    steps = 0
    for commit in commits:
        changed = _git(repository, "diff-tree", "-r", "--no-commit-id", "--diff-filter=M", "--name-only", commit)
        for path in changed.splitlines():
            step = _step(repository, commit, path, hunk_count) if language_of_path(path) is not None else None
            if step is not None:
                steps += 1
                yield step
            if steps >= count:
                return


def _step(repository: Path, commit: str, path: str, hunk_count: int) -> ReplayedHunk | None:
    before, final = _git(repository, "show", f"{commit}^:{path}"), _git(repository, "show", f"{commit}:{path}")
    if not before or not final or max(len(before), len(final)) > MAX_CHARACTERS:
        return None
    old, new = before.split("\n"), final.split("\n")
    hunks = _hunks(old, new)
    if len(hunks) < hunk_count:
        return None
    texts = []
    for count in range(hunk_count + 1):
        done, at = [], 0
        for first, last, begin, end in hunks[:count]:
            done += [*old[at:first], *new[begin:end]]
            at = last
        texts.append([*done, *old[at:]])
    rest = tuple(_hunks(texts[-1], new))
    earlier = tuple("\n".join(lines) for lines in reversed(texts[:-1]))
    return ReplayedHunk(path, earlier, "\n".join(texts[-1]), rest, final)


def _hunks(old: Sequence[str], new: Sequence[str]) -> list[Hunk]:
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [(first, last, begin, end) for tag, first, last, begin, end in codes if tag != "equal"]


def _git(repository: Path, *arguments: str) -> str:
    program = git_program(repository)
    if program is None:
        raise WorkspaceError("There is no git on this machine.")
    command = [program, "-c", "core.fsmonitor=false", "--no-pager", *arguments]
    done = subprocess.run(  # noqa: S603 - git of the user's PATH
        command, cwd=repository, env=git_environment(), capture_output=True, check=False, timeout=60
    )
    if done.returncode and arguments[0] == "log":
        raise WorkspaceError(f"{repository} is no git repository.")
    return done.stdout.decode("utf-8", "replace")
