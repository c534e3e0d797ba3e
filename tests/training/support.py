"""A small corpus and an encoder that need nothing installed."""

from models.training.corpus_file import SourceFile
from models.training.tokenizer import SPECIAL_TOKENS


class ByteEncoder:
    """One token a byte, after the special tokens."""

    def special_token(self, text: str) -> int:
        return SPECIAL_TOKENS.index(text)

    def encode(self, text: str) -> list[int]:
        return [len(SPECIAL_TOKENS) + byte for byte in text.encode()]

    @property
    def line_ends(self) -> frozenset[int]:
        return frozenset({len(SPECIAL_TOKENS) + ord("\n")})

    def decode(self, ids: list[int]) -> str:
        """Return the text, special tokens by their own."""
        text = b""
        for number in ids:
            text += (
                SPECIAL_TOKENS[number].encode()
                if number < len(SPECIAL_TOKENS)
                else bytes([number - len(SPECIAL_TOKENS)])
            )
        return text.decode()


def small_corpus() -> list[SourceFile]:
    """Two packages; in each, files use what others define."""
    files = []
    for package in ("alpha", "beta"):
        for number in range(6):
            neighbour = (number + 1) % 6
            body = "".join(
                f"def make_{package}_{number}_{place}(value: int) -> int:\n"
                f'    """Return {place} more."""\n'
                f"    if value > {place}:\n"
                f"        return make_{package}_{neighbour}_{place}(value - {place})\n"
                f"    return value + {place}\n\n\n"
                for place in range(8)
            )
            text = f"from {package}.m{neighbour} import make_{package}_{neighbour}_0\n\n\n{body}"
            lines = [line for line, content in enumerate(text.split("\n")) if content.startswith("def ")]
            spans = tuple((f"make_{package}_{number}_{place}", line, line) for place, line in enumerate(lines))
            files.append(SourceFile(package, f"{package}/m{number}.py", "python", text, spans))
    return files
