"""Let a model rewrite lines: request, check the answer, retry with the problem, then return a refusal.

The old lines are passed as a speculative draft, so an answer that mostly copies decodes several tokens a step.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from spark_lsp.actions.base import Proposal, Target, Tools
from spark_lsp.actions.chat.answer_format import Lines, is_over, left_out, lines_of, placed
from spark_lsp.actions.chat.conversation import (
    LINES_AFTER,
    LINES_BEFORE,
    Subject,
    WorkedExample,
    brief_messages,
    messages_of,
    opening_of,
    whole_answer,
    with_problem,
)
from spark_lsp.actions.chat.surface import problem_of
from spark_lsp.actions.check import failure
from spark_lsp.actions.checks.call_arguments import other_change
from spark_lsp.actions.checks.calls import call_problem
from spark_lsp.actions.checks.completing import completed
from spark_lsp.actions.checks.differences import edits_between
from spark_lsp.actions.checks.script import SCRIPTS, script_problem
from spark_lsp.actions.layout import indent_unit, newline_of
from spark_lsp.actions.model_answer import RETRY, ModelAnswer, added, key_of, stream
from spark_lsp.engine.base import ACTION_PRIORITY, CompletionRequest, ModelInfo, Sampling, Usage
from spark_lsp.engine.chat_template import Message, prompt_of
from spark_lsp.errors import Reason
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.syntax import Syntax, parse

ELSEWHERE_TOKENS = 400
"""Tokens for definitions of other files; on a processor each hundred tokens take a second to prefill."""
SPARE_TOKENS = 256
"""Tokens that an answer may have beyond one and a half times the old lines."""
FRAME_TOKENS = 64
"""Tokens of the special tokens and the opening fence, which are not counted with the messages."""


@dataclass(frozen=True, slots=True)
class Task:
    """An instruction for some lines. ``may_remove`` accepts an empty answer; ``asks`` asks the user for confirmation.

    ``check`` compares the whole file before and after, in Python, and returns why the edit is refused, or nothing;
    ``check_script`` does so in JavaScript and TypeScript.
    ``unchanged`` is the message to the model after an answer without changes; ``begun`` starts both the old lines
    and the answer. With ``shown`` the model sees only that example, ``message`` and the lines; ``grammar`` limits
    the text behind ``begun``. ``again`` is the example for the second attempt, after an answer without
    changes.
    """

    action_id: str
    instruction: str
    may_remove: bool = False
    asks: bool = False
    check: Callable[[str, str], str] = lambda _before, _after: ""
    check_script: Callable[[Syntax, Syntax], str] = lambda _before, _after: ""
    unchanged: str = "the lines are the same as before, and the task is not done."
    attempts: int = 2
    begun: str = ""
    message: str = ""
    shown: WorkedExample | None = None
    grammar: str = ""
    again: WorkedExample | None = None
    callee: str = ""
    """The function whose calls may change only their arguments; empty if anything may change."""


@dataclass(frozen=True, slots=True)
class _CheckedLines:
    """The result of the checks; ``hint`` is the message to the model if it differs from the user's."""

    edits: tuple[Edit, ...] = ()
    reason: str = Reason.OK
    message: str = ""
    hint: str = ""


async def edit_lines(target: Target, tools: Tools, region: Span, task: Task) -> Proposal:
    """Return the checked edit that a model makes of whole lines for a task.

    Raises:
        EngineError, ModelError: there is no model that could.
    """
    model = await tools.engine.start()
    usage = Usage()
    subject = await _fitting(target, tools, model, region, task)
    if subject is None:
        return Proposal(task.action_id, (), Reason.gate("too_large"), _too_long(target, region, model))
    messages = _messages(subject, task)
    verdict = _CheckedLines()
    for sampling in (Sampling(), RETRY)[: task.attempts]:
        drawn = msgspec.structs.replace(sampling, grammar=task.grammar)
        answer = await _ask(target, tools, model, subject, messages, drawn)
        usage = added(usage, answer.usage)
        if answer.stop == "cancelled":
            message = "A newer action in this document replaced this one."
            return Proposal(task.action_id, (), Reason.SUPERSEDED, message, usage)
        lines = lines_of(whole_answer(subject, answer.raw), subject.fence, subject.begun)
        verdict = await asyncio.to_thread(_judge, target, tools, subject, task, answer, lines)
        if verdict.edits:
            return Proposal(task.action_id, verdict.edits, usage=usage, asks=task.asks)
        problem = verdict.hint or verdict.message
        if verdict.reason == Reason.EMPTY and task.again is not None:
            messages = brief_messages(subject, task.message, task.instruction, task.again)
        messages = with_problem(messages, problem)
    return Proposal(task.action_id, (), verdict.reason, verdict.message, usage)


