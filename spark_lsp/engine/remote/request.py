"""The body of a request to an OpenAI-compatible endpoint. Pure.

Fields beyond OpenAI's own are those of vLLM and llama.cpp; the plain form leaves them out, for servers that refuse what
they do not know.
"""

from typing import Any, Final

from spark_lsp.engine.base import CompletionRequest
from spark_lsp.engine.remote.prompt_text import as_messages, as_text, is_conversation

COMPLETIONS: Final = "/completions"
CHAT: Final = "/chat/completions"

_PLAIN_STOPS: Final = 4  # OpenAI's own limit


def body_of(request: CompletionRequest, model: str, *, plain: bool) -> tuple[str, dict[str, Any]]:
    """Return path and body. The prompt keeps its order, so that what servers cached of its beginning stays of use."""
    sampling = request.sampling
    stops = list(request.stops)
    body: dict[str, Any] = {
        "model": model,
        "stream": True,
        "max_tokens": max(1, request.max_tokens),
        "temperature": sampling.temperature,
    }
    if sampling.temperature > 0:
        body |= {"top_p": sampling.top_p, "seed": sampling.seed}
    if not plain:
        # Special tokens must be spelled out, or a stop that is one is never seen.
        body |= {"stream_options": {"include_usage": True}, "skip_special_tokens": False}
        if sampling.temperature > 0:
            body["top_k"] = sampling.top_k
        if sampling.grammar:
            body["grammar"] = sampling.grammar
    if is_conversation(request.prompt):
        messages, _ = as_messages(request.prompt)
        return CHAT, body | {"messages": [{"role": message.role, "content": message.content} for message in messages]}
    if stops:
        body["stop"] = stops[-_PLAIN_STOPS:] if plain else stops
    return COMPLETIONS, body | {"prompt": as_text(request.prompt)}
