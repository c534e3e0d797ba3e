"""A seeded random walk over the steps of a loaded model: clients type, cached prefixes change, anything fails.

After each step all that can be known is looked at. Weights, cache and attention have 32 bits, so that batches of any
shape give all but the same logits, and a token that is not what it should be cannot hide in rounding; how many tokens
are read or guessed at once is drawn too, not timed, so a seed always takes the same way.
"""

import ctypes
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Final

import gguf
import msgspec
import numpy as np
import pytest

from spark_lsp.engine.base import (
    BACKGROUND_PRIORITY,
    CompletionRequest,
    PromptPart,
    Sampling,
    SpecialToken,
    StopCause,
    TextPart,
)
from spark_lsp.engine.wire.frames import EngineLaunch
from spark_lsp.errors import EngineFailed, EngineStarting, ModelNoFim
from spark_lsp.llama import prompt_slot as slot_module
from spark_lsp.llama import runtime as runtime_module
from spark_lsp.llama.generation import Generation
from spark_lsp.llama.generation_context import GenerationContext
from spark_lsp.llama.kv import block_cache as block_cache_module
from spark_lsp.llama.kv import llama_context as context_module
from spark_lsp.llama.kv.cells import TokenRun
from spark_lsp.llama.kv.llama_context import SCRATCH, SEQUENCES, Context
from spark_lsp.llama.kv.sequences import PREFIX_SLOTS, EvictionCandidate
from spark_lsp.llama.kv.speed import DecodeRates
from spark_lsp.llama.loading.fit import ContextPlan
from spark_lsp.llama.loading.gguf_model import GgufModel, TokenCache
from spark_lsp.llama.loading.memory_estimate import context_params
from spark_lsp.llama.loading.native import L
from spark_lsp.llama.runtime import ModelRuntime
from spark_lsp.llama.speculative.length_policy import LengthPolicy
from tests.llama.gguf_files import SHIPPED

BOUND: Final = 0.001
"""Largest difference of any logit from that of a fresh context; other batch shapes alone make some 0.00001.

The product may differ by more (up to 0.1): flash attention on the processor rounds to 16 bits, in an order
that depends on where in the cache a token is.
"""

PROMPT_TOKENS: Final = 768
CELLS: Final = 1024
DISK_BYTES: Final = 64 * 1024 * 1024
MAX_RUNNING: Final = 7  # more than there are request slots
MAX_STEPS: Final = 400  # of one answer that nobody disturbs: it reads a few hundred tokens and writes some forty
FILES: Final = 6
WORDS: Final = ("value", " = ", "return ", "(a, b)", "\n    ", "é漢🦎", "f_1_0", "if x:", "# ", "0", "x", "\n")
GRAMMARS: Final = ('root ::= "a" root', 'root ::= "yes" | "no"', 'root ::= "漢🦎é" root', "root ::= (", "")

_F32: Final = 0  # ggml.h, GGML_TYPE_F32
_NO_FLASH_ATTENTION: Final = 0  # llama.h, LLAMA_FLASH_ATTN_TYPE_DISABLED

_AbortCallback = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p)


def wide(target: Path, source: Path = SHIPPED) -> Path:
    """Copy a model with its weights as 32-bit numbers."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, "qwen3")
    for name, gguf_field in reader.fields.items():
        if not name.startswith("GGUF.") and name not in {"general.architecture", "general.file_type"}:
            subtype = gguf_field.types[1] if len(gguf_field.types) > 1 else None
            writer.add_key_value(name, gguf_field.contents(), gguf_field.types[0], sub_type=subtype)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, np.asarray(values, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


class DrawnPayoff(LengthPolicy):
    """Draws how long drafts are, so that they come at all and never depend on time."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    def length(self, n_past: int, most: int) -> int:
        return min(most, self._random.choice((0, 0, 1, 2, 5, 13, 32)))


