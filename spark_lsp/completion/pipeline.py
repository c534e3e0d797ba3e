"""The inline-completion pipeline, top to bottom: hard gates, reuse, gates, adopt, pace, write, judge.

Every answer carries a reason code. Never raises for what a user can meet: engine and model errors become their reason.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from spark_lsp.completion.answer import Answer, Suggestion
from spark_lsp.completion.candidates import other_candidates
from spark_lsp.completion.cursor_context import Hole
from spark_lsp.completion.feedback import Feedback
from spark_lsp.completion.gate import gate
from spark_lsp.completion.generation import Run
from spark_lsp.completion.generations import Runs
from spark_lsp.completion.next_line import Following
from spark_lsp.completion.postprocess.confidence import usual_threshold
from spark_lsp.completion.postprocess.known_names import Knows
from spark_lsp.completion.postprocess.pipeline import Terms
from spark_lsp.completion.rejection_backoff import threshold
from spark_lsp.completion.reuse import Result, Reuse, typed_through
from spark_lsp.completion.shown import Screens
from spark_lsp.completion.writer import Prompts, Writer
from spark_lsp.config import CompletionSettings
from spark_lsp.engine.base import Engine
from spark_lsp.errors import Reason
from spark_lsp.pacing import DebouncePolicy, LatestWins, Rhythm
from spark_lsp.trace import Trace, TraceRecord

BY_HAND_DEADLINE = 10
"""A user who asked by hand waits so many times longer."""


def _any_name(_name: str) -> bool:
    return True


class Completer:
    """Serves inline completions for one workspace. Belongs to one event loop.

    ``settings`` is asked anew for each request; ``log`` receives the trace record of every finished request; ``knows``
    tells whether the workspace has a name; ``is_excluded`` whether the user's globs switch a document off.
    """

    def __init__(
        self,
        engine: Engine,
        context: Prompts,
        settings: Callable[[], CompletionSettings],
        log: Callable[[TraceRecord], None],
        feedback: Feedback,
        *,
        knows: Knows = _any_name,
        is_excluded: Callable[[Hole], bool] = lambda _hole: False,
    ) -> None:
        self._settings = settings
        self._log = log
        self._knows = knows
        self._is_excluded = is_excluded
        self._latest = LatestWins()
        self._rhythm = Rhythm()
        self._suggestions = 0
        self.reuse = Reuse()
        self.writer = Writer(engine, context, self.reuse)
        self.following = Following(self._begin_next)
        self.runs = Runs(self.writer, self.following)
        self.screens = Screens(self.reuse, feedback)
        self.feedback = feedback
        self.paused = False

    @property
    def busy(self) -> bool:
        """Whether a generation is running."""
        return self.runs.busy

    async def complete(self, hole: Hole, *, manual: bool, candidates: int = 1) -> Answer:
        """Answer by the deadline with what is whole by then; the generation goes on for the next requests."""
        trace = _trace("completion", hole, manual=manual)
        loop = asyncio.get_running_loop()
        deadline_ms = self._settings().deadline_ms * (BY_HAND_DEADLINE if manual else 1)
        deadline = loop.time() + deadline_ms / 1000
        last = Answer(None, Reason.TIMEOUT, final=True)
        try:
            async with aclosing(self._answers(hole, trace, deadline, manual=manual)) as answers:
                async for answer in answers:
                    last = answer
            if manual:
                last = await self._with_others(hole, trace, last, candidates, deadline)
        except asyncio.CancelledError:
            self._log(trace.finish(Reason.CANCELLED))
            raise
        return self._finished(trace, hole, last, manual=manual)

    async def stream(self, hole: Hole, *, manual: bool, candidates: int = 1) -> AsyncGenerator[Answer]:
        """Yield cumulative answers as the model speaks; the last one is final and carries the record.

        Further candidates come with the last one alone; the text that is there by then does not wait for them.
        """
        trace = _trace("completion.stream", hole, manual=manual)
        wanted = candidates if manual else 1
        last, shown = Answer(None, Reason.TIMEOUT, final=True), ""
        try:
            async with aclosing(self._answers(hole, trace, None, manual=manual)) as answers:
                async for last in answers:
                    is_early = not last.final or wanted > 1
                    if is_early and last.suggestion and _extends(last.suggestion.text, shown):
                        shown = last.suggestion.text
                        self._offer(trace, hole, last.suggestion)
                        yield replace(last, final=False)
            last = await self._with_others(hole, trace, last, wanted)
            yield self._finished(trace, hole, last, manual=manual, shown=shown)
        except asyncio.CancelledError:
            self._log(trace.finish(Reason.CANCELLED))
            raise

    def refuses(self, hole: Hole) -> str:
        """Return why no completion would be given at a hole even by hand, or nothing."""
        return self._switched_off(hole) or self._gate(hole, manual=True)

    def changed(self, hole: Hole, *, cursors: int = 1) -> None:
        """Take a change in: a generation that no longer fits is stopped, an erased suggestion is remembered.

        ``cursors``: at how many places the user typed at once.
        """
        self._rhythm.key(asyncio.get_running_loop().time())
        self.screens.changed(hole, cursors)
        self.reuse.changed(hole)
        self.runs.changed(hole)

    def accepted(self, suggestion_id: int) -> None:
        """Note that a suggestion was taken whole."""
        self.screens.accepted(suggestion_id)

    def dismissed(self, suggestion_id: int) -> None:
        """Note that the user took a suggestion away: it is not offered there again, and what writes it is stopped."""
        hole = self.screens.dismissed(suggestion_id)
        if hole is not None:
            self.runs.dismissed(hole)

    def forget(self, uri: str) -> None:
        """Drop what belongs to a document that was closed."""
        self.reuse.forget(uri)
        self.screens.forget(uri)
        self._latest.forget(uri)
        self.runs.forget(uri)

    async def close(self) -> None:
        """Stop every generation and wait until they are gone."""
        await self.runs.close()

    async def _answers(
        self, hole: Hole, trace: Trace, deadline: float | None, *, manual: bool
    ) -> AsyncGenerator[Answer]:
        self.screens.asked(hole)
        with trace.stage("gate"):
            refusal = self.refuses(hole)
        if refusal:
            yield Answer(None, refusal, final=True)
            return
        terms = self._terms(hole, trace, manual=manual)
        with trace.stage("reuse"):
            kept = self.reuse.look_up(hole, self.writer.settings_key(terms), exact=manual)
        if kept and not self.reuse.is_rejected(hole, kept.text, exactly=manual):
            trace.note(reuse="typed_through_or_same")
            number = kept.id or self._number()
            yield self._answer_of_text(number, hole, kept.text, kept.replaced, final=True, manual=manual)
            return
        with trace.stage("gate"):
            refusal = self._gate(hole, manual=manual)
        if refusal:
            yield Answer(None, refusal, final=True)
            return
        said = None if manual else self._said_before(hole, terms)
        if said:
            trace.note(reuse="said_before")
            yield said
            return
        run = self.runs.fitting(hole, manual=manual)
        if run is None:
            self.writer.prepare(hole)
            with trace.stage("pace"):
                is_wanted = await self._pace(hole.snapshot.uri, manual=manual)
            if not is_wanted:
                yield Answer(None, Reason.SUPERSEDED, final=True)
                return
            run = self.runs.fitting(hole, manual=manual) or self.runs.begin(hole, terms, manual=manual)
        else:
            trace.note(reuse="adopted")
        while True:
            async with aclosing(self._follow(run, hole, trace, deadline)) as answers:
                async for answer in answers:
                    yield answer
                    if answer.final:
                        return
            trace.note(reuse="diverged")
            run = self.runs.begin(hole, terms, manual=manual)

    # -- whether -----------------------------------------------------------------------------------------------------

    def _switched_off(self, hole: Hole) -> str:
        settings = self._settings()
        if self.paused:
            return Reason.PAUSED
        if not settings.enabled or not settings.languages.get(hole.snapshot.language, True) or self._is_excluded(hole):
            return Reason.DISABLED
        return ""

    def _gate(self, hole: Hole, *, manual: bool) -> str:
        name = gate(hole, self._settings(), manual=manual, moment=self.screens.moment(hole))
        return Reason.gate(name) if name else ""

    async def _pace(self, uri: str, *, manual: bool) -> bool:
        """Wait for the typing to pause; whether this request is still the newest of its document."""
        debounce = self._settings().debounce
        policy = DebouncePolicy(None if debounce == "auto" else float(debounce))
        wait_ms = 0.0 if manual else policy.wait_ms(self.writer.latency_ms.value, self._rhythm.gap_ms)
        ticket = self._latest.take(uri)
        await asyncio.sleep(wait_ms / 1000)
        return self._latest.is_newest(uri, ticket)

    # -- runs --------------------------------------------------------------------------------------------------------

    def _terms(self, hole: Hole, trace: Trace, *, manual: bool) -> Terms:
        settings = self._settings()
        streak = self.screens.streak(hole.snapshot.uri)
        plain = self._least_confidence(settings)
        confidence = threshold(plain, streak, manual=manual)
        if confidence > plain:
            trace.note(rejections_in_a_row=streak.rejections, min_confidence=round(confidence, 3))
        return Terms(settings.max_lines, confidence, self._knows)

    def _least_confidence(self, settings: CompletionSettings) -> float:
        wanted = settings.min_confidence
        return usual_threshold(self.writer.model_name) if wanted == "auto" else wanted

    def _said_before(self, hole: Hole, terms: Terms) -> Answer | None:
        """Answer with what the last generation said beyond what was typed of it; None when that says nothing."""
        uri = hole.snapshot.uri
        run = self.runs.of(uri)
        judged = run.rest(hole, terms) if run and run.settings_key == self.writer.settings_key(terms) else None
        if judged is None:
            return None
        if not judged.text:
            return Answer(None, Reason.trimmed(judged.rule), final=True)
        text, key, is_chosen = judged.text, self.writer.settings_key(terms), hole.entry is not None
        self.reuse.store(Result(uri, hole.prefix, hole.suffix, text, judged.replaced, key, behind_entry=is_chosen))
        return self._answer_of_text(self._number(), hole, judged.text, judged.replaced, final=True, manual=False)

    def _begin_next(self, hole: Hole) -> Run:
        settings = self._settings()  # as they are after an acceptance, which ends every back-off
        terms = Terms(settings.max_lines, self._least_confidence(settings), self._knows)
        return self.writer.begin(Run(hole, self.writer.settings_key(terms), terms, is_next=True))

    async def _follow(self, run: Run, hole: Hole, trace: Trace, deadline: float | None) -> AsyncGenerator[Answer]:
        """Yield an answer for the hole at each change of the run; at the deadline what is whole, and end.

        Ends without a final answer when an adopted run turns out to say something else than the user typed.
        ``deadline`` is on the event loop's clock. Cancellation fails the request; the deadline only ends the waiting.
        """
        number = self._number()
        event = run.watch()
        answer = Answer(None, run.reason, final=False)
        try:
            while not run.done:
                if not run.continues(hole):
                    return
                answer = self._of_run(number, run, hole, final=False)
                if answer.suggestion:
                    yield answer
                try:
                    with trace.stage("stream"):
                        async with asyncio.timeout_at(deadline):
                            await event.wait()
                except TimeoutError:
                    trace.note(**run.facts())
                    yield replace(answer, reason=Reason.OK if answer.suggestion else run.reason, final=True)
                    return
                event.clear()
            if (run.reason == Reason.OK or run.hole.entry != hole.entry) and not run.continues(hole):
                return
            trace.note(**run.facts())
            yield self._final(number, run, hole)
        except asyncio.CancelledError:
            self.runs.stop_after_grace(run)
            raise
        finally:
            run.unwatch(event)

    async def _with_others(
        self, hole: Hole, trace: Trace, answer: Answer, wanted: int, deadline: float = math.inf
    ) -> Answer:
        """Add further candidates, as many as come by the deadline and before the patience is over."""
        run = self.runs.of(hole.snapshot.uri)
        if wanted < 2 or run is None or answer.suggestion is None:
            return answer
        if run.packed is None or run.hole.prefix != hole.prefix:
            return answer
        patience = asyncio.get_running_loop().time() + self._settings().deadline_ms / 1000
        with trace.stage("candidates"):
            text, until = answer.suggestion.text, min(deadline, patience)
            found = await other_candidates(self.writer, run, text, wanted - 1, until)
        others = tuple(
            Suggestion(judged.text, judged.replaced, self._number())
            for judged in found
            if not self.reuse.is_rejected(hole, judged.text, exactly=True)
        )
        return replace(answer, others=others)

    # -- answers -----------------------------------------------------------------------------------------------------

    def _number(self) -> int:
        self._suggestions += 1
        return self._suggestions

    def _of_run(self, number: int, run: Run, hole: Hole, *, final: bool) -> Answer:
        judged = run.judged
        rest, replaced = typed_through(run.hole.prefix, run.hole.suffix, judged.text, judged.replaced, hole)
        return self._answer_of_text(number, hole, rest, replaced, final=final, manual=run.manual)

    def _final(self, number: int, run: Run, hole: Hole) -> Answer:
        if run.reason != Reason.OK:
            return Answer(None, run.reason, final=True, usage=run.usage)
        return replace(self._of_run(number, run, hole, final=True), usage=run.usage)

    def _answer_of_text(
        self, number: int, hole: Hole, text: str, replaced: int, *, final: bool, manual: bool
    ) -> Answer:
        if not text.strip():
            return Answer(None, Reason.EMPTY if final else Reason.TIMEOUT, final)
        if self.reuse.is_rejected(hole, text, exactly=final and manual):
            return Answer(None, Reason.trimmed("rejected"), final)
        return Answer(Suggestion(text, replaced, number), Reason.OK, final)

    def _finished(self, trace: Trace, hole: Hole, answer: Answer, *, manual: bool, shown: str = "") -> Answer:
        suggestion = answer.suggestion
        if suggestion:
            trace.note(characters=len(suggestion.text), lines=suggestion.text.count("\n") + 1)
            if suggestion.text != shown:  # else it may have been accepted by now
                self._offer(trace, hole, suggestion)
            for each in answer.others:
                self._offer(trace, hole, each, is_shown=False)
            self.reuse.offered(hole, suggestion.id)
            if not (manual or hole.ignored_reason):
                self.following.expect(hole, suggestion.text, suggestion.replaced)
        record = trace.finish(answer.reason)
        self._log(record)
        return replace(answer, final=True, record=record)

    def _offer(self, trace: Trace, hole: Hole, told: Suggestion, *, is_shown: bool = True) -> None:
        """Note what goes to the editor: on the screen, or a candidate that the user can turn to."""
        language, model, is_hidden = hole.snapshot.language, self.writer.model_name, bool(hole.ignored_reason)
        latency_ms = trace.elapsed_ms
        self.feedback.offered(told.id, language, len(told.text), model, latency_ms, is_hidden=is_hidden)
        note = self.screens.show if is_shown and not is_hidden else self.screens.offer
        note(hole, told.id, told.text, told.replaced)


def _trace(name: str, hole: Hole, *, manual: bool) -> Trace:
    trace = Trace(name, path=str(hole.snapshot.path or hole.snapshot.uri), manual=manual)
    if hole.entry:
        trace.note(selected="continued")
    elif hole.ignored_reason:
        trace.note(selected=f"ignored.{hole.ignored_reason}")
    return trace


def _extends(text: str, shown: str) -> bool:
    """Whether a text may replace what is on screen: it starts with it and is longer."""
    return text != shown and text.startswith(shown)
