"""The fuzzer's reference: a document as an editor keeps it, counted character by character. Shares no code."""

from dataclasses import dataclass
from random import Random
from typing import Any, Final

CODECS: Final = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
ALPHABET: Final = "abc  ()=\t:é\u4e2d\U0001f600\ud800\u2028\f\n"
"""Characters of random texts. It has one half of a surrogate pair and not the other: JSON joins two halves."""
LINE_ENDS: Final = ("\n", "\r\n", "\r")
MAX_CHARACTERS: Final = 400


def width(character: str, encoding: str) -> int:
    """Return the width of a character in units of an encoding; half of a surrogate pair has the codec's width."""
    codec, size = CODECS[encoding]
    return len(character.encode(codec, "surrogatepass")) // size


def position(text: str, offset: int, encoding: str) -> dict[str, int]:
    """Return the LSP position of an offset."""
    line = character = 0
    for number, char in enumerate(text[:offset]):
        if char == "\n" or (char == "\r" and text[number + 1 : number + 2] != "\n"):
            line, character = line + 1, 0
        else:
            character += width(char, encoding)
    return {"line": line, "character": character}


def random_text(random: Random, most: int) -> str:
    """Return a text of up to ``most`` characters with line ends of all kinds."""
    pieces = [random.choice(ALPHABET) for _ in range(random.randrange(most + 1))]
    return "".join(random.choice(LINE_ENDS) if piece == "\n" else piece for piece in pieces)


@dataclass
class Document:
    """One open document of the reference."""

    uri: str
    text: str
    version: int = 1

    def edit(self, random: Random, encoding: str) -> dict[str, Any]:
        """Change the text at a random place and return the change as the editor would send it."""
        if random.random() < 0.05 or len(self.text) > MAX_CHARACTERS:
            self.text = random_text(random, 80)
            return {"text": self.text}
        first, last = sorted(self._place(random) for _ in range(2))
        if random.random() < 0.6:
            last = first
        new = random_text(random, 8)
        place = {"start": position(self.text, first, encoding), "end": position(self.text, last, encoding)}
        if last == len(self.text) and random.random() < 0.1:  # beyond the end, which means the end
            place["end"] = {"line": place["end"]["line"] + random.randrange(1, 9), "character": random.randrange(99)}
        self.text = self.text[:first] + new + self.text[last:]
        return {"range": place, "text": new}

    def _place(self, random: Random) -> int:
        """Return an offset where an editor may put a cursor: not within a line end."""
        offset = random.randrange(len(self.text) + 1)
        return offset - (0 < offset < len(self.text) and self.text[offset - 1 : offset + 1] == "\r\n")
