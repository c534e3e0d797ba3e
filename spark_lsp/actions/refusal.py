"""Define why an edit is refused: a code from a closed list, and a sentence for the user. Plain values.

Code compares the code and never parses the sentence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Final, Literal, ParamSpec, TypeVar, get_args

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

RefusalCode = Literal[
    "assignment",
    "calls",
    "changed",
    "closure",
    "diagnostic",
    "identity",
    "indexing",
    "jump",
    "lifetime",
    "name",
    "order",
    "owner",
    "paths",
    "placement",
    "reflection",
    "scope",
    "selection",
    "type",
    "unbound",
    "unchecked",
    "unfaithful",
    "unreadable",
]
"""The obstacle. docs/protocol.md describes each code, and a test compares both lists."""

Assumption = Literal["attributes", "calls", "errors", "lifetime", "reflection"]
"""What would lift a refusal, and cannot be proved; ``assumption`` has the sentences."""

REFUSAL_CODES: Final[tuple[RefusalCode, ...]] = get_args(RefusalCode)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an edit cannot be made. ``is_local`` if the enclosing function or class alone determines it.

    ``assumption`` would lift the refusal; None if nothing would.
    """

    code: RefusalCode
    message: str
    is_local: bool = False
    assumption: Assumption | None = None


NOT_READ: Final = Refusal("unreadable", "The document does not compile, so its names are not known.")
TOO_DEEP: Final = Refusal("unreadable", "The code is nested too deeply.")
STILL_INDEXING: Final = Refusal(
    "indexing", "The workspace is still being indexed, so calls may be missing; choose it again when indexing is done."
)


def refuses_too_deep(compute: Callable[Parameters, Result]) -> Callable[Parameters, Result | Refusal]:
    """Return a function that refuses code whose nesting exceeds Python's recursion limit."""

    @wraps(compute)
    def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result | Refusal:
        try:
            return compute(*args, **kwargs)
        except RecursionError:
            return TOO_DEEP

    return guarded
