"""A start that several callers wait for: each may give up, and closing the engine ends it for all of them.

Never ends a caller's own task: only who is cancelled meets CancelledError.
"""

import asyncio

from spark_lsp.engine.base import ModelInfo
from spark_lsp.errors import EngineStarting


async def joined(starting: asyncio.Task[ModelInfo]) -> ModelInfo:
    """Wait for a start behind a shield.

    Raises:
        EngineStarting: the engine was closed meanwhile.
        SparkError: what the start itself raises.
    """
    await asyncio.wait([starting])
    if starting.cancelled():
        raise EngineStarting("The engine was closed while it started.")
    return starting.result()
