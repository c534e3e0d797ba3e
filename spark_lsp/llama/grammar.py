"""Limits of grammars (GBNF): llama.cpp parses and follows them recursively, and a deep one ends the process. Pure."""

import re
from itertools import accumulate
from typing import Final

from spark_lsp.errors import EngineFailed

MAX_CHARS: Final = 256 * 1024
MAX_DEPTH: Final = 64
"""Groups within groups. llama.cpp died of 20,000."""
MAX_RULES: Final = 512
"""Rules can refer to each other in a chain, which llama.cpp follows recursively as well."""
MAX_REPEATS: Final = 1000
"""Sum of all upper bounds of repetitions: llama.cpp writes out each as a chain of rules."""

# Literals and character classes hold brackets of their own; a backslash takes the next character with it.
_MARK: Final = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|#[^\n]*|::=|[()?*+]|\{[^}]*\}', re.DOTALL)
_RULE_MARKS: Final = frozenset({"::=", "?", "*", "+"})  # a repetition is a rule of its own in llama.cpp
_NUMBER: Final = re.compile(r"\d+")


def check_grammar(grammar: str) -> None:
    """Refuse a grammar that could end the process.

    Raises:
        EngineFailed: it is too long, too deep, or says too much.
    """
    marks = _MARK.findall(grammar[: MAX_CHARS + 1])
    depth = max(accumulate((mark == "(") - (mark == ")") for mark in marks), default=0)
    rules = sum(mark in _RULE_MARKS for mark in marks)
    repeats = sum(_repeats(mark) for mark in marks)
    for is_over, limit in (
        (len(grammar) > MAX_CHARS, f"has more than {MAX_CHARS:,} characters"),
        ("\0" in grammar, "holds a character that no grammar can hold"),
        (depth > MAX_DEPTH, f"nests groups more than {MAX_DEPTH} deep"),
        (rules > MAX_RULES, f"has more than {MAX_RULES} rules and repetitions"),
        (repeats > MAX_REPEATS, f"repeats more than {MAX_REPEATS:,} times"),
    ):
        if is_over:
            raise EngineFailed(f"The grammar of the request {limit}.")


def _repeats(mark: str) -> int:
    """Return the upper bound of a repetition such as ``{2,5}``; more digits than a bound can have count as too many."""
    if not mark.startswith("{"):
        return 0
    return max((MAX_REPEATS + 1 if len(number) > 9 else int(number) for number in _NUMBER.findall(mark)), default=0)