class DrawnRates(DecodeRates):
    """Draws how much background work reads at once."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    def chunk_tokens(self, n_past: int, most: int, *, is_background: bool) -> int:
        return min(most, self._random.choice((7, 32, 64, 200, most)))


class SmallRuntime(ModelRuntime):
    """A model in a context so small that cells run out all the time."""

    def __init__(self, launch: EngineLaunch, random: Random) -> None:
        super().__init__(launch, TokenCache())
        self._random = random
        self.evictions = 0

    def _make(self, model: GgufModel, plan: ContextPlan) -> Context:
        context = super()._make(model, replace(plan, prompt_tokens=PROMPT_TOKENS, cells=CELLS))
        context.rates = DrawnRates(self._random)
        load = context.load
        # llama.cpp may refuse a file for reasons of its own.
        context.load = lambda *arguments: self._random.random() < 0.8 and load(*arguments)  # type: ignore[method-assign]
        return context

    def _generation_context_of(self, model: GgufModel, context: Context) -> GenerationContext:
        generation_context = super()._generation_context_of(model, context)
        choose = generation_context.pool._eviction_candidate

        def counted(sequence: int) -> EvictionCandidate | None:
            self.evictions += 1
            return choose(sequence)

        generation_context.pool._eviction_candidate = counted  # type: ignore[method-assign]
        return replace(
            generation_context,
            completion_length_policy=DrawnPayoff(self._random),
            rewrite_length_policy=DrawnPayoff(self._random),
        )

    def fresh(self) -> Context:
        """Make another context of the same model, which nothing has happened to."""
        assert self._model is not None
        assert self._plan is not None
        return self._make(self._model, self._plan)

    def contexts(self) -> list[Context]:
        """Return what the model is used with now."""
        generation_contexts = (self._generation_context, self._side_context)
        return [
            generation_context.pool.context
            for generation_context in generation_contexts
            if generation_context is not None
        ]


def exact_params(plan: ContextPlan) -> Any:
    """Return llama.cpp's parameters for a plan, with a cache of 32 bits and without flash attention."""
    params = context_params(plan)
    params.type_k = params.type_v = _F32
    params.flash_attn_type = _NO_FLASH_ATTENTION
    return params


