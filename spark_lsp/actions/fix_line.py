"""``fix.diagnostic`` without a chat template: a fill-in-the-middle model rewrites one line.

The prompt shows the problem as a comment above the broken line; the comment never enters the document.
"""

import asyncio
import re
from dataclasses import replace
from typing import Final

import msgspec

from spark_lsp.actions.base import QUICK_FIX, Diagnostic, Needs, Proposal, Target, Tools
from spark_lsp.actions.chat.fix import named_by, title_of
from spark_lsp.actions.chat.surface import problem_of
from spark_lsp.actions.layout import indent_of, line_end, line_start
from spark_lsp.actions.model_answer import RETRY, added, key_of, stream
from spark_lsp.engine.base import ACTION_PRIORITY, CompletionRequest, Sampling, Usage
from spark_lsp.errors import Reason
from spark_lsp.text.edit import Edit, Span, apply_edits

MAX_LINE_TOKENS: Final = 96
_LEAK = re.compile(r"<\|\w{2,}|```|<｜")


class FixLine:
    """The action, once for each diagnostic that is within one line."""

    id = "fix.diagnostic"
    kind = QUICK_FIX
    needs: Needs = "fim"

    def applies(self, target: Target) -> str:
        """Offer the action for a diagnostic within one line, in a language with known comment marks."""
        return title_of(target.diagnostics[0]) if _broken_line(target) is not None else ""

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Have the model write the line; retry once with other sampling if the first text fails a check."""
        broken = _broken_line(target)
        if broken is None or target.syntax is None:
            return Proposal(self.id, (), Reason.EMPTY, "There is no diagnostic within one line here.")
        text, usage, problem = target.snapshot.text, Usage(), ""
        path = tools.context.path_of(target.snapshot)
        request = await _request(target, tools, broken, target.diagnostics[0])
        for sampling in (Sampling(), RETRY):
            answer = await stream(
                tools, msgspec.structs.replace(request, sampling=sampling), lambda raw: "\n" in raw.lstrip()
            )
            usage = added(usage, answer.usage)
            if answer.stop == "cancelled":
                message = "A newer action in this document replaced this one."
                return Proposal(self.id, (), Reason.SUPERSEDED, message, usage)
            line = answer.raw.strip().split("\n")[0].rstrip()
            if not line or line == broken.text(text).strip() or _LEAK.search(line):
                problem = "The model suggests no other text for this line."
                continue
            edit = Edit(broken, line)
            problem = await asyncio.to_thread(problem_of, text, target.syntax, edit, tools.context.view, path)
            if not problem:
                return Proposal(self.id, (edit,), usage=usage)
        return Proposal(self.id, (), Reason.trimmed("check"), problem, usage)


def _broken_line(target: Target) -> Span | None:
    """Return the line of a diagnostic, without its indentation; None if the diagnostic spans several lines."""
    text = target.snapshot.text
    if not target.diagnostics or target.syntax is None or target.diagnostics[0].span.end > len(text):
        return None
    place = target.diagnostics[0].span
    start, end = line_start(text, place.start), line_end(text, place.start)
    line = text[start:end]
    if place.end > end + 1 or not line.strip():
        return None
    return Span(start + len(line) - len(line.lstrip()), start + len(line.rstrip()))


async def _request(target: Target, tools: Tools, broken: Span, diagnostic: Diagnostic) -> CompletionRequest:
    """Return the request: the document with the problem as a comment above the broken line."""
    assert target.syntax is not None, "the caller has looked"
    text, mark = target.snapshot.text, target.syntax.language.line_comment
    indent = indent_of(text, broken.start)
    prompt = f"{mark} {named_by(diagnostic)}\n{indent}{mark} {broken.text(text)}\n{indent}{mark} Fixed:\n{indent}"
    shown = apply_edits(text, [Edit(broken, prompt)])
    await tools.engine.start()
    packed = await tools.context.pack_for(replace(target.snapshot, text=shown), broken.start + len(prompt))
    return CompletionRequest(
        prompt=packed.parts,
        max_tokens=MAX_LINE_TOKENS,
        stops=tools.context.stops(),
        priority=ACTION_PRIORITY,
        key=key_of(target),
        drafts=(broken.text(text),),
    )
