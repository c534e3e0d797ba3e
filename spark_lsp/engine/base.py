"""The engine protocol and its frozen values, which every model backend implements, the fake included.

A prompt travels as parts: special tokens by their text, and parts of plain text that are tokenised in isolation with
special tokens off, so that file content can never inject one. Parts that stay equal between two requests cost nothing.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from typing import Final, Literal, Protocol

import msgspec

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class SpecialToken(msgspec.Struct, frozen=True, tag="c"):
    """One special token, named by its text, which must resolve to exactly one token of the vocabulary."""

    text: str


class TextPart(msgspec.Struct, frozen=True, tag="t"):
    """Plain text, tokenised in isolation, special tokens off. ``stable`` parts come before all volatile ones."""

    text: str
    stable: bool = False
    heal: bool = False
    """Whether the text ends at the cursor, perhaps in the middle of a token. An engine that knows its tokenizer may
    then choose the last tokens of the text again, together with the answer; the answer still holds only what follows.
    One part of a prompt at most."""


PromptPart = SpecialToken | TextPart

COMPLETION_PRIORITY: Final = 0
ACTION_PRIORITY: Final = 1
TOOL_PRIORITY: Final = 2
"""Priority of requests from other programs through the local endpoint; the editor never waits for them."""
BACKGROUND_PRIORITY: Final = 3
"""From this priority on, no user waits for the answer."""

StopCause = Literal["end", "stop_token", "max_tokens", "deadline", "cancelled"]


class Sampling(msgspec.Struct, frozen=True):
    """How the next token is chosen. Temperature 0 is greedy and exact; ``grammar`` is GBNF, empty for none."""

    temperature: float = 0.0
    top_p: float = 0.95
    top_k: int = 40
    seed: int = 0
    grammar: str = ""


class CompletionRequest(msgspec.Struct, frozen=True):
    """One request for text: the prompt, when to stop, how to sample, and how urgent it is.

    ``deadline_ms`` counts from the engine's receipt; what is there by then is kept. 0 means none.
    ``priority`` is one of the constants above; a lower number runs first.
    ``key`` names the stream a request belongs to (a document): a newer request of the same key supersedes the older.
    """

    prompt: tuple[PromptPart, ...]
    max_tokens: int
    stops: tuple[str, ...] = ()
    """Special tokens by text that end the answer besides the model's own end-of-generation tokens."""
    sampling: Sampling = Sampling()
    deadline_ms: int = 0
    priority: int = COMPLETION_PRIORITY
    key: str = ""
    drafts: tuple[str, ...] = ()
    """Texts that the answer is likely to repeat, likeliest first: the code that is being rewritten, say. They change
    how fast a greedy answer comes and never what it is."""
    speculate: bool = True
    """Whether the engine may try drafts, its own included; off to measure what they bring."""


class PrefillCost(msgspec.Struct, frozen=True):
    """What one prompt token costs, learned from every decode; 0.0 before anything was measured.

    ``base_ms`` at the beginning of the context, and ``slope_ms`` more for each 1,000 tokens before it.
    """

    base_ms: float = 0.0
    slope_ms: float = 0.0

    def at(self, n_past: int) -> float:
        """Return the milliseconds of a token at a context position."""
        return self.base_ms + self.slope_ms * n_past / 1000


class Usage(msgspec.Struct, frozen=True):
    """Tokens and times of a request, counted by the engine; times in milliseconds since it arrived."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    prefill_tokens: int = 0
    generated_tokens: int = 0
    drafted_tokens: int = 0
    accepted_draft_tokens: int = 0
    decode_steps: int = 0
    """Decodes of the answer; fewer than its tokens where drafts were accepted."""
    restored_tokens: int = 0
    """Tokens of the prompt that were loaded from disk."""
    first_token_ms: float = 0.0
    total_ms: float = 0.0
    compute_ms: float = 0.0
    """Of the total, the time inside the model library's decodes."""
    prefill_cost: PrefillCost = PrefillCost()
    """The prefill cost that the engine has measured so far."""


