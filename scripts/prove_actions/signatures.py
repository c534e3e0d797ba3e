"""Test ``update.references`` over published packages: change signatures, update the calls, run the package's own tests.

The workspace is a copy of the whole package, tests included. Each change is made on the result of the previous one, and
one run of the tests judges them all; a failing run is bisected.
"""

import asyncio
import random
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from scripts.prove_actions.packaged import MAX_WRONG, names_run, tried
from scripts.prove_actions.packages import Package, Reached, failing, modules
from scripts.prove_actions.real import ProofCounts, first_guilty
from scripts.prove_actions.signature_edits import SignatureEdit, edit_signature
from spark_lsp.actions.base import ActionRunner, BaselineText, Proposal, Target
from spark_lsp.actions.python.call_updates.update import UpdateCalls
from spark_lsp.config import ActionsSettings
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.errors import Reason
from spark_lsp.index.ranking.recent import Recent
from spark_lsp.index.store import Index
from spark_lsp.prompt.budget_policy import PromptLimits
from spark_lsp.prompt.workspace_context import WorkspaceContext
from spark_lsp.text.edit import Span, apply_edits
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.text.syntax import parse

_NOT_YET_NS: Final = 10**15
"""A time before which all files count as written: before the document was changed."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One change: the texts of all files that differ from the package."""

    path: str
    name: str
    outcome: str
    texts: Mapping[str, str]


class _Workspace:
    """A copy of a package with its index, and the action as an editor uses it."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = folder / "workspace"
        shutil.copytree(root, self.root, ignore=shutil.ignore_patterns("__pycache__"))
        self._index = Index(self.root)
        self._index.refresh()
        self._texts: dict[str, str] = {}
        engine = ScriptedEngine(["x"])
        context = WorkspaceContext(
            engine,
            self._index.view,
            Recent(),
            repository="w",
            relative=lambda snapshot: snapshot.path.relative_to(self.root).as_posix() if snapshot.path else "",
            limits=PromptLimits(4096, 300),
            is_whole=lambda: self._index.is_whole,
        )
        self._room = ActionRunner([UpdateCalls()], engine, context, ActionsSettings(), lambda _record: None)

    def text(self, path: str) -> str:
        """Return the current text of a file."""
        return (self.root / path).read_text("utf-8")

    def write(self, texts: Mapping[str, str]) -> None:
        """Write files, and index them again."""
        for path, text in texts.items():
            (self.root / path).write_text(text, "utf-8", newline="")
        self._index.refresh()

    def proposed(self, path: str, before: str, signature: SignatureEdit) -> Proposal:
        """Choose the action on a changed signature."""
        place = self.root / path
        snapshot = Snapshot(place.as_uri(), place, 2, "python", signature.text)
        target = Target.of(snapshot, Span(signature.at, signature.at))
        target = replace(target, baseline=BaselineText(before, time.time_ns() + _NOT_YET_NS))
        return asyncio.run(self._room.propose(UpdateCalls.id, target))

    def close(self) -> None:
        """Close the index."""
        self._index.close()


def prove_signatures(package: Package, folder: Path, seeds: Iterable[int], most: int, counts: ProofCounts) -> None:
    """Run a round for each seed, of up to ``most`` changes, and add to the counts."""
    known = tried(package, folder, counts)
    if known is None:
        return
    root, run, _texts = known
    for seed in seeds:
        wrong: set[tuple[str, str]] = set()
        while (guilty := _round(package, root, run, f"{seed} {package.name}", most, wrong, counts)) and (
            len(wrong) < MAX_WRONG
        ):
            wrong.add(guilty)


def _round(
    package: Package,
    root: Path,
    run: Reached,
    seed: str,
    most: int,
    wrong: AbstractSet[tuple[str, str]],
    counts: ProofCounts,
) -> tuple[str, str] | None:
    """Run one round without the functions whose change went wrong; return the next such function."""
    tried = ProofCounts()
    dice = random.Random(seed)  # noqa: S311 - chooses places, keeps no secret
    texts = modules(package, root)
    named = [(path, name) for path, text in sorted(texts.items()) for name in names_run(path, text, run)]
    left = [(path, name) for path, name in named if name.endswith("__init__") or not name.endswith("__")]
    dice.shuffle(left)
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        workspace = _Workspace(root, Path(folder))
        steps = _changed(workspace, [place for place in left if place not in wrong], dice, most, tried)
        workspace.close()

    def failing_at(number: int) -> str:
        return failing(package, root, steps[number].texts)

    guilty = first_guilty(len(steps), failing_at) if steps and failing_at(len(steps) - 1) else None
    if guilty is None:
        counts.applied += tried.applied
        counts.refused += tried.refused
        return None
    step = steps[guilty[0]]
    counts.wrong.append(f"{package.name}: {step.outcome} of {step.name} in {step.path}: {guilty[1]}")
    return step.path, step.name


def _changed(
    workspace: _Workspace, left: list[tuple[str, str]], dice: random.Random, most: int, counts: ProofCounts
) -> list[_Step]:
    """Change the signatures of some functions, with all calls, one after another."""
    steps: list[_Step] = []
    texts: dict[str, str] = {}
    for path, name in left:
        if len(steps) == most:
            break
        before = workspace.text(path)
        syntax = parse(LANGUAGES["python"], before)
        signature = edit_signature(syntax, name, dice) if syntax is not None else None
        if signature is None:
            continue
        workspace.write({path: signature.text})
        proposal = workspace.proposed(path, before, signature)
        is_edit = bool(proposal.edits or proposal.files)
        if is_edit or (proposal.reason == Reason.EMPTY and "fits already" in proposal.message):
            more = {file.path: apply_edits(file.text or "", file.edits) for file in proposal.files}
            more[path] = apply_edits(signature.text, proposal.edits)
            workspace.write(more)
            texts |= more
            message = f"{signature.kind}, {'calls changed' if is_edit else 'no call to change'}"
            counts.applied[message] += 1
            steps.append(_Step(path, name, message, dict(texts)))
            continue
        workspace.write({path: before})
        counts.refused[signature.kind, _general(proposal.message)] += 1
    return steps


def _general(message: str) -> str:
    """Return a refusal without its place."""
    return message.partition(": ")[2] if ".py:" in message.partition(" ")[0] else message
