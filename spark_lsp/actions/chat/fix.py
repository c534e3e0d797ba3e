"""``fix.diagnostic`` with a chat model: fix another server's diagnostic within its function or statement.

The diagnostics come with the request; this module never runs a linter.
"""

from dataclasses import replace
from typing import Final

from spark_lsp.actions.base import QUICK_FIX, Diagnostic, Needs, Proposal, Target, Tools
from spark_lsp.actions.chat.conversation import WorkedExample
from spark_lsp.actions.chat.edit_lines import Task, edit_lines
from spark_lsp.actions.chat.lint_examples import BEGINS_OTHERWISE, Example, example_of
from spark_lsp.actions.chat.region import head_of, lines_to_fix, regions_to_fix
from spark_lsp.actions.checks.kept import instead_problem, kept_problem, still_there
from spark_lsp.actions.checks.rejudge import fix_problem
from spark_lsp.actions.checks.rewritten import argument_problem, lost_problem
from spark_lsp.actions.checks.script_rewritten import script_fix_problem, script_lost_problem
from spark_lsp.actions.model_answer import added
from spark_lsp.errors import Reason
from spark_lsp.text.edit import Span
from spark_lsp.text.syntax import Syntax

MAX_TITLE: Final = 70


class FixDiagnostic:
    """The action, offered once for each diagnostic."""

    id = "fix.diagnostic"
    kind = QUICK_FIX
    needs: Needs = "chat"

    def applies(self, target: Target) -> str:
        """Offer the action for a diagnostic within lines of code."""
        if not target.diagnostics or lines_to_fix(target, target.diagnostics[0].span) is None:
            return ""
        return title_of(target.diagnostics[0])

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Have the model fix the diagnostic."""
        regions = regions_to_fix(target, target.diagnostics[0].span) if target.diagnostics else []
        if not regions:
            return Proposal(self.id, (), Reason.EMPTY, "There is no diagnostic here.")
        task = _task(target, target.diagnostics[0])
        example = example_of(target.diagnostics[0])
        if example is not None:
            return await _by_example(target, tools, regions[0 if example.is_one_statement else -1], task, example)
        if len(regions) == 1:
            return await edit_lines(target, tools, regions[0], task)
        first = await edit_lines(target, tools, regions[0], replace(task, attempts=1))
        if first.edits or first.reason == Reason.SUPERSEDED:
            return first
        head = head_of(target, regions[1])
        above = target.snapshot.text.count("\n", regions[1].start, target.diagnostics[0].span.start)
        is_below = above >= head.count("\n")
        whole = replace(task, attempts=1, begun=head if is_below else "")
        second = await edit_lines(target, tools, regions[1], whole)
        return replace(second, usage=added(first.usage, second.usage))


async def _by_example(target: Target, tools: Tools, region: Span, task: Task, example: Example) -> Proposal:
    """Have the model fix a finding of a well-known rule by example.

    If the fix has to begin with other text, a grammar forces the second answer to differ from there on.
    """
    diagnostic, text = target.diagnostics[0], target.snapshot.text
    name = named_by(diagnostic)

    def check(before: str, after: str) -> str:
        words = example.words_that_go
        left = still_there(before, after, diagnostic, words) if diagnostic.code in BEGINS_OTHERWISE else ""
        return left or task.check(before, after) or kept_problem(before, after, diagnostic, words)

    line = target.snapshot.lines.span(target.snapshot.lines.line_of(min(diagnostic.span.start, len(text)))).text(text)
    shown = WorkedExample(name, example.before, _mend(diagnostic, example.before.split("\n")[0]), example.after)
    brief = replace(task, instruction=_mend(diagnostic, line.strip()), message=name, shown=shown, check=check)
    place = diagnostic.span.start
    if diagnostic.code not in BEGINS_OTHERWISE or not region.start <= place < region.end:
        return await edit_lines(target, tools, region, brief)
    first = await edit_lines(target, tools, region, replace(brief, attempts=1))
    if first.edits or first.reason == Reason.SUPERSEDED:
        return first
    begun, blanks = _up_to(text, region, place)
    again = replace(brief, attempts=1, begun=begun, grammar=grammar_without(blanks, text[place]))
    second = await edit_lines(target, tools, region, again)
    return replace(second, usage=added(first.usage, second.usage))


def _mend(diagnostic: Diagnostic, line: str) -> str:
    return f"mend {diagnostic.code} in the line `{line}`."


def _up_to(text: str, region: Span, place: int) -> tuple[str, str]:
    """Return the lines up to a place, without their common indentation, and the blanks right before the place."""
    old = region.text(text).replace("\r\n", "\n")
    margin = len(old) - len(old.lstrip(" \t"))
    least = min((len(line) - len(line.lstrip(" \t")) for line in old.split("\n") if line.strip()), default=margin)
    before = text[region.start : place].replace("\r\n", "\n")
    begun = "\n".join(line[least:] for line in before.split("\n"))
    kept = begun.rstrip(" \t")
    return kept, begun[len(kept) :]


def grammar_without(blanks: str, first: str) -> str:
    """Return a GBNF grammar of text that begins with blanks and then any character except one."""
    shown = blanks.replace("\t", "\\t")
    return f'root ::= "{shown}" [^\\x{ord(first):02X}] [^\\x00]*' if first.isascii() else ""


def title_of(diagnostic: Diagnostic) -> str:
    """Return the title of a fix: the first line of the diagnostic's message."""
    message = " ".join(diagnostic.message.split("\n")[0].split())
    code = f" ({diagnostic.code})" if diagnostic.code else ""
    shown = message if len(message) + len(code) <= MAX_TITLE else message[: MAX_TITLE - len(code) - 1].rstrip() + "…"
    return f"Fix: {shown}{code}"


def named_by(diagnostic: Diagnostic) -> str:
    """Return the source of a diagnostic with its code, in one line."""
    who = " ".join(part for part in (diagnostic.source, diagnostic.code) if part)
    message = " ".join(diagnostic.message.split())
    return f"{who}: {message}" if who else message


def _task(target: Target, diagnostic: Diagnostic) -> Task:
    text, place = target.snapshot.text, diagnostic.span
    lines = target.snapshot.lines
    line = lines.span(lines.line_of(min(place.start, len(text)))).text(text).strip()
    at = place.text(text).split("\n")[0].strip()
    where = f" It is about `{at}`." if at and at != line else ""
    message = (
        f"Mend this problem, with the smallest change that mends it, in the line `{line}`: {named_by(diagnostic)}."
        f"{where} If the lines are only to be removed, answer with an empty block."
    )
    unchanged = f"the lines are the same as before, and the problem is still there: {named_by(diagnostic)}."
    words = f"{diagnostic.message} {line}"

    def check(before: str, after: str) -> str:
        problem = fix_problem(before, after, diagnostic) or instead_problem(before, after, diagnostic)
        problem = problem or argument_problem(before, after, diagnostic.message)
        return problem or lost_problem(before, after, words)

    def check_script(before: Syntax, after: Syntax) -> str:
        return script_fix_problem(before, after, diagnostic) or script_lost_problem(before, after, words)

    return Task(FixDiagnostic.id, message, may_remove=True, check=check, check_script=check_script, unchanged=unchanged)
