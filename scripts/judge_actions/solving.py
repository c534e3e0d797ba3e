"""Have the actions solve the tasks: a package's copy as a workspace, the real engine behind a record of its answers."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from scripts.judge_actions.recorded import RecordedEngine, ReplayedEngine
from scripts.judge_actions.tasks import Task
from spark_lsp.actions import naming
from spark_lsp.actions.base import ActionRunner, BaselineText, Proposal, Target
from spark_lsp.actions.catalog import CATALOG
from spark_lsp.actions.python import annotate_types
from spark_lsp.config import ActionsSettings
from spark_lsp.index.ranking.recent import Recent
from spark_lsp.index.store import Index
from spark_lsp.prompt.budget_policy import PromptLimits
from spark_lsp.prompt.workspace_context import WorkspaceContext
from spark_lsp.text.edit import apply_edits
from spark_lsp.text.language import language_of_path
from spark_lsp.text.snapshot import Snapshot

PROMPT_TOKENS: Final = 768
"""Tokens of a fill-in-the-middle prompt; fixed, so that it does not depend on the current speed of the machine."""
NO_DEADLINE_MS: Final = 3_600_000
_NOT_YET_NS: Final = 10**19
"""A time before which all files count as written: before the document was changed."""


_LEFT_OUT: Final = ("__pycache__", ".git", "node_modules", "dist", "benchmark")
"""What is no source of a package."""


@dataclass(frozen=True, slots=True)
class Solution:
    """What an action proposed: the texts of the files that it changes, and the model's answers."""

    reason: str
    message: str
    texts: dict[str, str]
    answers: list[str]
    tokens: int


def wait_for_names() -> None:
    """Remove the deadline for names and types: on a shared machine it would judge the load."""
    naming.NAME_DEADLINE_MS = NO_DEADLINE_MS  # type: ignore[misc]
    naming.MAX_WAIT_S = NO_DEADLINE_MS / 1000  # type: ignore[misc]
    annotate_types.TYPE_DEADLINE_MS = NO_DEADLINE_MS


class Workspace:
    """A copy of one package with its index."""

    def __init__(self, name: str, root: Path, folder: Path, engine: RecordedEngine | ReplayedEngine) -> None:
        self.root = folder / name
        shutil.copytree(root, self.root, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        self._engine = engine
        self._index = Index(self.root)
        self._index.refresh()
        context = WorkspaceContext(
            engine,
            self._index.view,
            Recent(),
            repository=name,
            relative=lambda snapshot: snapshot.path.relative_to(self.root).as_posix() if snapshot.path else "untitled",
            limits=PromptLimits(PROMPT_TOKENS, 300, fixed_tokens=PROMPT_TOKENS),
        )
        self._actions = ActionRunner(CATALOG, engine, context, ActionsSettings(), lambda _record: None)

    async def solve(self, task: Task) -> Solution:
        """Run the action of a task; the workspace is restored afterwards."""
        with self._edited(task):
            path = self.root / task.path
            language = language_of_path(path)
            text = path.read_text("utf-8")
            snapshot = Snapshot(path.as_uri(), path, 1, language.name if language else "", text)
            diagnostics = (task.diagnostic,) if task.diagnostic else ()
            target = Target.of(snapshot, task.span, diagnostics, task.instruction)
            if task.baseline:
                target = replace(target, baseline=BaselineText(task.baseline, _NOT_YET_NS))
            self._engine.answers.clear()
            proposal = await self._actions.propose(task.action, target)
            return self._solution(task, text, proposal)

    def _solution(self, task: Task, text: str, proposal: Proposal) -> Solution:
        texts = {task.path: apply_edits(text, proposal.edits)} if proposal.edits else {}
        texts |= {file.path: apply_edits(file.text or "", file.edits) for file in proposal.files}
        return Solution(
            proposal.reason, proposal.message, texts, list(self._engine.answers), proposal.usage.generated_tokens
        )

    @contextmanager
    def _edited(self, task: Task) -> Iterator[None]:
        before = {path: (self.root / path).read_text("utf-8") for path in task.texts}
        for path, text in task.texts.items():
            self._set(path, text)
        try:
            yield
        finally:
            for path, old in before.items():
                self._set(path, old)

    def _set(self, path: str, text: str | None) -> None:
        if text is None:
            (self.root / path).unlink()
        else:
            (self.root / path).write_text(text, "utf-8", newline="")
        self._index.update(path, text)

    def close(self) -> None:
        """Close the index."""
        self._index.close()


@contextmanager
def workspace_of(name: str, root: Path, engine: RecordedEngine | ReplayedEngine) -> Iterator[Workspace]:
    """Open a package's copy in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="judge-") as folder:
        opened = Workspace(name, root, Path(folder), engine)
        try:
            yield opened
        finally:
            opened.close()
