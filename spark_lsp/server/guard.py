"""Turns an error of a handler into one message for the user, one log line and an answer.

CancelledError passes through: pygls answers a cancelled request itself.
"""

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from spark_lsp.errors import SparkError
from spark_lsp.trace import bug

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger("spark_lsp.server")


def guarded(
    report: Callable[[SparkError], None], empty: Callable[[], R]
) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Turn whatever a request handler raises into ``empty()``; a user's error is reported, a bug is logged."""

    def wrap(handler: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        @functools.wraps(handler)
        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return await handler(*args, **kwargs)
            except SparkError as error:
                _log.warning("%s: %s", handler.__name__, error)
                report(error)
            except Exception as error:  # noqa: BLE001 - the last line before the editor
                _log.exception("%s failed", handler.__name__)
                bug("handler failed", handler=handler.__name__, error=repr(error))
            return empty()

        return call

    return wrap


def as_dict(params: Any) -> dict[str, Any]:
    """Return a message's params as a dictionary; anything else is an empty one."""
    return params if isinstance(params, dict) else {}
