"""The closed error tree and the closed list of reason codes.

    SparkError
    ├── SettingsError          a setting or an argument that cannot be used
    ├── WorkspaceError         a folder or file that cannot be read as asked
    ├── ModelError
    │   ├── ModelMissing       no file where the model should be
    │   │   ├── ModelNotPulled    a model of the catalogue that is not on this machine yet
    │   │   └── ModelSourceFailed a source of a model's file that did not deliver it; another one may
    │   ├── ModelUnusable      a file that llama.cpp cannot run (not GGUF, truncated, no memory)
    │   └── ModelNoFim         a model whose vocabulary holds no fill-in-the-middle family we know
    └── EngineError
        ├── EngineStarting     not there yet; ask again
        ├── EngineFailed       died, refused, or could not be started
        ├── ConsentNeeded      a remote endpoint to which the user has not let code go yet
        └── EngineProtocolError  a peer that does not speak our frames

Core modules return less rather than raise; only engine and crawl raise. There is no other exception class.
"""

from collections.abc import Callable
from typing import Final, final


@final
class Reason:
    """Why an answer is what it is. Closed: docs/protocol.md lists the same codes and a test compares."""

    OK: Final = "ok"
    EMPTY: Final = "empty"
    CANCELLED: Final = "cancelled"
    SUPERSEDED: Final = "superseded"
    TIMEOUT: Final = "timeout"
    ENGINE_STARTING: Final = "engine.starting"
    ENGINE_FAILED: Final = "engine.failed"
    MODEL_MISSING: Final = "model.missing"
    MODEL_NO_FIM: Final = "model.no_fim"
    DISABLED: Final = "disabled"
    PAUSED: Final = "paused"

    @staticmethod
    def gate(name: str) -> str:
        """Name the gate that refused a request."""
        return f"gate.{name}"

    @staticmethod
    def edit(name: str) -> str:
        """Name why no next edit is shown."""
        return f"edit.{name}"

    @staticmethod
    def trimmed(rule: str) -> str:
        """Name the trim rule that left nothing of a model's output."""
        return f"trimmed.{rule}"


class SparkError(Exception):
    """Root of the tree. ``str(error)`` is one plain sentence for the user: what was found and what was expected."""

    reason: str = Reason.ENGINE_FAILED

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix
        """What the user can do about it; empty when there is nothing."""


class SettingsError(SparkError):
    """A setting or argument that cannot be used."""


class WorkspaceError(SparkError):
    """A folder or file that cannot be read as asked."""


class ModelError(SparkError):
    """A model that cannot serve."""


class ModelMissing(ModelError):
    """No file where the model should be."""

    reason = Reason.MODEL_MISSING


class ModelNotPulled(ModelMissing):
    """A model of the catalogue that is not on this machine yet."""

    def __init__(self, message: str, *, fix: str, pull: Callable[[Callable[[str, int, int], None]], object]) -> None:
        super().__init__(message, fix=fix)
        self.pull = pull
        """Downloads it, telling step, bytes done and bytes of; blocks. Only to be called when the user wants it."""


class ModelSourceFailed(ModelMissing):
    """A source of a model's file that did not deliver it; another one may."""


class ModelUnusable(ModelError):
    """A file that llama.cpp cannot run."""

    reason = Reason.ENGINE_FAILED


class ModelNoFim(ModelError):
    """A model without a fill-in-the-middle family that we know."""

    reason = Reason.MODEL_NO_FIM


class EngineError(SparkError):
    """The engine cannot answer."""


class EngineStarting(EngineError):
    """The engine is not there yet."""

    reason = Reason.ENGINE_STARTING


class EngineFailed(EngineError):
    """The engine died, refused, or could not be started."""


class ConsentNeeded(EngineError):
    """A remote endpoint to which the user has not let code go yet."""

    def __init__(self, message: str, *, fix: str, grant: Callable[[], None]) -> None:
        super().__init__(message, fix=fix)
        self.grant = grant
        """Remembers the user's consent. Only to be called when the user gave it."""


class EngineProtocolError(EngineError):
    """A peer that does not speak our frames."""
