"""Build the messages for a chat model: the task, the lines, their surroundings and the answer's format. Pure."""

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
"""Lines of the surrounding file in the prompt, besides imports; code further away is shown as signatures."""


@dataclass(frozen=True, slots=True)
class WorkedExample:
    """A solved example that comes before the task; without one, small models return the lines unchanged."""

    message: str
    before: str
    instruction: str
    after: str


@dataclass(frozen=True, slots=True)
class Subject:
    """The lines to rewrite and the context that the model sees."""

    path: str
    language: str
    text: str
    region: Span
    elsewhere: Sequence[Segment] = ()
    begun: str = ""
    """The beginning of the old lines that the answer keeps: an unchanged signature and its docstring."""
    lines_before: int = LINES_BEFORE
    lines_after: int = LINES_AFTER

    @property
    def old(self) -> str:
        """The lines to rewrite."""
        return self.region.text(self.text).replace("\r\n", "\n")

    @property
    def dedented(self) -> str:
        """The lines without their common indentation; unchanged if a string spans several lines."""
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


def brief_messages(subject: Subject, message: str, instruction: str, shown: WorkedExample) -> tuple[Message, ...]:
    """Return a conversation about the lines alone, after one solved example.

    A small model that sees the surrounding file returns the lines unchanged. If the prompt contains the beginning of
    the answer, the lines keep their indentation.
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
    """Return the conversation with a note of the problem, without the failed answer: a small model would repeat it."""
    *earlier, asked = messages
    return *earlier, Message("user", f"{asked.text}\n\nAn answer was given already. This cannot be used: {problem}")


def opening_of(subject: Subject) -> str:
    """Return the beginning of the answer, which code follows."""
    return f"{subject.fence}{subject.language}\n{subject.begun}"


def whole_answer(subject: Subject, raw: str) -> str:
    """Return an answer with the beginning from the prompt, unless the model repeated it."""
    first = subject.begun.split("\n")[0].strip()
    is_again = bool(first) and any(line.strip().startswith(first) for line in raw.split("\n")[:2])
    return raw if is_again else subject.begun + raw


def _fenced(subject: Subject, text: str) -> str:
    return f"{subject.fence}{subject.language}\n{text}\n{subject.fence}"
