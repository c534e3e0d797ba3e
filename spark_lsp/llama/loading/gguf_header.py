"""Reads the header of a GGUF file and refuses one whose figures do not fit the file, before llama.cpp sees it.

llama.cpp ends its process on many a figure that it does not expect, such as a block count of 0. Nothing here trusts a
length: all are held against the file's size first, and no more than ``MAX_HEADER_BYTES`` are read.
The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import BinaryIO, Final

MAGIC: Final = b"GGUF"
VERSIONS: Final = frozenset({2, 3})
MAX_HEADER_BYTES: Final = 128_000_000  # vocabularies of 260,000 tokens with their merges take about 16 MB
MAX_LAYERS: Final = 512  # LLAMA_MAX_LAYERS
MAX_EXPERTS: Final = 512  # LLAMA_MAX_EXPERTS
MAX_DIMENSIONS: Final = 4  # GGML_MAX_DIMS
MAX_NAME_BYTES: Final = 63  # GGML_MAX_NAME, less its end mark
MAX_KEY_BYTES: Final = 65_535
MAX_INT32: Final = 2**31 - 1
DEFAULT_ALIGNMENT: Final = 32

_READ_BYTES: Final = 1 << 20
_STRING: Final = 8
_ARRAY: Final = 9
_SCALARS: Final[Mapping[int, struct.Struct]] = {
    number: struct.Struct(f"<{code}") for number, code in enumerate("BbHhIif?")
} | {10: struct.Struct("<Q"), 11: struct.Struct("<q"), 12: struct.Struct("<d")}
_LENGTH: Final = struct.Struct("<Q")
_WORD: Final = struct.Struct("<I")
_INT32_ARRAYS: Final = frozenset({4, 5})

TENSOR_TYPES: Final[Mapping[int, tuple[int, int]]] = {
    0: (1, 4),
    1: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    7: (32, 24),
    8: (32, 34),
    9: (32, 40),
    10: (256, 84),
    11: (256, 110),
    12: (256, 144),
    13: (256, 176),
    14: (256, 210),
    15: (256, 292),
    16: (256, 66),
    17: (256, 74),
    18: (256, 98),
    19: (256, 50),
    20: (32, 18),
    21: (256, 110),
    22: (256, 82),
    23: (256, 136),
    24: (1, 1),
    25: (1, 2),
    26: (1, 4),
    27: (1, 8),
    28: (1, 8),
    29: (256, 56),
    30: (1, 2),
    34: (256, 54),
    35: (256, 66),
    39: (32, 17),
    40: (64, 36),
    41: (128, 18),
}
"""Values and bytes of one block of each tensor type of ggml."""

_BLOCK: Final = re.compile(r"blk\.(\d{1,9})\.")

HeaderValue = int | float | bool | str | tuple[int, ...]


class HeaderError(ValueError):
    """Says in half a sentence what does not fit."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a header; ``offset`` counts bytes from the begin of the data."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def size_bytes(self) -> int:
        """The bytes of its data."""
        block, size = TENSOR_TYPES[self.kind]
        return prod(self.shape) // block * size


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a file says of itself: scalars, texts and arrays of 32-bit numbers; of other arrays the length alone."""

    values: Mapping[str, HeaderValue]
    lengths: Mapping[str, int]
    tensors: tuple[Tensor, ...]
    data_start: int

    def number(self, key: str) -> int | None:
        """Return a whole number of the model's architecture, None where there is none; of a list its largest."""
        value = self.values.get(f"{self.values.get('general.architecture', '')}.{key}")
        if isinstance(value, tuple):
            return max(value, default=None)
        return value if isinstance(value, int) else None


