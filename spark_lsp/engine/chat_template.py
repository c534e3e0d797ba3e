"""Turn a conversation into a prompt with the model's own chat template (Jinja, from the GGUF file).

The template is rendered with marks in place of what is said, so that no file and no instruction can speak to the
model in the template's own special tokens. The template runs in Jinja's sandbox: it comes out of a downloaded file.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from spark_lsp.engine.base import ModelInfo, PromptPart, SpecialToken, TextPart
from spark_lsp.errors import ModelUnusable

if TYPE_CHECKING:
    import jinja2

Role = Literal["system", "user", "assistant"]

_MARK: Final = "\ue000{}\ue001"  # private characters, which no template looks for
_MARKED: Final = re.compile("\ue000(\\d+)\ue001")
_THINKS: Final = "<think>"
_THOUGHT: Final = "\n</think>\n\n"
_CLOSING_BLANKS: Final = re.compile(r"\s*$")


@dataclass(frozen=True, slots=True)
class Message:
    """What one side of a conversation said."""

    role: Role
    text: str


def prompt_of(model: ModelInfo, messages: Sequence[Message], opening: str) -> tuple[PromptPart, ...]:
    """Return the prompt that the model continues, with ``opening`` as the beginning of its answer.

    Raises:
        ModelUnusable: the model has no template, or one that cannot be used.
    """
    if not model.chat_template:
        raise ModelUnusable(
            f"The model {model.name} has no chat template, so it cannot be given instructions.",
            fix="Choose an instruction-tuned code model: spark-lsp models list.",
        )
    rendered = _rendered(model, messages)
    texts = [message.text for message in _shown(messages, rendered)]
    if sorted(_MARKED.findall(rendered), key=int) != [str(number) for number in range(len(texts))]:
        raise _unusable(model, "it leaves out or repeats messages")
    if _CLOSING_BLANKS.sub("", rendered).endswith(_THINKS):
        rendered = _CLOSING_BLANKS.sub("", rendered) + _THOUGHT
    parts: list[PromptPart] = []
    for number, piece in enumerate(_MARKED.split(rendered)):
        parts += [TextPart(texts[int(piece)])] if number % 2 else _own_text(model, piece)
    return (*parts, *([TextPart(opening)] if opening else []))


def _rendered(model: ModelInfo, messages: Sequence[Message]) -> str:
    """Render with marks for texts. A template that knows no system role is given its text with the user's."""
    try:
        return _render(model, messages)
    except ModelUnusable:
        merged = _merged(messages)
        if len(merged) == len(messages):
            raise
        return _render(model, merged)


def _shown(messages: Sequence[Message], rendered: str) -> Sequence[Message]:
    """Return the messages that a rendering was made of: those given, or those with the system's text in the user's."""
    merged = _merged(messages)
    return messages if len(_MARKED.findall(rendered)) != len(merged) else merged


def _merged(messages: Sequence[Message]) -> Sequence[Message]:
    if len(messages) < 2 or messages[0].role != "system" or messages[1].role != "user":
        return messages
    return [Message("user", f"{messages[0].text}\n\n{messages[1].text}"), *messages[2:]]


def _render(model: ModelInfo, messages: Sequence[Message]) -> str:
    import jinja2  # noqa: PLC0415 - a twentieth of a second that only chat-capable models need

    marked = [{"role": message.role, "content": _MARK.format(number)} for number, message in enumerate(messages)]
    try:
        return _compiled(model.chat_template).render(
            messages=marked,
            add_generation_prompt=True,
            enable_thinking=False,
            bos_token=model.begin_text,
            eos_token=model.end_text,
        )
    except (jinja2.TemplateError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        raise _unusable(model, f"{type(error).__name__}: {error}") from error


@lru_cache(maxsize=4)
def _compiled(source: str) -> "jinja2.Template":
    """Compile a template with what those in the wild rely on (transformers' own environment)."""
    from jinja2.ext import loopcontrols  # noqa: PLC0415
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda _format: ""  # the day is no business of a prompt
    return environment.from_string(source)


def _raise(message: Any) -> NoReturn:
    """Refuse, as a template may; Jinja lets it pass as an error of the template."""
    import jinja2  # noqa: PLC0415

    raise jinja2.TemplateError(str(message))


def _own_text(model: ModelInfo, text: str) -> Iterator[PromptPart]:
    """Cut a template's own text at the special tokens in it."""
    if not text:
        return
    names = sorted(model.special_token_texts, key=len, reverse=True)
    pattern = "|".join(re.escape(name) for name in names) or "(?!)"
    at = 0
    for match in re.finditer(pattern, text):
        if match.start() > at:
            yield TextPart(text[at : match.start()])
        yield SpecialToken(match[0])
        at = match.end()
    if at < len(text):
        yield TextPart(text[at:])


def _unusable(model: ModelInfo, why: str) -> ModelUnusable:
    return ModelUnusable(
        f"The chat template of the model {model.name} cannot be used: {why}.",
        fix="Choose another model file; some conversions carry a damaged template.",
    )
