"""The result of one check: what the doctor looked at, how it is, and a line that fixes it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. ``fix`` is empty when there is nothing to fix."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    fix: str = ""
