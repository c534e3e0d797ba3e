"""Says what a model is: a loaded one, or a file whose weights stay where they are.

A file is probed in a process of its own, because a damaged one can abort the process that reads it.
"""

from typing import Any

from spark_lsp.engine.base import ModelInfo
from spark_lsp.llama.loading.cache_shape import kv_values_per_token
from spark_lsp.llama.loading.gguf_model import KV_BYTES, GgufModel

_NO_FAMILY = "The model has no known fill-in-the-middle tokens; it cannot complete code."


def probe(path: str) -> ModelInfo:
    """Describe a model file by its metadata and vocabulary.

    Raises:
        ModelMissing, ModelUnusable: it is no usable model.
    """
    model = GgufModel(path, gpu_layers=0, vocab_only=True)
    try:
        return describe(model, 0, ())
    finally:
        model.close()


def describe(model: GgufModel, context_tokens: int, notes: tuple[str, ...]) -> ModelInfo:
    """Describe a model in memory."""
    family = model.family()
    if family is None:
        notes = (*notes, _NO_FAMILY)
    return ModelInfo(
        name=model.name,
        path=model.path,
        family=family.name if family is not None else "",
        fim_order=model.fim_order(),
        architecture=model.architecture,
        vocabulary_size=model.vocabulary.size,
        trained_context_tokens=model.trained_context_tokens,
        context_tokens=context_tokens,
        has_chat_template=model.has_chat_template,
        size_bytes=model.size_bytes,
        fingerprint=model.fingerprint(),
        layers=model.number("block_count", 0),
        kv_bytes_per_token=kv_values_per_token(model) * KV_BYTES["f16"],
        notes=notes,
        **_chat(model),
    )


def _chat(model: GgufModel) -> dict[str, Any]:
    """Return what prompts of a conversation need; nothing for a model that cannot be talked to."""
    template, vocabulary = model.chat_template, model.vocabulary
    if not template:
        return {}
    begin = "" if vocabulary.begin is not None else vocabulary.special_text("begin")
    return {
        "chat_template": template,
        "special_token_texts": vocabulary.special_token_texts(),
        "begin_text": begin,
        "end_text": vocabulary.special_text("end"),
    }
