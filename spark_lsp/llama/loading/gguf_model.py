"""A GGUF file as a vocabulary and, where wanted, weights: loaded with guards, described from its own metadata.

Text is always tokenised with special tokens off; a special token is only ever taken by its own name. Never decodes.
"""

import ctypes
import hashlib
import re
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Mapping
from glob import escape as glob_escape
from pathlib import Path
from threading import Lock
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from spark_lsp.engine.fim import FimFamily, Order, family_of
from spark_lsp.errors import ModelMissing, ModelUnusable
from spark_lsp.llama.loading.gguf_header import MAGIC, HeaderError, check_header
from spark_lsp.llama.loading.native import L, last_errors, quiet

ORDER_KEY: Final = "spark.fim_order"
_ORDERS: Final[dict[str, Order]] = {"psm": "psm", "spm": "spm"}
_PIECE_BYTES: Final = 512  # 240 of Qwen2's tokens are longer than the 32 bytes that the high-level class allows
_PART: Final = re.compile(r"(.+)-\d{5}-of-(\d{5})\.gguf")
_TOKEN_NULL: Final = -1
_BOOL_TAG: Final = 2  # LLAMA_KV_OVERRIDE_TYPE_BOOL


def check_file(path: str) -> Mapping[str, tuple[int, ...]]:
    """Refuse what cannot be a model before the native library sees it; return the header's lists of whole numbers.

    Raises:
        ModelMissing: nothing is there.
        ModelUnusable: it is no file, empty, unreadable, not GGUF, or its header does not fit the file.
    """
    file = Path(path)
    pick = "Choose a GGUF file with the setting spark.model, or remove the setting to use the built-in model."
    try:
        if not file.exists():
            raise ModelMissing(f"There is no model file at {path}.", fix=pick)
        if not file.is_file():
            raise ModelUnusable(f"The model {path} is a folder or device, not a GGUF file.", fix=pick)
        with file.open("rb") as stream:
            head = stream.read(len(MAGIC))
    except OSError as error:
        raise ModelUnusable(f"The model file {path} cannot be read: {error.strerror}.", fix=pick) from error
    if not head:
        raise ModelUnusable(f"The model file {path} is empty.", fix="Download it again.")
    if head != MAGIC:
        raise ModelUnusable(f"The model file {path} is not a GGUF file (it does not begin with GGUF).", fix=pick)
    lists: dict[str, tuple[int, ...]] = {}
    for part in (file, *split_parts(file)):
        try:
            status = part.stat()
            lists |= check_header(part, status.st_size, status.st_mtime_ns)
        except OSError as error:
            raise ModelUnusable(f"The model file {part} cannot be read: {error.strerror}.", fix=pick) from error
        except HeaderError as error:
            raise ModelUnusable(
                f"The model file {part} cannot be loaded, it is damaged or of an unknown kind: {error}.",
                fix="Download it again, or choose another model.",
            ) from error
    return lists


def split_parts(file: Path) -> list[Path]:
    """Return the other files of a model that is split, which llama.cpp opens by their names; those that are there."""
    match = _PART.fullmatch(file.name)
    if match is None:
        return []
    parts = file.parent.glob(f"{glob_escape(match[1])}-*-of-{match[2]}.gguf")
    return sorted(part for part in parts if part != file and part.is_file() and _PART.fullmatch(part.name))


