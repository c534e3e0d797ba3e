"""Define verdicts: what a tool reports about an edited text that it did not report about the text before.

Plain values, and the interface by which ``actions`` asks for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol, get_args

from spark_lsp.text.edit import Edit, apply_edits

VerdictStatus = Literal["passed", "rejected", "absent", "timeout", "failed"]
"""docs/protocol.md describes each, and a test compares."""
VERDICT_STATUSES: Final[tuple[VerdictStatus, ...]] = get_args(VerdictStatus)


@dataclass(frozen=True, slots=True)
class EditedFile:
    """A file that an edit changes: its path, its text before, and the edits in offsets of that text."""

    path: Path
    text: str
    edits: tuple[Edit, ...]

    @property
    def edited_text(self) -> str:
        """Return the text after the edits."""
        return apply_edits(self.text, self.edits)


@dataclass(frozen=True, slots=True)
class ToolProblem:
    """One diagnostic of a tool. ``line`` counts from 1, 0 without a place; ``code`` may be empty."""

    path: Path
    line: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one tool says of an edit. ``problems`` are the new ones; ``message`` is empty if it ``passed``."""

    tool: str
    status: VerdictStatus
    message: str = ""
    problems: tuple[ToolProblem, ...] = ()
    duration_ms: float = 0.0

    @property
    def is_known(self) -> bool:
        """Whether the tool has checked the edit."""
        return self.status in {"passed", "rejected"}


class Verdicts(Protocol):
    """Asks the tools that the user allows and the workspace configures."""

    async def of(self, files: Sequence[EditedFile]) -> tuple[Verdict, ...]:
        """Return one verdict for each tool; none if no tool is responsible. Cancelling stops the tools."""
        ...


class NoVerdicts:
    """No tool is allowed."""

    async def of(self, files: Sequence[EditedFile]) -> tuple[Verdict, ...]:  # noqa: ARG002 - the protocol's
        """Return no verdict."""
        return ()
