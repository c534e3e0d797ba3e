"""Python's warnings in several threads: the filters are the process's, so one thread at a time may change them."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.RLock()


@contextmanager
def ignored_warnings() -> Iterator[None]:
    """Ignore every warning of the block, such as what Python's compiler says of a document."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def recorded_warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Collect every warning of the block in the list that it gets."""
    with _LOCK, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught
