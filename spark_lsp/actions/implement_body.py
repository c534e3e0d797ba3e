"""``implement.body``: fill the body of a function that has none yet (empty, ``pass``, ``...``, ``todo!()``, ``throw``).

The model writes only what stands between the signature and the end of the function. What it writes is shown when the
file parses no worse, the function ends where the text ends, and it has a body then; docstring and comments stay.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from spark_lsp.actions.base import Needs, Proposal, Target, Tools
from spark_lsp.actions.check import failure, node_where
from spark_lsp.actions.empty_function import EmptyFunction, empty_function
from spark_lsp.actions.frame import frame_of
from spark_lsp.actions.stream import ACTION_PRIORITY, Answer, added, key_of, stream
from spark_lsp.actions.written import Place, without_last_line, written
from spark_lsp.engine.base import Infill, Sampling, Usage
from spark_lsp.errors import Reason
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.syntax import Syntax, parse

MAX_BODY_TOKENS = 256
MOST_LINES_DROPPED = 8
"""A text that needs more than its last lines cut to parse is no body; each try costs two parses."""
RETRY: Final = Sampling(temperature=0.5, seed=1)
"""A fill-in-the-middle model cannot be told what was wrong, so the one retry asks for another draw."""
STUB_SUFFIX = ".pyi"


@dataclass(frozen=True, slots=True)
class _Site:
    """A place to write at, and the document that its text is compared with."""

    place: Place
    text: str
    syntax: Syntax
    edited: Span
    """What of ``text`` the body replaces."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    """An edit, or the reason code and the sentence why there is none."""

    edit: Edit | None
    reason: str = Reason.OK
    message: str = ""


class ImplementBody:
    """The action."""

    id = "implement.body"
    kind = "refactor.rewrite.implement"
    needs: Needs = "fim"

    def applies(self, target: Target) -> str:
        """Offer for a cursor anywhere in the function."""
        function = _find(target)
        return f"Implement {function.name}" if function else ""

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Ask the model for the body; one retry when the first text does not pass the checks."""
        site = await asyncio.to_thread(_site, target)
        if site is None:
            return Proposal(self.id, (), Reason.EMPTY, "There is no function without a body here.")
        verdict, usage = _Verdict(None), Usage()
        for sampling in (Sampling(), RETRY):
            answer = await _ask(target, site.place, tools, sampling)
            usage = added(usage, answer.usage)
            if answer.stop == "cancelled":
                return Proposal(self.id, (), Reason.SUPERSEDED, "A newer choice in this document took over.", usage)
            verdict = await asyncio.to_thread(_judge, site, answer)
            if verdict.edit is not None:
                return Proposal(self.id, (verdict.edit,), usage=usage)
        return Proposal(self.id, (), verdict.reason, verdict.message, usage)


def _find(target: Target) -> EmptyFunction | None:
    path = target.snapshot.path
    if target.syntax is None or (path is not None and path.suffix.lower() == STUB_SUFFIX):
        return None
    return empty_function(target.syntax, target.span)


def _site(target: Target) -> _Site | None:
    """Return where to write. A Python function with no statement at all is compared as if it held ``pass``."""
    function, syntax = _find(target), target.syntax
    if function is None or syntax is None:
        return None
    text = target.snapshot.text
    frame = frame_of(text, syntax.language, function)
    place = Place(syntax.language.name, function, frame, text)
    if function.in_braces or function.placeholder or function.has_docstring:
        return _Site(place, text, syntax, frame.span)
    stand_in = frame.edit("pass")
    text = apply_edits(text, [stand_in])
    parsed = parse(syntax.language, text)
    start = frame.span.start
    return _Site(place, text, parsed, Span(start, start + len(stand_in.new_text))) if parsed else None


async def _ask(target: Target, place: Place, tools: Tools, sampling: Sampling) -> Answer:
    """Stream the body's text; stop as soon as it leaves the body."""
    frame = place.frame
    text = apply_edits(target.snapshot.text, [frame.edit("")])
    await tools.engine.start()
    packed = await tools.context.pack_for(replace(target.snapshot, text=text), frame.span.start + len(frame.head))
    request = Infill(
        prompt=packed.parts,
        max_tokens=MAX_BODY_TOKENS,
        stops=tools.context.stops(),
        sampling=sampling,
        priority=ACTION_PRIORITY,
        key=key_of(target),
    )
    return await stream(tools, request, lambda raw: written(place, raw, finished=False).ended)


def _judge(site: _Site, answer: Answer) -> _Verdict:
    """Return the longest beginning of the answer that passes every check."""
    place, name = site.place, site.place.function.name
    lines = written(place, answer.raw, finished=True)
    if lines.repeats:
        return _Verdict(None, Reason.trimmed("cycle"), f"The model only repeated itself instead of writing {name}.")
    if answer.stop == "max_tokens" and not lines.ended:
        lines = without_last_line(lines)  # it was cut in the middle
    if not lines.lines:
        return _Verdict(None, Reason.EMPTY, f"The model had nothing to write for {name}.")
    problem = ""
    for _ in range(MOST_LINES_DROPPED):
        if not lines.lines:
            break
        edit = place.frame.edit(lines.text(place.frame.newline))
        told = _problem(site, edit)
        if not told:
            return _Verdict(edit)
        problem = problem or told
        lines = without_last_line(lines)
    if problem == _still_empty(name):
        return _Verdict(None, Reason.EMPTY, problem)
    return _Verdict(None, Reason.trimmed("syntax"), problem)


def _problem(site: _Site, edit: Edit) -> str:
    """Return in one sentence why a body may not be shown; empty when it may."""
    moved = replace(edit, span=site.edited)
    name, node = site.place.function.name, site.place.function.node
    if edit.new_text == site.edited.text(site.text):
        return _still_empty(name)
    problem = failure(site.text, site.syntax, [moved])
    after = None if problem else parse(site.syntax.language, apply_edits(site.text, [moved]))
    if after is None:
        return problem or "The document can no longer be read."
    before, function = node_where(site.syntax, node), node_where(after, node)
    grown = len(edit.new_text) - len(site.edited)
    if before is None or function is None or function.span.end != max(before.span.end, site.edited.end) + grown:
        return f"The model's text would not stay within {name}."
    start = node.span.start
    is_empty = empty_function(after, Span(start, start))
    return _still_empty(name) if is_empty and is_empty.node.span == function.span else ""


def _still_empty(name: str) -> str:
    return f"The model left {name} without a body."
