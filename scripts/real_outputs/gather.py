"""Run a model at each cursor as the pipeline does, with the window alone as its prompt, and store the output."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from scripts.real_outputs.cursors import Cursor
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.postprocess.pipeline import Terms, postprocess
from spark_lsp.completion.writer import SINGLE_LINE_TOKENS, TOKENS_PER_LINE
from spark_lsp.engine.base import CompletionRequest
from spark_lsp.engine.fim import build_prompt, family_named
from spark_lsp.engine.wire.frames import EngineLaunch
from spark_lsp.llama.loading.gguf_model import TokenCache
from spark_lsp.llama.runtime import ModelRuntime
from spark_lsp.prompt.pack import BEGUN_LINES
from spark_lsp.text.language import language_of_path
from spark_lsp.text.snapshot import Snapshot

MAX_LINES = 6


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """What a model wrote at a cursor. ``is_whole`` if it ended by itself, or a rule ended it."""

    path: str
    kind: str
    before: str
    after: str
    coming: str
    raw: str
    scores: list[tuple[int, float]]
    is_whole: bool


def cursor_of(path: str, before: str, after: str) -> CursorContext:
    """Return the cursor between two texts of a document."""
    language = language_of_path(Path(path))
    snapshot = Snapshot(f"file:///{path}", Path("/") / path, 1, language.name if language else "plaintext",
                        before + after)  # fmt: skip
    return CursorContext(snapshot, len(before))


def outputs(model: str, cursors: Sequence[Cursor]) -> Iterator[Output]:
    """Yield the model's output at each cursor, on one thread."""
    runtime = ModelRuntime(EngineLaunch(model_path=model, context_tokens=4096, threads=1), TokenCache())
    runtime.load()
    for cursor in cursors:
        yield _output(runtime, cursor)
    runtime.unload()


def _output(runtime: ModelRuntime, cursor: Cursor) -> Output:
    assert runtime.info is not None, "loaded"
    family = family_named(runtime.info.family)
    assert family is not None, "a model that can complete"
    place = cursor_of(cursor.path, cursor.before, cursor.after)
    order = runtime.info.fim_order
    lines_before = cursor.shown_before.split("\n")
    begun_count = min(len(lines_before), BEGUN_LINES + 1) if order == "psm" and family.begins_middle else 0
    above, begun = lines_before[: len(lines_before) - begun_count], lines_before[len(lines_before) - begun_count :]
    prefix = "".join(f"{line}\n" for line in above) if begun else cursor.shown_before
    prompt = build_prompt(family, order, repository="sample", blocks=(), current_path=cursor.path, prefix=prefix,
                          suffix=cursor.shown_after, begun="\n".join(begun))  # fmt: skip
    lines = MAX_LINES if place.multi_line else 1
    request = CompletionRequest(
        prompt, SINGLE_LINE_TOKENS if lines == 1 else TOKENS_PER_LINE * lines, stops=family.stops
    )
    generation = runtime.generation(request, time.perf_counter())
    raw, scores, stop, is_done = "", [], None, False
    terms = Terms(MAX_LINES)
    while stop is None and not is_done:
        stop = generation.step()
        chunk = generation.last_chunk(stop) if stop else generation.take()
        if chunk is None:
            continue
        end = len(raw)
        for length, probability in chunk.scores:
            end += length
            scores.append((end, round(probability, 4)))
        raw += chunk.text
        is_done = postprocess(place, raw, scores, terms, finished=False).done
    generation.close()
    is_whole = is_done or stop not in {"max_tokens", "deadline", "cancelled"}
    return Output(path=cursor.path, kind=cursor.kind, before=cursor.before, after=cursor.after, coming=cursor.coming,
                  raw=raw, scores=scores, is_whole=is_whole)  # fmt: skip
