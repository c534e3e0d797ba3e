"""Remove false entries from a docstring that a model wrote: unknown parameters and invented output. Pure.

Entries that contradict the signature are removed, and examples are too, because nobody has run them.
"""

import ast
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.checks.functions import Function, own_nodes, parameters

_FIELD = re.compile(
    r"^[:@]\s*(param|parameter|arg|argument|key|keyword|type|raises?|except|exception|throws|returns?|rtype|yields?)"
    r"\b\s*([^:]*):?"
)
_SECTION = re.compile(
    r"^(Args|Arguments|Parameters|Params|Keyword Args|Raises|Returns?|Yields?|Examples?|Note|Notes|See Also)"
    r"\s*:{0,2}\s*$"
)
_ENTRY = re.compile(r"^[-*]?\s*`{0,2}\*{0,2}(\w+)`{0,2}\s*(?:\([^)]*\))?\s*:")
_UNDERLINE = re.compile(r"^[-=]{3,}$")
_SECTION_OF_PARAMETERS: Final = frozenset(("Args", "Arguments", "Parameters", "Params", "Keyword Args"))
_FIRST_LINE = re.compile(r"^\s*[rR]?(?:\"\"\"|''')\s*([^\n\"]+)", re.MULTILINE)
_STYLE = re.compile(r"^\s*(?::param |:return|Args:|Parameters\s*$|Returns:)", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z]{3,}")
MIN_WORDS: Final = 3
"""Words in the names of the code; code with fewer says too little to compare a docstring with."""
_SMALL: Final = frozenset(
    ("the", "and", "for", "this", "that", "with", "from", "into", "return", "returns", "given", "function", "method",
     "value", "values", "class", "self", "object", "not", "are", "get", "set", "its", "has", "was", "will", "all")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Documented:
    """What a docstring may describe: parameters, whether a value is returned, errors that are raised."""

    parameters: Collection[str]
    gives: bool
    errors: Collection[str]
    words: Collection[str]
    """Words in the names of the code, to check that the text is about it."""
    others: Collection[str]
    """The beginnings of other docstrings of the file."""
    has_style: bool
    """Whether docstrings of the file have sections or fields; if none has, sentences are enough."""


def facts_of(function: Function, text: str) -> Documented:
    """Return what a function's docstring may describe."""
    nodes = list(own_nodes(function.body))
    raised = [node.exc for node in nodes if isinstance(node, ast.Raise) and node.exc is not None]
    errors = {word for expression in raised for word in re.findall(r"\w+", ast.unparse(expression))}
    gives = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in nodes) or any(
        isinstance(node, ast.Return) and node.value is not None for node in nodes
    )
    names = {parameter.arg for parameter in parameters(function)} | {function.name}
    names |= {getattr(node, field) for node in ast.walk(function) for field in ("id", "attr") if hasattr(node, field)}
    words = {part.lower() for name in names for part in re.findall(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}", name)}
    has_others = len(re.findall(r"^\s*[rR]?(?:\"\"\"|''')", text, re.MULTILINE)) > 1
    style = not has_others or bool(_STYLE.search(text))
    others = {match[1].strip() for match in _FIRST_LINE.finditer(text)}
    return Documented({parameter.arg for parameter in parameters(function)}, gives, errors, words, others, style)


def usable(lines: list[str], facts: Documented) -> list[str]:
    """Return the lines to keep, with an empty line after the summary; none if the summary is unusable."""
    summary, rest = _summary(lines)
    if not summary or not _is_about(summary, facts) or _bare(summary[0]) in map(_bare, facts.others):
        return []
    kept = _kept(rest, facts)
    while kept and not kept[-1].strip():
        kept.pop()
    while kept and not kept[0].strip():
        kept.pop(0)
    return [*summary, "", *kept] if kept else summary


def _bare(sentence: str) -> str:
    return sentence.strip().rstrip(".").lower()


def _summary(lines: list[str]) -> tuple[list[str], list[str]]:
    """Split the first sentence from the rest; text after its full stop moves to the description."""
    first = lines[0].strip() if lines else ""
    at = 1
    while first and not first.endswith((".", "!", "?")) and at < len(lines) and _goes_on(lines[at]):
        first = f"{first} {lines[at].strip()}"
        at += 1
    ended = re.match(r"(.+?[.!?])(?=\s+[A-Z`:])", first)
    later = [first[ended.end() :].strip()] if ended and ended.end() < len(first) else []
    first = ended[1] if ended else first
    return ([first] if first else []), [*later, *lines[at:]]


def _goes_on(line: str) -> bool:
    stripped = line.strip()
    return (
        bool(stripped)
        and not _FIELD.match(stripped)
        and not _SECTION.match(stripped)
        and not stripped.startswith((">>>", "-", "*"))
    )


def _is_about(summary: list[str], facts: Documented) -> bool:
    """Whether a sentence contains a word of the code, in any inflection, if the code has words."""
    words = [word.lower() for word in _WORD.findall(" ".join(summary)) if word.lower() not in _SMALL]
    stems = {word[:4] for word in facts.words if len(word) >= 4}
    return len(stems) < MIN_WORDS or any(word[:4] in stems for word in words)


def _kept(lines: list[str], facts: Documented) -> list[str]:
    kept: list[str] = []
    section, is_left = "", False
    for line in lines:
        stripped = line.strip()
        heading, field = _SECTION.match(stripped), _FIELD.match(stripped)
        if stripped.startswith(">>>") or (heading and heading[1].startswith(("Example", "See", "Note"))):
            break  # nobody has run the example
        if heading:
            section, is_left = heading[1], not _may_have(heading[1], facts)
        elif field:
            section, is_left = "", not _is_true(field[1], field[2].split()[-1:] or [""], facts)
        elif section and (entry := _ENTRY.match(stripped)):
            is_left = not _may_have(section, facts) or not _is_known(section, entry[1], facts)
        elif not stripped:
            is_left = False if not section else is_left
        is_entry = bool(section) and not heading and bool(stripped) and not _UNDERLINE.match(stripped)
        if not is_left or not stripped:
            kept.append(f"    {stripped}" if is_entry and not line.startswith(" ") else line)
    return _without_empty_sections(kept)


def _may_have(section: str, facts: Documented) -> bool:
    if section.startswith(("Return", "Yield")):
        return facts.gives and facts.has_style
    return facts.has_style


def _is_known(section: str, name: str, facts: Documented) -> bool:
    if section in _SECTION_OF_PARAMETERS:
        return name in facts.parameters
    return name in facts.errors if section == "Raises" else True


def _is_true(field: str, name: list[str], facts: Documented) -> bool:
    if not facts.has_style:
        return False
    if field.startswith(("return", "rtype", "yield")):
        return facts.gives
    if field.startswith(("raise", "except", "throws")):
        return name[0] in facts.errors
    return name[0].lstrip("*") in facts.parameters


def _without_empty_sections(lines: list[str]) -> list[str]:
    kept: list[str] = []
    for number, line in enumerate(lines):
        following = next((later.strip() for later in lines[number + 1 :] if later.strip()), "")
        is_heading = bool(_SECTION.match(line.strip())) or bool(_UNDERLINE.match(line.strip()))
        if is_heading and (not following or _SECTION.match(following)):
            continue
        kept.append(line)
    return kept
