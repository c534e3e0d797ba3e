"""``implement.body``: fill the body of a function that has none yet (empty, ``pass``, ``...``, ``todo!()``, ``throw``).

The model writes only the text between the signature and the end of the function. The text is shown if the file has no
new syntax errors, the function ends where the text ends, it has a body then, and the checks of its language pass;
docstring and comments stay.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from spark_lsp.actions.base import Needs, Proposal, Target, Tools
from spark_lsp.actions.body_edit import body_edit_of
from spark_lsp.actions.chat.begun import MAX_ELSEWHERE_TOKENS, Begun, prompt_to_finish
from spark_lsp.actions.check import failure, node_where
from spark_lsp.actions.checks.body import body_problem, signature_of_stub
from spark_lsp.actions.checks.calls import call_problem
from spark_lsp.actions.checks.completing import completed
from spark_lsp.actions.checks.differences import edits_between
from spark_lsp.actions.checks.script import SCRIPTS, script_problem
from spark_lsp.actions.checks.script_body import parameters_at, script_body_problem
from spark_lsp.actions.empty_function import EmptyFunction, empty_function
from spark_lsp.actions.layout import line_start
from spark_lsp.actions.model_answer import RETRY, ModelAnswer, added, key_of, stream
from spark_lsp.actions.model_body import InsertionPoint, model_body, without_last_line
from spark_lsp.engine.base import ACTION_PRIORITY, CompletionRequest, PromptPart, Sampling, Usage
from spark_lsp.errors import Reason
from spark_lsp.index.storage.view import IndexView
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.syntax import Syntax, parse

MAX_BODY_TOKENS = 256
MAX_LINES_DROPPED = 8
"""Lines; a text that only parses without more of its last lines is no body, and each attempt costs two parses."""
STUB_SUFFIX = ".pyi"
ASKS_IN_WORDS = True
"""Whether a chat model gets an instruction; otherwise it fills in the middle (docs/evaluation.md)."""

TRUSTED_MODEL_BYTES: Final = 1_000_000_000
"""Size of a model file below which the user confirms a body: of those that a 0.5B model offered, one in five was right,
with every check passed (docs/evaluation.md)."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The purpose of a body: the task in words and related code.

    ``check`` returns why the whole edited document is refused; empty if it is accepted.
    ``rewrite_body`` may change the body's text before it is checked. ``is_enough`` stops the model once its text is
    complete. ``sifted`` returns the part of an answer that the model was sure of,
    and ``unsure`` is the message if there is none.
    """

    action_id: str
    task: str
    shown: str = ""
    check: Callable[[str], str] = lambda _after: ""
    rewrite_body: Callable[[str], str] = lambda body: body
    is_enough: Callable[[str], bool] = lambda _raw: False
    sifted: Callable[[ModelAnswer], str] = lambda answer: answer.raw
    unsure: str = "The model is not sure of what it wrote."


@dataclass(frozen=True, slots=True)
class _BodySite:
    """The insertion point, and the document with which the result is compared."""

    point: InsertionPoint
    text: str
    syntax: Syntax
    edited: Span
    """The part of ``text`` that the body replaces."""


@dataclass(frozen=True, slots=True)
class _CheckedBody:
    """Edits, or the reason code and the sentence why there are none."""

    edits: tuple[Edit, ...] = ()
    reason: str = Reason.OK
    message: str = ""


class ImplementBody:
    """The action."""

    id = "implement.body"
    kind = "refactor.rewrite.implement"
    needs: Needs = "fim"

    def applies(self, target: Target) -> str:
        """Offer the action for a cursor anywhere in the function."""
        function = _find(target)
        return f"Implement {function.name}" if function else ""

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Have the body written."""
        function = _find(target)
        if function is None:
            return Proposal(self.id, (), Reason.EMPTY, "There is no function without a body here.")
        return await write_body(target, tools, _wish(target, function))


