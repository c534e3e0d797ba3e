"""A generation and its subscribers: it may outlive the request that started it, and answer later ones.

Holds the model's output and what of it may be shown; asks nobody.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from spark_lsp.completion.brackets import growth_behind
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.postprocess.confidence import Scores
from spark_lsp.completion.postprocess.indent import fix_indentation
from spark_lsp.completion.postprocess.pipeline import PostprocessResult, Terms, postprocess
from spark_lsp.completion.reuse import Result
from spark_lsp.completion.selected_item import may_be_taken
from spark_lsp.completion.typed_through import typed_through
from spark_lsp.engine.base import Chunk, StopCause, Usage
from spark_lsp.errors import Reason
from spark_lsp.prompt.pack import Packed
from spark_lsp.text.snapshot import with_line_feeds
from spark_lsp.trace import Fact

MAX_BEYOND_TOKENS: Final = 16
"""How much is still generated, up to the line's end, once no more can be shown: it answers whoever types the doubtful
token. A model that was unsure of its first token wrote 58 and 73 tokens that nobody saw, 2 to 10 s on two cores."""
_CUT_SHORT: frozenset[StopCause] = frozenset({"max_tokens", "deadline", "cancelled"})


@dataclass(eq=False)
class SharedGeneration:
    """A generation for a cursor."""

    cursor: CursorContext
    terms: Terms
    manual: bool = False
    is_next: bool = False
    """Whether it prepares what would follow a suggestion that is still on the screen."""
    raw: str = ""
    scores: list[tuple[int, float]] = field(default_factory=list)
    processed: PostprocessResult = PostprocessResult()
    reason: str = Reason.ENGINE_STARTING
    """What an empty answer would be blamed on right now."""
    done: bool = False
    is_enough: bool = False
    """Whether the model can stop: a rule says so, or it has gone on for long enough after what may be shown."""
    packed: Packed | None = None
    usage: Usage = field(default_factory=Usage)
    tokens: int = 0
    stop_cause: StopCause | None = None
    first_token_ms: float = 0.0
    recorded: str = ""
    """The file that its request was recorded in."""
    subscribers: int = 0
    task: asyncio.Task[None] | None = None
    _began_s: float = 0.0
    """When its prompt was begun, on the event loop's clock."""
    _settled: tuple[int, int] | None = None
    """Tokens and characters at which it was settled what may be shown."""
    _shown_beyond: tuple[CursorContext, PostprocessResult] | None = None
    """What was seen beyond the typed text, and at which cursor: it stays on the screen while it is typed."""
    _updates: list[asyncio.Event] = field(default_factory=list)

    def begin(self, settings_key: str) -> None:
        """Note that the model is there and the prompt is begun; the key names the model too."""
        self.terms = replace(self.terms, settings_key=settings_key)
        self.reason = Reason.TIMEOUT
        self._began_s = asyncio.get_running_loop().time()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Let a task generate the text."""
        self.task = asyncio.create_task(work)

    def take_prompt(self, packed: Packed) -> None:
        """Note the prompt that it answers."""
        self.packed = packed

    def note_recording(self, path: str) -> None:
        """Note the file that its request was recorded in."""
        self.recorded = path

    def take(self, chunk: Chunk) -> None:
        """Add what the model generated, choose what of it may be shown, and wake everyone who waits."""
        if not self.first_token_ms and chunk.text and self._began_s:
            self.first_token_ms = (asyncio.get_running_loop().time() - self._began_s) * 1000
        self._take_scores(chunk)
        self.raw += chunk.text
        self.tokens += chunk.tokens
        self.stop_cause = chunk.stop
        self.usage = msgspec.structs.replace(chunk.usage or self.usage, generated_tokens=self.tokens)
        processed = postprocess(
            self.cursor,
            self.raw,
            self.scores,
            self.terms,
            finished=chunk.stop is not None,
            whole=chunk.stop not in _CUT_SHORT,
        )
        is_kept = not processed.text and not processed.settled
        self.processed = self.processed if is_kept else processed  # what may be shown stays so until there is more
        if processed.settled and self._settled is None:
            self._settled = (self.tokens, len(self.raw))
        self.is_enough = processed.done or self._is_far_beyond()
        self._wake()

    def _is_far_beyond(self) -> bool:
        """Whether the model has gone on for long enough after what may be shown."""
        if self._settled is None:
            return False
        tokens, characters = self._settled
        return self.tokens - tokens >= MAX_BEYOND_TOKENS or "\n" in self.raw[characters:]

    @property
    def is_written(self) -> bool:
        """Whether it goes on, or ended with a text or the rule that left none of it: no error ended it."""
        return not self.done or self.reason == Reason.OK or self.reason.startswith(Reason.trimmed(""))

    def finish(self) -> Result | None:
        """End it, with the reason of its text; return that as a result for later requests, None without text."""
        cursor, processed = self.cursor, self.processed
        if not processed.text:
            is_late = self.stop_cause == "deadline"
            nothing = Reason.TIMEOUT if is_late else Reason.EMPTY
            self.end(Reason.trimmed(processed.rule) if self.raw.strip() else nothing)
            return None
        self.end(Reason.OK)
        return Result(
            cursor.snapshot.uri,
            cursor.prefix,
            cursor.suffix,
            processed.text,
            processed.replaced,
            self.terms.settings_key,
            behind_item=cursor.selected is not None,
        )

    def end(self, reason: str) -> None:
        """End it, with the reason of its text or of having none, and wake everyone who waits for the last time."""
        self.reason = reason
        self.done = True
        self._wake()

    def watch(self) -> asyncio.Event:
        """Begin to wait; pair with ``unwatch``."""
        event = asyncio.Event()
        self._updates.append(event)
        self.subscribers += 1
        return event

    def unwatch(self, event: asyncio.Event) -> None:
        """Stop waiting."""
        self._updates.remove(event)
        self.subscribers -= 1

    def continues(self, cursor: CursorContext) -> bool:
        """Whether this generation still fits a document in which its first characters have been typed since."""
        if cursor.snapshot.uri != self.cursor.snapshot.uri or not cursor.prefix.startswith(self.cursor.prefix):
            return False
        typed = cursor.prefix[len(self.cursor.prefix) :]
        if growth_behind(typed, self.cursor.suffix, cursor.suffix, cursor.quotes) is None:
            return False
        is_begun = bool(self.raw) and not self.done
        raw = fix_indentation(self.cursor, with_line_feeds(self.raw)) if is_begun else ""
        text = self.processed.text if self.done else raw.replace("\n", self.cursor.line_end)
        if not text.startswith(typed) and (self.done or not typed.startswith(text)):
            return False
        if cursor.selected is None:
            return self.cursor.selected is None or self.processed.rule != "entry"
        return self.cursor.selected is not None or not cursor.renames(text[len(typed) :])

    def answers(self, cursor: CursorContext) -> bool:
        """Whether this generation, which has ended, answers a request: its failure does, and a text that fits."""
        is_failure = self.reason != Reason.OK and self.cursor.selected == cursor.selected
        return is_failure or self.continues(cursor)

    def text_at(self, cursor: CursorContext) -> tuple[str, int]:
        """Return the text so far without what was typed of it, and how much after the cursor it replaces."""
        processed = self.processed
        return typed_through(self.cursor.prefix, self.cursor.suffix, processed.text, processed.replaced, cursor)

    def seen_from(self, cursor: CursorContext) -> PostprocessResult:
        """Return what may be shown at a cursor that continues it, ``settled`` once that can only stay so.

        Where all that may be shown was typed, that is what the model wrote beyond.
        """
        text, replaced = self.text_at(cursor)
        if text or cursor.prefix == self.cursor.prefix or not self.processed.settled:
            return replace(self.processed, text=text, replaced=replaced)
        beyond = self._seen_beyond(cursor, self.terms)
        return beyond or PostprocessResult(rule=self.processed.rule, settled=self.done)

    def may_fit(self, cursor: CursorContext) -> bool:
        """Whether it fits a document as it is now, or will once the item that it continues is taken."""
        return self.continues(cursor) or may_be_taken(cursor, self.cursor)

    def rest(self, cursor: CursorContext, terms: Terms) -> PostprocessResult | None:
        """Judge what the model said beyond what was typed of it since; None when it has nothing more to say.

        The model is greedy: asked again it would say the same, so what it was not sure of need not be asked again.
        """
        return self._seen_beyond(cursor, terms) if self.done else None

    def _seen_beyond(self, cursor: CursorContext, terms: Terms) -> PostprocessResult | None:
        """Return what may be shown beyond the typed text: the rest of what was shown there before, or a new beginning.

        Judged again at each key, the same words would come and go.
        """
        if self._shown_beyond:
            begun, shown = self._shown_beyond
            beyond = self._beyond(begun, terms)
            if beyond and (beyond.text or beyond.settled):
                shown = beyond
            text, replaced = typed_through(begun.prefix, begun.suffix, shown.text, shown.replaced, cursor)
            if text and self.terms.settings_key == terms.settings_key:
                self._shown_beyond = begun, shown
                return replace(shown, text=text, replaced=replaced)
        beyond = self._beyond(cursor, terms)
        if beyond and beyond.text:
            self._shown_beyond = cursor, beyond
        return beyond

    def _beyond(self, cursor: CursorContext, terms: Terms) -> PostprocessResult | None:
        typed = cursor.prefix[len(self.cursor.prefix) :]
        if (
            not typed
            or self.terms.settings_key != terms.settings_key
            or cursor.suffix != self.cursor.suffix
            or cursor.snapshot.uri != self.cursor.snapshot.uri
        ):
            return None
        typed, raw = with_line_feeds(typed), with_line_feeds(self.raw)
        rest = raw[len(typed) :]
        if not cursor.prefix.startswith(self.cursor.prefix) or not raw.startswith(typed) or not rest:
            return None
        is_whole = self.stop_cause is not None and self.stop_cause not in _CUT_SHORT
        processed = postprocess(
            cursor, rest, _shifted(self._line_feed_scores(), len(typed)), terms, finished=self.done, whole=is_whole
        )
        return processed if processed.text or processed.rule not in {"", "blank", "entry"} else None

    def _line_feed_scores(self) -> list[tuple[int, float]]:
        """Return the scores by the offsets of the text whose lines end in line feeds."""
        if "\r" not in self.raw:
            return self.scores
        return [(len(with_line_feeds(self.raw[:end])), probability) for end, probability in self.scores]

    def facts(self) -> dict[str, Fact]:
        """Return its facts for the log."""
        usage, packed = self.usage, self.packed
        facts: dict[str, Fact] = {
            "gather_ms": round(packed.gather_ms if packed else 0.0, 1),
            "pack_ms": round(packed.pack_ms if packed else 0.0, 1),
            "first_token_ms": round(self.first_token_ms, 1),
            "prompt_tokens": usage.prompt_tokens,
            "cached_tokens": usage.cached_tokens,
            "prefill_tokens": usage.prefill_tokens,
            "generated_tokens": usage.generated_tokens,
            "drafted_tokens": usage.drafted_tokens,
            "accepted_draft_tokens": usage.accepted_draft_tokens,
            "trim": self.processed.rule,
            "confidence": round(self.processed.confidence, 3),
        }
        return facts | {"recorded": self.recorded} if self.recorded else facts

    def adopt(self) -> None:
        """Note that a request waits for what was prepared."""
        self.is_next = False

    def stop(self) -> None:
        """End the generation; its engine stream is closed by the task itself."""
        if self.task and not self.task.done():
            self.task.cancel()

    def _wake(self) -> None:
        for event in self._updates:
            event.set()

    def _take_scores(self, chunk: Chunk) -> None:
        end = len(self.raw)
        for length, probability in chunk.scores or ((len(chunk.text), chunk.probability),):
            end += length
            if chunk.tokens:
                self.scores.append((end, probability))


def _shifted(scores: Scores, typed: int) -> list[tuple[int, float]]:
    """Return the scores after the typed text; a half-typed token is half as uncertain as before."""
    rest, start = [], 0
    for end, probability in scores:
        if end > typed:
            left = (end - typed) / (end - start) if start < typed else 1.0
            rest.append((end - typed, probability**left))
        start = end
    return rest