@lru_cache(maxsize=8)
def check_header(path: Path, size_bytes: int, _modified_ns: int) -> Mapping[str, tuple[int, ...]]:
    """Hold a file's header against the file and return its short lists of whole numbers, by key.

    llama.cpp's interface gives no lists. The answer is kept for a file of the same size and time.

    Raises:
        HeaderError: what does not fit.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        header = read_header(stream, size_bytes)
    _check_tensors(header, size_bytes)
    _check_figures(header)
    lists = {key: value for key, value in header.values.items() if isinstance(value, tuple)}
    return {key: value for key, value in lists.items() if len(value) <= MAX_LAYERS}


def read_header(stream: BinaryIO, size_bytes: int) -> GgufHeader:
    """Read the header at the begin of a file of ``size_bytes``.

    Raises:
        HeaderError: it is cut off, too large, or not of the format.
    """
    reader = _HeaderReader(stream, size_bytes)
    if reader.take(4) != MAGIC:
        raise HeaderError("it does not begin with GGUF")
    version = reader.word()
    if version not in VERSIONS:
        raise HeaderError(f"its format has version {version}, which is not known")
    tensor_count, key_count = reader.length("tensors", 24), reader.length("values", 13)
    values: dict[str, HeaderValue] = {}
    lengths: dict[str, int] = {}
    for _ in range(key_count):
        key = reader.text(MAX_KEY_BYTES)
        if key in values or key in lengths:
            raise HeaderError(f"{_shown(key)} occurs twice")
        kind = reader.word()
        value = reader.array(lengths, key) if kind == _ARRAY else reader.value(kind)
        if value is not None:
            values[key] = value
    tensors = tuple(_tensor(reader) for _ in range(tensor_count))
    alignment = values.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or not 0 < alignment <= 1 << 20 or alignment & (alignment - 1):
        raise HeaderError(f"general.alignment is {alignment}, which is not a power of two")
    return GgufHeader(values, lengths, tensors, -(-reader.at // alignment) * alignment)


class _HeaderReader:
    """Takes bytes from the begin of a file, in larger pieces, and never more than the file has."""

    def __init__(self, stream: BinaryIO, size_bytes: int) -> None:
        self._stream = stream
        self._most = min(size_bytes, MAX_HEADER_BYTES)
        self._held = bytearray()
        self.at = 0

    def _need(self, count: int) -> int:
        """Hold the next bytes; return where they begin."""
        start, end = self.at, self.at + count
        if end > self._most:
            raise HeaderError("its header ends after the end of the file, which may be truncated")
        while len(self._held) < end:
            read = self._stream.read(max(_READ_BYTES, end - len(self._held)))
            if not read:
                raise HeaderError("its header ends after the end of the file, which may be truncated")
            self._held += read
        self.at = end
        return start

    def take(self, count: int) -> bytes:
        start = self._need(count)
        return bytes(self._held[start : start + count])

    def word(self) -> int:
        number: int = _WORD.unpack_from(self._held, self._need(4))[0]
        return number

    def length(self, what: str, least_bytes: int) -> int:
        """Read how many there are of something that takes so many bytes at least."""
        count: int = _LENGTH.unpack_from(self._held, self._need(8))[0]
        if count * least_bytes > self._most - self.at:
            raise HeaderError(
                f"it says that it holds {count} {what}, more than fit into the file, which may be truncated"
            )
        return count

    def text(self, max_bytes: int) -> str:
        size = self.length("bytes of a text", 1)
        if size > max_bytes:
            raise HeaderError(f"a name is {size} bytes long")
        return self.take(size).decode("utf-8", "replace")

    def value(self, kind: int) -> HeaderValue:
        if kind == _STRING:
            return self.text(MAX_HEADER_BYTES)
        scalar = _SCALARS.get(kind)
        if scalar is None:
            raise HeaderError(f"a value has kind {kind}, which is not known")
        value: HeaderValue = scalar.unpack_from(self._held, self._need(scalar.size))[0]
        return value

    def array(self, lengths: dict[str, int], key: str) -> tuple[int, ...] | None:
        """Pass over an array and note its length; return the numbers of one that holds whole ones of 32 bits."""
        kind = self.word()
        scalar = _SCALARS.get(kind)
        if scalar is None and kind != _STRING:
            raise HeaderError(f"a list has kind {kind}, which is not known")
        count = self.length("values of a list", scalar.size if scalar else 8)
        lengths[key] = count
        if scalar is None:
            self._pass_texts(count)
            return None
        start = self._need(count * scalar.size)
        if kind not in _INT32_ARRAYS or count > MAX_LAYERS:
            return None
        return struct.unpack_from(f"<{count}{'I' if kind == 4 else 'i'}", self._held, start)

    def _pass_texts(self, count: int) -> None:
        """Pass over so many texts; a vocabulary has 300,000, so the loop calls as little as it can."""
        held, length_at, at = self._held, _LENGTH.unpack_from, self.at
        for _ in range(count):
            start = at + _LENGTH.size
            if start > len(held):
                self.at = at
                self._need(_LENGTH.size)
            size: int = length_at(held, at)[0]
            at = start + size
            if at > self._most:
                self.at = start - _LENGTH.size
                self.length("bytes of a text", 1)
        self.at = at


def _tensor(reader: _HeaderReader) -> Tensor:
    name = reader.text(MAX_NAME_BYTES)
    count = reader.word()
    if not 1 <= count <= MAX_DIMENSIONS:
        raise HeaderError(f"the tensor {_shown(name)} has {count} dimensions")
    shape = tuple(_LENGTH.unpack(reader.take(8))[0] for _ in range(count))
    kind = reader.word()
    if kind not in TENSOR_TYPES:
        raise HeaderError(f"the tensor {_shown(name)} has type {kind}, which is not known")
    if not all(0 < size <= MAX_INT32 for size in shape):
        raise HeaderError(f"the tensor {_shown(name)} has the shape {list(shape)}")
    if shape[0] % TENSOR_TYPES[kind][0]:
        raise HeaderError(f"the tensor {_shown(name)} has rows of {shape[0]} values, which its type does not allow")
    return Tensor(name, shape, kind, _LENGTH.unpack(reader.take(8))[0])


def _check_tensors(header: GgufHeader, size_bytes: int) -> None:
    names = {tensor.name for tensor in header.tensors}
    if len(names) != len(header.tensors):
        raise HeaderError("two of its tensors have the same name")
    for tensor in header.tensors:
        if header.data_start + tensor.offset + tensor.size_bytes > size_bytes:
            raise HeaderError(
                f"the data of the tensor {_shown(tensor.name)} ends after the end of the file, which may be truncated"
            )


def _check_figures(header: GgufHeader) -> None:
    """Hold the model's figures against what llama.cpp takes, and against its tensors."""
    _check_layers(header)
    for key, fits in _FIGURES.items():
        number = header.number(key)
        if number is not None and not fits(number):
            raise HeaderError(f"{key} is {number}")
    for key, value in header.values.items():
        if key.endswith("_epsilon") and isinstance(value, float) and not 0 <= value <= 1:
            raise HeaderError(f"{_shown(key)} is {value}")
    _check_heads(header)
    _check_vocabulary(header)