async def write_body(target: Target, tools: Tools, wish: Wish) -> Proposal:
    """Write the body of the function around the cursor; retry once if the first text fails a check.

    Raises:
        EngineError, ModelError: there is no model that could.
    """
    site = await asyncio.to_thread(_site, target)
    if site is None:
        return Proposal(wish.action_id, (), Reason.EMPTY, "There is no function without a body here.")
    verdict, usage = _CheckedBody(), Usage()
    failures: list[str] = []
    for sampling in (Sampling(), RETRY):
        answer = await _ask(target, site.point, tools, sampling, wish, failures)
        usage = added(usage, answer.usage)
        if answer.stop == "cancelled":
            message = "A newer action in this document replaced this one."
            return Proposal(wish.action_id, (), Reason.SUPERSEDED, message, usage)
        verdict = await asyncio.to_thread(_judge, target, tools, site, answer, wish)
        if verdict.edits:
            model = tools.engine.model
            is_small = model is not None and 0 < model.size_bytes < TRUSTED_MODEL_BYTES  # a remote model has no size
            return Proposal(wish.action_id, verdict.edits, usage=usage, asks=is_small)
        if verdict.message == wish.unsure:
            break  # other sampling is no surer, it only hides it better
        failures = [verdict.message]
    return Proposal(wish.action_id, (), verdict.reason, verdict.message, usage)


def _wish(target: Target, function: EmptyFunction) -> Wish:
    """Return the purpose of a body; the prompt lists the parameters, and the body is checked, where both are known."""
    task = f"Write the function {function.name} with its body, as its name and description say. Keep its head."
    if target.syntax is not None and target.syntax.language.name in SCRIPTS:
        return _script_wish(target.syntax, function, task)
    if target.syntax is None or target.syntax.language.name != "python":
        return Wish(ImplementBody.id, task)
    line = target.snapshot.text.count("\n", 0, function.node.span.start) + 1
    given, returned = signature_of_stub(target.snapshot.text, line)
    task += f" Use {' and '.join(given)}." if given else ""
    task += f" Return {returned}." if returned else ""
    return Wish(ImplementBody.id, task, check=lambda after: body_problem(after, line))


def _script_wish(syntax: Syntax, function: EmptyFunction, task: str) -> Wish:
    at = function.interior.start

    def check(after: str) -> str:
        edited = parse(syntax.language, after)
        return script_body_problem(edited, function.name, at) if edited is not None else ""

    given = parameters_at(syntax, at)
    task += f" Use {' and '.join(given)}." if given else ""
    return Wish(ImplementBody.id, task, check=check)


def _find(target: Target) -> EmptyFunction | None:
    path = target.snapshot.path
    if target.syntax is None or (path is not None and path.suffix.lower() == STUB_SUFFIX):
        return None
    return empty_function(target.syntax, target.span)


def _site(target: Target) -> _BodySite | None:
    """Return the insertion point. A Python function without any statement is compared as if it contained ``pass``."""
    function, syntax = _find(target), target.syntax
    if function is None or syntax is None:
        return None
    text = target.snapshot.text
    body_edit = body_edit_of(text, syntax.language, function)
    point = InsertionPoint(syntax.language.name, function, body_edit, text)
    if function.in_braces or function.placeholder or function.has_docstring:
        return _BodySite(point, text, syntax, body_edit.span)
    stand_in = body_edit.edit("pass")
    text = apply_edits(text, [stand_in])
    parsed = parse(syntax.language, text)
    start = body_edit.span.start
    return _BodySite(point, text, parsed, Span(start, start + len(stand_in.new_text))) if parsed else None


async def _ask(
    target: Target, point: InsertionPoint, tools: Tools, sampling: Sampling, wish: Wish, failures: list[str]
) -> ModelAnswer:
    """Stream the body's text; stop as soon as it leaves the body."""
    model = await tools.engine.start()
    if model.chat_template and ASKS_IN_WORDS:
        prompt = prompt_to_finish(model, await _begun(target, point, tools, wish), failures)
        stops: tuple[str, ...] = ()
    else:
        prompt, stops = await _prompt_to_fill(target, point, tools), tools.context.stops()
    request = CompletionRequest(
        prompt=prompt,
        max_tokens=MAX_BODY_TOKENS,
        stops=stops,
        sampling=sampling,
        priority=ACTION_PRIORITY,
        key=key_of(target),
    )
    return await stream(tools, request, lambda raw: model_body(point, raw, finished=False).ended or wish.is_enough(raw))


