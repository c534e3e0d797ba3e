"""GGUF files for tests: the shipped model with its tokens renamed, damaged files."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import gguf

SHIPPED = Path(__file__).parents[2] / "models" / "spark-nano" / "spark-nano.gguf"


def rewrite(
    target: Path,
    *,
    rename: dict[str, str],
    drop: tuple[str, ...] = (),
    add: dict[str, str] | None = None,
    numbers: dict[str, int] | None = None,
    floats: dict[str, float] | None = None,
    source: Path = SHIPPED,
) -> Path:
    """Copy a model with some tokens renamed, some metadata left out, some texts added and some numbers changed."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, _text(reader, "general.architecture"))
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture" or name in drop:
            continue
        value: Any = field.contents()
        if name == "tokenizer.ggml.tokens":
            value = [rename.get(token, token) for token in value]
        value = {**(numbers or {}), **(floats or {})}.get(name, value)
        subtype = field.types[1] if len(field.types) > 1 else None
        writer.add_key_value(name, value, field.types[0], sub_type=subtype)
    for name, text in (add or {}).items():
        writer.add_string(name, text)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


LONG_TOKENS = 131_072


@cache
def long_context() -> Path:
    """The shipped model saying that it knows more positions than it was trained on: for tests of long prompts."""
    folder = Path(tempfile.mkdtemp(prefix="spark-long-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return rewrite(folder / "long.gguf", rename={}, numbers={"qwen3.context_length": LONG_TOKENS})


def without_fim(target: Path) -> Path:
    """Make a model that runs but knows no fill-in-the-middle tokens."""
    special_tokens = ("fim_prefix", "fim_middle", "fim_suffix", "fim_pad", "repo_name", "file_sep")
    keys = ("pre", "suf", "mid", "pad", "rep", "sep")
    return rewrite(
        target,
        rename={f"<|{name}|>": f"<|unused_{name}|>" for name in special_tokens},
        drop=("spark.fim_order", *(f"tokenizer.ggml.fim_{key}_token_id" for key in keys)),
    )


def with_chat(target: Path, template: str) -> Path:
    """Make a model that says it can be talked to."""
    return rewrite(target, rename={}, add={"tokenizer.chat_template": template})


def _text(reader: gguf.GGUFReader, key: str) -> str:
    field = reader.get_field(key)
    assert field is not None
    return str(field.contents())
