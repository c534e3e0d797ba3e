"""Define why an edit is refused: a code from a closed list, and a sentence for the user. Plain values.

Code compares the code and never parses the sentence.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

RefusalCode = Literal[
    "assignment",
    "calls",
    "changed",
    "closure",
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
    "unfaithful",
    "unreadable",
]
"""The obstacle. docs/protocol.md describes each code, and a test compares both lists."""

REFUSAL_CODES: Final[tuple[RefusalCode, ...]] = get_args(RefusalCode)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an edit cannot be made. ``is_local`` if the enclosing function or class alone determines it."""

    code: RefusalCode
    message: str
    is_local: bool = False


NOT_READ: Final = Refusal("unreadable", "The document does not compile, so its names are not known.")
TOO_DEEP: Final = Refusal("unreadable", "The code is nested too deeply.")
STILL_INDEXING: Final = Refusal(
    "indexing", "The workspace is still being indexed, so calls may be missing; choose it again when indexing is done."
)