@contextmanager
def small_and_exact() -> Iterator[None]:
    """Let prefixes of some hundred tokens be many blocks on disk, a few of them crowded, and no number be rounded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context_module, "context_params", exact_params)
        patch.setattr(block_cache_module, "BLOCK_TOKENS", 128)
        patch.setattr(block_cache_module, "MIN_BLOCK_TOKENS", 16)
        patch.setattr(slot_module, "SPACING_TOKENS", 64)
        patch.setattr(runtime_module, "CROWDED_TOKENS", 256)
        yield


def launch_of(seed: int, model: Path, folder: Path) -> EngineLaunch:
    """Return what a walk starts its model with: every other seed saves to disk. One thread, for equal sums."""
    launch = EngineLaunch(model_path=str(model), context_tokens=2048, threads=1)
    if seed % 2 == 0:
        return launch
    return msgspec.structs.replace(launch, cache_folder=str(folder), cache_bytes=DISK_BYTES)


def file_text(number: int, version: int) -> str:
    """Return a file of a cached prefix, some 20 to 100 tokens."""
    lines = "".join(f"def f_{number}_{line}(a, b):\n    return a + {version}\n" for line in range(1 + number % 4))
    return f"file_{number}.py\n{lines}"


def cached_prefix_of(repository: str, files: tuple[tuple[int, int], ...]) -> tuple[PromptPart, ...]:
    """Return the stable parts of a prompt."""
    head: list[PromptPart] = [SpecialToken("<|repo_name|>"), TextPart(f"{repository}\n", stable=True)]
    for number, version in files:
        head += [SpecialToken("<|file_sep|>"), TextPart(file_text(number, version), stable=True)]
    return tuple(head)


def fim_prompt(before: str, after: str) -> tuple[PromptPart, ...]:
    """Return the volatile parts of a prompt, suffix first."""
    suffix = (SpecialToken("<|fim_prefix|>"), SpecialToken("<|fim_suffix|>"), TextPart(after))
    return (*suffix, SpecialToken("<|fim_middle|>"), TextPart(before, heal=True))


class Scene:
    """What clients have before them: cached prefixes of repositories and documents, and how they change."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._cached_prefixes: dict[str, list[tuple[int, int]]] = {"one": [(0, 0), (1, 0)], "two": [(0, 0)], "": []}
        self._documents: dict[tuple[int, str], str] = {}

    def client(self) -> int:
        """Draw a client."""
        return self._random.randrange(3)

    def key(self) -> str:
        """Draw a document."""
        return self._random.choice(("a.py", "b.py"))

    def repository(self, client: int) -> str:
        """Return the repository of a client: two share one. Now and then it shows nothing of it."""
        return "" if self._random.random() < 0.1 else ("one", "one", "two")[client]

    def cached_prefix(self, repository: str) -> tuple[PromptPart, ...]:
        """Return a repository's cached prefix as it is now."""
        return cached_prefix_of(repository, tuple(self._cached_prefixes[repository])) if repository else ()

    def change_cached_prefix(self) -> None:
        """Let a cached prefix grow, shrink, or change somewhere."""
        files = self._cached_prefixes[self._random.choice(("one", "two"))]
        kind = self._random.randrange(5)
        at = self._random.randrange(len(files)) if files else 0
        if kind <= 1 or not files:
            files.append((self._random.randrange(FILES), 0))
        elif kind == 2:
            files.pop()
        elif kind == 3:
            files[at] = (files[at][0], files[at][1] + 1)
        else:
            files[:] = self._random.sample(files, len(files))
        del files[FILES:]

    def type(self, client: int, key: str) -> str:
        """Change a document as typing does; return it."""
        text = self._documents.get((client, key), f"import {key[0]}\n\n\ndef g_{client}(x):\n    ")
        kind = self._random.randrange(6)
        if kind <= 2:
            text += self._random.choice(WORDS)
        elif kind == 3:
            text = text[: -self._random.randrange(1, 6)]
        elif kind == 4:
            at = self._random.randrange(len(text) + 1)
            text = text[:at] + self._random.choice(WORDS) + text[at:]
        else:
            text += "".join(self._random.choice(WORDS) for _ in range(self._random.randrange(1, 40)))
        self._documents[client, key] = text[-400:]
        return self._documents[client, key]

    def request(self) -> tuple[int, CompletionRequest]:
        """Draw a client and a request of it."""
        draw = self._random
        client, key = self.client(), self.key()
        text = self.type(client, key)
        cached_prefix = self.cached_prefix(self.repository(client))
        kind = draw.randrange(12)
        if kind <= 2 and cached_prefix:
            return client, CompletionRequest(cached_prefix, 0, priority=BACKGROUND_PRIORITY, key="cached prefix")
        if kind == 3:
            prompt = cached_prefix + fim_prompt(f"{text}\n# rewritten\n", "")
            return client, CompletionRequest(
                prompt, draw.randrange(8, 40), priority=1, drafts=(text, file_text(0, 0)), key=key
            )
        if kind == 4:
            grammar = Sampling(grammar=draw.choice(GRAMMARS))
            return client, CompletionRequest(
                cached_prefix + fim_prompt(text, ""), draw.randrange(1, 20), sampling=grammar, key=key
            )
        if kind == 5:
            warm = Sampling(temperature=0.8, seed=draw.randrange(100), grammar=draw.choice(("", GRAMMARS[0])))
            return client, CompletionRequest(
                cached_prefix + fim_prompt(text, "\n"), draw.randrange(1, 10), sampling=warm, key=key
            )
        if kind == 6:
            return client, draw.choice(BAD)
        return client, CompletionRequest(
            cached_prefix + fim_prompt(text, draw.choice(("", "\nprint(x)\n"))), draw.randrange(1, 12), key=key
        )


BAD: Final = (
    CompletionRequest((SpecialToken("<|no|>"), TextPart("x")), 5),
    CompletionRequest((), 5),
    CompletionRequest((TextPart("word " * 4000),), 5),
    CompletionRequest((TextPart("x"),), 5, sampling=Sampling(grammar=GRAMMARS[3])),
)


@dataclass(slots=True)
class Figures:
    """What a walk has come across."""

    steps: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    compared_answers: int = 0
    near_ties: int = 0
    """Answers that left the lone one where its two likeliest tokens were as good as equal."""
    compared_logits: int = 0
    worst_difference: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    """Sums of what the answers' usage tells."""


@dataclass(slots=True)
class Requested:
    """A request on its way."""

    client: int
    request: CompletionRequest
    generation: Generation
    text: str = ""

    @property
    def tokens(self) -> list[int]:
        """What it has written by now."""
        return self.generation.answer.tokens.tolist()


