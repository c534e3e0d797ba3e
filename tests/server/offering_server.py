"""The real server with a scripted engine and a model to offer: ``python -m tests.server.offering_server FOLDER``.

``FOLDER`` holds ``serving``, the name of the file that serves, and what the answers did: ``declined``, ``asked``.
``OFFER_FAULT`` makes the download fail (``failed``) or wait for the user to cancel (``endless``).
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spark_lsp.app import open_workspace
from spark_lsp.catalog.offering import ModelOffer
from spark_lsp.config import Settings
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.errors import ModelMissing
from spark_lsp.server.model_offers import ModelOfferTimes
from spark_lsp.server.server import SparkServer
from spark_lsp.workspace import Workspace

QUESTION = "A better model suits this machine (500 MB, Apache-2.0). Download it?"


@dataclass(frozen=True)
class FolderChoice:
    """A choice whose state is files."""

    folder: Path

    def model_path(self, settings: Settings) -> str:
        """Return what serves now."""
        return str(self.folder / (self.folder / "serving").read_text("utf-8"))

    def offer(self, settings: Settings) -> ModelOffer | None:
        """Offer always; write down that it was asked for."""
        (self.folder / "asked").touch()
        return ModelOffer("better", QUESTION, self._pull, self._decline) if settings.offer_model else None

    def _pull(self, progress: Callable[[str, int, int], None]) -> object:
        for done in range(0, 101, 10):
            progress("download", done * 1_000_000, 100_000_000)
        if os.environ.get("OFFER_FAULT") == "failed":
            raise ModelMissing("No source can be reached.", fix="Try again later.")
        while os.environ.get("OFFER_FAULT") == "endless":
            progress("download", 99_000_000, 100_000_000)
            time.sleep(0.01)
        (self.folder / "serving").write_text("better.gguf", "utf-8")
        return None

    def _decline(self, for_good: bool) -> None:
        (self.folder / "declined").write_text(str(for_good), "utf-8")


def main() -> None:
    """Serve over standard input and output."""
    choice = FolderChoice(Path(sys.argv[1]))

    def opened(*arguments: object, **named: object) -> Workspace:
        name = Path(choice.model_path(Settings())).stem
        workspace = open_workspace(*arguments, **named, engine=ScriptedEngine(["total"]))  # type: ignore[arg-type]
        workspace.model_path, workspace.model_reason = Path(choice.model_path(Settings())), f"{name} suits"
        return workspace

    times = ModelOfferTimes(rest_s=0.05, person_s=float(os.environ.get("OFFER_PERSON_S", "0")), look_s=0.0)
    SparkServer(opened, choice, times).start_io()


if __name__ == "__main__":
    main()
