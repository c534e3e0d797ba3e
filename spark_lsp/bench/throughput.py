"""Measure decode speed: plain answers beside a baseline loop, rewrites with drafts, new code with and without drafts.

No small model can really rename. So a grammar that allows one text only forces it to write the renamed code, token by
token as that is tokenised; then the tokens for each decode tell what drafts are worth when a model does its work well.
"""

import difflib
import heapq
import inspect
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spark_lsp.bench.asking import (
    REPLY_CELLS,
    Measure,
    TimedAnswer,
    ask,
    code,
    engine_of,
    facts,
    first_token,
    launch_of,
    middle,
    private_place,
    ratio,
)
from spark_lsp.bench.baseline import Baseline
from spark_lsp.engine.base import CompletionRequest, Engine, PromptPart, Sampling, TextPart
from spark_lsp.llama.speculative.drafter import PromptLookupDrafter

ANSWER_TOKENS: Final = 128
REGION_LINES: Final = 24
"""As much as is rewritten at once; and no more, so that a slow model comes to an end too."""
MIN_SHARE: Final = 0.25
"""Share of the allowed tokens; a shorter answer says too little about speed."""

MAX_DRAFT: Final = 32  # the engine's own bound
LOOKUP_TOKENS: Final = 16

_STARTS: Final = ("def total(", "    return ", "class Entry:\n", "for each in ", "    if a > ", "result = ")
_SPARE_TOKENS: Final = 64


@dataclass(frozen=True, slots=True)
class Rename:
    """Some lines of a function of Python's own library, and a name in them that becomes another."""

    function: Callable[..., object]
    old: str
    new: str

    @property
    def name(self) -> str:
        """What it is called in the report."""
        return f"{self.function.__module__}.{self.function.__qualname__}: {self.old} to {self.new}"

    def texts(self) -> tuple[str, str]:
        """Return the code before and after: the lines that say the name most often."""
        name = re.compile(rf"\b{self.old}\b")
        lines = textwrap.dedent(inspect.getsource(self.function)).splitlines(keepends=True)
        regions = ["".join(lines[at : at + REGION_LINES]) for at in range(max(1, len(lines) - REGION_LINES))]
        before = max(regions, key=lambda region: len(name.findall(region)))
        return before, name.sub(self.new, before)


RENAMES: Final = (
    Rename(textwrap.TextWrapper._wrap_chunks, "cur_line", "gathered"),  # noqa: SLF001  read, never called
    Rename(difflib.SequenceMatcher.find_longest_match, "bestsize", "longest"),
    Rename(heapq.merge, "value", "smallest_item"),
)


async def measure_throughput(measure: Measure, answer_tokens: int) -> dict[str, Any]:
    """Return the report of ``bench throughput``.

    Raises:
        ModelMissing, ModelUnusable, EngineFailed: the model cannot be used.
    """
    with private_place():
        cells = measure.context_tokens + max(len(text) for rename in RENAMES for text in rename.texts()) + REPLY_CELLS
        launch = launch_of(measure.path, cells, measure.threads)
        async with engine_of(launch) as engine:
            info = await engine.start()
            prompt = await code(engine, measure.context_tokens)
            read = await first_token(engine, prompt)
            baseline = await Baseline.open(launch)
            try:
                await baseline.ask_to_hold(prompt)
                decode = await decode_speeds(engine, baseline, prompt, answer_tokens, measure.rounds)
                renames = [await _rename(engine, baseline, prompt, rename) for rename in RENAMES]
            finally:
                await baseline.close()
            copies = [await _copy(engine, prompt, rename, answer_tokens) for rename in RENAMES]
            new_code = await _new_code(engine, prompt, answer_tokens, measure.rounds)
    return {
        "model": info.name,
        "context_tokens": info.context_tokens,
        "prompt_tokens": read.usage.prompt_tokens,
        **facts(launch),
        **decode,
        "rename_tokens_per_step": middle([rename["tokens_per_step"] for rename in renames]),
        "rename_tokens_per_step_of_longest_drafts": middle(
            [rename["tokens_per_step_of_longest_drafts"] for rename in renames]
        ),
        "renames": renames,
        "copies": copies,
        "new_code": new_code,
    }


async def decode_speeds(
    engine: Engine, baseline: Baseline, prompt: Sequence[PromptPart], answer_tokens: int, rounds: int
) -> dict[str, float]:
    """Return tokens per second after a cached prompt without drafts, of the engine and the baseline loop, in turns.

    And the share of the engine's time that went into the library: two contexts of one size differ by up to a quarter
    with where their memory happens to be, and this compares within one.
    """
    ours: list[TimedAnswer] = []
    theirs: list[float] = []
    for number in range(rounds):
        start = TextPart(f"{_STARTS[number % len(_STARTS)]}run_{number}")
        request = CompletionRequest(prompt=(*prompt, start), max_tokens=answer_tokens, speculate=False)
        ours.append(await ask(engine, request))
        theirs.append(await baseline.tokens_per_s(answer_tokens))
    long = [answer for answer in ours if answer.usage.generated_tokens >= MIN_SHARE * answer_tokens] or ours
    speed, bare_speed = middle([answer.tokens_per_s for answer in long]), middle(theirs)
    return {
        "decode_tokens_per_s": speed,
        "bare_decode_tokens_per_s": bare_speed,
        "decode_ratio": ratio(speed, bare_speed),
        "decode_compute_share": middle([answer.compute_share for answer in long]),
    }


