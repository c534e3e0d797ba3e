"""Choose names for what an action creates, by a model under a grammar or by a plain rule. Never returns one in use."""

import ast
import asyncio
import builtins
import keyword
import re
from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Final

from spark_lsp.actions.base import Target, Tools
from spark_lsp.actions.model_answer import key_of, stream
from spark_lsp.engine.base import ACTION_PRIORITY, CompletionRequest, Sampling, Usage
from spark_lsp.errors import SparkError

MAX_NAME_TOKENS: Final = 16
MAX_NAME_CHARACTERS: Final = 32
NAME_DEADLINE_MS: Final = 2500
"""Milliseconds; after that the plain rule's name is used, which the user can rename."""
MIN_SURE: Final = 0.1
"""Token probability; a less probable name is a guess. The embedded model's worst name on the sample had 0.07."""
GRAMMAR: Final = 'root ::= "_"? [a-z] [a-z0-9_]* ("(" | " =")?'
_NAME = re.compile(r"_?[a-z][a-z0-9_]*")
_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class NamePlace:
    """Where a name is missing: the edited document without the name, and the offset of the gap."""

    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class TakenNames:
    """Names in use: the document's words, and names that other files define."""

    words: Container[str]
    defined: Container[str]

    def __contains__(self, name: object) -> bool:
        return name in self.words or name in self.defined


async def named(target: Target, tools: Tools, place: NamePlace, taken: Container[str], plain: str) -> tuple[str, Usage]:
    """Return the model's name, or the plain one if there is no model or its answer is unusable."""
    try:
        answer, usage = await asyncio.wait_for(_ask(target, tools, place), NAME_DEADLINE_MS * 4 / 1000)
    except (SparkError, TimeoutError):
        return free_name(plain, taken), Usage()
    match = _NAME.match(answer)
    name = match[0].rstrip("_") if match else ""
    is_good = 1 < len(name) <= MAX_NAME_CHARACTERS and name not in taken and is_usable(name)
    is_good = is_good and not name.startswith("test")  # a test runner would call it
    return (name if is_good else free_name(plain, taken)), usage


async def _ask(target: Target, tools: Tools, place: NamePlace) -> tuple[str, Usage]:
    await tools.engine.start()
    packed = await tools.context.pack_for(replace(target.snapshot, text=place.text), place.offset)
    request = CompletionRequest(
        prompt=packed.parts,
        max_tokens=MAX_NAME_TOKENS,
        stops=tools.context.stops(),
        sampling=Sampling(grammar=GRAMMAR),
        deadline_ms=NAME_DEADLINE_MS,
        priority=ACTION_PRIORITY,
        key=key_of(target),
    )
    answer = await stream(tools, request, lambda raw: bool(raw) and not _NAME.fullmatch(raw))
    is_cut = answer.stop in {"max_tokens", "deadline", "cancelled"}
    is_guess = answer.probability < MIN_SURE
    return ("" if is_cut or is_guess else answer.raw), answer.usage


def is_usable(name: str) -> bool:
    """Whether a word can be a name and shadows no builtin."""
    return name.isidentifier() and not keyword.iskeyword(name) and not hasattr(builtins, name)


def words_of(text: str) -> set[str]:
    """Return every word of a document; a new name must be none of them."""
    return set(_WORD.findall(text))


def names_in_use(tree: ast.AST) -> set[str]:
    """Return every name of a document that could be confused with a new variable or function, without attributes."""
    names: set[str] = set()
    for node in ast.walk(tree):
        for field in ("id", "arg", "name", "asname", "rest"):
            value = getattr(node, field, None)
            if isinstance(value, str) and not isinstance(node, ast.keyword):
                names.add(value.split(".")[0])
        if isinstance(node, ast.Global | ast.Nonlocal):
            names.update(node.names)
    return names


def free_name(name: str, taken: Container[str]) -> str:
    """Return the name, with a number if it is taken."""
    tries = [name, *(f"{name}_{number}" for number in range(2, 1000))]
    return next(candidate for candidate in tries if candidate not in taken and is_usable(candidate))
