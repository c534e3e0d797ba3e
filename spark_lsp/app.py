"""The composition root: the only module, besides the command line, that names concrete engines.

Builds a workspace from settings. Never starts anything and never reads the workspace's files.
"""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec
import platformdirs

from spark_lsp.actions.base import ActionRunner
from spark_lsp.actions.catalog import CATALOG
from spark_lsp.catalog.model_names import model_path, model_reason, useful_tokens
from spark_lsp.catalog.offering import model_choice
from spark_lsp.completion.completer import Completer
from spark_lsp.completion.cursor_prefetch import CursorPrefetch
from spark_lsp.completion.feedback import Feedback
from spark_lsp.completion.open_texts import OpenTexts
from spark_lsp.completion.postprocess.known_names import in_index
from spark_lsp.completion.recording import recorder
from spark_lsp.config import Settings
from spark_lsp.engine.absent import AbsentEngine
from spark_lsp.engine.base import Engine
from spark_lsp.engine.local.local_engine import EngineLaunch, LocalEngine
from spark_lsp.errors import ModelMissing, ModelNotPulled, WorkspaceError
from spark_lsp.index.ranking.recent import Recent
from spark_lsp.index.scan.history import NO_CHANGES
from spark_lsp.index.scan.ignore import CrawlRules, globs_of
from spark_lsp.index.scan.places import shown_path
from spark_lsp.index.scan.privacy import PrivateFiles
from spark_lsp.index.storage.cleanup import mark_used, remove_unused
from spark_lsp.index.storage.view import EMPTY_VIEW
from spark_lsp.index.store import Index
from spark_lsp.index.workers.pool import Workers
from spark_lsp.pacing import TypingActivity
from spark_lsp.prompt.budget_policy import REPLY_TOKENS, PromptLimits
from spark_lsp.prompt.typing_prompts import TypingPrompts
from spark_lsp.prompt.workspace_context import WorkspaceContext
from spark_lsp.text.snapshot import Snapshot, content_hash, notebook_of
from spark_lsp.trace import TraceLog
from spark_lsp.verdict.ask_tools import ToolVerdicts
from spark_lsp.workspace import Workspace

if TYPE_CHECKING:
    from spark_lsp.server.server import SparkServer


MIN_TOKENS = 2048
"""Least context of a model that makes no use of long prompts."""


def open_engine(settings: Settings, root: Path | None = None, *, named_tokens: int = 0) -> Engine:
    """Return the engine that the settings name; nothing is started. ``root`` chooses among remote endpoints.

    A prompt of ``named_tokens``, which a user asks for, gets an engine of its own where the usual one holds less.

    Raises:
        ModelMissing: the model's file is not there.
    """
    if settings.backend.urls:
        return _remote_engine(settings, root)
    return LocalEngine(_launch(settings, named_tokens))


def engine_key(settings: Settings, root: Path | None) -> str:
    """Name the process that serves the settings' model: workspaces with the same name share it.

    Raises:
        ModelMissing: the model's file is not there.
    """
    return f"remote {root}" if settings.backend.urls else repr(_launch(settings))


def _launch(settings: Settings, named_tokens: int = 0) -> EngineLaunch:
    engine = settings.engine
    path = model_path(settings)
    usual = usual_context_tokens(path, settings)
    needed = named_tokens + REPLY_TOKENS if named_tokens else 0
    return EngineLaunch(
        model_path=str(path),
        context_tokens=max(usual, needed),
        is_named_size=needed > usual,
        threads=0 if engine.threads == "auto" else engine.threads,
        gpu_layers=-1 if engine.gpu_layers == "auto" else engine.gpu_layers,
        kv_type=engine.kv_type,
        idle_minutes=engine.idle_minutes,
        memory_limit_bytes=engine.memory_limit_bytes,
        cache_folder=str(kv_cache_folder()) if engine.cache_bytes else "",
        cache_bytes=engine.cache_bytes,
    )


