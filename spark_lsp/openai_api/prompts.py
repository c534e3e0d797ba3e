"""From a client's request to the engine's. Pure.

Messages and files are tokenised with special tokens off, as everywhere. The prompt of ``/v1/completions`` is the
client's own, special tokens included, as llama.cpp's server and vLLM take it: clients fill in the middle that way.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from spark_lsp.engine.base import (
    TOOL_PRIORITY,
    CompletionRequest,
    ModelInfo,
    PromptPart,
    Sampling,
    SpecialToken,
    TextPart,
)
from spark_lsp.engine.chat_template import Message, Role, prompt_of
from spark_lsp.engine.fim import FileBlock, build_prompt, family_named
from spark_lsp.errors import ModelUnusable
from spark_lsp.openai_api.api_error import ApiError, invalid
from spark_lsp.openai_api.requests import ChatBody, ChatMessage, Common, CompletionBody, InfillBody

DEFAULT_COMPLETION_TOKENS: Final = 16
"""OpenAI's own default for completions."""
MAX_REQUEST_MS: Final = 30 * 60 * 1000
"""After which an answer ends with what is there."""
_ROLES: Final[dict[str, Role]] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


def prompt_parts(model: ModelInfo, body: Common) -> tuple[PromptPart, ...] | ApiError:
    """Return the prompt that a request makes of this model."""
    if isinstance(body, ChatBody):
        return _chat(model, body)
    if isinstance(body, InfillBody):
        return _infill(model, body)
    assert isinstance(body, CompletionBody), "the three kinds of requests"
    assert isinstance(body.prompt, str), "others were refused"
    if body.suffix:
        return _infill(model, InfillBody(input_prefix=body.prompt, input_suffix=body.suffix))
    return tuple(_spoken(model, body.prompt))


def max_tokens(body: Common, left_tokens: int) -> int:
    """Return how long an answer may be where the context has room for ``left_tokens``."""
    wanted = body.max_tokens
    if isinstance(body, ChatBody):
        wanted = body.max_completion_tokens or wanted
    if isinstance(body, InfillBody) and body.n_predict is not None and body.n_predict > 0:
        wanted = body.n_predict
    if isinstance(body, CompletionBody) and wanted is None:
        wanted = DEFAULT_COMPLETION_TOKENS
    return min(wanted, left_tokens) if wanted else left_tokens


def engine_request(
    model: ModelInfo, body: Common, parts: tuple[PromptPart, ...], answer_tokens: int
) -> CompletionRequest:
    """Return the engine's request. Without a temperature an answer is greedy: exact, and the engine may draft."""
    usual = Sampling()
    sampling = Sampling(
        temperature=body.temperature or 0.0,
        top_p=usual.top_p if body.top_p is None else body.top_p,
        top_k=usual.top_k if body.top_k is None else body.top_k,
        seed=(body.seed or 0) & 0xFFFFFFFF,
        grammar=body.grammar,
    )
    family = None if isinstance(body, ChatBody) else family_named(model.family)
    return CompletionRequest(
        prompt=parts,
        max_tokens=answer_tokens,
        stops=family.stops if family else (),
        sampling=sampling,
        deadline_ms=MAX_REQUEST_MS,
        priority=TOOL_PRIORITY,
    )


def _chat(model: ModelInfo, body: ChatBody) -> tuple[PromptPart, ...] | ApiError:
    messages: list[Message] = []
    for number, message in enumerate(body.messages):
        role, text = _ROLES.get(message.role), _text_of(message)
        if role is None:
            return invalid(f"A message has the role {message.role!r}; {', '.join(_ROLES)} are served.", "messages")
        if text is None:
            return invalid(f"Message {number} holds something other than text.", "messages", "unsupported")
        messages.append(Message(role, text))
    try:
        return prompt_of(model, messages, "")
    except ModelUnusable as error:  # also what a template refuses, such as two messages of one role in a row
        return invalid(f"{error} {error.fix}".strip(), "messages", "chat_template")


def _text_of(message: ChatMessage) -> str | None:
    """Return what a message says; None where it holds more than text."""
    content = message.content
    if content is None or isinstance(content, str):
        return content or ""
    return None if any(part.type != "text" for part in content) else "".join(part.text for part in content)


def _infill(model: ModelInfo, body: InfillBody) -> tuple[PromptPart, ...] | ApiError:
    family = family_named(model.family)
    if family is None:
        return invalid(f"The model {model.name} cannot fill in the middle.", code="model.no_fim")
    blocks = [FileBlock(extra.filename or f"file{at}", extra.text, False) for at, extra in enumerate(body.input_extra)]
    prefix, begun = body.input_prefix, body.prompt
    if not family.begins_middle:
        prefix, begun = prefix + begun, ""
    return build_prompt(
        family,
        model.fim_order,
        repository="workspace" if blocks else "",
        blocks=blocks,
        current_path="current",
        prefix=prefix,
        suffix=body.input_suffix,
        begun=begun,
    )


def _spoken(model: ModelInfo, text: str) -> Iterator[PromptPart]:
    """Cut a prompt at the model's special tokens; its last text may end in the middle of a token."""
    pattern = "|".join(re.escape(name) for name in _special_tokens(model)) or "(?!)"
    at = 0
    for match in re.finditer(pattern, text):
        if match.start() > at:
            yield TextPart(text[at : match.start()])
        yield SpecialToken(match[0])
        at = match.end()
    if at < len(text) or not text:
        yield TextPart(text[at:], heal=True)


def _special_tokens(model: ModelInfo) -> Sequence[str]:
    """Return the names of special tokens, the longest first."""
    family = family_named(model.family)
    names = {*model.special_token_texts, *(family.required if family else ())}
    return sorted(names, key=len, reverse=True)
