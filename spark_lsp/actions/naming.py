"""Choose a free name for what an action creates: by a model under a grammar, or by a plain rule.

The model completes the name at its declaration; it can write nothing but a name.
"""

import asyncio
import re
from dataclasses import dataclass, replace
from typing import Final, Literal

from spark_lsp.actions.base import Target, Tools
from spark_lsp.actions.model_answer import ModelAnswer, key_of, stream
from spark_lsp.engine.base import ACTION_PRIORITY, CompletionRequest, Sampling, Usage
from spark_lsp.errors import SparkError
from spark_lsp.text.edit import Edit, apply_edits

NameCase = Literal["camel", "snake"]

MAX_NAME_TOKENS: Final = 16
MAX_NAME_CHARACTERS: Final = 32
NAME_DEADLINE_MS: Final = 2500
"""Milliseconds; after that the plain rule's name is used, which the user can rename."""
MAX_WAIT_S: Final = NAME_DEADLINE_MS * 4 / 1000
"""How long an action waits for a name in all, the start of the model and the prompt included."""
MIN_PROBABILITY: Final = 0.1
"""Token probability; a name with a less probable token is a guess, and the plain rule's name is used. The embedded
model's worst name on the sample had 0.07."""
_GRAMMARS: Final[dict[NameCase, str]] = {
    "camel": "root ::= [a-z] [a-zA-Z0-9]*",
    "snake": "root ::= [a-z] [a-z0-9_]*",
}
_NAMES: Final[dict[NameCase, re.Pattern[str]]] = {
    "camel": re.compile(r"[a-z][a-zA-Z0-9]*"),
    "snake": re.compile(r"[a-z][a-z0-9_]*"),
}
_WORDS: Final = re.compile(r"[A-Za-z_$][\w$]*")
_OWN_WORDS: Final = re.compile(r"(?<![\w$])(?:(?<=\.\.)|(?<!\.))(?<!->)[A-Za-z_$][\w$]*")
_PARTS: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_VERBS: Final = frozenset(("get", "fetch", "load", "find", "read", "compute", "make", "create", "build", "to", "parse"))
_KEYWORDS: Final = (
    "abstract and any arguments as asm assert async auto await bool boolean break byte case catch chan char class "
    "const continue crate def default defer delete do double dyn else enum eval export extends extern fallthrough "
    "false final finally float fn for from func function global go goto if impl implements import in inline "
    "instanceof int interface is let long loop map match mod module move mut namespace native new nil none not "
    "null of or package pass private protected pub public raise range ref register return self short signed "
    "sizeof static string struct super switch template this throw throws trait true try type typedef typeof "
    "undefined union unsafe unsigned use using var virtual void volatile where while with yield "
)
"""Keywords of all languages here; a name that is a keyword elsewhere reads badly too."""
_RESERVED: Final = frozenset(re.findall(r"\w+", _KEYWORDS))


@dataclass(frozen=True, slots=True)
class NameGap:
    """Where a name is missing: the edited document without the name, and the offset of the gap."""

    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class UnnamedEdit:
    """Edits with the placeholder ``name``; ``head`` is the text before the declared name.

    ``is_last`` hides the text after the line from the model, because the current name is in it.
    """

    edits: tuple[Edit, ...]
    name: str
    head: str
    is_last: bool = False


async def named(
    target: Target, tools: Tools, unnamed: UnnamedEdit, case: NameCase, taken: set[str]
) -> tuple[str, Usage]:
    """Return a free name: the model's, or the plain one if the model has none. Never fails."""
    text = apply_edits(target.snapshot.text, unnamed.edits)
    at = text.find(unnamed.head + unnamed.name)
    if at < 0:
        return unnamed.name, Usage()
    at += len(unnamed.head)
    shown = text[:at] + text[at + len(unnamed.name) :]
    end = shown.find("\n", at)
    shown = shown[:end] if unnamed.is_last and end >= 0 else shown
    name, usage = await model_name(target, tools, NameGap(shown, at), _GRAMMARS[case], _NAMES[case])
    return (name if name and name not in _RESERVED and name not in taken else unnamed.name), usage


async def model_name(
    target: Target, tools: Tools, gap: NameGap, grammar: str, pattern: re.Pattern[str]
) -> tuple[str, Usage]:
    """Return the name that the model writes at a gap, "" where there is no model or it guesses. Never fails.

    ``pattern`` is the name within what the grammar allows; the model is stopped once it writes something behind it.
    """
    try:
        answer = await asyncio.wait_for(_answer(target, tools, gap, grammar, pattern), MAX_WAIT_S)
    except (SparkError, TimeoutError):
        return "", Usage()
    match = pattern.match(answer.raw)
    is_cut = answer.stop in {"max_tokens", "deadline", "cancelled"}
    if match is None or is_cut or answer.probability < MIN_PROBABILITY:
        return "", answer.usage
    return (match[0] if 1 < len(match[0]) <= MAX_NAME_CHARACTERS else ""), answer.usage


async def _answer(target: Target, tools: Tools, gap: NameGap, grammar: str, pattern: re.Pattern[str]) -> ModelAnswer:
    await tools.engine.start()
    packed = await tools.context.pack_for(replace(target.snapshot, text=gap.text), gap.offset)
    request = CompletionRequest(
        prompt=packed.parts,
        max_tokens=MAX_NAME_TOKENS,
        stops=tools.context.stops(),
        sampling=Sampling(grammar=grammar),
        deadline_ms=NAME_DEADLINE_MS,
        priority=ACTION_PRIORITY,
        key=key_of(target),
    )
    return await stream(tools, request, lambda raw: bool(raw) and not pattern.fullmatch(raw))


def plain_name(value: str, case: NameCase, otherwise: str) -> str:
    """Return a name for a value by its last word: ``user`` for ``getUser(id)``, ``size`` for ``a.size``."""
    longest, shorter = "", value.strip()
    while longest != shorter:
        longest, shorter = shorter, re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "", shorter)
    words = _WORDS.findall(longest) if re.fullmatch(r"(?:new |await |\w|[$.?!:&*]|->)+", longest) else []
    parts = [part.lower() for part in _PARTS.findall(words[-1])] if words else []
    if len(parts) > 1 and parts[0] in _VERBS:
        parts = parts[1:]
    if not parts or not parts[0][0].isalpha():
        return otherwise
    name = "_".join(parts) if case == "snake" else parts[0] + "".join(part.capitalize() for part in parts[1:])
    return otherwise if name in _RESERVED or len(name) < 2 else name


def free_name(wanted: str, taken: set[str]) -> str:
    """Return the name, with a number if it is taken."""
    if wanted not in taken and wanted not in _RESERVED:
        return wanted
    return next(f"{wanted}{number}" for number in range(2, len(taken) + 3) if f"{wanted}{number}" not in taken)


def words_of(text: str) -> set[str]:
    """Return every word of a text that could be a name, except attributes."""
    return set(_OWN_WORDS.findall(text))