def _check_layers(header: GgufHeader) -> None:
    """Compare the layers with the blocks of tensors; those that guess tokens ahead may be left out of a file."""
    split = header.values.get("split.count", 0)
    is_part = isinstance(split, int) and split > 1
    layers = header.number("block_count")
    blocks = {int(match[1]) for tensor in header.tensors if (match := _BLOCK.match(tensor.name))}
    if layers is None:
        if blocks and not is_part:
            raise HeaderError("it does not say how many layers it has (block_count)")
        return
    least = 0 if is_part or not blocks else layers - (header.number("nextn_predict_layers") or 0)
    if not 0 < layers <= MAX_LAYERS or max(blocks, default=0) >= layers or len(blocks) < least:
        raise HeaderError(f"it says that it has {layers} layers and holds {len(blocks)}")


def _up_to(most: int) -> Callable[[int], bool]:
    return lambda number: 0 < number <= most


_FIGURES: Final[Mapping[str, Callable[[int], bool]]] = {
    "context_length": _up_to(MAX_INT32),
    "embedding_length": _up_to(1 << 20),
    "feed_forward_length": lambda number: 0 <= number <= 1 << 24,
    "attention.head_count": lambda number: 0 <= number <= 1 << 16,
    "attention.head_count_kv": lambda number: 0 <= number <= 1 << 16,
    "attention.key_length": _up_to(1 << 16),
    "attention.value_length": _up_to(1 << 16),
    "rope.dimension_count": lambda number: 0 <= number <= 1 << 16,
    "expert_count": lambda number: 0 <= number <= MAX_EXPERTS,
    "expert_used_count": lambda number: 0 <= number <= MAX_EXPERTS,
    "vocab_size": _up_to(1 << 24),
}


def _check_heads(header: GgufHeader) -> None:
    heads, kv_heads = header.number("attention.head_count"), header.number("attention.head_count_kv")
    if heads and kv_heads and heads % kv_heads:
        raise HeaderError(f"{heads} heads cannot share {kv_heads} pairs of keys and values")
    experts, used = header.number("expert_count") or 0, header.number("expert_used_count") or 0
    if used > experts:
        raise HeaderError(f"it uses {used} of {experts} experts")


def _check_vocabulary(header: GgufHeader) -> None:
    """Compare the tokens with what is said of them and with the tensor that has a row for each."""
    tokens = header.lengths.get("tokenizer.ggml.tokens")
    if tokens is None:
        return
    for key in ("tokenizer.ggml.scores", "tokenizer.ggml.token_type"):
        if header.lengths.get(key, tokens) < tokens:
            raise HeaderError(f"{key} has {header.lengths[key]} values for {tokens} tokens")
    shape = next((tensor.shape for tensor in header.tensors if tensor.name == "token_embd.weight"), None)
    width = header.number("embedding_length")
    if shape is not None and len(shape) == 2 and (shape[1] < tokens or (width is not None and shape[0] != width)):
        raise HeaderError(f"its embeddings have the shape {list(shape)} for {tokens} tokens of {width} values")


def _shown(name: str) -> str:
    """Return a name of the file as a message may show it."""
    return ascii(name[:80])
