"""Parse an answer while it streams: the new lines, then a closing fence, and nothing else. Pure.

The prompt ends with an opening fence, so the first thing that the model writes is code.
"""

import re
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.layout import columns, white_space
from spark_lsp.actions.scan import scan

_FENCES: Final = re.compile(r"^[ \t]*(`{3,})", re.MULTILINE)
_INNER: Final = re.compile(r"[ \t]*```([\w+-]*)[ \t]*")
_FIRST_FENCE: Final = re.compile(r"\s*`{3,}[\w+-]*[ \t]*\n")
_PROMPT: Final = re.compile(r"(?:>>>|\.\.\.)(?: |$)")
_LEFT_OUT: Final = re.compile(
    r"^\s*(?:#|//|/\*|--)?\s*(?:\.\.\.|…)"
    r"|^\s*(?:#|//|/\*)\s*(?:rest of|remaining|existing|same as|other|your|the rest|unchanged|previous) \w+"
    r"|(?:#|//).*\b(?:goes here|as before|remains? (?:the same|unchanged))\b",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Lines:
    """What the model wrote in place of some lines; ``ended`` once its closing fence has come."""

    text: str
    ended: bool


def fence_for(*texts: str) -> str:
    """Return a fence that is longer than any in the texts that it encloses; backticks within a line are no fence."""
    longest = max((len(run) for text in texts for run in _FENCES.findall(text)), default=0)
    return "`" * max(3, longest + 1)


def lines_of(raw: str, fence: str, begun: str = "") -> Lines:
    """Return the lines of an answer behind an opening fence; a second fence at the start of the answer is skipped.

    ``begun`` is the beginning of the answer that the prompt contains; a fence in it closes nothing.
    """
    raw = raw.replace("\r\n", "\n").replace("\r", "\n")
    again = _FIRST_FENCE.match(raw)
    raw = raw[again.end() :] if again else raw
    end = re.search(rf"^[ \t]*{fence}`*[ \t]*$", raw, re.MULTILINE)
    own = len(begun) if raw.startswith(begun) else 0
    closed = _closed_short(raw[own : end.start()] if end else raw[own:]) if len(fence) > 3 else None
    closed = closed + own if closed is not None else None
    text = raw[: closed if closed is not None else end.start() if end else len(raw)]
    lines = _without_prompts(text.split("\n"))
    while lines and not lines[-1].strip():
        lines.pop()
    while lines and not lines[0].strip():
        lines.pop(0)
    is_over = end is not None or closed is not None
    return Lines("\n".join(line.rstrip() if not line.strip() else line for line in lines), is_over)


def _closed_short(raw: str) -> int | None:
    """Return where a line of three backticks closes an answer whose opening fence is longer.

    Small models close with three whatever they were shown.
    """
    at, is_inside = 0, False
    for line in raw.split("\n"):
        fence = _INNER.fullmatch(line)
        if fence and not fence[1] and not is_inside:
            return at
        if fence:
            is_inside = bool(fence[1])
        at += len(line) + 1
    return None


def _without_prompts(lines: list[str]) -> list[str]:
    """Remove interpreter prompts from lines if all lines have one."""
    filled = [line for line in lines if line.strip()]
    if filled and filled[0].startswith(">>>") and all(_PROMPT.match(line) for line in filled):
        return [line[4:] for line in lines]
    return lines


def left_out(old: str, new: str) -> bool:
    """Whether an answer has a placeholder for lines, like ``# ... existing code``, that the old lines did not have."""
    known = {line.strip() for line in old.split("\n")}
    return any(_LEFT_OUT.search(line) and line.strip() not in known for line in new.split("\n"))


def is_over(raw: str, fence: str) -> bool:
    """Whether the closing fence has come, on a complete line."""
    last = raw.rfind("\n")
    return last >= 0 and lines_of(raw[:last], fence).ended


def placed(text: str, original: str, language: str, unit: str) -> str:
    """Indent lines like the original's first line; text in multi-line strings stays as it is."""
    wanted = columns(_indent(original))
    answer_width = columns(_indent(text))
    if not text or wanted == answer_width:
        return text
    moved = []
    for line in scan(text, language).lines:
        if line.in_string or not line.text.strip():
            moved.append(line.text if line.in_string else "")
        else:
            body = line.text.lstrip(" \t")
            width = columns(line.text[: len(line.text) - len(body)]) + wanted - answer_width
            moved.append(white_space(max(0, width), unit) + body)
    return "\n".join(moved)


def _indent(text: str) -> str:
    line = next((line for line in text.split("\n") if line.strip()), "")
    return line[: len(line) - len(line.lstrip(" \t"))]