async def _prompt_to_fill(target: Target, point: InsertionPoint, tools: Tools) -> tuple[PromptPart, ...]:
    body_edit = point.body_edit
    text = apply_edits(target.snapshot.text, [body_edit.edit("")])
    at = body_edit.span.start + len(body_edit.head)
    return (await tools.context.pack_for(replace(target.snapshot, text=text), at)).parts


async def _begun(target: Target, point: InsertionPoint, tools: Tools, wish: Wish) -> Begun:
    body_edit, start = point.body_edit, point.function.node.span.start
    text = apply_edits(target.snapshot.text, [body_edit.edit("")])
    elsewhere = await tools.context.definitions_for(target.snapshot, start, MAX_ELSEWHERE_TOKENS)
    return Begun(
        path=tools.context.path_of(target.snapshot),
        language=point.language,
        text=text,
        start=line_start(text, start),
        at=body_edit.span.start + len(body_edit.head),
        task=wish.task,
        shown=wish.shown,
        elsewhere=elsewhere,
    )


def _judge(target: Target, tools: Tools, site: _BodySite, answer: ModelAnswer, wish: Wish) -> _CheckedBody:
    """Return the longest beginning of the answer that passes every check."""
    point, name = site.point, site.point.function.name
    raw = wish.sifted(answer)
    if answer.raw.strip() and not raw.strip():
        return _CheckedBody((), Reason.trimmed("unsure"), wish.unsure)
    lines = model_body(point, raw, finished=True)
    if lines.repeats:
        return _CheckedBody((), Reason.trimmed("cycle"), f"The model only repeated itself instead of writing {name}.")
    if answer.stop == "max_tokens" and not lines.ended:
        lines = without_last_line(lines)  # the answer was cut in the middle
    if not lines.lines:
        return _CheckedBody((), Reason.EMPTY, f"The model wrote nothing for {name}.")
    problem = ""
    for _ in range(MAX_LINES_DROPPED):
        if not lines.lines:
            break
        edit = point.body_edit.edit(wish.rewrite_body(lines.text(point.body_edit.newline)))
        message = _problem(site, edit)
        if not message:
            return _checked(target, edit, wish, tools.context.view, tools.context.path_of(target.snapshot))
        problem = problem or message
        lines = without_last_line(lines)
    if problem == _still_empty(name):
        return _CheckedBody((), Reason.EMPTY, problem)
    return _CheckedBody((), Reason.trimmed("syntax"), problem)


def _checked(target: Target, edit: Edit, wish: Wish, view: IndexView, path: str) -> _CheckedBody:
    """Return the edits of a body that parses, with the imports that it needs, or the objection of the checks."""
    text, syntax = target.snapshot.text, target.syntax
    after = apply_edits(text, [edit])
    if syntax is None or syntax.language.name != "python":
        problem = script_problem(syntax, edit, view) or wish.check(after)
        return _CheckedBody((), Reason.trimmed("check"), problem) if problem else _CheckedBody((edit,))
    whole = completed(text, after, path, view)
    problem = wish.check(after) or whole.problem or call_problem(text, whole.text, view)
    if problem:
        return _CheckedBody((), Reason.trimmed("check"), problem)
    return _CheckedBody((edit,) if whole.text == after else edits_between(text, whole.text))


def _problem(site: _BodySite, edit: Edit) -> str:
    """Say in one sentence why a body is refused; empty if it is accepted."""
    moved = replace(edit, span=site.edited)
    name, node = site.point.function.name, site.point.function.node
    if edit.new_text == site.edited.text(site.text):
        return _still_empty(name)
    problem = failure(site.text, site.syntax, [moved])
    after = None if problem else parse(site.syntax.language, apply_edits(site.text, [moved]))
    if after is None:
        return problem or "The edited document can no longer be parsed."
    before, function = node_where(site.syntax, node), node_where(after, node)
    grown = len(edit.new_text) - len(site.edited)
    if before is None or function is None or function.span.end != max(before.span.end, site.edited.end) + grown:
        return f"The model's text would not stay within {name}."
    start = node.span.start
    is_empty = empty_function(after, Span(start, start))
    return _still_empty(name) if is_empty and is_empty.node.span == function.span else ""


def _still_empty(name: str) -> str:
    return f"The model left {name} without a body."
