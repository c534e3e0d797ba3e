"""Build the messages for a chat model: the task, the lines, their surroundings and the form of the answer. Pure."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.chat.answer_format import fence_for
from spark_lsp.actions.scan import scan
from spark_lsp.engine.chat_template import Message
from spark_lsp.prompt.segment import Segment
from spark_lsp.text.edit import Span

SYSTEM: Final = (
    "You edit source code. You are given some lines of a file and a task. "
    "Answer with the new text of exactly these lines in one fenced block: complete, ready to take their place, "
    "with the same indentation, and nothing else. Change only what the task asks for and keep all other code, "
    "comments and names as they are."
)
BRIEF: Final = "You rewrite lines of code. Answer with the new lines in one fenced block and nothing else."
LINES_BEFORE: Final = 30
LINES_AFTER: Final = 10
"""Of the file around, besides its imports; what is further off is told by signatures."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A task that the model is shown as done before it does its own: small ones need to see that lines change."""

    message: str
    before: str
    instruction: str
    after: str


@dataclass(frozen=True, slots=True)
class Subject:
    """The lines that are rewritten and what the model is shown of the rest."""

    path: str
    language: str
    text: str
    region: Span
    elsewhere: Sequence[Segment] = ()
    begun: str = ""
    """The beginning of the old lines that the answer begins with as well: a signature that stays, its docstring too."""
    lines_before: int = LINES_BEFORE
    lines_after: int = LINES_AFTER

    @property
    def old(self) -> str:
        """The lines themselves."""
        return self.region.text(self.text).replace("\r\n", "\n")

    @property
    def dedented(self) -> str:
        """The lines without the indentation that they have in common; as they are where a string goes over lines."""
        has_string = any(line.in_string for line in scan(self.old, self.language).lines)
        return self.old if has_string else textwrap.dedent(self.old)

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
        context = "\n".join(f"{segment.path}: {segment.text.strip()}" for segment in subject.elsewhere)
        parts.append(f"Defined elsewhere in the workspace:\n{_fenced(subject, context)}")
    if above.strip():
        parts.append(f"Above the lines stands:\n{_fenced(subject, above)}")
    if below.strip():
        parts.append(f"Below the lines stands:\n{_fenced(subject, below)}")
    parts.append(f"The lines to rewrite:\n{_fenced(subject, subject.old)}")
    parts.append(f"Task: {task}")
    return Message("system", SYSTEM), Message("user", "\n\n".join(parts))


def brief_messages(subject: Subject, message: str, instruction: str, shown: Shown) -> tuple[Message, ...]:
    """Return a conversation about the lines alone, behind one about an example.

    A small model that is shown the file around gives the lines back as they were. Lines whose beginning is written
    for it stand where they stand in the file.
    """
    own = subject.old if subject.begun[:1] in {" ", "\t"} else subject.dedented
    lines = ((shown.message, shown.before, shown.instruction), (message, own, instruction))
    asked = [
        "\n".join(
            [*([message] if message else []), f"The lines to rewrite:\n{_fenced(subject, old)}\nTask: {instruction}"]
        )
        for message, old, instruction in lines
    ]
    answered = Message("assistant", _fenced(subject, shown.after))
    return Message("system", BRIEF), Message("user", asked[0]), answered, Message("user", asked[1])


def with_problem(messages: Sequence[Message], problem: str) -> tuple[Message, ...]:
    """Return the conversation with a note of what was wrong. The answer is left out: a small model would repeat it."""
    *earlier, asked = messages
    return *earlier, Message("user", f"{asked.text}\n\nAn answer was given already. This cannot be used: {problem}")


def opening_of(subject: Subject) -> str:
    """Return the beginning of the answer: what follows it is code."""
    return f"{subject.fence}{subject.language}\n{subject.begun}"


def whole_answer(subject: Subject, raw: str) -> str:
    """Return an answer with the beginning that was written for it, unless the model has written that again."""
    first = subject.begun.split("\n")[0].strip()
    is_again = bool(first) and any(line.strip().startswith(first) for line in raw.split("\n")[:2])
    return raw if is_again else subject.begun + raw


def _fenced(subject: Subject, text: str) -> str:
    return f"{subject.fence}{subject.language}\n{text}\n{subject.fence}"