async def _fitting(target: Target, tools: Tools, model: ModelInfo, region: Span, task: Task) -> Subject | None:
    """Return the lines with as much context as fits the model; None if not even the lines fit."""
    snapshot = target.snapshot
    language = target.syntax.language.name if target.syntax else snapshot.language
    subject = Subject(tools.context.path_of(snapshot), language, snapshot.text, region, begun=task.begun)
    room = model.context_tokens - FRAME_TOKENS
    most = min(ELSEWHERE_TOKENS, room // 6)
    elsewhere = await tools.context.definitions_for(snapshot, region.start, most)
    (own,) = await tools.engine.count_tokens([subject.old])
    for lines_before, lines_after, known in (
        (LINES_BEFORE, LINES_AFTER, elsewhere),
        (LINES_BEFORE, LINES_AFTER, ()),
        (12, 4, ()),
        (0, 0, ()),
    ):
        tried = replace(subject, elsewhere=known, lines_before=lines_before, lines_after=lines_after)
        texts = [message.text for message in _messages(tried, task)]
        # A second attempt carries the first answer too.
        if sum(await tools.engine.count_tokens(texts)) + own + 2 * _answer_tokens(own) <= room:
            return tried
    return None


def _messages(subject: Subject, task: Task) -> tuple[Message, ...]:
    if task.shown is not None:
        return brief_messages(subject, task.message, task.instruction, task.shown)
    return messages_of(subject, task.instruction)


async def _ask(
    target: Target,
    tools: Tools,
    model: ModelInfo,
    subject: Subject,
    messages: Sequence[Message],
    sampling: Sampling,
) -> ModelAnswer:
    (own,) = await tools.engine.count_tokens([subject.old])
    request = CompletionRequest(
        prompt=prompt_of(model, messages, opening_of(subject)),
        max_tokens=_answer_tokens(own),
        sampling=sampling,
        priority=ACTION_PRIORITY,
        key=key_of(target),
        drafts=(subject.old.removeprefix(subject.begun) + f"\n{subject.fence}",),
    )
    return await stream(tools, request, lambda raw: is_over(raw, subject.fence))


def _answer_tokens(own_tokens: int) -> int:
    return own_tokens * 3 // 2 + SPARE_TOKENS


def _judge(
    target: Target, tools: Tools, subject: Subject, task: Task, answer: ModelAnswer, lines: Lines
) -> _CheckedLines:
    """Return the edits of an answer, or why they must not be shown."""
    text = subject.text
    if answer.stop == "max_tokens" and not lines.ended:
        message = f"The model's answer did not end within {answer.usage.generated_tokens} tokens."
        return _refused(message)
    unit = indent_unit(text, subject.language)
    new = placed(lines.text, subject.old, subject.language, unit)
    if new == subject.old:
        return _CheckedLines((), Reason.EMPTY, "The model returned the lines unchanged.", task.unchanged)
    if not new and not task.may_remove:
        return _CheckedLines((), Reason.EMPTY, "The model's answer is empty.")
    if left_out(subject.old, new):
        return _refused("The model left out a part of the lines.")
    span = subject.region if new else _with_line_end(text, subject.region)
    return _checked(target, tools, subject, task, Edit(span, new.replace("\n", newline_of(text))))


def _checked(target: Target, tools: Tools, subject: Subject, task: Task, edit: Edit) -> _CheckedLines:
    """Return the edits for new lines, imports included, or the objection of the checks."""
    text, path, view = subject.text, subject.path, tools.context.view
    if task.callee and (problem := _more_than_arguments(target, edit, task.callee)):
        return _refused(problem)
    problem = problem_of(text, target.syntax, edit, view, path)
    if problem or subject.language != "python":
        problem = problem or script_problem(target.syntax, edit, view) or _script_objection(target, task, edit)
        return _refused(problem) if problem else _CheckedLines((_smallest(text, edit),))
    after = completed(text, apply_edits(text, [edit]), path, view)
    problem = after.problem or call_problem(text, after.text, view) or task.check(text, after.text)
    edits = () if problem else edits_between(text, after.text)
    problem = problem or failure(text, target.syntax, edits)
    return _refused(problem) if problem else _CheckedLines(edits)


def _script_objection(target: Target, task: Task, edit: Edit) -> str:
    if target.syntax is None or target.syntax.language.name not in SCRIPTS:
        return ""
    after = parse(target.syntax.language, apply_edits(target.syntax.text, [edit]))
    return task.check_script(target.syntax, after) if after is not None else ""


def _more_than_arguments(target: Target, edit: Edit, callee: str) -> str:
    if target.syntax is None:
        return ""
    after = parse(target.syntax.language, apply_edits(target.syntax.text, [edit]))
    if after is None or after.error_count > target.syntax.error_count:
        return ""  # the other checks have a better message for it
    new = Span(edit.span.start, edit.span.start + len(edit.new_text))
    return other_change(target.syntax, edit.span, after, new, callee)


def _refused(problem: str) -> _CheckedLines:
    return _CheckedLines((), Reason.trimmed("check"), problem)


def _with_line_end(text: str, region: Span) -> Span:
    """Return lines with their line end, so that removing them leaves no empty line."""
    for end in ("\r\n", "\n"):
        if text.startswith(end, region.end):
            return Span(region.start, region.end + len(end))
    return region


def _smallest(text: str, edit: Edit) -> Edit:
    """Return the edit without unchanged lines at its ends, so that the editor keeps marks and folds there."""
    old, new = edit.span.text(text).splitlines(keepends=True), edit.new_text.splitlines(keepends=True)
    first = 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        first += 1
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    start = edit.span.start + sum(len(line) for line in old[:first])
    end = edit.span.end - sum(len(line) for line in old[len(old) - last :])
    return Edit(Span(start, end), "".join(new[first : len(new) - last]))


def _too_long(target: Target, region: Span, model: ModelInfo) -> str:
    lines = region.text(target.snapshot.text).count("\n") + 1
    return f"These {lines} lines do not fit into the model's context ({model.context_tokens} tokens)."
