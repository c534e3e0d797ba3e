"""Answer one request: refuse, reuse, pace, generate and prefetch, in this order.

Every answer carries a reason code. Never raises for what a user can meet: engine and model errors become their reason.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace

from spark_lsp.completion.answer import CompletionAnswer, Suggestion
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.gate import Gates
from spark_lsp.completion.generations import Generations
from spark_lsp.completion.pace import Pace
from spark_lsp.completion.postprocess.known_names import IsKnownName
from spark_lsp.completion.postprocess.pipeline import PostprocessResult, Terms
from spark_lsp.completion.rejection_backoff import terms_for
from spark_lsp.completion.reuse import Result, Reuse
from spark_lsp.completion.shared_generation import SharedGeneration
from spark_lsp.completion.shown import ShownSuggestions
from spark_lsp.completion.writer import Prompts, Writer
from spark_lsp.config import CompletionSettings
from spark_lsp.errors import Reason
from spark_lsp.trace import Trace


@dataclass(frozen=True, slots=True)
class Request:
    """One request at a cursor. ``deadline`` is on the event loop's clock; None waits until the model has ended."""

    cursor: CursorContext
    trace: Trace
    deadline: float | None
    manual: bool


@dataclass
class Answering:
    """The parts that an answer needs, and how they work together. Belongs to one event loop."""

    settings: CompletionSettings
    is_known_name: IsKnownName
    gates: Gates
    pace: Pace
    shown: ShownSuggestions
    reuse: Reuse
    writer: Writer
    prompts: Prompts
    generations: Generations
    numbers: Iterator[int]
    """The numbers of the next suggestions."""

    async def answers(self, request: Request) -> AsyncGenerator[CompletionAnswer]:
        """Yield cumulative answers; the last one is final."""
        terms = self._answer_at_once(request)
        if isinstance(terms, CompletionAnswer):
            yield terms
            return
        generation = await self._generation(request, terms)
        while generation is not None:
            async with aclosing(self._follow(generation, request)) as answers:
                async for answer in answers:
                    yield answer
                    if answer.final:
                        return
            request.trace.note(reuse="diverged")
            generation = self.generations.begin(request.cursor, terms, manual=request.manual)
        yield CompletionAnswer(None, Reason.SUPERSEDED, final=True)

    def _answer_at_once(self, request: Request) -> CompletionAnswer | Terms:
        """Return a refusal or an answer that is known already; otherwise what a generated one has to meet."""
        cursor, trace, manual = request.cursor, request.trace, request.manual
        edit_state = self.shown.asked(cursor)
        with trace.stage("gate"):
            refusal = self.gates.refuses_even_manual(cursor)
        if refusal:
            return CompletionAnswer(None, refusal, final=True)
        terms = terms_for(self.settings, self.writer.basis, edit_state.streak, self.is_known_name, manual=manual)
        if terms.raised_by:
            trace.note(rejections_in_a_row=terms.raised_by, min_confidence=round(terms.confidence, 3))
        with trace.stage("reuse"):
            kept = self.reuse.look_up(cursor, terms.settings_key, exact=manual)
        if kept and not self.reuse.is_rejected(cursor, kept.text, exactly=manual):
            trace.note(reuse="typed_through_or_same")
            return self.of_text(kept.id or next(self.numbers), cursor, kept.text, kept.replaced, manual=manual)
        with trace.stage("gate"):
            refusal = self.gates.refuses(cursor, edit_state, manual=manual)
        if refusal:
            return CompletionAnswer(None, refusal, final=True)
        rest = None if manual else self.generations.rest(cursor, terms)
        if rest is None:
            return terms
        trace.note(reuse="said_before")
        return self._of_rest(cursor, rest, terms)

    async def _generation(self, request: Request, terms: Terms) -> SharedGeneration | None:
        """Return a running generation or a new one; None if a newer request came during the wait."""
        cursor, manual = request.cursor, request.manual
        generation = self.generations.matching(cursor, manual=manual)
        if generation is not None:
            request.trace.note(reuse="adopted")
            return generation
        self.prompts.prepare(cursor.snapshot, cursor.offset)  # it is there by the time that the wait is over
        with request.trace.stage("pace"):
            is_wanted = await self.pace.wait(cursor.snapshot.uri, self.writer.latency_ms.value, manual=manual)
        if not is_wanted:
            return None
        generation = self.generations.matching(cursor, manual=manual)
        return generation or self.generations.begin(cursor, terms, manual=manual)

    async def _follow(self, generation: SharedGeneration, request: Request) -> AsyncGenerator[CompletionAnswer]:
        """Yield an answer for the cursor at each change of the generation; at the deadline what is whole, and end.

        Ends without a final answer when a reused generation turns out to say something else than the user typed.
        Cancellation fails the request; the deadline only ends the waiting.
        """
        cursor, trace, manual = request.cursor, request.trace, generation.manual
        event = generation.watch()
        number = next(self.numbers)
        answer = CompletionAnswer(None, generation.reason, final=False)
        try:
            while not generation.done:
                if not generation.continues(cursor):
                    return
                if generation.processed.text or generation.processed.settled:
                    seen = generation.seen_from(cursor)
                    if seen.settled:  # what the model still writes is for the next keys
                        break
                    answer = self.of_text(number, cursor, seen.text, seen.replaced, final=False, manual=manual)
                if answer.suggestion:
                    yield answer
                try:
                    with trace.stage("stream"):
                        async with asyncio.timeout_at(request.deadline):
                            await event.wait()
                except TimeoutError:
                    trace.note(**generation.facts())
                    yield replace(answer, reason=Reason.OK if answer.suggestion else generation.reason, final=True)
                    return
                event.clear()
            if not generation.answers(cursor):
                return
            trace.note(**generation.facts())
            answer = self._last(generation, cursor, number)
            yield replace(answer, usage=generation.usage)
        except asyncio.CancelledError:
            self.generations.stop_after_grace(generation)
            raise
        finally:
            generation.unwatch(event)

    def _last(self, generation: SharedGeneration, cursor: CursorContext, number: int) -> CompletionAnswer:
        """Return the final answer of a generation that has ended, or of which no more can be shown."""
        seen = generation.seen_from(cursor)
        if seen.text and not generation.done:  # it may be stopped before it ends, and this stays on the screen
            self._keep(cursor, seen, generation.terms)
        if generation.reason == Reason.OK or (seen.text and generation.is_written):
            return self.of_text(number, cursor, seen.text, seen.replaced, manual=generation.manual)
        reason = generation.reason if generation.done else Reason.trimmed(seen.rule)
        return CompletionAnswer(None, reason, final=True)

    def _of_rest(self, cursor: CursorContext, rest: PostprocessResult, terms: Terms) -> CompletionAnswer:
        """Answer with what the last generation wrote beyond what was typed of it, and keep it for the next keys."""
        if not rest.text:
            return CompletionAnswer(None, Reason.trimmed(rest.rule), final=True)
        self._keep(cursor, rest, terms)
        return self.of_text(next(self.numbers), cursor, rest.text, rest.replaced, manual=False)

    def _keep(self, cursor: CursorContext, seen: PostprocessResult, terms: Terms) -> None:
        """Keep what is shown at a cursor for the keys that type it."""
        uri, is_chosen = cursor.snapshot.uri, cursor.selected is not None
        self.reuse.store(
            Result(
                uri, cursor.prefix, cursor.suffix, seen.text, seen.replaced, terms.settings_key, behind_item=is_chosen
            )
        )

    def of_text(
        self, number: int, cursor: CursorContext, text: str, replaced: int, *, final: bool = True, manual: bool
    ) -> CompletionAnswer:
        """Return the answer that offers a text, or none where it is blank or was rejected here."""
        if not text.strip():
            return CompletionAnswer(None, Reason.EMPTY if final else Reason.TIMEOUT, final)
        if self.reuse.is_rejected(cursor, text, exactly=final and manual):
            return CompletionAnswer(None, Reason.trimmed("rejected"), final)
        return CompletionAnswer(Suggestion(text, replaced, number), Reason.OK, final)
