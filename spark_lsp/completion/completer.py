"""The inline-completion pipeline, top to bottom: hard gates, reuse, gates, pace, generate, postprocess.

Every answer carries a reason code. Never raises for what a user can meet: engine and model errors become their reason.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from spark_lsp.completion.answer import Answer, Suggestion
from spark_lsp.completion.candidates import other_candidates
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.feedback import Feedback
from spark_lsp.completion.gate import gate
from spark_lsp.completion.generations import Generations
from spark_lsp.completion.next_line_prefetch import NextLinePrefetch
from spark_lsp.completion.postprocess.confidence import usual_threshold
from spark_lsp.completion.postprocess.known_names import IsKnownName
from spark_lsp.completion.postprocess.pipeline import Terms
from spark_lsp.completion.rejection_backoff import threshold
from spark_lsp.completion.reuse import Result, Reuse, typed_through
from spark_lsp.completion.shared_generation import SharedGeneration
from spark_lsp.completion.shown import ShownSuggestions
from spark_lsp.completion.writer import Prompts, Writer
from spark_lsp.config import CompletionSettings
from spark_lsp.engine.base import Engine
from spark_lsp.errors import Reason
from spark_lsp.pacing import DebouncePolicy, LatestWins, TypingSpeed
from spark_lsp.trace import Trace, TraceRecord

BY_HAND_DEADLINE = 10
"""A user who asked by hand waits so many times longer."""


def _any_name(_name: str) -> bool:
    return True


class Completer:
    """Serves inline completions for one workspace. Belongs to one event loop.

    ``settings`` is asked again for each request; ``log`` receives the trace record of every finished request;
    ``is_known_name`` tells whether the workspace has a name; ``is_excluded`` whether the user's globs switch a document
    off.
    """

    def __init__(
        self,
        engine: Engine,
        context: Prompts,
        settings: Callable[[], CompletionSettings],
        log: Callable[[TraceRecord], None],
        feedback: Feedback,
        *,
        is_known_name: IsKnownName = _any_name,
        is_excluded: Callable[[CursorContext], bool] = lambda _cursor: False,
    ) -> None:
        self._settings = settings
        self._log = log
        self._is_known_name = is_known_name
        self._is_excluded = is_excluded
        self._latest = LatestWins()
        self._typing_speed = TypingSpeed()
        self._suggestions = 0
        self.reuse = Reuse()
        self.writer = Writer(engine, context, self.reuse)
        self.next_line_prefetch = NextLinePrefetch(self._begin_next)
        self.generations = Generations(self.writer, self.next_line_prefetch)
        self.shown_suggestions = ShownSuggestions(self.reuse, feedback)
        self.feedback = feedback
        self.paused = False

    @property
    def busy(self) -> bool:
        """Whether a generation is running."""
        return self.generations.busy

    async def complete(self, cursor: CursorContext, *, manual: bool, candidates: int = 1) -> Answer:
        """Answer by the deadline with what is whole by then; the generation goes on for the next requests."""
        trace = _trace("completion", cursor, manual=manual)
        loop = asyncio.get_running_loop()
        deadline_ms = self._settings().deadline_ms * (BY_HAND_DEADLINE if manual else 1)
        deadline = loop.time() + deadline_ms / 1000
        last = Answer(None, Reason.TIMEOUT, final=True)
        try:
            async with aclosing(self._answers(cursor, trace, deadline, manual=manual)) as answers:
                async for answer in answers:
                    last = answer
            if manual:
                last = await self._with_others(cursor, trace, last, candidates, deadline)
        except asyncio.CancelledError:
            self._log(trace.finish(Reason.CANCELLED))
            raise
        return self._finished(trace, cursor, last, manual=manual)

    async def stream(self, cursor: CursorContext, *, manual: bool, candidates: int = 1) -> AsyncGenerator[Answer]:
        """Yield cumulative answers as the model speaks; the last one is final and carries the record.

        Further candidates come with the last one alone; the text that is there by then does not wait for them.
        """
        trace = _trace("completion.stream", cursor, manual=manual)
        wanted = candidates if manual else 1
        last, shown = Answer(None, Reason.TIMEOUT, final=True), ""
        try:
            async with aclosing(self._answers(cursor, trace, None, manual=manual)) as answers:
                async for last in answers:
                    is_early = not last.final or wanted > 1
                    if is_early and last.suggestion and _extends(last.suggestion.text, shown):
                        shown = last.suggestion.text
                        self._offer(trace, cursor, last.suggestion)
                        yield replace(last, final=False)
            last = await self._with_others(cursor, trace, last, wanted)
            yield self._finished(trace, cursor, last, manual=manual, shown=shown)
        except asyncio.CancelledError:
            self._log(trace.finish(Reason.CANCELLED))
            raise

    def refuses(self, cursor: CursorContext) -> str:
        """Return why no completion would be given at a cursor even by hand, or nothing."""
        return self._switched_off(cursor) or self._gate(cursor, manual=True)

    def changed(self, cursor: CursorContext, *, cursors: int = 1) -> None:
        """Take a change in: a generation that no longer fits is stopped, an erased suggestion is remembered.

        ``cursors``: at how many places the user typed at once.
        """
        self._typing_speed.key(asyncio.get_running_loop().time())
        self.shown_suggestions.changed(cursor, cursors)
        self.reuse.changed(cursor)
        self.generations.changed(cursor)

    def accepted(self, suggestion_id: int) -> None:
        """Note that a suggestion was taken whole."""
        self.shown_suggestions.accepted(suggestion_id)

    def dismissed(self, suggestion_id: int) -> None:
        """Note that the user took a suggestion away: it is not offered there again, and what writes it is stopped."""
        cursor = self.shown_suggestions.dismissed(suggestion_id)
        if cursor is not None:
            self.generations.dismissed(cursor)

    def forget(self, uri: str) -> None:
        """Drop what belongs to a document that was closed."""
        self.reuse.forget(uri)
        self.shown_suggestions.forget(uri)
        self._latest.forget(uri)
        self.generations.forget(uri)

    async def close(self) -> None:
        """Stop every generation and wait until they are gone."""
        await self.generations.close()

    async def _answers(
        self, cursor: CursorContext, trace: Trace, deadline: float | None, *, manual: bool
    ) -> AsyncGenerator[Answer]:
        self.shown_suggestions.asked(cursor)
        with trace.stage("gate"):
            refusal = self.refuses(cursor)
        if refusal:
            yield Answer(None, refusal, final=True)
            return
        terms = self._terms(cursor, trace, manual=manual)
        with trace.stage("reuse"):
            kept = self.reuse.look_up(cursor, self.writer.settings_key(terms), exact=manual)
        if kept and not self.reuse.is_rejected(cursor, kept.text, exactly=manual):
            trace.note(reuse="typed_through_or_same")
            number = kept.id or self._number()
            yield self._answer_of_text(number, cursor, kept.text, kept.replaced, final=True, manual=manual)
            return
        with trace.stage("gate"):
            refusal = self._gate(cursor, manual=manual)
        if refusal:
            yield Answer(None, refusal, final=True)
            return
        said = None if manual else self._said_before(cursor, terms)
        if said:
            trace.note(reuse="said_before")
            yield said
            return
        generation = self.generations.matching(cursor, manual=manual)
        if generation is None:
            self.writer.prepare(cursor)
            with trace.stage("pace"):
                is_wanted = await self._pace(cursor.snapshot.uri, manual=manual)
            if not is_wanted:
                yield Answer(None, Reason.SUPERSEDED, final=True)
                return
            generation = self.generations.matching(cursor, manual=manual) or self.generations.begin(
                cursor, terms, manual=manual
            )
        else:
            trace.note(reuse="adopted")
        while True:
            async with aclosing(self._follow(generation, cursor, trace, deadline)) as answers:
                async for answer in answers:
                    yield answer
                    if answer.final:
                        return
            trace.note(reuse="diverged")
            generation = self.generations.begin(cursor, terms, manual=manual)

    # -- whether -----------------------------------------------------------------------------------------------------

    def _switched_off(self, cursor: CursorContext) -> str:
        settings = self._settings()
        if self.paused:
            return Reason.PAUSED
        if (
            not settings.enabled
            or not settings.languages.get(cursor.snapshot.language, True)
            or self._is_excluded(cursor)
        ):
            return Reason.DISABLED
        return ""

    def _gate(self, cursor: CursorContext, *, manual: bool) -> str:
        name = gate(cursor, self._settings(), manual=manual, edit_state=self.shown_suggestions.edit_state(cursor))
        return Reason.gate(name) if name else ""

    async def _pace(self, uri: str, *, manual: bool) -> bool:
        """Wait for the typing to pause; whether this request is still the newest of its document."""
        debounce = self._settings().debounce
        policy = DebouncePolicy(None if debounce == "auto" else float(debounce))
        wait_ms = 0.0 if manual else policy.wait_ms(self.writer.latency_ms.value, self._typing_speed.gap_ms)
        ticket = self._latest.take(uri)
        await asyncio.sleep(wait_ms / 1000)
        return self._latest.is_newest(uri, ticket)

    # -- generations -------------------------------------------------------------------------------------------------

    def _terms(self, cursor: CursorContext, trace: Trace, *, manual: bool) -> Terms:
        settings = self._settings()
        streak = self.shown_suggestions.streak(cursor.snapshot.uri)
        plain = self._least_confidence(settings)
        confidence = threshold(plain, streak, manual=manual)
        if confidence > plain:
            trace.note(rejections_in_a_row=streak.rejections, min_confidence=round(confidence, 3))
        return Terms(settings.max_lines, confidence, self._is_known_name)

    def _least_confidence(self, settings: CompletionSettings) -> float:
        wanted = settings.min_confidence
        return usual_threshold(self.writer.model_name) if wanted == "auto" else wanted

    def _said_before(self, cursor: CursorContext, terms: Terms) -> Answer | None:
        """Answer with what the last generation said beyond what was typed of it; None when that says nothing."""
        uri = cursor.snapshot.uri
        generation = self.generations.of(uri)
        processed = (
            generation.rest(cursor, terms)
            if generation and generation.settings_key == self.writer.settings_key(terms)
            else None
        )
        if processed is None:
            return None
        if not processed.text:
            return Answer(None, Reason.trimmed(processed.rule), final=True)
        text, key, is_chosen = processed.text, self.writer.settings_key(terms), cursor.selected is not None
        self.reuse.store(
            Result(uri, cursor.prefix, cursor.suffix, text, processed.replaced, key, behind_item=is_chosen)
        )
        return self._answer_of_text(
            self._number(), cursor, processed.text, processed.replaced, final=True, manual=False
        )

    def _begin_next(self, cursor: CursorContext) -> SharedGeneration:
        settings = self._settings()  # as they are after an acceptance, which ends every back-off
        terms = Terms(settings.max_lines, self._least_confidence(settings), self._is_known_name)
        return self.writer.begin(SharedGeneration(cursor, self.writer.settings_key(terms), terms, is_next=True))

    async def _follow(
        self, generation: SharedGeneration, cursor: CursorContext, trace: Trace, deadline: float | None
    ) -> AsyncGenerator[Answer]:
        """Yield an answer for the cursor at each change of the generation; at the deadline what is whole, and end.

        Ends without a final answer when an adopted generation turns out to say something else than the user typed.
        ``deadline`` is on the event loop's clock. Cancellation fails the request; the deadline only ends the waiting.
        """
        number = self._number()
        event = generation.watch()
        answer = Answer(None, generation.reason, final=False)
        try:
            while not generation.done:
                if not generation.continues(cursor):
                    return
                answer = self._of_generation(number, generation, cursor, final=False)
                if answer.suggestion:
                    yield answer
                try:
                    with trace.stage("stream"):
                        async with asyncio.timeout_at(deadline):
                            await event.wait()
                except TimeoutError:
                    trace.note(**generation.facts())
                    yield replace(answer, reason=Reason.OK if answer.suggestion else generation.reason, final=True)
                    return
                event.clear()
            if (
                generation.reason == Reason.OK or generation.cursor.selected != cursor.selected
            ) and not generation.continues(cursor):
                return
            trace.note(**generation.facts())
            yield self._final(number, generation, cursor)
        except asyncio.CancelledError:
            self.generations.stop_after_grace(generation)
            raise
        finally:
            generation.unwatch(event)

    async def _with_others(
        self, cursor: CursorContext, trace: Trace, answer: Answer, wanted: int, deadline: float = math.inf
    ) -> Answer:
        """Add further candidates, as many as come by the deadline and before the patience is over."""
        generation = self.generations.of(cursor.snapshot.uri)
        if wanted < 2 or generation is None or answer.suggestion is None:
            return answer
        if generation.packed is None or generation.cursor.prefix != cursor.prefix:
            return answer
        patience = asyncio.get_running_loop().time() + self._settings().deadline_ms / 1000
        with trace.stage("candidates"):
            text, until = answer.suggestion.text, min(deadline, patience)
            found = await other_candidates(self.writer, generation, text, wanted - 1, until)
        others = tuple(
            Suggestion(processed.text, processed.replaced, self._number())
            for processed in found
            if not cursor.renames(processed.text) and not self.reuse.is_rejected(cursor, processed.text, exactly=True)
        )
        return replace(answer, others=others)

    # -- answers -----------------------------------------------------------------------------------------------------

    def _number(self) -> int:
        self._suggestions += 1
        return self._suggestions

    def _of_generation(
        self, number: int, generation: SharedGeneration, cursor: CursorContext, *, final: bool
    ) -> Answer:
        processed = generation.processed
        rest, replaced = typed_through(
            generation.cursor.prefix, generation.cursor.suffix, processed.text, processed.replaced, cursor
        )
        return self._answer_of_text(number, cursor, rest, replaced, final=final, manual=generation.manual)

    def _final(self, number: int, generation: SharedGeneration, cursor: CursorContext) -> Answer:
        if generation.reason != Reason.OK:
            return Answer(None, generation.reason, final=True, usage=generation.usage)
        return replace(self._of_generation(number, generation, cursor, final=True), usage=generation.usage)

    def _answer_of_text(
        self, number: int, cursor: CursorContext, text: str, replaced: int, *, final: bool, manual: bool
    ) -> Answer:
        if not text.strip():
            return Answer(None, Reason.EMPTY if final else Reason.TIMEOUT, final)
        if self.reuse.is_rejected(cursor, text, exactly=final and manual):
            return Answer(None, Reason.trimmed("rejected"), final)
        return Answer(Suggestion(text, replaced, number), Reason.OK, final)

    def _finished(
        self, trace: Trace, cursor: CursorContext, answer: Answer, *, manual: bool, shown: str = ""
    ) -> Answer:
        suggestion = answer.suggestion
        if suggestion:
            trace.note(characters=len(suggestion.text), lines=suggestion.text.count("\n") + 1)
            if suggestion.text != shown:  # else it may have been accepted by now
                self._offer(trace, cursor, suggestion)
            for each in answer.others:
                self._offer(trace, cursor, each, is_shown=False)
            self.reuse.offered(cursor, suggestion.id)
            if not (manual or cursor.ignored_reason):
                self.next_line_prefetch.expect(cursor, suggestion.text, suggestion.replaced)
        record = trace.finish(answer.reason)
        self._log(record)
        return replace(answer, final=True, record=record)

    def _offer(self, trace: Trace, cursor: CursorContext, told: Suggestion, *, is_shown: bool = True) -> None:
        """Note what goes to the editor: on the screen, or a candidate that the user can turn to."""
        language, model, is_hidden = cursor.snapshot.language, self.writer.model_name, bool(cursor.ignored_reason)
        latency_ms = trace.elapsed_ms
        self.feedback.offered(told.id, language, len(told.text), model, latency_ms, is_hidden=is_hidden)
        note = self.shown_suggestions.show if is_shown and not is_hidden else self.shown_suggestions.offer
        note(cursor, told.id, told.text, told.replaced)


def _trace(name: str, cursor: CursorContext, *, manual: bool) -> Trace:
    trace = Trace(name, path=str(cursor.snapshot.path or cursor.snapshot.uri), manual=manual)
    if cursor.selected:
        trace.note(selected="continued")
    elif cursor.ignored_reason:
        trace.note(selected=f"ignored.{cursor.ignored_reason}")
    return trace


def _extends(text: str, shown: str) -> bool:
    """Whether a text may replace what is on screen: it starts with it and is longer."""
    return text != shown and text.startswith(shown)
