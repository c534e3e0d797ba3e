"""``fix.diagnostic`` with a chat-capable model: what another server says is wrong, mended in its function or statement.

The diagnostics come with the request; nothing here runs a linter.
"""

from dataclasses import replace
from typing import Final

from spark_lsp.actions.base import QUICK_FIX, Diagnostic, Needs, Proposal, Target, Tools
from spark_lsp.actions.chat.edit_lines import Task, edit_lines
from spark_lsp.actions.chat.region import lines_to_fix, regions_to_fix
from spark_lsp.actions.checks.rejudge import fix_problem
from spark_lsp.actions.checks.rewritten import lost_problem
from spark_lsp.actions.stream import added
from spark_lsp.errors import Reason

MAX_TITLE: Final = 70


class FixDiagnostic:
    """The action, once for each diagnostic."""

    id = "fix.diagnostic"
    kind = QUICK_FIX
    needs: Needs = "chat"

    def applies(self, target: Target) -> str:
        """Offer for a diagnostic that lies in lines of code."""
        if not target.diagnostics or lines_to_fix(target, target.diagnostics[0].span) is None:
            return ""
        return title_of(target.diagnostics[0])

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Have the model mend it."""
        regions = regions_to_fix(target, target.diagnostics[0].span) if target.diagnostics else []
        if not regions:
            return Proposal(self.id, (), Reason.EMPTY, "There is no diagnostic here.")
        task = _task(target, target.diagnostics[0])
        if len(regions) == 1:
            return await edit_lines(target, tools, regions[0], task)
        first = await edit_lines(target, tools, regions[0], replace(task, attempts=1))
        if first.edits or first.reason == Reason.SUPERSEDED:
            return first
        second = await edit_lines(target, tools, regions[1], replace(task, attempts=1))
        return replace(second, usage=added(first.usage, second.usage))


def title_of(diagnostic: Diagnostic) -> str:
    """Return how a fix is offered: the first line of what is wrong."""
    said = " ".join(diagnostic.message.split("\n")[0].split())
    code = f" ({diagnostic.code})" if diagnostic.code else ""
    shown = said if len(said) + len(code) <= MAX_TITLE else said[: MAX_TITLE - len(code) - 1].rstrip() + "…"
    return f"Fix: {shown}{code}"


def said_by(diagnostic: Diagnostic) -> str:
    """Return who says what is wrong, in one line."""
    who = " ".join(part for part in (diagnostic.source, diagnostic.code) if part)
    said = " ".join(diagnostic.message.split())
    return f"{who}: {said}" if who else said


def _task(target: Target, diagnostic: Diagnostic) -> Task:
    text, place = target.snapshot.text, diagnostic.span
    lines = target.snapshot.lines
    line = lines.span(lines.line_of(min(place.start, len(text)))).text(text).strip()
    at = place.text(text).split("\n")[0].strip()
    where = f" It is about `{at}`." if at and at != line else ""
    said = (
        f"Mend this problem, with the smallest change that mends it, in the line `{line}`: {said_by(diagnostic)}."
        f"{where} If the lines are only to be removed, answer with an empty block."
    )
    unchanged = f"the lines are the same as before, and the problem is still there: {said_by(diagnostic)}."
    told = f"{diagnostic.message} {line}"

    def check(before: str, after: str) -> str:
        return fix_problem(before, after, diagnostic) or lost_problem(before, after, told)

    return Task(FixDiagnostic.id, said, may_remove=True, check=check, unchanged=unchanged)
