"""Choose the model that suits a machine, from the rows' shapes and the machine's measured rates. Pure.

Speeds are estimates. Prefill is bound by arithmetic, decoding by memory: a token costs two operations and one
read of each active weight (``docs/internals/engine-measurements.md``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from spark_lsp.catalog.known import KnownModel, PublishedShape

GIB: Final = 1024**3
CONTEXTS: Final = (8_192, 32_768, 131_072)
"""Contexts whose memory is shown."""
LINE_TOKENS: Final = 128
"""What is read when a line is finished; the rest stays in memory, and a single key reads less (prompt/budget.py)."""
ENOUGH_TOKENS: Final = 8_192
"""With less, little more than the open file is shown to the model."""
BEARABLE_FIRST_MS: Final = 1_000.0
"""Behind a slower first token people have typed on (the deadline for answers is 600 ms)."""
USABLE_FIRST_MS: Final = 4_000.0
"""Milliseconds; beyond this a user who pauses types on first, so the embedded model is used and nothing is offered."""
BEARABLE_DECODE: Final = 12.0
"""Tokens a second; a line has some ten tokens."""

RANKED: Final = (
    "qwen2.5-coder-0.5b-instruct",
    "qwen2.5-coder-1.5b-instruct",
    "qwen2.5-coder-7b-instruct",
    "qwen2.5-coder-14b-instruct",
    "qwen3-coder-30b-a3b",
)
"""The models that can be recommended, the best last: one line of models, whose makers publish that each is better than
the smaller ones. All are instruct models: they keep the fill-in-the-middle tokens of the base models, and code actions
need a model that follows instructions, so one file serves both (docs/decisions/model-sources.md)."""

_INSTRUCT: Final = "-instruct"  # how the name of an instruct model differs from its base model's
_KV_BYTES: Final = {False: 2.0, True: 34 / 32}  # f16 on a processor, q8_0 on a card
_BUFFERS_BYTES: Final = 400 * 1024**2  # compute buffers and the process itself, as the engine's runs showed
_KEEP_RAM_BYTES: Final = 2 * GIB  # at least, and a quarter of more: for the editor and everything else
_KEEP_VRAM_BYTES: Final = GIB  # for the screen and the driver, as the engine does


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine has. Rates are measured where ``is_measured``, else assumed for a card of that size."""

    ram_bytes: int
    """Memory that the machine has."""
    cores: int
    disk_bytes: int
    """Free space where models are kept."""
    operations_per_s: float
    bytes_per_s: float
    card: str = ""
    """The graphics card that llama.cpp can use; empty for none, then the processor counts."""
    vram_bytes: int = 0
    is_measured: bool = True
    limit_bytes: int = 0
    """What the user allows a model and its context at most (``spark.engine.memoryLimitBytes``); 0 for no limit."""

    @property
    def room_bytes(self) -> int:
        """What a model and its context may take."""
        if self.card:
            most = self.vram_bytes - _KEEP_VRAM_BYTES
        else:
            most = self.ram_bytes - max(_KEEP_RAM_BYTES, self.ram_bytes // 4)
        return max(0, min(most, self.limit_bytes or most))


@dataclass(frozen=True, slots=True)
class Fit:
    """How one model fits a machine. ``memory_bytes`` has a figure for each of ``CONTEXTS``, 0 if it accepts less."""

    model: KnownModel
    memory_bytes: tuple[int, ...]
    context_tokens: int
    """The longest context that fits; 0 when the model does not."""
    first_token_ms: float
    """With ``LINE_TOKENS`` to prefill after the cached prompt."""
    decode_tokens_per_s: float
    fits_disk: bool

    @property
    def fits(self) -> bool:
        """Whether memory and disk hold it with a context worth having."""
        return self.fits_disk and self.context_tokens >= min(
            ENOUGH_TOKENS, self.model.useful_tokens or self.model.most_tokens
        )

    @property
    def is_quick(self) -> bool:
        """Whether it keeps up with somebody who types."""
        return self.first_token_ms <= BEARABLE_FIRST_MS and self.decode_tokens_per_s >= BEARABLE_DECODE

    @property
    def is_usable(self) -> bool:
        """Whether it fits, and somebody who pauses gets an answer."""
        return self.fits and self.first_token_ms <= USABLE_FIRST_MS


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One model, and why this one."""

    name: str
    reason: str


def fit(model: KnownModel, shape: PublishedShape, machine: Machine) -> Fit:
    """Work out how one model does."""
    size = (model.file.size_bytes if model.file else 0) or model.size_bytes
    kv = shape.kv_values_per_token * _KV_BYTES[bool(machine.card)]
    fixed = size + _BUFFERS_BYTES
    most = model.useful_tokens or model.most_tokens
    held = int((machine.room_bytes - fixed) / kv) // 256 * 256
    share = shape.active_parameters / model.parameters
    first_ms = 2.0 * shape.active_parameters * LINE_TOKENS / machine.operations_per_s * 1000
    per_token_s = size * share / machine.bytes_per_s
    return Fit(
        model,
        tuple(int(fixed + kv * tokens) if tokens <= model.most_tokens else 0 for tokens in CONTEXTS),
        max(0, min(most, held)),
        first_ms + per_token_s * 1000,
        1 / per_token_s,
        fits_disk=model.path is not None or size <= machine.disk_bytes,
    )


def fits(models: Sequence[KnownModel], machine: Machine) -> tuple[Fit, ...]:
    """Work out how all models do whose shape is known, in their order."""
    return tuple(fit(model, model.shape, machine) for model in models if model.shape)


def recommend(candidates: Sequence[Fit], machine: Machine) -> Recommendation:
    """Choose one: the best of ``RANKED`` that fits and keeps up, else the quickest; the embedded one when none fits."""
    place = f"{machine.vram_bytes / GIB:.0f} GiB of {machine.card}" if machine.card else f"{machine.cores} cores"
    by_name = {candidate.model.name: candidate for candidate in candidates if candidate.fits}
    ranked = [by_name[name] for name in RANKED if name in by_name]
    quick = [candidate for candidate in ranked if candidate.is_quick]
    if quick:
        best = quick[-1]
        sentence = f"The best of its series that keeps up with typing on {place}; its licence allows any use"
        if best is not ranked[-1]:
            sentence += f". {ranked[-1].model.name} would fit too, but be too slow"
        return Recommendation(best.model.name, f"{sentence}.")
    if ranked:
        best = min(ranked, key=lambda candidate: candidate.first_token_ms)
        return Recommendation(
            best.model.name,
            f"None keeps up with typing on {place}; this one is the quickest, with a first token after some "
            f"{best.first_token_ms / 1000:.1f} s. A team server or a graphics card would serve better.",
        )
    embedded = next(candidate for candidate in candidates if candidate.model.file is None)
    lacking = "memory" if any(candidate.fits_disk for candidate in candidates if candidate.model.file) else "disk space"
    return Recommendation(
        embedded.model.name, f"There is too little free {lacking} for any other; free some and run the command again."
    )


def serving(candidates: Sequence[Fit], machine: Machine) -> Recommendation:
    """Choose the model that serves where the user named none: the best one on this machine that suits it.

    That is the best pulled one that fits and keeps up with typing. Where no model keeps up, it is the one that
    ``recommend`` names if that is pulled and answers within ``USABLE_FIRST_MS``; else the embedded one.
    """
    here = [candidate for candidate in candidates if candidate.model.path and not candidate.model.is_embedded]
    suitable = [candidate for candidate in here if candidate.fits and candidate.is_quick]
    if suitable:
        best = max(suitable, key=_place)
        return Recommendation(best.model.name, "It is the best model on this machine that keeps up with typing.")
    named = recommend(candidates, machine)
    if any(candidate.model.name == named.name and candidate.is_usable for candidate in here):
        return Recommendation(named.name, "No model keeps up with typing on this machine; it is the quickest one.")
    embedded = next(candidate for candidate in candidates if candidate.model.is_embedded)
    if not here:
        return Recommendation(embedded.model.name, "It is part of spark-lsp, and no other model is on this machine.")
    lacking = "keeps up with typing on" if any(candidate.fits for candidate in here) else "fits into the memory of"
    return Recommendation(embedded.model.name, f"No pulled model {lacking} this machine.")


def _place(candidate: Fit) -> tuple[int, bool, int]:
    """Order models by quality: the recommended line first, an instruct model before its base, then by size."""
    line = [name.removesuffix(_INSTRUCT) for name in RANKED]
    name = candidate.model.name.removesuffix(_INSTRUCT)
    return line.index(name) if name in line else -1, candidate.model.is_chat, candidate.model.parameters
