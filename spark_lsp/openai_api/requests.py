"""What a client may send: OpenAI's completions and chat, and llama.cpp's ``/infill``, checked and bounded. Pure.

A field that asks for something that the engine cannot do is refused; one that only tunes it, and is unknown, is not.
"""

from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from spark_lsp.openai_api.api_error import ApiError, invalid

MAX_STOPS: Final = 16
MAX_STOP_CHARS: Final = 256
MAX_MESSAGES: Final = 1000
MAX_EXTRAS: Final = 256
MAX_GRAMMAR_CHARS: Final = 64 * 1024

Amount = Annotated[int, Meta(ge=1, le=1_048_576)]
Extras = Annotated[tuple["Extra", ...], Meta(max_length=MAX_EXTRAS)]
R = TypeVar("R", bound="Common")


class StreamOptions(msgspec.Struct, frozen=True):
    """What a stream ends in."""

    include_usage: bool = False


class ResponseFormat(msgspec.Struct, frozen=True):
    """The shape of an answer; only ``text`` is served."""

    type: str = "text"


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """What all requests share."""

    model: str = ""
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Amount | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    seed: int | None = None
    stop: str | tuple[str, ...] | None = None
    n: int | None = None
    grammar: Annotated[str, Meta(max_length=MAX_GRAMMAR_CHARS)] = ""
    response_format: ResponseFormat | None = None
    tools: tuple[Any, ...] | None = None
    functions: tuple[Any, ...] | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts that end an answer."""
        stops = (self.stop,) if isinstance(self.stop, str) else self.stop or ()
        return tuple(text for text in stops if text)


class CompletionBody(Common, frozen=True, kw_only=True):
    """``/v1/completions``: text that goes on; with ``suffix`` the text between the two."""

    prompt: str | tuple[Any, ...] = ""
    suffix: str | None = None
    echo: bool = False
    logprobs: int | bool | None = None
    best_of: int | None = None


class TextContent(msgspec.Struct, frozen=True):
    """One part of a message; only ``text`` is served."""

    type: str
    text: str = ""


class ChatMessage(msgspec.Struct, frozen=True):
    """One message of a conversation."""

    role: str
    content: str | tuple[TextContent, ...] | None = None


class ChatBody(Common, frozen=True, kw_only=True):
    """``/v1/chat/completions``."""

    messages: Annotated[tuple[ChatMessage, ...], Meta(min_length=1, max_length=MAX_MESSAGES)]
    max_completion_tokens: Amount | None = None
    logprobs: bool | None = None


class Extra(msgspec.Struct, frozen=True):
    """A file, or a part of it, that ``/infill`` shows the model before the current one."""

    text: str = ""
    filename: str = ""


class InfillBody(Common, frozen=True, kw_only=True):
    """llama.cpp's ``/infill``: the text between two texts. ``prompt`` is the begun line, behind ``input_prefix``."""

    input_prefix: str = ""
    input_suffix: str = ""
    input_extra: Extras = ()
    prompt: str = ""
    n_predict: int | None = None
    t_max_predict_ms: Annotated[float, Meta(ge=0)] | None = None


def decode(body: bytes, kind: type[R]) -> R | ApiError:
    """Return a request's body, or why it cannot be served."""
    try:
        request = msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at ")
        return invalid(f"{message}.", place.strip("`").removeprefix("$.") or None)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return invalid("The body is not JSON.")
    except RecursionError:
        return invalid("The body is nested too deeply.")
    return _refusal(request) or request


def _refusal(request: Common) -> ApiError | None:
    """Return what a request asks for that there is not; None where it can be served."""
    if len(request.stops) > MAX_STOPS or any(len(text) > MAX_STOP_CHARS for text in request.stops):
        return invalid(f"At most {MAX_STOPS} stops of {MAX_STOP_CHARS} characters each.", "stop")
    wanted: list[tuple[str, bool, str]] = [
        ("n", (request.n or 1) != 1, "Only one choice per request is supported."),
        ("tools", bool(request.tools or request.functions), "Tools are not supported."),
        (
            "response_format",
            request.response_format is not None and request.response_format.type != "text",
            "Only text is supported; `grammar` takes GBNF.",
        ),
        ("logprobs", bool(getattr(request, "logprobs", None)), "Log probabilities are not supported."),
    ]
    if isinstance(request, CompletionBody):
        wanted.append(("best_of", (request.best_of or 1) != 1, "Only one choice per request is supported."))
        wanted.append(("echo", request.echo, "`echo` is not supported: an answer never repeats the prompt."))
        wanted.append(("prompt", not isinstance(request.prompt, str), "The prompt must be one string."))
    return next((invalid(message, param, "unsupported") for param, is_wanted, message in wanted if is_wanted), None)
