"""Builds ``spark/status``: what the server is doing and what the user can do. Pure; the shape is other AI servers'."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from spark_lsp.errors import ModelNoFim, SparkError
from spark_lsp.workspace import Workspace

StatusKind = Literal["Normal", "Error", "Warning", "Inactive"]


@dataclass(frozen=True, slots=True)
class Status:
    """One status; ``indexed`` is (files done, of)."""

    kind: StatusKind
    busy: bool
    message: str
    model: str
    indexed: tuple[int, int]
    resident_tokens: int
    why: str = ""
    """Why this model serves where the settings name none."""

    def as_json(self) -> dict[str, Any]:
        """Return the contract's object."""
        return {
            "kind": self.kind,
            "busy": self.busy,
            "message": self.message,
            "model": self.model,
            "indexed": {"files": self.indexed[0], "of": self.indexed[1]},
            "resident_tokens": self.resident_tokens,
            "why": self.why,
        }


def status_of(
    workspace: Workspace | None, problem: SparkError | None, indexed: tuple[int, int], *, indexing: bool, starting: bool
) -> Status:
    """Work the status out of the state of the moment."""
    model = workspace.engine.model if workspace else None
    name = model.name if model else ""
    resident = workspace.context.prefix.resident_tokens if workspace else 0
    busy = bool(workspace and (workspace.completer.busy or indexing or starting))
    kind: StatusKind
    if problem:
        kind, message = "Error", f"{problem} {problem.fix}".strip()
    elif workspace and workspace.completer.is_paused:
        kind, message = "Inactive", "Paused. Run the command spark.resume to continue."
    elif workspace and not workspace.settings.completion.enabled:
        kind, message = "Inactive", "Completions are off (spark.completion.enabled)."
    elif model and not model.family:
        missing = ModelNoFim(f"The model {model.name} has no known fill-in-the-middle tokens.")
        kind, message = "Error", f"{missing} Choose a code model: spark-lsp models list."
    elif model is None and starting:
        kind, message = "Warning", "The model is loading."
    elif model is None:
        kind, message = "Normal", "The model is not loaded; the next completion loads it."
    elif indexing:
        kind, message = "Normal", f"Indexing, {indexed[0]} of {indexed[1]} files."
    elif model.warnings:
        kind, message = "Warning", " ".join(model.warnings)
    else:
        recorded = ("Requests are recorded, code included (serve --record).",) if _is_recording(workspace) else ()
        kind, message = "Normal", " ".join(("Ready.", *recorded, *model.notes))
    return Status(kind, busy, message, name, indexed, resident, workspace.model_reason if workspace else "")


def status_of_window(in_use: Status, others: Sequence[tuple[str, Status]]) -> Status:
    """Return the status of the folder in which the user works, with what the others, by their names, add to it.

    An error anywhere is shown, files are counted together.
    """
    statuses = [in_use, *(status for _, status in others)]
    failed = next(((name, status) for name, status in others if status.kind == "Error"), None)
    shown = in_use
    if failed is not None and in_use.kind != "Error":
        name, status = failed
        shown = replace(in_use, kind="Error", message=f"{name}: {status.message}")
    done, of = (sum(status.indexed[place] for status in statuses) for place in (0, 1))
    return replace(shown, busy=any(status.busy for status in statuses), indexed=(done, of))


def _is_recording(workspace: Workspace | None) -> bool:
    return workspace is not None and workspace.completer.writer.is_recording