class Chunk(msgspec.Struct, frozen=True):
    """A part of a streamed answer, in order. The last one carries ``stop`` and ``usage``; its text may be empty.

    The first one carries the usage so far, for a reader who stops early.
    ``probability`` is the smallest token probability in this chunk (1.0 when there is no token).
    """

    text: str
    tokens: int
    probability: float = 1.0
    stop: StopCause | None = None
    usage: Usage | None = None
    scores: tuple[tuple[int, float], ...] = ()
    """For each token how many characters of ``text`` it brought, and its probability; empty where that is unknown."""

    def without_controls(self) -> "Chunk":
        """Return the chunk without control characters (C0, DEL, C1) but tabs and line ends: none belongs in code."""
        if not _CONTROL.search(self.text):
            return self
        start, scores = 0, []
        for characters, probability in self.scores:
            scores.append((len(_CONTROL.sub("", self.text[start : start + characters])), probability))
            start += characters
        return msgspec.structs.replace(self, text=_CONTROL.sub("", self.text), scores=tuple(scores))


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A description of a loaded model. ``family`` is "" when no FIM family of ``engine.fim`` fits."""

    name: str
    path: str
    family: str
    fim_order: Literal["psm", "spm"]
    architecture: str
    vocabulary_size: int
    trained_context_tokens: int
    context_tokens: int
    """Tokens of the context that was created, fewer than requested when memory was short; 0 when probed."""
    has_chat_template: bool
    size_bytes: int
    fingerprint: str
    """Names the tokenizer and weights; token counts may be cached under it."""
    layers: int = 0
    kv_bytes_per_token: float = 0.0
    """Memory that a token takes in an f16 cache."""
    notes: tuple[str, ...] = ()
    """Plain sentences for the user, such as a context that had to be made smaller."""
    warnings: tuple[str, ...] = ()
    """Temporary problems, such as a remote endpoint that does not answer."""
    chat_template: str = ""
    """The model's own template (Jinja) that turns a conversation into a prompt; empty when it has none."""
    special_token_texts: tuple[str, ...] = ()
    """The special tokens that a template may name, by their texts; only of a model with a template."""
    begin_text: str = ""
    """The special token that a template puts in front; empty where the engine puts it there by itself."""
    end_text: str = ""


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of the engine for ``spark/status`` and ``engine status``."""

    running: bool
    pid: int = 0
    socket: str = ""
    model: ModelInfo | None = None
    resident_tokens: int = 0
    ram_bytes: int = 0
    vram_bytes: int = 0
    clients: int = 0
    busy: bool = False
    prefill_tokens_per_s: float = 0.0
    decode_tokens_per_s: float = 0.0
    prefill_cost: PrefillCost = PrefillCost()


class Engine(Protocol):
    """A model that generates text. All methods belong to one event loop.

    Errors are those of ``errors.EngineError`` and ``errors.ModelError`` and no others; CancelledError passes untouched.
    """

    async def start(self) -> ModelInfo:
        """Make the model ready (start or find the process, load, warm up) and describe it. Idempotent.

        Raises:
            ModelMissing, ModelUnusable: the model cannot be used; the message says why.
            EngineFailed: the process could not be started or reached.
        """
        ...

    @property
    def model(self) -> ModelInfo | None:
        """The loaded model, or None while there is none. Never blocks."""
        ...

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the exact number of tokens of each text, tokenised in isolation with special tokens off.

        Raises:
            EngineStarting, EngineFailed: there is no tokenizer to ask.
        """
        ...

    def generate(self, request: CompletionRequest) -> AsyncGenerator[Chunk]:
        """Stream an answer. Closing the iterator (``aclose``) stops the model; the last chunk carries ``stop``.

        The first chunk carries the usage so far. With ``max_tokens`` 0 the prompt is only read: one final chunk.

        Raises:
            ModelNoFim: a special token of the prompt is not in the vocabulary.
            EngineStarting, EngineFailed: nothing can answer; the engine restarts itself in the background.
        """
        ...

    async def status(self) -> EngineStatus:
        """Describe the engine without starting it."""
        ...

    async def restart(self) -> ModelInfo:
        """End the engine, also where it failed or hangs, and start a new one. Earlier crashes no longer count.

        Raises:
            ModelMissing, ModelUnusable, EngineFailed: as ``start``.
        """
        ...

    async def unload(self) -> None:
        """Give the model's memory back. The next ``start`` loads again."""
        ...

    async def close(self) -> None:
        """Leave the engine (a shared process lives on for its other clients). Idempotent."""
        ...
