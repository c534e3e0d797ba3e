"""Vocabularies without weights: real ones that are in tests/fixtures/vocabularies, and small ones made for a test."""

import lzma
from pathlib import Path

import gguf

FIXTURES = Path(__file__).parents[1] / "fixtures" / "vocabularies"
REAL = ("qwen2.5-coder", "deepseek-coder", "starcoder2", "refact")

_CONTROL, _NORMAL, _UNKNOWN, _BYTE = (
    gguf.TokenType.CONTROL,
    gguf.TokenType.NORMAL,
    gguf.TokenType.UNKNOWN,
    gguf.TokenType.BYTE,
)
_WORDS = ("def", "return", "import", "pass", "lib", "src", "main", "py", "f", "(", ")", ":", "=", "#", "+", ".", "/")


def real(name: str, folder: Path) -> Path:
    """Unpack a real vocabulary."""
    path = folder / f"{name}.gguf"
    path.write_bytes(lzma.decompress((FIXTURES / f"{name}.gguf.xz").read_bytes()))
    return path


def byte_level(path: Path, *, name: str, special_tokens: tuple[str, ...], begin: str = "") -> Path:
    """Make a vocabulary of GPT-2's kind: every byte, and some special tokens behind them."""
    letters = list(_byte_letters())
    pairs = [("d", "e"), ("de", "f"), ("Ġ", "Ġ"), ("ĠĠ", "ĠĠ")]
    texts = [
        *letters,
        *("".join(pair) for pair in pairs),
        "<|endoftext|>",
        *([begin] if begin else []),
        *special_tokens,
    ]
    writer = _writer(path, name, "gpt2", texts, begin)
    plain = len(letters) + len(pairs)
    writer.add_token_types([_NORMAL] * plain + [_CONTROL] * (len(texts) - plain))
    writer.add_token_merges([" ".join(pair) for pair in pairs])
    writer.add_tokenizer_pre("gpt-2")
    writer.add_eos_token_id(texts.index("<|endoftext|>"))
    return _written(writer, path)


def sentence_piece(path: Path, *, name: str, special_tokens: tuple[str, ...], space_prefix: bool | None = None) -> Path:
    """Make a vocabulary of SentencePiece's kind, which begins texts with ``<s>`` and, unless told not to, a blank."""
    letters = sorted({letter for word in _WORDS for letter in word} | set("_▁\n"))
    grown = [word[:length] for word in _WORDS for length in range(2, len(word) + 1)]
    pieces = [*dict.fromkeys([*letters, *grown, *(f"▁{word}" for word in ["", *grown, *letters])])]
    texts = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces, *special_tokens]
    texts = list(dict.fromkeys(texts))
    writer = _writer(path, name, "llama", texts, "<s>")
    kinds = {"<unk>": _UNKNOWN, "<s>": _CONTROL, "</s>": _CONTROL, **dict.fromkeys(special_tokens, _CONTROL)}
    writer.add_token_types([kinds.get(text, _BYTE if text.startswith("<0x") else _NORMAL) for text in texts])
    writer.add_token_scores([float(len(text)) if text in pieces else 0.0 for text in texts])
    writer.add_eos_token_id(texts.index("</s>"))
    if space_prefix is not None:
        writer.add_add_space_prefix(space_prefix)
    return _written(writer, path)


def _writer(path: Path, name: str, kind: str, texts: list[str], begin: str) -> gguf.GGUFWriter:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_context_length(4096)
    writer.add_block_count(1)
    writer.add_embedding_length(8)
    writer.add_feed_forward_length(8)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_model(kind)
    writer.add_token_list(texts)
    writer.add_add_bos_token(bool(begin))
    if begin:
        writer.add_bos_token_id(texts.index(begin))
    return writer


def _written(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def _byte_letters() -> dict[str, int]:
    """GPT-2's letters for bytes: printable ones stand for themselves, the others follow behind 255."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + at): byte for at, byte in enumerate(hidden)}