async def _rename(engine: Engine, baseline: Baseline, prompt: Sequence[PromptPart], case: Rename) -> dict[str, Any]:
    """Write the renamed code with drafts and without; the first time only teaches the engine what drafts cost."""
    before, after = case.texts()
    tokens = await baseline.tokenize(after)
    order = TextPart(f"{before}\n# The same with {case.new} for {case.old}:\n")
    request = CompletionRequest(
        prompt=(*prompt, order),
        max_tokens=len(tokens),
        sampling=Sampling(grammar="root ::= " + " ".join(f"<[{token}]>" for token in tokens)),
        drafts=(before,),
    )
    await ask(engine, request)
    drafted, plain = await _both(engine, request)
    most = longest_drafts(await baseline.tokenize(before), tokens)
    return {
        "name": case.name,
        **_steps(drafted),
        "tokens_per_step_of_longest_drafts": most,
        "speed_ratio": ratio(drafted.tokens_per_s, plain.tokens_per_s),
        "identical": drafted.text == plain.text == after,
    }


def longest_drafts(region: Sequence[int], answer: Sequence[int]) -> float:
    """Return the tokens for each decode where every draft is as long as one can be, because rows cost nothing.

    No model is asked: what it writes is known. A real machine's drafts are shorter, by what its rows cost.
    """
    text = np.array(answer, np.int32)
    drafter = PromptLookupDrafter([np.array(region, np.int32)])
    at, steps = 1, 0  # the prompt's own decode gives the first token
    while at < len(text):
        draft = drafter.draft(text[max(0, at - LOOKUP_TOKENS) : at], min(MAX_DRAFT, len(text) - at - 1))
        wrong = np.flatnonzero(draft != text[at : at + len(draft)])
        accepted = int(wrong[0]) if len(wrong) else len(draft)
        drafter.accepted(len(draft), accepted)
        at, steps = at + accepted + 1, steps + 1
    return ratio(len(text), steps)


async def _copy(engine: Engine, prompt: Sequence[PromptPart], case: Rename, answer_tokens: int) -> dict[str, Any]:
    """Offer code as a draft to a model that is free to write what it likes."""
    before, _ = case.texts()
    half = before[: len(before) // 2]
    request = CompletionRequest(
        prompt=(*prompt, TextPart(before), TextPart(half)), max_tokens=answer_tokens, drafts=(before,)
    )
    drafted, plain = await _both(engine, request)
    is_copy = bool(drafted.text) and before[len(half) :].startswith(drafted.text[:40])
    return {
        "name": case.name.partition(":")[0],
        **_steps(drafted),
        "speed_ratio": ratio(drafted.tokens_per_s, plain.tokens_per_s),
        "is_copy": is_copy,
        "identical": drafted.text == plain.text,
    }


async def _new_code(engine: Engine, prompt: Sequence[PromptPart], answer_tokens: int, rounds: int) -> dict[str, Any]:
    """Write code that stands nowhere yet, with the engine's own drafts and without, in turns."""
    pairs: list[tuple[TimedAnswer, TimedAnswer]] = []
    for number in range(rounds):
        for start in _STARTS:
            request = CompletionRequest(prompt=(*prompt, TextPart(f"{start}new_{number}")), max_tokens=answer_tokens)
            pairs.append(await _both(engine, request, drafts_first=len(pairs) % 2 == 0))
    long = [pair for pair in pairs if pair[1].usage.generated_tokens >= MIN_SHARE * answer_tokens] or pairs
    ratios = [ratio(drafted.tokens_per_s, plain.tokens_per_s) for drafted, plain in long]
    return {
        "answers": len(long),
        "speed_ratio": middle(ratios),
        "worst_speed_ratio": min(ratios),
        "tokens_per_step": middle([_steps(drafted)["tokens_per_step"] for drafted, _ in long]),
        "identical": sum(drafted.text == plain.text for drafted, plain in pairs) / len(pairs),
    }


async def _both(
    engine: Engine, request: CompletionRequest, *, drafts_first: bool = True
) -> tuple[TimedAnswer, TimedAnswer]:
    """Ask with drafts and without; the prompt is resident for both.

    Where the two are about as fast, who comes first has to change: the second answer of a pair finds warmer caches.
    """
    await first_token(engine, request.prompt)
    if not drafts_first:
        plain = await ask(engine, _without_drafts(request))
        return await ask(engine, request), plain
    drafted = await ask(engine, request)
    return drafted, await ask(engine, _without_drafts(request))


def _without_drafts(request: CompletionRequest) -> CompletionRequest:
    return CompletionRequest(request.prompt, request.max_tokens, sampling=request.sampling, speculate=False)


def _steps(answer: TimedAnswer) -> dict[str, Any]:
    usage = answer.usage
    return {
        "tokens": usage.generated_tokens,
        "steps": usage.decode_steps,
        "tokens_per_step": ratio(usage.generated_tokens, usage.decode_steps),
        "drafted_tokens": usage.drafted_tokens,
        "accepted_draft_tokens": usage.accepted_draft_tokens,
    }
