"""What is said to a chat-capable model: the task, the lines, what stands around them, and how to answer. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.chat.answer import fence_for
from spark_lsp.actions.chat.template import Message
from spark_lsp.prompt.segment import Segment
from spark_lsp.text.edit import Span

SYSTEM: Final = (
    "You edit source code. You are given some lines of a file and a task. "
    "Answer with the new text of exactly these lines in one fenced block: complete, ready to take their place, "
    "with the same indentation, and nothing else. Change only what the task asks for and keep all other code, "
    "comments and names as they are."
)
LINES_BEFORE: Final = 30
LINES_AFTER: Final = 10
"""Of the file around, besides its imports; what lies further off is told by signatures."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The lines that are rewritten and what the model is shown of the rest."""

    path: str
    language: str
    text: str
    region: Span
    elsewhere: Sequence[Segment] = ()
    begun: str = ""
    """The beginning of the old lines that the answer begins with as well: a head that stays, its docstring too."""
    lines_before: int = LINES_BEFORE
    lines_after: int = LINES_AFTER

    @property
    def old(self) -> str:
        """The lines themselves."""
        return self.region.text(self.text).replace("\r\n", "\n")

    @property
    def fence(self) -> str:
        """The fence of the answer, longer than any in the file."""
        return fence_for(self.text)


def messages_of(subject: Subject, task: str) -> tuple[Message, ...]:
    """Return the conversation up to the model's answer."""
    before = subject.text[: subject.region.start].replace("\r\n", "\n").rstrip("\n").split("\n")
    after = subject.text[subject.region.end :].replace("\r\n", "\n").strip("\n").split("\n")
    above = "\n".join(before[-subject.lines_before :]) if subject.lines_before else ""
    below = "\n".join(after[: subject.lines_after]) if subject.lines_after else ""
    parts = [f"The file is {subject.path}, written in {subject.language}."]
    if subject.elsewhere:
        told = "\n".join(f"{segment.path}: {segment.text.strip()}" for segment in subject.elsewhere)
        parts.append(f"Defined elsewhere in the workspace:\n{_fenced(subject, told)}")
    if above.strip():
        parts.append(f"Above the lines stands:\n{_fenced(subject, above)}")
    if below.strip():
        parts.append(f"Below the lines stands:\n{_fenced(subject, below)}")
    parts.append(f"The lines to rewrite:\n{_fenced(subject, subject.old)}")
    parts.append(f"Task: {task}")
    return Message("system", SYSTEM), Message("user", "\n\n".join(parts))


def with_failure(messages: Sequence[Message], subject: Subject, answer: str, problem: str) -> tuple[Message, ...]:
    """Return the conversation after an answer that could not be used, with the failure stated."""
    told = f"This cannot be used: {problem} Answer again with the whole new text of the lines in one fenced block."
    return *messages, Message("assistant", _fenced(subject, answer)), Message("user", told)


def opening_of(subject: Subject) -> str:
    """Return the beginning of the answer: what follows it is code."""
    return f"{subject.fence}{subject.language}\n{subject.begun}"


def _fenced(subject: Subject, text: str) -> str:
    return f"{subject.fence}{subject.language}\n{text}\n{subject.fence}"
