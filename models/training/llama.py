"""The reference of the export: llama.cpp's tokens of a text and its logits of a prompt."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from models.training.gguf_file import write_vocabulary
from models.training.tokenizer import Vocabulary


@contextlib.contextmanager
def opened(path: Path, *, vocabulary_only: bool = False, context_tokens: int = 2048) -> Iterator[llama_cpp.Llama]:
    """Load a file, and let it go at the end."""
    model = llama_cpp.Llama(
        str(path), vocab_only=vocabulary_only, n_ctx=context_tokens, n_batch=512, verbose=False, logits_all=False
    )
    try:
        yield model
    finally:
        model.close()


def differing_texts(vocabulary: Vocabulary, texts: Sequence[str]) -> list[str]:
    """Return the texts that llama.cpp cuts into other tokens than the tokenizer does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocabulary.gguf"
        write_vocabulary(path, vocabulary)
        with opened(path, vocabulary_only=True, context_tokens=512) as model:
            return [text for text in texts if text and ids_of(model, text) != vocabulary.encode(text)]


def ids_of(model: llama_cpp.Llama, text: str) -> list[int]:
    """Return the ids of plain text, as the engine asks for them."""
    return model.tokenize(text.encode(), add_bos=False, special=False)


def greedy(model: llama_cpp.Llama, prompt: Sequence[int], tokens: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the likeliest next token and all logits, again and again, ends ignored."""
    model.reset()
    fed = list(prompt)
    for _ in range(tokens):
        model.eval(fed)
        pointer = llama_cpp.llama_get_logits_ith(model.ctx, -1)
        logits = np.ctypeslib.as_array(pointer, shape=(model.n_vocab(),)).copy()
        fed = [int(logits.argmax())]
        yield fed[0], logits