def open_chat_engine(settings: Settings, root: Path | None = None) -> Engine | None:
    """Return the engine of the chat model; None where the model for completions serves both.

    One whose file is missing refuses what needs it, and completions go on.
    """
    if not settings.chat_model.strip() or settings.backend.urls:
        return None
    chat = msgspec.structs.replace(settings, model=settings.chat_model)
    try:
        return None if model_path(chat) == model_path(settings) else open_engine(chat, root)
    except ModelNotPulled as error:  # its advice names the model
        return AbsentEngine(error)
    except ModelMissing as error:
        fix = error.fix.replace("spark.model", "spark.chatModel")
        return AbsentEngine(ModelMissing(f"spark.chatModel: {error}", fix=fix))


def usual_context_tokens(path: Path, settings: Settings) -> int:
    """Return the context that a model is opened with when no size is named: no more than it makes use of."""
    useful = useful_tokens(path)
    most = settings.engine_tokens or settings.context.max_tokens
    return min(most, max(useful + REPLY_TOKENS, MIN_TOKENS)) if useful else most


def _remote_engine(settings: Settings, root: Path | None) -> Engine:
    from spark_lsp.engine.remote.remote_engine import RemoteEngine, RemoteLaunch  # noqa: PLC0415 - brings an HTTP client

    backend = settings.backend
    return RemoteEngine(
        RemoteLaunch(
            urls=backend.urls,
            model=backend.model,
            api_key_env=backend.api_key_env,
            template=backend.template,
            context_tokens=backend.context_tokens,
            ca_file=backend.ca_file,
            workspace=str(root or ""),
        )
    )


def index_cache_path(root: Path) -> Path:
    """Return where the index of a workspace is kept."""
    return Path(platformdirs.user_cache_dir("spark-lsp")) / "index" / f"{content_hash(str(root))}.sqlite"


def kv_cache_folder() -> Path:
    """Return where engines keep the KV files of their models' cached prefixes."""
    return Path(platformdirs.user_cache_dir("spark-lsp")) / "kv"


def verdict_cache_folder(root: Path) -> Path:
    """Return where the tools that check edits keep what they know of a workspace."""
    return Path(platformdirs.user_cache_dir("spark-lsp")) / "verdict" / content_hash(str(root))


def feedback_path() -> Path:
    """Return where the local accept statistics are kept."""
    return Path(platformdirs.user_state_dir("spark-lsp")) / "feedback.jsonl"


def open_workspace(
    root: Path | None,
    settings: Settings,
    previous: Workspace | None = None,
    *,
    log: TraceLog | None = None,
    engine: Engine | None = None,
    record: Path | None = None,
    numbers: Iterator[int] | None = None,
) -> Workspace:
    """Build the workspace at a root; a root of None is a window without a folder.

    ``record`` is a folder that every request's whole input is written to.

    Raises:
        ModelMissing: the model's file is not there.
    """
    engine = engine or open_engine(settings, root)
    log = log or TraceLog()
    recent = previous.recent if previous else Recent()
    problem: WorkspaceError | None = None
    if previous and previous.root == root and previous.settings.context == settings.context:
        index = previous.index
    else:
        index, problem = _open_index(root, settings)
    path = None if settings.backend.urls else model_path(settings)
    typing = TypingActivity()
    context = _context(engine, index, recent, root, settings, path, typing)
    prompts = TypingPrompts(context)
    is_withheld = _withheld(root, settings)
    completer = _completer(engine, prompts, index, root, settings, previous, log, record, is_withheld, numbers)
    chat = open_chat_engine(settings, root)
    actions = _actions(engine, chat, context, root, settings, log, is_withheld)
    cursor_prefetch = CursorPrefetch(engine, context, prompts, completer.refuses, typing)
    return Workspace(
        root,
        engine,
        index,
        recent,
        context,
        completer,
        cursor_prefetch,
        actions,
        log,
        settings,
        problem,
        model_path=path,
        model_reason=model_reason(settings),
        chat_engine=chat,
        engine_key=engine_key(settings, root),
    )


def _context(
    engine: Engine,
    index: Index | None,
    recent: Recent,
    root: Path | None,
    settings: Settings,
    path: Path | None,
    typing: TypingActivity,
) -> WorkspaceContext:
    """Return the prompts' context, no longer than the model in a file makes use of."""
    useful = (useful_tokens(path) if path else 0) or settings.context.max_tokens
    return WorkspaceContext(
        engine,
        index.view if index else lambda: EMPTY_VIEW,
        recent,
        repository=root.name if root else "workspace",
        relative=lambda snapshot: _relative(snapshot, root),
        limits=PromptLimits(min(useful, settings.context.max_tokens), settings.completion.first_token_target_ms),
        history=index.history.view if index else lambda: NO_CHANGES,
        is_whole=lambda: index is None or index.is_whole,
        is_resting=typing.is_resting,
    )