class Vocabulary:
    """The tokens of a loaded model. Reading is safe from any thread; pieces are kept once asked for."""

    def __init__(self, model: Any) -> None:
        self._vocab = L.llama_model_get_vocab(model)
        self.size: int = L.llama_vocab_n_tokens(self._vocab)
        bos: int = L.llama_vocab_bos(self._vocab)
        wants_bos = L.llama_vocab_get_add_bos(self._vocab) and bos != _TOKEN_NULL
        self.begin: int | None = bos if wants_bos else None
        """The token that the model wants in front of every prompt, if it wants one."""
        self._pieces: dict[int, bytes] = {}
        self._controls: dict[str, int | None] = {}
        self._by_bytes: tuple[list[bytes], npt.NDArray[np.int32]] | None = None

    @property
    def handle(self) -> Any:
        """The native vocabulary, for samplers."""
        return self._vocab

    def tokenize(self, text: str) -> npt.NDArray[np.int32]:
        """Tokenise plain text in isolation; nothing in it becomes a special token."""
        return self._tokenize(text.encode("utf-8", "replace"), parse_special=False)

    def special_token(self, text: str) -> int | None:
        """Return the id of a special token by its text, or None where the text is not exactly one special token."""
        if text not in self._controls:
            tokens = self._tokenize(text.encode("utf-8", "replace"), parse_special=True)
            known = len(tokens) == 1 and self.is_special(int(tokens[0]))
            self._controls[text] = int(tokens[0]) if known else None
        return self._controls[text]

    def is_special(self, token: int) -> bool:
        """Whether a token stands for something other than text."""
        return bool(L.llama_vocab_is_control(self._vocab, token)) and not self._is_named_like_an_end(token)

    def _is_named_like_an_end(self, token: int) -> bool:
        """Whether llama.cpp took a piece of text for the end of an answer by its name alone: ``</s>`` in Qwen2's HTML.

        It says so by adding "control" to the kind that the file gives the token and that stays beside it.
        """
        if not (0 <= token < self.size and L.llama_vocab_is_eog(self._vocab, token)):
            return False
        declared = (L.llama_vocab_eos(self._vocab), L.llama_vocab_eot(self._vocab))
        ordinary: bool = bool(L.llama_vocab_get_attr(self._vocab, token) & L.LLAMA_TOKEN_ATTR_NORMAL)
        return ordinary and token not in declared

    def special_token_texts(self) -> tuple[str, ...]:
        """Return the texts of all special tokens; a tenth of a second for a large vocabulary."""
        special = (token for token in range(self.size) if self.is_special(token))
        texts = (self._read_piece(token, shown=True).decode("utf-8", "replace") for token in special)
        return tuple(text for text in texts if text and self.special_token(text) is not None)

    def special_text(self, which: Literal["begin", "end"]) -> str:
        """Return the text of the token that begins or ends texts; empty where there is none."""
        token: int = L.llama_vocab_bos(self._vocab) if which == "begin" else L.llama_vocab_eos(self._vocab)
        return "" if token == _TOKEN_NULL else self._read_piece(token, shown=True).decode("utf-8", "replace")

    def ends_generation(self, token: int) -> bool:
        """Whether the token ends an answer: of its own kind, not a piece of text such as ``</s>`` in HTML."""
        return bool(L.llama_vocab_is_eog(self._vocab, token)) and self.is_special(token)

    def piece(self, token: int) -> bytes:
        """Return the bytes of a token; a special token has none. They may be a part of a character."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._read_piece(token, shown=self._is_named_like_an_end(token))
        return known

    def sort_by_bytes(self) -> None:
        """Prepare ``beginning_with``; some tenths of a second for a large vocabulary. Idempotent."""
        if self._by_bytes is not None:
            return
        buffer = ctypes.create_string_buffer(_PIECE_BYTES)
        vocab, read, at = self._vocab, L.llama_token_to_piece, ctypes.addressof(buffer)
        pieces: dict[int, bytes] = {}
        for token in range(self.size):
            size: int = read(vocab, token, buffer, _PIECE_BYTES, 0, False)
            if size > 0:  # a special token has no bytes
                pieces[token] = ctypes.string_at(at, size)
        for token in [token for token, piece in pieces.items() if piece[:1] in b"[<" and len(piece) > 2]:
            if L.llama_vocab_get_attr(vocab, token) & L.LLAMA_TOKEN_ATTR_UNUSED:
                del pieces[token]  # padding that was never trained, by the name of its number: [PAD151936]
        order = sorted(pieces, key=pieces.__getitem__)
        self._by_bytes = [pieces[token] for token in order], np.array(order, np.int32)

    def beginning_with(self, prefix: bytes) -> npt.NDArray[np.int32]:
        """Return every token of text whose bytes begin with a prefix, which is not empty; microseconds."""
        self.sort_by_bytes()
        assert self._by_bytes is not None, "sorted"
        pieces, tokens = self._by_bytes
        first = bisect_left(pieces, prefix)
        whole = prefix.rstrip(b"\xff")
        last = bisect_left(pieces, whole[:-1] + bytes([whole[-1] + 1]), first) if whole else len(pieces)
        return tokens[first:last]

    def _read_piece(self, token: int, *, shown: bool = False) -> bytes:
        """Return a token's bytes; those of a special token only when they are to be shown."""
        if not 0 <= token < self.size:
            return b""
        buffer = ctypes.create_string_buffer(_PIECE_BYTES)
        size: int = L.llama_token_to_piece(self._vocab, token, buffer, _PIECE_BYTES, 0, shown)
        if size < 0:
            buffer = ctypes.create_string_buffer(-size)
            size = L.llama_token_to_piece(self._vocab, token, buffer, -size, 0, shown)
        return buffer.raw[: max(size, 0)]

    def _tokenize(self, text: bytes, *, parse_special: bool) -> npt.NDArray[np.int32]:
        if not text:
            return np.empty(0, np.int32)
        room = len(text) + 8  # a token is at least a byte, but some vocabularies add a leading blank
        while True:
            buffer = (ctypes.c_int32 * room)()
            count: int = L.llama_tokenize(self._vocab, text, len(text), buffer, room, False, parse_special)
            if count >= 0:
                return np.ctypeslib.as_array(buffer)[:count].copy()
            room = -count


