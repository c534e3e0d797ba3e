"""Renames identifiers throughout a prompt and its answer, so that the new name can be had from the prompt alone.

A name that the model has seen a thousand times is completed from memory; one it has never seen has to be copied from
where the prompt shows it, which is what context is for. Pure.
"""

import builtins
import keyword
import random
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from models.training.prompt import Prompt

IDENTIFIER = re.compile(r"[^\W\d]\w*")
MAX_PARTS = 3
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_KEPT = frozenset((*keyword.kwlist, *dir(builtins)))


def parts_of(name: str) -> list[str]:
    """Return the words of an identifier, in lower case."""
    return [part.lower() for part in _PARTS.findall(name) if not part.isdigit()]


def may_be_renamed(name: str) -> bool:
    """Tell whether a name is the program's own: no keyword, no builtin, no ``__dunder__``."""
    return name not in _KEPT and not (name.startswith("__") and name.endswith("__")) and bool(parts_of(name))


def fresh_name(chance: random.Random, like: str, words: Sequence[str]) -> str:
    """Return a name of new words in the style of another: CamelCase, UPPER_CASE, lower_case, with its underscores."""
    count = min(MAX_PARTS, max(1, len(parts_of(like)) + chance.choice((-1, 0, 0, 1))))
    chosen = [chance.choice(words) for _ in range(count)]
    bare = like.strip("_")
    before, after = like[: len(like) - len(like.lstrip("_"))], like[len(like.rstrip("_")) :]
    if bare.isupper() and len(bare) > 1:
        body = "_".join(chosen).upper()
    elif bare[:1].isupper():
        body = "".join(word.capitalize() for word in chosen)
    elif any(letter.isupper() for letter in bare):
        body = chosen[0] + "".join(word.capitalize() for word in chosen[1:])
    else:
        body = "_".join(chosen)
    return before + body + after


def renamed(prompt: Prompt, names: Mapping[str, str]) -> Prompt:
    """Return the prompt with names exchanged in all its texts; a cursor within a name stays within the new one."""
    blocks = tuple(replace(block, text=_exchanged((block.text,), names)[0]) for block in prompt.blocks)
    prefix, middle, suffix = _exchanged((prompt.prefix, prompt.middle, prompt.suffix), names)
    return replace(prompt, blocks=blocks, prefix=prefix, middle=middle, suffix=suffix)


def _exchanged(texts: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Exchange names in texts that belong together: a name may begin in one and end in the next."""
    cuts = list(accumulate(map(len, texts)))
    new_texts = ["" for _ in texts]
    place = 0
    whole = "".join(texts)
    for match in IDENTIFIER.finditer(whole):
        new = names.get(match[0])
        if new is None:
            continue
        _append(new_texts, cuts, place, whole[place : match.start()])
        first = bisect_right(cuts, match.start())
        at = match.start()
        for number in range(first, len(texts)):  # each text keeps as many characters of the name as it had, at most
            end = min(cuts[number], match.end())
            is_last = end == match.end()
            share = new if is_last else new[: min(end - at, max(0, len(new) - 1))]
            new_texts[number] += share
            new, at = new[len(share) :], end
            if is_last:
                break
        place = match.end()
    _append(new_texts, cuts, place, whole[place:])
    return new_texts


def _append(new_texts: list[str], cuts: Sequence[int], start: int, text: str) -> None:
    """Add a stretch of the joined texts, that begins at ``start``, to those that it belongs to."""
    while text:
        number = bisect_right(cuts, start)
        count = min(len(text), cuts[number] - start)
        new_texts[number] += text[:count]
        text, start = text[count:], start + count