def _completer(
    engine: Engine,
    prompts: TypingPrompts,
    index: Index | None,
    root: Path | None,
    settings: Settings,
    previous: Workspace | None,
    log: TraceLog,
    record: Path | None,
    is_withheld: Callable[[Snapshot], bool],
    numbers: Iterator[int] | None,
) -> Completer:
    """Return the completer; it counts on where the previous one stopped, and stays paused where that one was."""
    feedback = previous.completer.feedback if previous else Feedback()
    feedback.keep_in(feedback_path() if settings.telemetry.local else None)
    excluded = globs_of(settings.completion.exclude)
    open_texts = previous.completer.open_texts if previous else OpenTexts()
    return Completer(
        engine,
        prompts,
        settings.completion,
        log.add,
        feedback,
        is_known_name=lambda name: index is None or in_index(index.view(), name) or open_texts.has_name(name),
        is_excluded=lambda cursor: excluded.matches(_relative(cursor.snapshot, root)),
        is_withheld=lambda cursor: is_withheld(cursor.snapshot),
        is_paused=previous is not None and previous.completer.is_paused,
        record=recorder(record) if record else None,
        open_texts=open_texts,
        numbers=numbers,
    )


def _actions(
    engine: Engine,
    chat: Engine | None,
    context: WorkspaceContext,
    root: Path | None,
    settings: Settings,
    log: TraceLog,
    is_withheld: Callable[[Snapshot], bool],
) -> ActionRunner:
    """Return the code actions; the tools that the user allows check their edits in a workspace with a folder."""
    return ActionRunner(
        CATALOG,
        engine,
        context,
        settings.actions,
        log.add,
        is_withheld=is_withheld,
        chat_engine=chat,
        verdicts=ToolVerdicts(root, settings.verdict, verdict_cache_folder(root)) if root else None,
        root=root,
    )


def _withheld(root: Path | None, settings: Settings) -> Callable[[Snapshot], bool]:
    """Return whether a document must not reach the engine: with a remote one, what the privacy page promises."""
    if not settings.backend.urls:
        return lambda _snapshot: False
    private = PrivateFiles(root, CrawlRules(include=settings.context.include, exclude=settings.context.exclude))

    def is_withheld(snapshot: Snapshot) -> bool:
        path = snapshot.path or notebook_of(snapshot.uri)
        return path is not None and private.holds(path)

    return is_withheld


def open_server(record: Path | None = None) -> "SparkServer":
    """Return the language server, wired to open workspaces as this module does; ``record`` as in ``open_workspace``."""
    from spark_lsp.server.server import SparkServer  # noqa: PLC0415 - pygls takes half a second that only serve needs

    return SparkServer(partial(open_workspace, record=record), model_choice())


def _open_index(root: Path | None, settings: Settings) -> tuple[Index | None, WorkspaceError | None]:
    """Open the index of a folder; one that cannot be a workspace is reported and costs its context, nothing else."""
    if root is None:
        return None, None
    rules = CrawlRules(include=settings.context.include, exclude=settings.context.exclude)
    path = index_cache_path(root)
    try:
        index = Index(root, cache_path=path, rules=rules, workers=Workers())
    except WorkspaceError as error:
        return None, error
    mark_used(path)
    # Runs in the background: a window opens on the event loop, and a large index takes some time to remove.
    threading.Thread(target=remove_unused, args=(path.parent,), name="unused-indexes", daemon=True).start()
    return index, None


def _relative(snapshot: Snapshot, root: Path | None) -> str:
    """Return a document's name to the model: its path in the workspace, of a notebook's cell that of the notebook."""
    path = snapshot.path or notebook_of(snapshot.uri)
    if path is None:
        return unquote(urlsplit(snapshot.uri).path).rpartition("/")[2] or "untitled"
    return shown_path(root, path)
