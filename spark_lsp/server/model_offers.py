"""Offers a better model to a user of the embedded one, and switches when another model suits the machine better.

Asks after the first suggestion, in a pause of the typing. Belongs to the server's event loop; blocking work runs in
threads.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from lsprotocol import types

from spark_lsp.config import Settings
from spark_lsp.errors import SparkError
from spark_lsp.server.editor_window import EditorWindow
from spark_lsp.server.pulling import Pull, pull_with_progress
from spark_lsp.server.workspace_folder import WorkspaceFolder

DOWNLOAD: Final = "Download"
NOT_NOW: Final = "Not now"
NEVER: Final = "Never"


class ModelOffer(Protocol):
    """A model to offer; ``decline`` is told whether the user never wants to be asked again."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def message(self) -> str:
        """The question."""
        ...

    @property
    def pull(self) -> Pull:
        """Downloads it; blocks."""
        ...

    @property
    def decline(self) -> Callable[[bool], None]:
        """Remembers a no."""
        ...


class ModelChoice(Protocol):
    """Which model serves where the settings name none; ``app`` gives it. All methods may block."""

    def model_path(self, settings: Settings) -> str:
        """Return the file that the settings lead to now; empty where no local model serves."""
        ...

    def offer(self, settings: Settings) -> ModelOffer | None:
        """Return what to offer, for this process alone to ask."""
        ...


@dataclass(frozen=True, slots=True)
class ModelOfferTimes:
    """When the question comes, in seconds."""

    rest_s: float = 5.0
    """Without a key, so that no key that was meant for the code answers the question."""
    person_s: float = 0.5
    """An answer that comes sooner is a program's, such as a configuration that confirms every question."""
    look_s: float = 5.0
    """Between two looks at whether another model suits now."""


@dataclass(slots=True)
class ModelOffers:
    """The offer and the choice of one window. ``choice`` is None in a server that has none."""

    window: EditorWindow
    folders: Callable[[], Sequence[WorkspaceFolder]]
    """The folders that are opened again with the model, unless their settings name one."""
    choice: ModelChoice | None
    times: ModelOfferTimes = field(default_factory=ModelOfferTimes)
    _is_wanted: bool = False
    _is_done: bool = False
    _rest: asyncio.TimerHandle | None = None
    _looked_s: float = 0.0

    async def prepare(self, settings: Settings) -> None:
        """Work out the model in a thread, so that opening the workspace finds the answer at once."""
        choice = self.choice
        if choice is not None and not _names_model(settings):
            await asyncio.to_thread(choice.model_path, settings)

    def shown(self) -> None:
        """Note that a suggestion went to the editor: somebody uses completions."""
        if self.choice is not None and not self._is_done:
            self._is_wanted = True
            self.typed()

    def typed(self) -> None:
        """Note a key: all else waits until the keys rest."""
        if self.choice is None:
            return
        if self._rest is not None:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(self.times.rest_s, self._rested)

    def look_soon(self) -> None:
        """Look in the background whether another model suits now: one was pulled or removed, here or elsewhere."""
        now_s = time.monotonic()
        if self.choice is not None and now_s - self._looked_s >= self.times.look_s:
            self._looked_s = now_s
            self.window.tasks.spawn(self._follow(self.choice), "model")

    def close(self) -> None:
        """Ask nothing any more."""
        self.choice = None
        if self._rest is not None:
            self._rest.cancel()

    def _rested(self) -> None:
        self.look_soon()
        if self._is_wanted and self.choice is not None:
            self._is_wanted, self._is_done = False, True
            self.window.tasks.spawn(self._ask(self.choice), "offer")

    async def _follow(self, choice: ModelChoice) -> None:
        for folder in self.folders():
            settings, workspace = folder.settings, folder.workspace
            if workspace is None or _names_model(settings):
                continue
            path = await asyncio.to_thread(choice.model_path, settings)
            if folder.workspace is workspace and path != str(workspace.model_path or path):
                await folder.open(settings)

    async def _ask(self, choice: ModelChoice) -> None:
        """Ask once in this session, and do what was answered."""
        client = self.window.client
        if client.capabilities.window is None:  # a client without any window shows no questions
            return
        offer = await asyncio.to_thread(choice.offer, self.folders()[0].settings)
        if offer is None:
            return
        asked_s = time.monotonic()
        kind = types.MessageType.Info
        answer = await client.ask(f"Spark: {offer.message}", DOWNLOAD, NOT_NOW, NEVER, kind=kind)
        if time.monotonic() - asked_s < self.times.person_s:
            return
        if answer == DOWNLOAD:
            await self._download(offer)
        elif answer in {NOT_NOW, NEVER}:
            await asyncio.to_thread(offer.decline, answer == NEVER)

    async def _download(self, offer: ModelOffer) -> None:
        client = self.window.client
        try:
            if await pull_with_progress(client, f"Downloading {offer.name}", offer.pull):
                # Not a message: in Neovim it would hold the next key. The status names the model.
                client.log(f"{offer.name} is ready and is used from now on.")
                for folder in self.folders():
                    if not _names_model(folder.settings):
                        await folder.open(folder.settings)
        except SparkError as error:
            client.show_error(error)


def _names_model(settings: Settings) -> bool:
    """Whether the settings say which model serves."""
    return bool(settings.model.strip() or settings.backend.urls)
