"""Python's rules for a new name: what can be one, what is in use, and a free one. Never returns one in use."""

import ast
import builtins
import keyword
import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.base import Target, Tools
from spark_lsp.actions.naming import NameGap, model_name
from spark_lsp.engine.base import Usage

GRAMMAR: Final = 'root ::= "_"? [a-z] [a-z0-9_]* ("(" | " =")?'
_NAME = re.compile(r"_?[a-z][a-z0-9_]*")
_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class TakenNames:
    """Names in use: the document's words, and names that other files define."""

    words: Container[str]
    defined: Container[str]

    def __contains__(self, name: object) -> bool:
        return name in self.words or name in self.defined


async def named(target: Target, tools: Tools, gap: NameGap, taken: Container[str], plain: str) -> tuple[str, Usage]:
    """Return the model's name, or the plain one if there is no model or its answer is unusable."""
    name, usage = await model_name(target, tools, gap, GRAMMAR, _NAME)
    name = name.rstrip("_")
    is_good = len(name) > 1 and name not in taken and is_usable(name)
    is_good = is_good and not name.startswith("test")  # a test runner would call it
    return (name if is_good else free_name(plain, taken)), usage


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
