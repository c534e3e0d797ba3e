"""The model that ships: its card is about this very file, its metadata is complete, it loads cleanly, and it stops."""

import asyncio
import ctypes
import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import gguf
import pytest

from models.training.card import page
from models.training.holes import hole_of_shape
from models.training.samples import window
from spark_lsp.engine.base import CompletionRequest
from spark_lsp.engine.fim import build_prompt, family_named
from spark_lsp.engine.local.local_engine import LocalEngine
from spark_lsp.llama.loading.gguf_model import GgufModel
from spark_lsp.llama.loading.native import L, quiet
from tests.engine.conftest import private_runtime, shipped
from tests.llama.gguf_files import SHIPPED

EVALUATION = SHIPPED.parent / "evaluation.json"
if not EVALUATION.exists():
    pytest.skip(
        "the model that ships was not made by models/training and has no evaluation yet", allow_module_level=True
    )

pytestmark = pytest.mark.model

TOLD = json.loads(EVALUATION.read_text("utf-8"))
WARNING, ERROR = 3, 4  # ggml.h
HOLES, MIN_THAT_END = 30, 0.5  # the card's own share is over many more holes in other packages


def test_the_card_is_about_this_file() -> None:
    assert hashlib.sha256(SHIPPED.read_bytes()).hexdigest() == TOLD["sha256"]
    assert (SHIPPED.parent / "README.md").read_text("utf-8") == page(TOLD)
    assert SHIPPED.stat().st_size <= 25_000_000


def test_metadata_is_complete() -> None:
    reader = gguf.GGUFReader(SHIPPED)
    metadata = {name: field.contents() for name, field in reader.fields.items()}
    assert metadata["general.name"] == "spark-nano"
    assert metadata["general.license"] == "mit"
    assert metadata["spark.fim_order"] == "spm"
    assert metadata["qwen3.context_length"] == TOLD["context_tokens"]
    tokens = metadata["tokenizer.ggml.tokens"]
    for key, text in (("pre", "fim_prefix"), ("suf", "fim_suffix"), ("mid", "fim_middle"), ("sep", "file_sep")):
        assert tokens[metadata[f"tokenizer.ggml.fim_{key}_token_id"]] == f"<|{text}|>"


@contextmanager
def warnings_of_the_library() -> Iterator[list[str]]:
    lines: list[str] = []

    def on_line(level: int, text: bytes, _data: object) -> None:
        if level in {WARNING, ERROR}:
            lines.append(text.decode("utf-8", "replace").strip())

    callback = L.llama_log_callback(on_line)
    quiet()
    L.llama_log_set(callback, ctypes.c_void_p(0))
    try:
        yield lines
    finally:
        quiet()


def test_it_loads_without_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spark_lsp.llama.loading.gguf_model.quiet", lambda: None)  # or loading takes the log back
    with warnings_of_the_library() as lines:
        GgufModel(str(SHIPPED), gpu_layers=0, vocab_only=False).close()
    assert lines == []


def own_sources() -> list[str]:
    """This project's own modules: the model has not seen them."""
    root = Path(__file__).parents[2] / "spark_lsp"
    return [path.read_text("utf-8") for path in sorted(root.rglob("*.py")) if path.stat().st_size > 2000]


async def ends_by_itself(engine: LocalEngine, chance: random.Random, texts: list[str]) -> bool:
    text = chance.choice(texts)
    prefix, suffix = window(text, hole_of_shape(chance, text, "line", most_characters=120), 1500)
    family = family_named("qwen2.5-coder")
    assert family is not None
    prompt = build_prompt(
        family, "spm", repository="", blocks=(), current_path="module.py", prefix=prefix, suffix=suffix
    )
    stop = None
    async with aclosing(engine.generate(CompletionRequest(prompt, 64))) as chunks:
        async for chunk in chunks:
            stop = chunk.stop
    return stop in {"end", "stop_token"}


def test_it_ends_by_itself_in_most_holes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> float:
        engine = LocalEngine(shipped())
        await engine.start()
        chance, texts = random.Random(1), own_sources()
        ended = [await ends_by_itself(engine, chance, texts) for _ in range(HOLES)]
        await engine.close()
        return sum(ended) / HOLES

    with private_runtime(monkeypatch):
        assert asyncio.run(run()) >= MIN_THAT_END
