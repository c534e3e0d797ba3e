"""The result of one check: its subject, its status, and a command that fixes the problem."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. ``fix`` is empty when there is nothing to fix."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str
    fix: str = ""
