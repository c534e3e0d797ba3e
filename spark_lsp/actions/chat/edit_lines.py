"""Having a model rewrite some lines: ask, check, once more with the failure stated, then a plain message why not.

The old lines travel along as a draft, so an answer that mostly copies is written several tokens a step.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from spark_lsp.actions.base import Proposal, Target, Tools
from spark_lsp.actions.chat.answer import Lines, is_over, lines_of, placed
from spark_lsp.actions.chat.conversation import Subject, messages_of, opening_of, with_failure
from spark_lsp.actions.chat.surface import problem_of
from spark_lsp.actions.chat.template import Message, prompt_of
from spark_lsp.actions.layout import indent_unit, newline_of
from spark_lsp.actions.stream import ACTION_PRIORITY, Answer, added, key_of, stream
from spark_lsp.engine.base import Infill, ModelInfo, Usage
from spark_lsp.errors import Reason
from spark_lsp.text.edit import Edit, Span

ELSEWHERE_TOKENS = 1200
"""Definitions of other files; more would push the file itself out of a small context."""
SPARE_TOKENS = 256
"""What an answer may be longer than one and a half times the old lines."""
FRAME_TOKENS = 64
"""Control tokens and the opening fence, which are not counted with the messages."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked of some lines. ``may_remove`` accepts an answer of no lines at all; ``asks`` has it confirmed."""

    action_id: str
    said: str
    may_remove: bool = False
    asks: bool = False


@dataclass(frozen=True, slots=True)
class _Verdict:
    edit: Edit | None
    reason: str = Reason.OK
    message: str = ""


async def edit_lines(target: Target, tools: Tools, region: Span, task: Task) -> Proposal:
    """Return the edit that a model makes of whole lines for a task, checked.

    Raises:
        EngineError, ModelError: there is no model that could.
    """
    model = await tools.engine.start()
    usage = Usage()
    subject = await _fitting(target, tools, model, region)
    if subject is None:
        return Proposal(task.action_id, (), Reason.gate("too_large"), _too_long(target, region, model))
    messages = messages_of(subject, task.said)
    verdict = _Verdict(None)
    for _ in range(2):
        answer = await _ask(target, tools, model, subject, messages)
        usage = added(usage, answer.usage)
        if answer.stop == "cancelled":
            message = "A newer choice in this document took over."
            return Proposal(task.action_id, (), Reason.SUPERSEDED, message, usage)
        lines = lines_of(answer.raw, subject.fence)
        verdict = await asyncio.to_thread(_judge, target, tools, subject, task, answer, lines)
        if verdict.edit is not None:
            return Proposal(task.action_id, (verdict.edit,), usage=usage, asks=task.asks)
        messages = with_failure(messages, subject, lines.text, verdict.message)
    return Proposal(task.action_id, (), verdict.reason, verdict.message, usage)


async def _fitting(target: Target, tools: Tools, model: ModelInfo, region: Span) -> Subject | None:
    """Return the lines with as much around them as the model's context holds; None when not even they fit."""
    snapshot = target.snapshot
    language = target.syntax.language.name if target.syntax else snapshot.language
    subject = Subject(tools.context.path_of(snapshot), language, snapshot.text, region)
    room = model.context_tokens - FRAME_TOKENS
    most = min(ELSEWHERE_TOKENS, room // 6)
    elsewhere = await tools.context.definitions_for(snapshot, region.start, most)
    (own,) = await tools.engine.count_tokens([subject.old])
    for lines_before, lines_after, known in ((60, 30, elsewhere), (60, 30, ()), (20, 10, ()), (0, 0, ())):
        tried = replace(subject, elsewhere=known, lines_before=lines_before, lines_after=lines_after)
        texts = [message.text for message in messages_of(tried, "")]
        # A second try carries the first answer too.
        if sum(await tools.engine.count_tokens(texts)) + own + 2 * _answer_tokens(own) <= room:
            return tried
    return None


async def _ask(target: Target, tools: Tools, model: ModelInfo, subject: Subject, messages: Sequence[Message]) -> Answer:
    (own,) = await tools.engine.count_tokens([subject.old])
    request = Infill(
        prompt=prompt_of(model, messages, opening_of(subject)),
        max_tokens=_answer_tokens(own),
        priority=ACTION_PRIORITY,
        key=key_of(target),
        drafts=(subject.old + f"\n{subject.fence}",),
    )
    return await stream(tools, request, lambda raw: is_over(raw, subject.fence))


def _answer_tokens(own_tokens: int) -> int:
    return own_tokens * 3 // 2 + SPARE_TOKENS


def _judge(target: Target, tools: Tools, subject: Subject, task: Task, answer: Answer, lines: Lines) -> _Verdict:
    """Return the edit that an answer makes, or why it may not be shown."""
    text, path = subject.text, subject.path
    if answer.stop == "max_tokens" and not lines.ended:
        message = f"The model's answer did not end within {answer.usage.generated_tokens} tokens."
        return _Verdict(None, Reason.trimmed("check"), message)
    unit = indent_unit(text, subject.language)
    new = placed(lines.text, subject.old, subject.language, unit)
    if new == subject.old:
        return _Verdict(None, Reason.EMPTY, "The model would leave these lines as they are.")
    if not new and not task.may_remove:
        return _Verdict(None, Reason.EMPTY, "The model had nothing to write.")
    span = subject.region if new else _with_line_end(text, subject.region)
    edit = _smallest(text, Edit(span, new.replace("\n", newline_of(text))))
    view = tools.context.view
    problem = problem_of(text, target.syntax, Edit(span, new.replace("\n", newline_of(text))), view, path)
    return _Verdict(None, Reason.trimmed("check"), problem) if problem else _Verdict(edit)


def _with_line_end(text: str, region: Span) -> Span:
    """Return lines with the line end behind them, so that removing them leaves no empty line."""
    for end in ("\r\n", "\n"):
        if text.startswith(end, region.end):
            return Span(region.start, region.end + len(end))
    return region


def _smallest(text: str, edit: Edit) -> Edit:
    """Return the edit without the whole lines that it keeps at its ends: marks and folds of the editor stay there."""
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
    return f"These {lines} lines are more than the model can read and write at once ({model.context_tokens} tokens)."