class TokenCache:
    """npt.NDArray[np.int32] of texts, the oldest unused forgotten first. Shared by threads.

    Realignment by the text itself: a string that was seen before remembers its own hash, so a long one costs nothing.
    """

    def __init__(self, most_tokens: int = 4_000_000) -> None:  # 16 MB of ids
        self._most_tokens = most_tokens
        self._known: OrderedDict[str, tuple[bytes, npt.NDArray[np.int32]]] = OrderedDict()
        self._held = 0
        self._lock = Lock()

    def tokens(self, vocabulary: Vocabulary, text: str) -> tuple[bytes, npt.NDArray[np.int32]]:
        """Return a key that equals only that of an equal text, and the text's tokens."""
        with self._lock:
            known = self._known.get(text)
            if known is not None:
                self._known.move_to_end(text)
                return known
        key = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()
        fresh = key, vocabulary.tokenize(text)
        with self._lock:
            if text not in self._known:
                self._known[text] = fresh
                self._held += len(fresh[1])
            while self._held > self._most_tokens and len(self._known) > 1:
                self._held -= len(self._known.popitem(last=False)[1][1])
        return fresh


class GgufModel:
    """A model in memory: the vocabulary alone, or with its weights. ``close`` gives it back, once."""

    def __init__(self, path: str, *, gpu_layers: int, vocab_only: bool, extra_buffers: bool = True) -> None:
        """Load. Without ``extra_buffers`` the weights stay as they are in the file, and slower kernels compute.

        Raises:
            ModelMissing, ModelUnusable: the file is not there, or llama.cpp cannot load it.
        """
        self._lists = check_file(path)
        quiet()
        last_errors()
        self.path = path
        self.size_bytes = Path(path).stat().st_size
        params = L.llama_model_default_params()
        params.n_gpu_layers = gpu_layers
        params.vocab_only = vocab_only
        params.use_extra_bufts = extra_buffers
        overrides = _no_space_prefix()  # a name of its own keeps it alive during the load
        params.kv_overrides = overrides
        self._model = L.llama_model_load_from_file(path.encode(), params)
        if not self._model:
            message = next(iter(last_errors()), "llama.cpp gave no reason")
            raise ModelUnusable(
                f"The model file {path} cannot be loaded, it may be truncated or of an unknown kind: {message}.",
                fix="Download it again, or choose another model.",
            )
        self.vocabulary = Vocabulary(self._model)
        if self.vocabulary.size <= 0:
            self.close()
            raise ModelUnusable(f"The model file {path} contains no vocabulary.")

    @property
    def handle(self) -> Any:
        """The native model."""
        return self._model

    def close(self) -> None:
        """Free the native model. Idempotent."""
        model, self._model = self._model, None
        if model:
            L.llama_model_free(model)

    def text(self, key: str) -> str:
        """Return a metadata value as text, "" where there is none.

        The functions that read hyperparameters abort on a model without weights; metadata never does.
        """
        size = 1024
        buffer = ctypes.create_string_buffer(size)
        length: int = L.llama_model_meta_val_str(self._model, key.encode(), buffer, size)
        return buffer.value.decode("utf-8", "replace") if length >= 0 else ""

    def number(self, key: str, default: int) -> int:
        """Return a metadata number of this architecture, such as ``block_count``; of a list its largest."""
        return max(self.numbers(key), default=default)

    def numbers(self, key: str) -> list[int]:
        """Return a metadata list of this architecture, such as the heads of each layer; of a number a list of it."""
        name = f"{self.architecture}.{key}"
        text = self.text(name).strip()
        return [int(text)] if text.isdecimal() else list(self._lists.get(name, ()))

    @property
    def architecture(self) -> str:
        """The name of the model's architecture, such as ``qwen3``."""
        return self.text("general.architecture")

    @property
    def name(self) -> str:
        """The model's own name, else its file's."""
        return self.text("general.name") or Path(self.path).stem

    @property
    def trained_context_tokens(self) -> int:
        """The longest context the model was trained for; 0 where it does not say."""
        return self.number("context_length", 0)

    @property
    def has_chat_template(self) -> bool:
        """Whether the model can be talked to."""
        return bool(self.text("tokenizer.chat_template"))

    @property
    def chat_template(self) -> str:
        """The model's own template for conversations, whole; "" where it has none."""
        template: bytes | None = L.llama_model_chat_template(self._model, None)
        return template.decode("utf-8", "replace") if template and self.has_chat_template else ""

    def family(self) -> FimFamily | None:
        """Return the fill-in-the-middle family of the vocabulary, if it is one we know."""
        return family_of(lambda text: self.vocabulary.special_token(text) is not None, self.name)

    def fim_order(self) -> Order:
        """Return the order the model says it was trained on, else its family's."""
        order = _ORDERS.get(self.text(ORDER_KEY))
        if order is not None:
            return order
        family = self.family()
        return family.order if family is not None else "psm"

    def fingerprint(self) -> str:
        """Return a name for tokenizer and weights: the file's head, size and time."""
        with Path(self.path).open("rb") as stream:
            head = stream.read(1 << 20)
        stat = Path(self.path).stat()
        version = f"{stat.st_size}:{stat.st_mtime_ns}".encode()
        return hashlib.blake2b(head + version, digest_size=16).hexdigest()


def _no_space_prefix() -> Any:
    """Override the habit of some vocabularies to put a blank before every text: ours are continued, not begun."""
    overrides = (L.llama_model_kv_override * 2)()  # the second one is the empty end mark
    overrides[0].tag = _BOOL_TAG
    overrides[0].key = b"tokenizer.ggml.add_space_prefix"
    # The value itself is false already: ctypes hands out zeroed memory.
    return overrides


KV_BYTES: Final[dict[Literal["f16", "q8_0", "q4_0"], float]] = {"f16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}
"""Bytes for one cached number (ggml block sizes)."""
