"""``rewrite`` and ``simplify``: a model rewrites the selection, or the function around the cursor.

The instruction of ``rewrite`` comes from the command's argument, or from a ``spark:`` comment above the lines.
"""

import re
from typing import Final

from spark_lsp.actions.base import Needs, Proposal, Target, Tools
from spark_lsp.actions.chat.conversation import WorkedExample
from spark_lsp.actions.chat.edit_lines import Task, edit_lines
from spark_lsp.actions.chat.region import head_of, lines_to_rewrite
from spark_lsp.actions.checks.rewritten import asked_problem, lost_problem, size_problem
from spark_lsp.actions.checks.script_rewritten import (
    script_asked_problem,
    script_lost_problem,
    script_size_problem,
)
from spark_lsp.actions.layout import line_end, line_start
from spark_lsp.errors import Reason
from spark_lsp.text.edit import Span
from spark_lsp.text.syntax import Syntax

MAX_TITLE: Final = 60
_REQUEST = re.compile(r"\s*(?:#|//|/\*|--)\s*spark:\s*(.*?)\s*(?:\*/)?\s*", re.IGNORECASE)
_MORE = re.compile(r"\s*(?:#|//)\s?(.*?)\s*")
_MAY_CHANGE_HEAD = re.compile(
    r"\b(?:param\w*|arg\w*|signature|decorat\w*|async\w*|types?|typed|annotat\w*|hints?|doc\w*|renam\w*|defaults?"
    r"|head|generator|property|static\w*|split|remov\w*|delet\w*)\b",
    re.IGNORECASE,
)
"""Words in an instruction that allow changes of the signature or the docstring, which the model then writes too."""
_EXAMPLE: Final = WorkedExample(
    "",
    "def size_of(box):\n    return box.width * box.height",
    "Return 0 for a box that is empty.",
    "def size_of(box):\n    if box.is_empty:\n        return 0\n    return box.width * box.height",
)
"""A small solved instruction, in which everything else stays."""
_SIMPLER: Final = (
    "Make this code simpler and easier to read without changing what it does: same results, same errors, "
    "same names and signatures for what other code uses."
)


class Rewrite:
    """The ``rewrite`` action; it is listed if a comment has an instruction, and takes any instruction by command."""

    id = "rewrite"
    kind = "refactor.rewrite"
    needs: Needs = "chat"

    def applies(self, target: Target) -> str:
        """Offer the action if there is an instruction and something to rewrite."""
        instruction = _instruction(target)
        if not instruction or _region(target) is None:
            return ""
        shown = instruction if len(instruction) <= MAX_TITLE else instruction[: MAX_TITLE - 1].rstrip() + "…"
        return f"Rewrite: {shown}"

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Have the model rewrite the lines; the user confirms the change."""
        region, instruction = _region(target), _instruction(target)
        if region is None or not instruction:
            return Proposal(self.id, (), Reason.EMPTY, "There is nothing to rewrite here.")
        begun = "" if _MAY_CHANGE_HEAD.search(instruction) else head_of(target, region)
        task = Task(
            self.id,
            instruction,
            asks=True,
            begun=begun,
            check=lambda before, after: _as_asked(before, after, instruction),
            check_script=lambda before, after: _script_as_asked(before, after, instruction),
            again=_EXAMPLE if target.syntax is not None and target.syntax.language.name == "python" else None,
        )
        return await edit_lines(target, tools, region, task)


class Simplify:
    """The ``simplify`` action."""

    id = "simplify"
    kind = "refactor.rewrite"
    needs: Needs = "chat"

    def applies(self, target: Target) -> str:
        """Offer the action for a selection of code, or in a function."""
        if target.syntax is None or lines_to_rewrite(target) is None:
            return ""
        return "Simplify the selection" if target.span.text(target.snapshot.text).strip() else "Simplify this function"

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Have the model simplify the lines."""
        region = lines_to_rewrite(target)
        if region is None:
            return Proposal(self.id, (), Reason.EMPTY, "There is nothing to simplify here.")
        unchanged = "the lines are the same as before, and they can be simpler."
        begun = head_of(target, region)
        task = Task(self.id, _SIMPLER, begun=begun, check=_simpler, check_script=_script_simpler, unchanged=unchanged)
        return await edit_lines(target, tools, region, task)


def _as_asked(before: str, after: str, instruction: str) -> str:
    return lost_problem(before, after, instruction) or asked_problem(before, after, instruction)


def _simpler(before: str, after: str) -> str:
    return lost_problem(before, after) or size_problem(before, after)


def _script_as_asked(before: Syntax, after: Syntax, instruction: str) -> str:
    return script_lost_problem(before, after, instruction) or script_asked_problem(before, after, instruction)


def _script_simpler(before: Syntax, after: Syntax) -> str:
    return script_lost_problem(before, after) or script_size_problem(before, after)


def _region(target: Target) -> Span | None:
    """Return the lines, including the comment with the instruction, which the rewrite removes."""
    region = lines_to_rewrite(target)
    if region is None or target.instruction:
        return region
    start = _request_start(target.snapshot.text, region)
    return region if start is None else Span(start, region.end)


def _instruction(target: Target) -> str:
    """Return the instruction: the command's argument, otherwise a comment above the lines or on their first line."""
    if target.instruction.strip():
        return " ".join(target.instruction.split())
    region = lines_to_rewrite(target)
    text = target.snapshot.text
    start = _request_start(text, region) if region else None
    if start is None or region is None:
        return ""
    first, *rest = text[start : line_end(text, region.end)].split("\n")
    match = _REQUEST.fullmatch(first)
    names = [match[1]] if match else []
    for line in rest:
        more = _MORE.fullmatch(line)
        if more is None or not line.strip():
            break
        names.append(more[1])
    return " ".join(" ".join(names).split())


def _request_start(text: str, region: Span) -> int | None:
    """Return where the comment with the instruction starts: on the region's first line, or right above it."""
    at = region.start
    if _REQUEST.fullmatch(text[at : line_end(text, at)]):
        return at
    while at > 0:
        at = line_start(text, at - 1)
        line = text[at : line_end(text, at)]
        if _REQUEST.fullmatch(line):
            return at
        if not line.strip() or not _MORE.fullmatch(line):
            return None
    return None
