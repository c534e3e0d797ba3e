"""Define code actions: their values, their protocol, and the runner that lists and proposes them.

To add an action, add a file with an ``Action`` and a row in ``catalog``. Listing never asks a model.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from spark_lsp.actions.assumption import PROVED
from spark_lsp.actions.check import failure
from spark_lsp.actions.refusal import Assumption, Refusal, RefusalCode
from spark_lsp.actions.verdict_gate import refusal_by
from spark_lsp.actions.withheld import WithheldEngine
from spark_lsp.config import ActionsSettings
from spark_lsp.engine.base import Engine, Usage
from spark_lsp.errors import Reason, SparkError
from spark_lsp.prompt.workspace_context import WorkspaceContext
from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.language import language_of_id, language_of_path
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.text.syntax import Syntax, parse
from spark_lsp.text.syntax_cache import SYNTAX_CACHE
from spark_lsp.trace import Trace, TraceRecord, bug
from spark_lsp.verdict.base import EditedFile, NoVerdicts, Verdict, Verdicts

Needs = Literal["none", "fim", "chat"]

QUICK_FIX = "quickfix"
"""The kind of an action that fixes a diagnostic; each diagnostic of the request gets one."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A diagnostic of any language server. ``code`` and ``source`` may be empty."""

    span: Span
    message: str
    code: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class BaselineText:
    """The text of a document when it was opened, and when it began to change, in nanoseconds of the file clock."""

    text: str
    since_ns: int


@dataclass(frozen=True, slots=True)
class Target:
    """The place of a code action request. ``span`` is the selection, empty for a cursor; ``syntax`` may be None.

    ``diagnostics`` are those of the request; ``instruction`` is what the user wants, in their own words.
    ``baseline`` is the document before it was changed, None if it is not known.
    """

    snapshot: Snapshot
    span: Span
    syntax: Syntax | None
    diagnostics: tuple[Diagnostic, ...] = ()
    instruction: str = ""
    baseline: BaselineText | None = None

    @classmethod
    def of(
        cls, snapshot: Snapshot, span: Span, diagnostics: tuple[Diagnostic, ...] = (), instruction: str = ""
    ) -> "Target":
        """Parse the snapshot; call it on a worker thread, because 2 MB take a quarter of a second."""
        named = language_of_id(snapshot.language)
        language = named or (language_of_path(snapshot.path) if snapshot.path else None)
        return cls(snapshot, span, SYNTAX_CACHE.of(language, snapshot.text, snapshot.uri), diagnostics, instruction)

    @property
    def baseline_syntax(self) -> Syntax | None:
        """Return the tree of the document before it was changed."""
        if self.baseline is None or self.syntax is None:
            return None
        return SYNTAX_CACHE.of(self.syntax.language, self.baseline.text, self.snapshot.uri)


@dataclass(frozen=True, slots=True)
class AvailableAction:
    """An action that applies at a target; ``diagnostic`` is what it would fix, None unless it is a quick fix.

    ``disabled`` says why the action would be refused, if that was requested and is known without computing the edit.
    """

    id: str
    kind: str
    title: str
    needs: Needs
    diagnostic: Diagnostic | None = None
    disabled: Refusal | None = None


@dataclass(frozen=True, slots=True)
class FileEdits:
    """Edits of another file of the workspace; ``path`` is relative to the workspace, with ``/``.

    ``text`` is the content that the edits are for, None for a new file.
    """

    path: str
    text: str | None
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """The edits of an action, all in offsets of the target's snapshot; there are none unless ``reason`` is ``ok``.

    ``message`` says in one sentence why there are none; ``refusal`` is the code if program analysis refused.
    ``files`` are edits of other files that belong to them. ``asks`` makes the client ask the user for confirmation.
    ``assumptions`` are what the edits rest on without a proof; with a refusal, what would lift it.
    ``verdicts`` are those of the tools that checked the edits, or could not.
    """

    id: str
    edits: tuple[Edit, ...]
    reason: str = Reason.OK
    message: str = ""
    usage: Usage = Usage()
    files: tuple[FileEdits, ...] = ()
    asks: bool = False
    refusal: RefusalCode | None = None
    assumptions: frozenset[Assumption] = PROVED
    verdicts: tuple[Verdict, ...] = ()


