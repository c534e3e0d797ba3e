"""Compare rename follow-ups with rope's renaming on real modules; needs ``pip install rope``.

usage: python -m scripts.judge_next_edits FOLDER [--count N] [--seed N]

Takes modules of a folder of packages at random, renames one identifier at its definition, and requests what follows in
that file. An edit that rope does not make is printed with its place; check each, because rope errs too.
"""

import argparse
import ast
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_lsp.edits.chain import Chain
from spark_lsp.edits.computed import computed
from spark_lsp.edits.next_edit import Situation
from spark_lsp.edits.renamed import Renamed, renamed_between
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.snapshot import LineTable

MAX_CHARACTERS = 60_000
ADDED = "_renamed"


@dataclass(frozen=True, slots=True)
class Trial:
    """One identifier at its definition."""

    path: Path
    text: str
    name: str
    place: Span
    kind: str


def main() -> None:
    """Run the trials and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    times_ms: list[float] = []
    with tempfile.TemporaryDirectory(prefix="rope-") as scratch:
        copy = Path(scratch) / "packages"
        shutil.copytree(arguments.folder, copy, ignore=shutil.ignore_patterns("*.dist-info", "bin", "__pycache__"))
        judge = RopeJudge(copy)
        for number, trial in enumerate(trials(copy, arguments.count, arguments.seed)):
            if number % 40 == 0:
                _say(f"{number} situations, {counts['edits']} edits, {counts['edits of rope as well']} of rope as well")
            started = time.perf_counter()
            ours, silence = follow_ups(trial)
            times_ms.append((time.perf_counter() - started) * 1000)
            counts[f"silent {silence}"] += ours is None
            _count(counts, trial, ours or frozenset(), judge)
    times_ms.sort()
    for name, count in sorted(counts.items()):
        _say(f"{name:28} {count}")
    _say(f"ms p50 {times_ms[len(times_ms) // 2]:.0f} p95 {times_ms[len(times_ms) * 95 // 100]:.0f}")


def _count(counts: Counter[str], trial: Trial, ours: frozenset[Span], judge: "RopeJudge") -> None:
    counts["situations"] += 1
    counts[f"kind {trial.kind}"] += 1
    theirs = judge.places(trial)
    if theirs is None:
        counts["rope refuses"] += 1
        return
    theirs -= {trial.place}
    counts["edits"] += len(ours)
    counts["edits of rope as well"] += len(ours & theirs)
    counts["edits of rope alone"] += len(theirs - ours)
    counts["situations alike"] += ours == theirs
    lines = LineTable.of(trial.text)
    for span in sorted(ours - theirs):
        _say(f"ours alone: {trial.path}:{lines.line_of(span.start) + 1}: {trial.name} ({trial.kind})")
    for span in sorted(theirs - ours):
        line = lines.line_of(span.start)
        counts[f"rope alone in {trial.kind}"] += 1
        _say(f"rope alone: {trial.path}:{line + 1}: {trial.name} ({trial.kind}): {lines.span(line).text(trial.text)}")


def trials(folder: Path, count: int, seed: int) -> Iterator[Trial]:
    """Yield definitions drawn at random: first a module, then a name in it."""
    draw = random.Random(seed)  # noqa: S311 - a sample, not a secret
    paths = sorted(path for path in folder.rglob("*.py") if 500 < path.stat().st_size < MAX_CHARACTERS)
    drawn = 0
    while drawn < count:
        path = draw.choice(paths)
        text = path.read_text("utf-8")
        places = definitions(text)
        if not places:
            continue
        name, place, kind = draw.choice(places)
        drawn += 1
        yield Trial(path, text, name, place, kind)


def definitions(text: str) -> list[tuple[str, Span, str]]:
    """Return the names that a module defines, each with its place and kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    lines = LineTable.of(text)
    names = []
    for node in ast.walk(tree):
        name, line, column, kind = "", getattr(node, "lineno", 0), getattr(node, "col_offset", 0), type(node).__name__
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        elif isinstance(node, ast.arg):
            name = node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = node.name
            word = "class " if isinstance(node, ast.ClassDef) else "def "
            start = text.find(f"{word}{name}", lines.starts[line - 1] if line else 0)
            column = start + len(word) - lines.starts[line - 1]
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            name, line, column = node.attr, node.end_lineno or 0, (node.end_col_offset or 0) - len(node.attr)
        start = lines.starts[line - 1] + column if line else 0
        place = Span(max(0, start), max(0, start) + len(name))
        if name and not name.startswith("__") and place.text(text) == name:
            names.append((name, place, kind))
    return names


def follow_ups(trial: Trial) -> tuple[frozenset[Span] | None, str]:
    """Return the places of the old text that we would rename; None for silence, with its reason."""
    new = trial.name + ADDED
    now = apply_edits(trial.text, [Edit(trial.place, new)])
    answer = computed(Situation(str(trial.path), LANGUAGES["python"], now, (trial.text,)))
    if not isinstance(answer, Chain):
        return None, answer.name
    after = apply_edits(now, [Edit(edit.span, edit.new_text) for edit in answer.edits])
    renaming = renamed_between(trial.text, after)
    places = frozenset(renaming.places) if isinstance(renaming, Renamed) else frozenset()
    return places - {trial.place}, ""


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class RopeJudge:
    """A rope project over the packages."""

    def __init__(self, folder: Path) -> None:
        from rope.base.project import Project  # noqa: PLC0415 - only this script needs it

        self._folder = folder
        self._project: Any = Project(str(folder), ropefolder=None)

    def places(self, trial: Trial) -> frozenset[Span] | None:
        """Return where rope renames in the file of the trial; None if it refuses."""
        from rope.base.libutils import path_to_resource  # noqa: PLC0415
        from rope.refactor.rename import Rename  # noqa: PLC0415

        file = path_to_resource(self._project, str(trial.path))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rename = Rename(self._project, file, trial.place.start)
                changes = rename.get_changes(trial.name + ADDED, resources=[file])
        except Exception:  # noqa: BLE001 - what a library raises here is its way to refuse
            return None
        for change in changes.changes:
            renaming = renamed_between(trial.text, change.new_contents)
            if renaming is not None:
                return frozenset(renaming.places)
        return None


if __name__ == "__main__":
    main()
