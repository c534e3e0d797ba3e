"""A workspace over a fixture and a scripted engine, built as ``app`` builds a real one."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from scripts.harness.fixture import Fixture, write_workspace
from spark_lsp.actions.base import ActionRunner
from spark_lsp.actions.catalog import CATALOG
from spark_lsp.completion.completer import Completer
from spark_lsp.completion.cursor_prefetch import CursorPrefetch
from spark_lsp.completion.feedback import Feedback
from spark_lsp.completion.postprocess.known_names import IsKnownName
from spark_lsp.completion.shown import READ_MS
from spark_lsp.config import ActionsSettings, CompletionSettings
from spark_lsp.engine.base import Engine
from spark_lsp.index.ranking.recent import Recent
from spark_lsp.index.storage.view import EMPTY_VIEW
from spark_lsp.index.store import Index
from spark_lsp.pacing import TypingActivity
from spark_lsp.prompt.budget_policy import PromptLimits
from spark_lsp.prompt.prefix_prefill import LOOK_AGAIN_S
from spark_lsp.prompt.typing_prompts import TypingPrompts
from spark_lsp.prompt.workspace_context import WorkspaceContext
from spark_lsp.text.language import language_of_path
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.trace import TraceRecord

FAST = CompletionSettings(debounce=0, deadline_ms=5000, min_confidence=0.2)


def snapshot_of(path: str, text: str, version: int = 1) -> Snapshot:
    """An open document that belongs to no file."""
    language = language_of_path(path)
    return Snapshot(f"file:///w/{path}", Path("/w") / path, version, language.name if language else "plaintext", text)


class TestWorkspace:
    """One workspace's workspace; ``log`` keeps the trace records."""

    __test__ = False

    def __init__(
        self,
        engine: Engine,
        *,
        index: Index | None = None,
        settings: CompletionSettings = FAST,
        ceiling_tokens: int = 4096,
        feedback: Feedback | None = None,
        is_known_name: IsKnownName = lambda _name: True,
        exclude: Collection[str] = (),
        read_ms: float = READ_MS,
        typing: TypingActivity | None = None,
        is_resting: Callable[[], bool] | None = None,
        look_again_s: float = LOOK_AGAIN_S,
    ) -> None:
        self.engine = engine
        self.index = index
        self.recent = Recent()
        self.log: list[TraceRecord] = []
        self.typing = typing or TypingActivity()
        self.context = WorkspaceContext(
            engine,
            index.view if index else lambda: EMPTY_VIEW,
            self.recent,
            repository="w",
            relative=lambda snapshot: snapshot.path.relative_to("/w").as_posix() if snapshot.path else "untitled",
            limits=PromptLimits(ceiling_tokens, 300),
            is_whole=lambda: index is None or index.is_whole,
            is_resting=is_resting or self.typing.is_resting,
            look_again_s=look_again_s,
        )
        self.prompts = TypingPrompts(self.context)
        self.completer = Completer(
            engine,
            self.prompts,
            settings,
            self.log.append,
            feedback or Feedback(),
            is_known_name=is_known_name,
            is_excluded=lambda cursor: bool(cursor.snapshot.path) and cursor.snapshot.path.name in exclude,
            read_ms=read_ms,
        )
        self.cursor_prefetch = CursorPrefetch(
            engine, self.context, self.prompts, self.completer.refuses, self.typing, settle_s=0.0
        )
        self.actions = ActionRunner(CATALOG, engine, self.context, ActionsSettings(), self.log.append)

    @property
    def reasons(self) -> Sequence[str]:
        """Reason codes of the finished requests, in order."""
        return [record.reason for record in self.log]


def indexed(fixture: Fixture, folder: Path) -> Index:
    """Write a fixture to a folder and index it."""
    write_workspace(fixture, folder)
    index = Index(folder)
    index.refresh()
    return index
