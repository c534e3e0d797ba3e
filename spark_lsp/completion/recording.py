"""Write a request's whole input to a file on demand, so that a bad suggestion can be replayed and become a test.

Holds file content, so it is written only where the user named a folder, and the log names each file.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from spark_lsp.completion.cursor_context import CursorContext, SelectedItem
from spark_lsp.completion.postprocess.pipeline import Terms, postprocess
from spark_lsp.engine.base import CompletionRequest, ModelInfo, Usage
from spark_lsp.errors import WorkspaceError
from spark_lsp.prompt.budget import Budget
from spark_lsp.prompt.pack import Packed
from spark_lsp.prompt.window import Window
from spark_lsp.text.edit import Span, apply_edits
from spark_lsp.text.snapshot import Snapshot

if TYPE_CHECKING:
    from spark_lsp.completion.shared_generation import SharedGeneration

FORMAT = 1


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What the model was asked and what became of its answer. ``offset`` is the cursor in code points.

    With an ``selected`` that was chosen in the editor's menu ``text`` and ``offset`` are as if it had been taken.
    """

    format: int
    uri: str
    path: str
    language: str
    text: str
    offset: int
    manual: bool
    max_lines: int
    confidence: float
    request: CompletionRequest
    model: ModelInfo
    raw: str
    """What the model wrote."""
    scores: tuple[tuple[int, float], ...]
    shown: str
    replaced: int
    rule: str
    """The rule that cut or emptied the answer; empty when none did."""
    selected: SelectedItem | None = msgspec.field(default=None, name="entry")
    unknown: tuple[str, ...] = ()
    """Names in the answer that the workspace did not have."""

    @classmethod
    def of(cls, generation: "SharedGeneration", request: CompletionRequest, model: ModelInfo) -> "Recording":
        """Record a generation that has ended."""
        snapshot = generation.cursor.snapshot
        return cls(
            format=FORMAT,
            uri=snapshot.uri,
            path=snapshot.path.as_posix() if snapshot.path else "",
            language=snapshot.language,
            text=snapshot.text,
            offset=generation.cursor.offset,
            manual=generation.manual,
            max_lines=generation.terms.max_lines,
            confidence=generation.terms.confidence,
            request=request,
            model=model,
            raw=generation.raw,
            scores=tuple(generation.scores),
            shown=generation.processed.text,
            replaced=generation.processed.replaced,
            rule=generation.processed.rule,
            selected=generation.cursor.selected,
            unknown=_unknown_names(generation),
        )

    @property
    def cursor(self) -> CursorContext:
        """The cursor as it was."""
        path = Path(self.path) if self.path else None
        return CursorContext(Snapshot(self.uri, path, 0, self.language, self.text), self.offset, self.selected)

    @property
    def terms(self) -> Terms:
        """What a suggestion had to meet."""
        return Terms(self.max_lines, self.confidence, lambda name: name not in self.unknown)

    def as_case(self) -> str:
        """Return the case file of this request: before, what the model said, and what was shown; for the tests."""
        cursor, selected = self.cursor, self.selected
        before = after = cursor.document.text
        at = cursor.offset - len(selected.text) + len(selected.typed) if selected else cursor.offset
        if self.shown:
            after = apply_edits(before, [cursor.edit(self.shown, self.replaced)])
        sections = {"path": Path(self.path).name or "untitled", "before": f"{before[:at]}$0{before[at:]}"}
        if selected:
            sections |= {"entry": selected.text, "over": selected.typed, "behind": selected.behind}
        sections |= {"model": self.raw, "after": after}
        if not self.shown:
            sections["reason"] = f"trimmed.{self.rule}" if self.raw.strip() else "empty"
        if self.manual:
            sections["manual"] = "yes"
        if self.unknown:
            sections["unknown"] = " ".join(self.unknown)
        if self.rule == "confidence":
            sections["confidence"] = str(self.confidence)
            sections["scores"] = " ".join(f"{end}:{chance:.4f}" for end, chance in self.scores)
        return "".join(f"=== {name}\n{body}\n" for name, body in sections.items())


def _unknown_names(generation: "SharedGeneration") -> tuple[str, ...]:
    """Return what the workspace did not know of the names that the judgement of an answer asks for."""
    unknown: dict[str, None] = {}

    def is_known_name(name: str) -> bool:
        is_known = generation.terms.is_known_name(name)
        if not is_known:
            unknown[name] = None
        return is_known

    postprocess(
        generation.cursor,
        generation.raw,
        generation.scores,
        replace(generation.terms, is_known_name=is_known_name),
        finished=True,
    )
    return tuple(unknown)


class RecordedPrompts:
    """Gives the recorded prompt again, whatever the workspace holds by now."""

    digest = "recorded"

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def prepare(self, snapshot: Snapshot, offset: int) -> None:
        """Prepare nothing: all is there."""

    async def pack_for(self, _snapshot: Snapshot, offset: int) -> Packed:
        """Return the recorded prompt."""
        here = Span(offset, offset)
        return Packed(self._recording.request.prompt, (), Window(here, here, 0, 0), 0, Budget(0, 0, 0, 0, 0))

    def stops(self) -> tuple[str, ...]:
        """Return what ended the recorded answer."""
        return self._recording.request.stops

    def learn(self, usage: Usage) -> None:
        """Learn nothing: a replay says nothing of the next request."""


def recorder(folder: Path) -> Callable[[Recording], str]:
    """Return a function that writes each recording to a file of its own in a folder, and returns the file's name."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    count = 0

    def record(recording: Recording) -> str:
        nonlocal count
        count += 1
        path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{count:04}.json"
        path.touch(mode=0o600)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(recording), indent=2))
        return str(path)

    return record


def read_recording(path: Path) -> Recording:
    """Read a recording.

    Raises:
        WorkspaceError: there is no such file, or it is no recording.
    """
    fix = "Record a request with spark-lsp serve --record DIR or spark-lsp complete --record DIR."
    try:
        recording = msgspec.json.decode(path.read_bytes(), type=Recording)
    except OSError as error:
        raise WorkspaceError(f"{path} cannot be read: {error.strerror}.", fix=fix) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WorkspaceError(f"{path} is no recorded request: {error}.", fix=fix) from error
    if recording.format != FORMAT or not 0 <= recording.offset <= len(recording.text):
        raise WorkspaceError(f"{path} is a recording of another version of Spark LSP.", fix=fix)
    return recording
