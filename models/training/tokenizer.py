"""The tokenizer: byte-level BPE with Qwen2.5-Coder's special tokens, cut the way llama.cpp's "qwen2" cuts."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from models.training.corpus_file import SourceFile
from models.training.manifest import HERE

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER = HERE / "tokenizer.json"
VOCABULARY = 8192
TRAINING_CHARACTERS = 60_000_000  # more text moves the merges no more, and takes the trainer's memory

END = "<|endoftext|>"
FIM_PREFIX, FIM_MIDDLE, FIM_SUFFIX, FIM_PAD = "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"
REPOSITORY, FILE_SEPARATOR = "<|repo_name|>", "<|file_sep|>"
SPECIAL_TOKENS = (
    *(END, FIM_PREFIX, FIM_MIDDLE, FIM_SUFFIX, FIM_PAD, REPOSITORY, FILE_SEPARATOR),
    *("<|im_start|>", "<|im_end|>"),
)
"""Their ids are their places here; prompt code finds them by text."""

# llama.cpp's LLAMA_VOCAB_PRE_TYPE_QWEN2, letter by letter: digits one by one.
PRE_TOKENIZER = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Encoder(Protocol):
    """What makes token ids of text."""

    def special_token(self, text: str) -> int:
        """Return the id of a special token."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the ids of plain text, tokenised in isolation."""
        ...

    @property
    def line_ends(self) -> frozenset[int]:
        """The ids of tokens that hold a line's end; many close a bracket in the same token."""
        ...


@dataclass(frozen=True)
class Vocabulary:
    """A trained tokenizer. Plain text never becomes a special token."""

    path: Path

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        from tokenizers import Tokenizer  # noqa: PLC0415 - the tests do without

        loaded = Tokenizer.from_file(str(self.path))
        loaded.encode_special_tokens = True
        return loaded

    @property
    def size(self) -> int:
        """Number of tokens, special tokens included."""
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    def special_token(self, text: str) -> int:
        """Return the id of a special token.

        Raises:
            KeyError: there is none of that text.
        """
        if text not in SPECIAL_TOKENS or (number := self._tokenizer.token_to_id(text)) is None:
            raise KeyError(text)
        return number

    def encode(self, text: str) -> list[int]:
        """Return the ids of plain text, tokenised in isolation."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids if text else []

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, special tokens included."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=False)

    @cached_property
    def tokens(self) -> list[str]:
        """Every token by id, as GGUF stores them."""
        by_id = {number: token for token, number in self._tokenizer.get_vocab(with_added_tokens=True).items()}
        return [by_id[number] for number in range(self.size)]

    @cached_property
    def line_ends(self) -> frozenset[int]:
        """The ids of tokens that hold a line's end; many close a bracket in the same token."""
        (line_end,) = self.encode("\n")
        return frozenset(number for number, token in enumerate(self.tokens) if self.tokens[line_end] in token)

    @cached_property
    def merges(self) -> list[str]:
        """The merges in order, as GGUF stores them."""
        rows = json.loads(self.path.read_text("utf-8"))["model"]["merges"]
        return [row if isinstance(row, str) else " ".join(row) for row in rows]


def train(texts: Iterator[str], vocabulary: int) -> "Tokenizer":
    """Learn the merges from texts."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: PLC0415 - see above

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRE_TOKENIZER), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def texts_up_to(files: Sequence[SourceFile], limit_characters: int) -> Iterator[str]:
    """Yield texts in a fixed random order up to a limit."""
    order = list(range(len(files)))
    random.Random(0).shuffle(order)
    used = 0
    for place in order:
        used += len(files[place].text)
        if used > limit_characters:
            return
        yield files[place].text


def characters_per_token(vocabulary: Vocabulary, files: Sequence[SourceFile]) -> float:
    """Return how much text a token holds on average."""
    return sum(len(file.text) for file in files) / max(1, sum(len(vocabulary.encode(file.text)) for file in files))


HARD_TEXTS = (
    "x = 12345.678e-9\n\n\n    return\t\tx  # ü ß é 漢字 \U0001f600\r\n",
    "don't WE'LL I'M it'S 'tis 'REal",
    "<|fim_prefix|>not a special token<|endoftext|>",
    "a  b   c\n \n  \n\t\n   d",
    "\u00a0\u2003wide\u3000spaces\u200b٣٤٥ ½ Ⅷ",
    "----====////\n\n!!!\r\r\n",
    "   ",
    "\n",
)
"""Places where cuts differ easily: digits, runs of blanks, contractions, text that looks like a special token."""