class Alone:
    """What a context says that nothing has happened to."""

    def __init__(self, runtime: SmallRuntime) -> None:
        self._runtime = runtime
        self._logits: dict[bytes, np.ndarray[Any, Any]] = {}

    def logits(self, tokens: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the logits behind some tokens."""
        key = tokens.tobytes()
        if key not in self._logits:
            context = self._runtime.fresh()
            for start in range(0, len(tokens), context.batch_tokens):
                part = tokens[start : start + context.batch_tokens]
                context.decode(1, part, outputs=int(start + len(part) == len(tokens)))
            self._logits[key] = context.logits().copy()
            context.close()
        return self._logits[key]

    def written(self, request: CompletionRequest) -> tuple[np.ndarray[Any, Any], list[int], list[bytes]]:
        """Return the tokens of a prompt, those of its greedy answer, and what each of these says."""
        context = self._runtime.fresh()
        generation_context = self._runtime._generation_context
        assert generation_context is not None
        never = LengthPolicy()
        never.length = lambda *_: 0  # type: ignore[method-assign]
        lone = type(generation_context.pool)(context)
        alone = replace(
            generation_context, pool=lone, completion_length_policy=never, rewrite_length_policy=never, block_cache=None
        )
        generation = Generation(alone, msgspec.structs.replace(request, priority=0), time.perf_counter())
        while generation.step() is None:
            pass
        tokens = generation.answer.tokens.tolist()
        pieces = answer_pieces(generation, tokens)
        generation.close()
        context.close()
        return generation.prompt.run.tokens, tokens, pieces


def answer_pieces(generation: Generation, tokens: list[int]) -> list[bytes]:
    """Return what each token of an answer says beyond what was typed."""
    piece, prompt = generation._vocabulary.piece, generation.prompt.prompt
    pieces = [piece(token) for token in tokens]
    if prompt.last_word is None or not tokens:
        return pieces
    kept = generation.prompt.run.tokens[sum(len(segment.tokens) for segment in prompt.segments) :]
    typed = prompt.last_word.text.removeprefix(b"".join(piece(int(token)) for token in kept))
    assert pieces[0].startswith(typed), "what was typed is written again"
    return [pieces[0][len(typed) :], *pieces[1:]]


class Walk:
    """One walk. ``step`` draws what happens next, lets it happen, and looks at everything after it."""

    def __init__(self, seed: int, launch: EngineLaunch) -> None:
        self.random = Random(seed)
        self.figures = Figures()
        self.runtime = SmallRuntime(launch, self.random)
        self.runtime.load()
        self._folder = Path(launch.cache_folder) if launch.cache_folder else None
        self._alone = Alone(self.runtime)
        self._scene = Scene(self.random)
        self._running: list[Requested] = []
        self._known: dict[bytes, bytes] = {}
        self._ways: dict[str, tuple[int, Callable[[], None]]] = {
            "ask": (40, self._ask),
            "go on": (100, self._go_on),
            "change cached prefix": (16, self._scene.change_cached_prefix),
            "finish": (8, self._finish_one),
            "abort before": (6, self._abort_before),
            "abort within": (12, self._abort_within),
            "cancel": (5, lambda: self._give_up("cancelled")),
            "deadline": (2, lambda: self._give_up("deadline")),
            "tidy": (5, self._tidy),
            "damage": (1, self._damage),
            "probe": (6, self._probe),
            "unload": (1, self._unload),
        }

    def step(self) -> None:
        """Let one thing happen.

        Raises:
            AssertionError: something is not as it has to be.
        """
        names = list(self._ways)
        (name,) = self.random.choices(names, [self._ways[way][0] for way in names])
        self.figures.steps[name] += 1
        self._ways[name][1]()
        self._look()

    def end(self) -> None:
        """Let all answers end, look at each resident sequence, and give the memory back."""
        while self._running:
            self._finish_one()
            self._look()
        for context in self.runtime.contexts():
            for sequence in range(SEQUENCES):
                self._probe_sequence(context, sequence)
        self._look()
        self.runtime.unload()
        self.figures.counts["evictions"] = self.runtime.evictions
        assert self.figures.requests == sum(self.figures.ends.values()), "each request ends exactly once"

    def _ask(self) -> None:
        if len(self._running) >= MAX_RUNNING:
            self._finish_one()
        client, request = self._scene.request()
        for replaced in [running for running in self._running if request.key and running.client == client]:
            if replaced.request.key == request.key and self.random.random() < 0.5:  # as the scheduler does
                self._close(replaced, "cancelled")
        self.figures.requests += 1
        try:
            generation = self.runtime.generation(request, time.perf_counter())
        except (EngineFailed, ModelNoFim):
            assert request in BAD or request.sampling.grammar == GRAMMARS[3]
            self._end("refused")
            return
        self._learn_keys(generation.prompt.run)
        self._running.append(Requested(client, request, generation))

    def _go_on(self) -> None:
        if self._running:
            self._advance(self.random.choice(self._running))

    def _finish_one(self) -> None:
        if self._running:
            asked = self.random.choice(self._running)
            for _ in range(MAX_STEPS):
                if asked not in self._running:
                    return
                self._advance(asked)
            raise AssertionError("an answer that nobody disturbs never ends")

    def _abort_before(self) -> None:
        if self._running:
            asked = self.random.choice(self._running)
            asked.generation.context.abort.set()
            self._advance(asked)

    def _abort_within(self) -> None:
        """Abort a decode after some of its operations: micro-batches that are done by then stay."""
        if not self._running:
            return
        asked = self.random.choice(self._running)
        left = [self.random.choice((1, 30, 100, 300, 600, 1000, 2000))]

        def is_over(_data: object) -> bool:
            left[0] -= 1
            return left[0] < 0

        context = asked.generation.context
        if context.handle is None:
            return
        callback = _AbortCallback(is_over)
        L.llama_set_abort_callback(context.handle, ctypes.cast(callback, L.ggml_abort_callback), None)
        self._advance(asked)
        L.llama_set_abort_callback(context.handle, context.abort.callback, context.abort.address)
        if left[0] < 0:
            self.figures.counts["aborted within"] += 1

    def _give_up(self, cause: StopCause) -> None:
        if self._running:
            self._close(self.random.choice(self._running), cause)

    def _tidy(self) -> None:
        self.runtime.tidy()

    def _damage(self) -> None:
        """Cut a file on disk short, change a byte of it, or take it away."""
        files = sorted(self._folder.glob("*.kv")) if self._folder is not None else []
        if not files:
            return
        path = self.random.choice(files)
        data = bytearray(path.read_bytes())
        kind = self.random.randrange(3)
        if kind == 0:
            path.unlink()
        elif kind == 1:
            path.write_bytes(data[: self.random.randrange(len(data))])
        else:
            data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
            path.write_bytes(data)

    def _unload(self) -> None:
        """Unload under whoever is being answered; each is told so, and what comes next loads again."""
        self.runtime.unload()
        for asked in list(self._running):
            with pytest.raises(EngineStarting):
                asked.generation.step()
            self._close(asked, "cancelled", as_what="unloaded")
        self.runtime.load()

    def _advance(self, asked: Requested) -> None:
        """Make one step of an answer, as the scheduler does."""
        generation = asked.generation
        stop = generation.step()
        self._learn_keys(generation.prompt.run)  # its last word may have been written in other tokens
        generation.context.abort.clear()  # as the scheduler does before the next step
        if stop is not None:
            self._compare_logits(asked, stop)
            self._close(asked, stop)
        elif self.random.random() < 0.5:
            chunk = generation.take()
            asked.text += chunk.text if chunk is not None else ""

    def _close(self, asked: Requested, stop: StopCause, *, as_what: str = "") -> None:
        """End an answer and compare it with what it is alone."""
        self._running.remove(asked)
        last = asked.generation.last_chunk(stop)
        asked.text += last.text
        usage = last.usage
        assert usage is not None
        assert last.stop == stop
        assert usage.generated_tokens == len(asked.tokens) <= asked.request.max_tokens
        for name in ("cached_tokens", "prefill_tokens", "restored_tokens", "accepted_draft_tokens"):
            self.figures.counts[name] += getattr(usage, name)
        pieces = b"".join(answer_pieces(asked.generation, asked.tokens))
        assert asked.text == pieces.decode(errors="replace"), "no text of another answer, and none lost"
        asked.generation.close()
        asked.generation.close()
        self._end(as_what or stop)
        if asked.request.sampling.temperature == 0 and not as_what:
            self._compare_answer(asked, is_whole=stop not in {"cancelled", "deadline"})

    def _compare_answer(self, asked: Requested, *, is_whole: bool) -> None:
        prompt, alone, _ = self._alone.written(asked.request)
        tokens = asked.tokens
        if tokens:
            assert asked.generation.prompt.run.tokens.tolist() == prompt.tolist(), "the last word is written as alone"
        self.figures.compared_answers += 1
        same = next((at for at, (a, b) in enumerate(zip(tokens, alone, strict=False)) if a != b), None)
        if same is None:
            assert len(tokens) == len(alone) if is_whole else len(tokens) <= len(alone)
            return
        assert not asked.request.sampling.grammar, "what a grammar allows is no question of rounding here"
        run = np.concatenate([asked.generation.prompt.run.tokens, np.array(tokens[:same], np.int32)])
        logits = self._alone.logits(run)
        assert abs(logits[tokens[same]] - logits[alone[same]]) <= 2 * BOUND, "another answer than alone"
        self.figures.near_ties += 1

    def _compare_logits(self, asked: Requested, stop: StopCause) -> None:
        """Compare the logits behind an answer's first token with those of a fresh context, now and then."""
        context = asked.generation.context
        is_read = len(asked.generation.prompt.run) == len(
            asked.generation.prompt.prompt.run
        )  # else its end was chosen otherwise
        if asked.request.max_tokens == 1 and stop == "max_tokens" and context._outputs and is_read:
            self._compare(context.logits().copy(), asked.generation.prompt.run.tokens)

    def _compare(self, logits: np.ndarray[Any, Any], tokens: np.ndarray[Any, Any]) -> None:
        difference = float(np.abs(logits - self._alone.logits(tokens)).max())
        self.figures.compared_logits += 1
        self.figures.worst_difference = max(self.figures.worst_difference, difference)
        assert difference <= BOUND, f"what is in the cache is not what the mirror says: {difference:.3f}"

    def _probe(self) -> None:
        """Ask a resident sequence what follows, without changing it."""
        context = self.random.choice(self.runtime.contexts())
        held = [index for index in range(SEQUENCES) if len(context.mirrors[index])]
        if held:
            self._probe_sequence(context, self.random.choice(held))

    def _probe_sequence(self, context: Context, sequence: int) -> None:
        tokens = context.mirrors[sequence].tokens.copy()
        if not len(tokens) or not context.cells.free:
            return
        context.share(sequence, SCRATCH, len(tokens) - 1)
        behind = tokens[len(context.mirrors[SCRATCH]) :]  # of a recurrent model those behind its last checkpoint
        if 0 < len(behind) <= min(context.cells.free, context.batch_tokens):
            assert context.decode(SCRATCH, behind, outputs=1) == "done"
            self._compare(context.logits().copy(), tokens)
        context.truncate(SCRATCH, 0)

    def _look(self) -> None:
        """See that the mirrors hold what llama.cpp does and what their holders and the names of segments say."""
        for context in self.runtime.contexts():
            mirrors = context.mirrors
            assert [len(mirror) for mirror in mirrors] == [context.resident(index) for index in range(SEQUENCES)]
            places = np.concatenate([mirror.places for mirror in mirrors])
            assert context.cells.capacity - context.cells.free == len(np.unique(places))
            for mirror in mirrors:
                start = 0
                named = mirror.named
                for key, end in zip(named.keys[: named.count], named.ends[: named.count], strict=True):
                    assert mirror.tokens[start:end].tobytes() == self._known[key], "a segment under a wrong name"
                    start = end
        for asked in self._running:
            generation = asked.generation
            self._learn_keys(generation.prompt.run)
            if generation.prompt.is_held:
                held = generation.prompt.mirror.tokens
                whole = np.concatenate([generation.prompt.run.tokens, np.array(asked.tokens, np.int32)])
                assert len(held) <= len(whole)
                assert (held == whole[: len(held)]).all(), "a held sequence is the holder's own"
                assert generation.prompt.slot not in PREFIX_SLOTS or not asked.tokens

    def _learn_keys(self, run: TokenRun) -> None:
        start = 0
        for key, end in zip(run.keys, run.ends, strict=True):
            tokens = run.tokens[start:end].tobytes()
            assert self._known.setdefault(key, tokens) == tokens
            start = end

    def _end(self, cause: str) -> None:
        self.figures.ends[cause] += 1