def refused(action_id: str, refusal: Refusal) -> Proposal:
    """Return the proposal of an action that program analysis found unsafe here."""
    assumptions = PROVED if refusal.assumption is None else frozenset({refusal.assumption})
    return Proposal(
        action_id, (), Reason.gate("unsafe"), refusal.message, refusal=refusal.code, assumptions=assumptions
    )


@dataclass(frozen=True, slots=True)
class Tools:
    """What an action may use for its proposal. ``progress`` receives (tokens, tokens per second) during generation."""

    engine: Engine
    context: WorkspaceContext
    progress: Callable[[int, float], None] = lambda _tokens, _rate: None
    accepts_assumptions: bool = False
    """Whether an edit may rest on an assumption, which the user is told of."""


class Action(Protocol):
    """One code action. ``applies`` is cheap, by syntax and index only; ``propose`` runs once the user has chosen it."""

    id: str
    kind: str
    needs: Needs

    def applies(self, target: Target) -> str:
        """Return the title to offer, or an empty string."""
        ...

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Compute the edits; check again from scratch that the action applies."""
        ...


@runtime_checkable
class Prechecks(Protocol):
    """An action that can tell during listing why it would be refused."""

    def precheck(self, target: Target) -> Refusal | None:
        """Return the refusal, None if there is none or it is not certain; must be as cheap as ``applies``."""
        ...


class ActionRunner:
    """Lists the actions of a catalogue for one workspace, and computes their proposals."""

    def __init__(
        self,
        catalog: Sequence[Action],
        engine: Engine,
        context: WorkspaceContext,
        settings: ActionsSettings,
        log: Callable[[TraceRecord], None],
        *,
        is_withheld: Callable[[Snapshot], bool] = lambda _snapshot: False,
        chat_engine: Engine | None = None,
        verdicts: Verdicts | None = None,
        root: Path | None = None,
    ) -> None:
        """``chat_engine`` serves the actions that need a chat template; without it ``engine`` serves all actions.

        ``verdicts`` are asked about each edit before it is handed out; ``root`` is what paths of files start at.
        """
        self._catalog = catalog
        self._tools = Tools(engine, context)
        self._chat_engine = chat_engine or engine
        self._settings = settings
        self._log = log
        self._is_withheld = is_withheld
        self._verdicts = verdicts or NoVerdicts()
        self._root = root

    def available(
        self, target: Target, *, precheck: bool = False, is_late: Callable[[], bool] = lambda: False
    ) -> list[AvailableAction]:
        """Return the available actions in the catalogue's order. No model is called; an action that fails is left out.

        ``precheck`` also returns actions that can say why they would be refused. Once ``is_late`` is true, no further
        action is examined.
        """
        if not self._settings.enabled:
            return []
        found_actions: dict[tuple[str, Diagnostic | None], AvailableAction] = {}
        for action in self._catalog:
            if is_late():
                break
            if not self._model_can(action.needs):
                continue
            for diagnostic in target.diagnostics if action.kind == QUICK_FIX else (None,):
                narrowed = replace(target, diagnostics=(diagnostic,)) if diagnostic else target
                try:
                    title = action.applies(narrowed)
                    tells = precheck and bool(title)
                    why = action.precheck(narrowed) if tells and isinstance(action, Prechecks) else None
                except Exception as error:  # noqa: BLE001 - one action's failure must not spoil the list
                    bug("action failed to say whether it applies", action=action.id, error=repr(error))
                    continue
                if title:
                    available = AvailableAction(action.id, action.kind, title, action.needs, diagnostic, why)
                    found_actions.setdefault((action.id, diagnostic), available)
        return list(found_actions.values())

    async def propose(
        self,
        action_id: str,
        target: Target,
        progress: Callable[[int, float], None] | None = None,
        *,
        can_confirm: bool = False,
    ) -> Proposal:
        """Run an action and check its edits.

        ``can_confirm`` says that the user sees what an edit rests on before it is applied; otherwise only proved edits
        are made, unless the settings say otherwise.

        Raises:
            EngineError, ModelError: there is no model that could.
        """
        trace = Trace("action", action=action_id, path=str(target.snapshot.path or target.snapshot.uri))
        if (
            target.syntax is not None and target.syntax.error_count
        ):  # an incremental tree may recover from errors in another way
            whole = await asyncio.to_thread(parse, target.syntax.language, target.snapshot.text)
            target = replace(target, syntax=whole)
        named = [entry for entry in self._catalog if entry.id == action_id and self._model_can(entry.needs)]
        # In a thread: an action may need the tree of the text as it was opened.
        action = await asyncio.to_thread(lambda: next((entry for entry in named if entry.applies(target)), None))
        if action is None:
            self._log(trace.finish(Reason.EMPTY))
            return Proposal(action_id, (), Reason.EMPTY, self._why_not(action_id, target))
        served = self._engine_for(action.needs)
        engine = WithheldEngine(served) if self._is_withheld(target.snapshot) else served
        grade = self._settings.assumptions
        accepts = grade == "always" or (grade == "ask" and can_confirm)
        tools = Tools(engine, self._tools.context, progress or self._tools.progress, accepts)
        reason = Reason.CANCELLED
        try:
            proposal = await self._judged(await _checked(await action.propose(target, tools), target), target)
            reason = proposal.reason
        except SparkError as error:
            reason = error.reason
            raise
        finally:
            self._log(trace.finish(reason))
        return proposal

    async def _judged(self, proposal: Proposal, target: Target) -> Proposal:
        """Return the proposal with the tools' verdicts, without its edits if these refuse it."""
        verdicts = await self._verdicts.of(_edited_files(proposal, target, self._root))
        refusal = refusal_by(verdicts, proposal.assumptions) if verdicts else None
        if refusal is None:
            return replace(proposal, verdicts=verdicts)
        return replace(refused(proposal.id, refusal), usage=proposal.usage, verdicts=verdicts)

    def _why_not(self, action_id: str, target: Target) -> str:
        """Say in one sentence why an action was not run: the loaded model cannot do it, or it does not apply."""
        same = [action for action in self._catalog if action.id == action_id]
        lacking = [action for action in same if not self._model_can(action.needs)]
        model = self._engine_for(lacking[0].needs).model if lacking else None
        applies = len(lacking) == len(same) or any(action.applies(target) for action in lacking)
        if not lacking or model is None or not applies:
            return f"{action_id} does not apply here."
        wanted = "fill-in-the-middle tokens" if any(action.needs == "fim" for action in lacking) else "a chat template"
        return f"{action_id} needs a model with {wanted}, and {model.name} has none."

    def _engine_for(self, needs: Needs) -> Engine:
        """Return the engine whose model serves an action."""
        return self._chat_engine if needs == "chat" else self._tools.engine

    def _model_can(self, needs: Needs) -> bool:
        """Whether the loaded model can run an action; a model that is not loaded yet is assumed to be able to."""
        model = self._engine_for(needs).model
        if model is None or needs == "none":
            return True
        return bool(model.family) if needs == "fim" else model.has_chat_template


def _edited_files(proposal: Proposal, target: Target, root: Path | None) -> list[EditedFile]:
    """Return the files on disk that a proposal changes; new files and documents without a file are not among them."""
    path = target.snapshot.path
    own = [EditedFile(path, target.snapshot.text, proposal.edits)] if path is not None and proposal.edits else []
    others = [] if root is None else [(root / file.path, file) for file in proposal.files]
    return own + [EditedFile(there, file.text, file.edits) for there, file in others if file.text is not None]


async def _checked(proposal: Proposal, target: Target) -> Proposal:
    """Return the proposal, without its edits if they fail the checks that every action must pass."""
    if not proposal.edits:
        return proposal
    problem = await asyncio.to_thread(failure, target.snapshot.text, target.syntax, proposal.edits)
    return Proposal(proposal.id, (), Reason.trimmed("check"), problem, proposal.usage) if problem else proposal
