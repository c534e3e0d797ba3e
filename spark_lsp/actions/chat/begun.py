"""Let a chat model complete code whose beginning is already in its answer, such as a function's signature.

The prompt describes the task, and the model continues its own answer, so it cannot write another function instead.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.chat.answer_format import fence_for
from spark_lsp.engine.base import ModelInfo, PromptPart
from spark_lsp.engine.chat_template import Message, prompt_of
from spark_lsp.prompt.segment import Segment

SYSTEM: Final = "You are an expert programmer. Answer with code in one fenced block and nothing else."
MAX_ELSEWHERE_TOKENS: Final = 300
MAX_LINES_ABOVE: Final = 30
MAX_LINES_BELOW: Final = 8
MAX_IMPORT_LINES: Final = 15
MAX_INIT_LINES: Final = 12
_BLANKS: Final = (" ", "\t")
_IMPORT = re.compile(r"(?:import|from|using|use|#include|package)\b|(?:const|var|let)\b.*\brequire\(")
_CLASS = re.compile(r"^(?:export\s+|abstract\s+|public\s+)*(?:class|impl|struct|interface|trait)\b.*$", re.MULTILINE)
_INIT = re.compile(r"^(?P<indent>[ \t]+)def __init__\(.*(?:\n(?:(?P=indent)[ \t]+.*|\s*|[ \t]*\).*))*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Begun:
    """The code to complete.

    ``text`` is the document without the new code, ``start`` is where the begun code starts and ``at`` where it ends;
    ``task`` is the instruction and ``shown`` is related code for the prompt.
    """

    path: str
    language: str
    text: str
    start: int
    at: int
    task: str
    shown: str = ""
    elsewhere: Sequence[Segment] = ()
    lines_above: int = MAX_LINES_ABOVE
    lines_below: int = MAX_LINES_BELOW

    @property
    def fence(self) -> str:
        """The fence of the answer, longer than any in the file."""
        return fence_for(self.text, self.shown)

    @property
    def opening(self) -> str:
        """The beginning of the answer, without blanks at its end, which the model writes."""
        begun = self.text[self.start : self.at].replace("\r\n", "\n")
        return f"{self.fence}{self.language}\n" + (begun.rstrip(" \t") if begun.endswith(_BLANKS) else begun)


def prompt_to_finish(model: ModelInfo, begun: Begun, failures: Sequence[str] = ()) -> tuple[PromptPart, ...]:
    """Return the prompt that the model continues with the rest of the begun code.

    ``failures`` say why earlier answers were rejected; the answers are left out, because small models repeat them.

    Raises:
        ModelUnusable: the model has no chat template, or one that cannot be used.
    """
    paragraphs = [
        _task(begun),
        *(f"An earlier answer could not be used: {failure} Avoid this mistake." for failure in failures),
    ]
    messages = [Message("system", SYSTEM), Message("user", "\n\n".join(paragraphs))]
    return prompt_of(model, messages, begun.opening)


def _task(begun: Begun) -> str:
    parts = [f"The file is {begun.path}, written in {begun.language}."]
    if begun.elsewhere:
        parts.append(
            _fenced(begun, "\n".join(f"# {segment.path}\n{segment.text.strip()}" for segment in begun.elsewhere))
        )
    above, below = _above(begun), _below(begun)
    if above.strip():
        parts.append(f"It has this code above:\n{_fenced(begun, above)}")
    if below.strip():
        parts.append(f"And this below:\n{_fenced(begun, below)}")
    if begun.shown:
        parts.append(_fenced(begun, begun.shown))
    parts.append(begun.task)
    return "\n\n".join(parts)


def _above(begun: Begun) -> str:
    """Return the code above that the prompt shows: imports, the enclosing class with its constructor, nearby lines."""
    lines = begun.text[: begun.start].replace("\r\n", "\n").rstrip().split("\n")
    cut = max(0, len(lines) - begun.lines_above)
    near, far = lines[cut:], lines[:cut]
    imports = [line for line in far if _IMPORT.match(line)][:MAX_IMPORT_LINES]
    around: list[str] = []
    is_inside = begun.text[begun.start : begun.start + 1] in {" ", "\t"}
    classes = list(_CLASS.finditer("\n".join(far)))
    if is_inside and classes and not any(_CLASS.match(line) for line in near):
        around = [classes[-1][0]]
        init = _INIT.search("\n".join(far), classes[-1].end())
        around += init[0].rstrip().split("\n")[:MAX_INIT_LINES] if init else []
    return "\n".join([*imports, *around, *near])


def _below(begun: Begun) -> str:
    lines = begun.text[begun.at :].replace("\r\n", "\n").strip("\n").split("\n")
    return "\n".join(lines[: begun.lines_below])


def _fenced(begun: Begun, text: str) -> str:
    return f"{begun.fence}{begun.language}\n{text.strip(chr(10))}\n{begun.fence}"
