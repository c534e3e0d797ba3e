"""What the parts of a session share: the editor, the open documents, background work, and the status."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from spark_lsp.server.background import BackgroundTasks
from spark_lsp.server.client import Client
from spark_lsp.server.open_documents import OpenDocuments


@dataclass(frozen=True, slots=True)
class EditorWindow:
    """One editor window, as the parts of its session see it."""

    client: Client
    documents: OpenDocuments
    tasks: BackgroundTasks
    tell_status: Callable[[], None]
    """Sends ``spark/status`` if it has changed; to be called after every change of what it shows."""
    refreshing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while an index is refreshed: several folders at once would only take the processor from each other."""
