"""Trains and writes the tokenizer, or compares the one that is there with llama.cpp.

usage: python -m models.training.train_tokenizer [--vocabulary 8192] [--check]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from models.training.corpus_file import CORPUS, HELD_OUT, read_corpus
from models.training.tokenizer import (
    HARD_TEXTS,
    TOKENIZER,
    TRAINING_CHARACTERS,
    VOCABULARY,
    Vocabulary,
    characters_per_token,
    texts_up_to,
    train,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and write the tokenizer, or compare the one that is there with llama.cpp."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vocabulary", type=int, default=VOCABULARY)
    parser.add_argument("--out", type=Path, default=TOKENIZER)
    parser.add_argument("--check", action="store_true", help="only compare with llama.cpp")
    options = parser.parse_args(arguments)
    if not options.check:
        trained = train(texts_up_to(read_corpus(CORPUS), TRAINING_CHARACTERS), options.vocabulary)
        trained.save(str(options.out), pretty=False)
    vocabulary = Vocabulary(options.out)
    held_out = read_corpus(HELD_OUT)
    print(f"{vocabulary.size} tokens, {characters_per_token(vocabulary, held_out):.2f} characters a token, held out")

    from models.training.llama import differing_texts  # noqa: PLC0415 - llama.cpp is not there on every machine

    texts = [*HARD_TEXTS, *(file.text for file in held_out)]
    different = differing_texts(vocabulary, texts)
    print(f"llama.cpp agrees on {len(texts) - len(different)} of {len(texts)} texts")
    for text in different[:5]:
        print(f"  differs: {text[:80]!r}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
