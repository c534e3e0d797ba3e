"""Decides whether an editor offers to download a model, which one, and keeps the user's decision.

An editor whose settings name no model and which runs on the embedded one offers the model that ``recommend`` names.
At most one editor asks on a day, "not now" keeps all quiet for a week, "never" for good: small files in the user's
state folder. Nothing here opens the network; the download is ``pull``, after the user has said yes.
"""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import msgspec
import platformdirs

from spark_lsp.catalog.known import KnownModel
from spark_lsp.catalog.measured import this_machine
from spark_lsp.catalog.model_names import EMBEDDED_NAME, MODELS, default_model, model_path
from spark_lsp.catalog.partial import DownloadProgress
from spark_lsp.catalog.recommend import fits, recommend
from spark_lsp.config import Settings

QUIET_DAYS: Final = 7
"""How long nothing is offered after "not now"."""


class _Decision(msgspec.Struct, frozen=True):
    """What the user decided: ``never``, or not before a day."""

    never: bool = False
    not_before: date = date.min


@dataclass(frozen=True, slots=True)
class ModelOffer:
    """A model to offer, and what the answers do."""

    name: str
    message: str
    """One paragraph that asks: name, size and licence."""
    pull: Callable[[DownloadProgress], object]
    """Downloads it; blocks. Only to be called after a yes."""
    decline: Callable[[bool], None]
    """Remembers a no: True for good, False for a week."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What a server asks about models that its settings do not name. ``folder`` holds the user's decisions."""

    folder: Path
    today: Callable[[], date] = date.today

    def model_path(self, settings: Settings) -> str:
        """Return the file that the settings lead to now, empty where no local model serves. May block for seconds.

        Raises:
            ModelMissing: there is no such file.
            SettingsError: the list of the user's own models cannot be read.
        """
        if settings.backend.urls:
            return ""
        return str(model_path(settings))

    def offer(self, settings: Settings) -> ModelOffer | None:
        """Return what to offer, for this process alone to ask; None for nothing. May block for some seconds."""
        if not self._may_offer(settings):
            return None
        model = _recommended(settings)
        if model is None or not self._is_first_today():
            return None
        return ModelOffer(model.name, _message(model), lambda progress: _pull(model, progress), self._decline)

    def _may_offer(self, settings: Settings) -> bool:
        """Whether something might be offered: no model named, the embedded one serves, and the user has not refused."""
        if not settings.offer_model or settings.model.strip() or settings.backend.urls or os.environ.get("CI"):
            return False
        decision = self._decision()
        if decision.never or self.today() < decision.not_before or self._claim().exists():
            return False
        return default_model(settings.engine.memory_limit_bytes).name == EMBEDDED_NAME

    def _decision(self) -> _Decision:
        try:
            return msgspec.json.decode((self.folder / "offer.json").read_bytes(), type=_Decision)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return _Decision()

    def _decline(self, for_good: bool) -> None:
        decision = _Decision(for_good, self.today() + timedelta(days=QUIET_DAYS))
        with contextlib.suppress(OSError):  # asked again on another day, then
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "offer.json").write_bytes(msgspec.json.encode(decision) + b"\n")

    def _claim(self) -> Path:
        return self.folder / f"offered-{self.today().isoformat()}"

    def _is_first_today(self) -> bool:
        """Take today's turn to ask; only one process gets it."""
        claim = self._claim()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            claim.touch(exist_ok=False)
        except OSError:  # taken, or a folder that cannot be written, where a no could not be remembered either
            return False
        for older in self.folder.glob("offered-*"):
            if older != claim:
                older.unlink(missing_ok=True)
        return True


def model_choice() -> ModelChoice:
    """Return the choice with the user's own decisions."""
    return ModelChoice(Path(platformdirs.user_state_dir("spark-lsp")) / "models")


def _recommended(settings: Settings) -> KnownModel | None:
    """Return the model to offer; None where none would serve better than the embedded one."""
    machine = this_machine()
    if machine is None:
        return None
    machine = replace(machine, limit_bytes=settings.engine.memory_limit_bytes)
    candidates = fits(MODELS, machine)
    named = recommend(candidates, machine).name
    best = next(fit for fit in candidates if fit.model.name == named)
    return best.model if best.is_usable and not best.model.is_embedded and not best.model.path else None


def _message(model: KnownModel) -> str:
    size = model.download_bytes
    shown = f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
    return (
        f"Suggestions come from the very small embedded model. {model.name} suits this machine and is much better "
        f"(download of {shown}, licence {model.licence}). Download it?"
    )


def _pull(model: KnownModel, progress: DownloadProgress) -> object:
    from spark_lsp.catalog.pull import pull  # noqa: PLC0415  brings an HTTP client

    return pull(model, progress)
