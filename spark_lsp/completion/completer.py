"""Serves inline completions for one workspace: requests, edits, and what the user does with a suggestion.

Records every answer; ``answering`` makes it.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from itertools import count

from spark_lsp.completion.answer import CompletionAnswer, Suggestion
from spark_lsp.completion.answering import Answering, Request
from spark_lsp.completion.candidates import other_candidates
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.feedback import Feedback
from spark_lsp.completion.gate import Gates
from spark_lsp.completion.generations import Generations
from spark_lsp.completion.next_line_prefetch import NextLinePrefetch
from spark_lsp.completion.open_texts import OpenTexts
from spark_lsp.completion.pace import Pace
from spark_lsp.completion.postprocess.known_names import IsKnownName
from spark_lsp.completion.recording import Recording
from spark_lsp.completion.rejection_backoff import RejectionStreak, terms_for
from spark_lsp.completion.reuse import Reuse
from spark_lsp.completion.shared_generation import SharedGeneration
from spark_lsp.completion.shown import READ_MS, AcceptedText, ShownSuggestions
from spark_lsp.completion.writer import Prompts, Writer
from spark_lsp.config import CompletionSettings
from spark_lsp.engine.base import Engine
from spark_lsp.errors import Reason
from spark_lsp.trace import Trace, TraceRecord

BY_HAND_DEADLINE = 10
"""Factor of the deadline for a request triggered by hand."""


def _any_name(_name: str) -> bool:
    return True


class Completer:
    """Inline completions of one workspace. Belongs to one event loop.

    ``log`` receives the trace record of every finished request; ``is_known_name`` tells whether the workspace has a
    name; ``is_excluded`` whether the user's globs switch a document off; ``is_withheld`` whether a document must not
    reach the engine; ``record``, where set, receives every request that the model answered; ``numbers`` names the
    suggestions.
    """

    def __init__(
        self,
        engine: Engine,
        context: Prompts,
        settings: CompletionSettings,
        log: Callable[[TraceRecord], None],
        feedback: Feedback,
        *,
        is_known_name: IsKnownName = _any_name,
        is_excluded: Callable[[CursorContext], bool] = lambda _cursor: False,
        is_withheld: Callable[[CursorContext], bool] = lambda _cursor: False,
        is_paused: bool = False,
        record: Callable[[Recording], str] | None = None,
        read_ms: float = READ_MS,
        open_texts: OpenTexts | None = None,
        numbers: Iterator[int] | None = None,
    ) -> None:
        self._settings = settings
        self._log = log
        self._is_known_name = is_known_name
        self._pace = Pace(settings)
        self.feedback = feedback
        self.open_texts = open_texts or OpenTexts()
        self.gates = Gates(settings, is_excluded, is_withheld, is_paused=is_paused)
        self.reuse = Reuse()
        self.writer = Writer(engine, context, self.reuse, record)
        self.next_line_prefetch = NextLinePrefetch(self._begin_next)
        self.generations = Generations(self.writer, self.next_line_prefetch)
        self.shown_suggestions = ShownSuggestions(self.reuse, feedback, read_ms=read_ms)
        self._answering = Answering(
            settings,
            is_known_name,
            self.gates,
            self._pace,
            self.shown_suggestions,
            self.reuse,
            self.writer,
            context,
            self.generations,
            numbers or count(1),
        )

    @property
    def busy(self) -> bool:
        """Whether a generation is running."""
        return self.generations.busy

    @property
    def is_paused(self) -> bool:
        """Whether the user has paused completions."""
        return self.gates.is_paused

    def pause(self) -> None:
        """Refuse every request until ``resume``."""
        self.gates.pause()

    def resume(self) -> None:
        """Answer requests again."""
        self.gates.resume()

    def refuses(self, cursor: CursorContext) -> str:
        """Return why no completion would be given at a cursor even by hand, or nothing."""
        return self.gates.refuses_even_manual(cursor)

    async def complete(self, cursor: CursorContext, *, manual: bool, candidates: int = 1) -> CompletionAnswer:
        """Answer by the deadline with the text that is complete by then; the generation continues for later keys."""
        trace = _trace("completion", cursor, manual=manual)
        deadline_ms = self._settings.deadline_ms * (BY_HAND_DEADLINE if manual else 1)
        deadline = asyncio.get_running_loop().time() + deadline_ms / 1000
        last = CompletionAnswer(None, Reason.TIMEOUT, final=True)
        try:
            async with aclosing(self._answering.answers(Request(cursor, trace, deadline, manual))) as answers:
                async for answer in answers:
                    last = answer
            if manual:
                last = await self._with_others(cursor, trace, last, candidates, deadline)
        except asyncio.CancelledError:
            self._log(trace.finish(Reason.CANCELLED))
            raise
        return self._finished(trace, cursor, last, manual=manual)

    async def stream(
        self, cursor: CursorContext, *, manual: bool, candidates: int = 1
    ) -> AsyncGenerator[CompletionAnswer]:
        """Yield cumulative answers as the model speaks; the last one is final and carries the record.

        Further candidates come with the last one alone; the text that is there by then does not wait for them.
        """
        trace = _trace("completion.stream", cursor, manual=manual)
        wanted = candidates if manual else 1
        last, shown = CompletionAnswer(None, Reason.TIMEOUT, final=True), ""
        try:
            async with aclosing(self._answering.answers(Request(cursor, trace, None, manual))) as answers:
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

    def changed(self, cursor: CursorContext, *, cursors: int = 1) -> None:
        """Take a change in: a generation that no longer fits is stopped, an erased suggestion is remembered.

        ``cursors``: at how many places the user typed at once.
        """
        self._pace.key()
        self.shown_suggestions.changed(cursor, cursors)
        self.reuse.changed(cursor)
        self.generations.changed(cursor)

    def accepted(self, suggestion_id: int) -> AcceptedText | None:
        """Note that a suggestion was taken whole; return where, None for an unknown one."""
        return self.shown_suggestions.accepted(suggestion_id)

    def dismissed(self, suggestion_id: int) -> None:
        """Note that the user took a suggestion away: it is not offered there again, and what writes it is stopped."""
        cursor = self.shown_suggestions.dismissed(suggestion_id)
        if cursor is not None:
            self.generations.dismissed(cursor)

    def forget(self, uri: str) -> None:
        """Drop what belongs to a document that was closed."""
        self.reuse.forget(uri)
        self.shown_suggestions.forget(uri)
        self._pace.forget(uri)
        self.generations.forget(uri)

    async def close(self) -> None:
        """Stop every generation and wait until they are gone."""
        await self.generations.close()

    def _begin_next(self, cursor: CursorContext) -> SharedGeneration:
        """Begin the generation of the next line, on the terms after an acceptance, which ends every back-off."""
        no_streak = RejectionStreak()
        terms = terms_for(self._settings, self.writer.basis, no_streak, self._is_known_name, manual=False)
        return self.writer.begin(SharedGeneration(cursor, terms, is_next=True))

    async def _with_others(
        self, cursor: CursorContext, trace: Trace, answer: CompletionAnswer, wanted: int, deadline: float = math.inf
    ) -> CompletionAnswer:
        """Add further candidates, as many as come by the deadline and within the usual deadline."""
        generation = self.generations.of(cursor.snapshot.uri)
        if wanted < 2 or generation is None or answer.suggestion is None:
            return answer
        if generation.packed is None or generation.cursor.prefix != cursor.prefix:
            return answer
        usual_deadline = asyncio.get_running_loop().time() + self._settings.deadline_ms / 1000
        with trace.stage("candidates"):
            text, until = answer.suggestion.text, min(deadline, usual_deadline)
            candidates = await other_candidates(self.writer, generation, text, wanted - 1, until)
        others = tuple(
            Suggestion(processed.text, processed.replaced, next(self._answering.numbers))
            for processed in candidates
            if not cursor.renames(processed.text) and not self.reuse.is_rejected(cursor, processed.text, exactly=True)
        )
        return replace(answer, others=others)

    def _finished(
        self, trace: Trace, cursor: CursorContext, answer: CompletionAnswer, *, manual: bool, shown: str = ""
    ) -> CompletionAnswer:
        suggestion = answer.suggestion
        if suggestion:
            trace.note(characters=len(suggestion.text), lines=suggestion.text.count("\n") + 1)
            if suggestion.text != shown:  # else it may have been accepted by now
                self._offer(trace, cursor, suggestion)
            for alternative in answer.others:
                self._offer(trace, cursor, alternative, is_shown=False)
            self.reuse.offered(cursor, suggestion.id)
            if not (manual or cursor.ignored_reason):
                self.next_line_prefetch.expect(cursor, suggestion)
        record = trace.finish(answer.reason)
        self._log(record)
        return replace(answer, final=True, record=record)

    def _offer(self, trace: Trace, cursor: CursorContext, suggestion: Suggestion, *, is_shown: bool = True) -> None:
        """Note what goes to the editor: on the screen, or a candidate that the user can turn to."""
        language, model, is_hidden = cursor.snapshot.language, self.writer.model_name, bool(cursor.ignored_reason)
        latency_ms = trace.elapsed_ms
        self.feedback.offered(suggestion.id, language, len(suggestion.text), model, latency_ms, is_hidden=is_hidden)
        self.shown_suggestions.show(cursor, suggestion, is_candidate=is_hidden or not is_shown)


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
