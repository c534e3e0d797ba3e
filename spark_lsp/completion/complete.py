"""The inline-completion pipeline, top to bottom: gate, reuse, adopt, pace, gather, pack, stream, trim, clean.

Every answer carries a reason code. Never raises for what a user can meet: engine and model errors become their reason.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from spark_lsp.completion.clean import clean
from spark_lsp.completion.feedback import Feedback
from spark_lsp.completion.gate import gate
from spark_lsp.completion.hole import Hole
from spark_lsp.completion.reuse import Result, Reuse, typed_through
from spark_lsp.completion.run import Run
from spark_lsp.completion.trim import trim
from spark_lsp.config import CompletionSettings
from spark_lsp.context.workspace import WorkspaceContext
from spark_lsp.engine.base import Engine, Infill, Usage
from spark_lsp.errors import ModelNoFim, Reason, SparkError
from spark_lsp.pacing import DebouncePolicy, LatestWins, RunningMean
from spark_lsp.trace import Trace, TraceRecord, bug

SINGLE_LINE_TOKENS = 64  # the longest single line worth showing; 95 % of accepted ones have under 73 characters
TOKENS_PER_LINE = 20
CANCEL_GRACE_MS = 150.0
"""How long a cancelled generation waits for the next key's request to adopt it: clients cancel, then ask anew."""
BACKGROUND_LIMIT_MS = 10_000  # a generation that nobody could wait for any more
FIRST_LATENCY_GUESS_MS = 150.0

_PARTIAL_WORD = re.compile(r"\w+$")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text to insert at the cursor, replacing ``replaced`` characters after it. ``id`` names it to the feedback."""

    text: str
    replaced: int
    id: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request. ``final`` is False while the model still speaks."""

    suggestion: Suggestion | None
    reason: str
    final: bool
    usage: Usage = Usage()
    record: TraceRecord | None = None


class Completer:
    """Serves inline completions for one workspace. Belongs to one event loop.

    ``settings`` is asked anew for each request; ``log`` receives the trace record of every finished request.
    """

    def __init__(
        self,
        engine: Engine,
        context: WorkspaceContext,
        settings: Callable[[], CompletionSettings],
        log: Callable[[TraceRecord], None],
        feedback: Feedback,
    ) -> None:
        self._engine = engine
        self._context = context
        self._settings = settings
        self._log = log
        self._latest = LatestWins()
        self._runs: dict[str, Run] = {}
        self._latency_ms = RunningMean(FIRST_LATENCY_GUESS_MS)
        self._suggestions = 0
        self.reuse = Reuse()
        self.feedback = feedback
        self.paused = False

    @property
    def busy(self) -> bool:
        """Whether a generation is running."""
        return any(not run.done for run in self._runs.values())

    async def complete(self, hole: Hole, *, manual: bool) -> Answer:
        """Answer by the deadline with what is whole by then; the generation goes on for the next requests."""
        trace = Trace("completion", path=str(hole.snapshot.path or hole.snapshot.uri), manual=manual)
        deadline_ms = self._settings().deadline_ms * (10 if manual else 1)
        deadline = asyncio.get_running_loop().time() + deadline_ms / 1000
        last = Answer(None, Reason.TIMEOUT, final=True)
        try:
            async with aclosing(self._answers(hole, trace, deadline, manual=manual)) as answers:
                async for answer in answers:
                    last = answer
        except asyncio.CancelledError:
            self._log(trace.finish(Reason.CANCELLED))
            raise
        return self._finished(trace, last)

    async def stream(self, hole: Hole, *, manual: bool) -> AsyncGenerator[Answer]:
        """Yield cumulative answers as the model speaks; the last one is final and carries the record."""
        trace = Trace("completion.stream", path=str(hole.snapshot.path or hole.snapshot.uri), manual=manual)
        shown = ""
        try:
            async with aclosing(self._answers(hole, trace, None, manual=manual)) as answers:
                async for answer in answers:
                    if answer.final:
                        yield self._finished(trace, answer)
                    elif answer.suggestion and _extends(answer.suggestion.text, shown):
                        shown = answer.suggestion.text
                        yield answer
        except asyncio.CancelledError:
            self._log(trace.finish(Reason.CANCELLED))
            raise

    def refuses(self, hole: Hole) -> str:
        """Return why no completion would be given at a hole even by hand, or nothing."""
        return self._refusal(hole, self._settings(), manual=True)

    def changed(self, hole: Hole) -> None:
        """Take a change in: a generation that no longer fits is stopped, an erased suggestion is remembered."""
        self.reuse.changed(hole)
        run = self._runs.get(hole.snapshot.uri)
        if run and not run.done and not run.continues(hole):
            run.stop()

    def forget(self, uri: str) -> None:
        """Drop what belongs to a document that was closed."""
        self.reuse.forget(uri)
        self._latest.forget(uri)
        run = self._runs.pop(uri, None)
        if run:
            run.stop()

    async def close(self) -> None:
        """Stop every generation and wait until they are gone."""
        tasks = [run.task for run in self._runs.values() if run.task]
        for run in self._runs.values():
            run.stop()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._runs.clear()

    async def _answers(
        self, hole: Hole, trace: Trace, deadline: float | None, *, manual: bool
    ) -> AsyncGenerator[Answer]:
        settings = self._settings()
        with trace.stage("gate"):
            refusal = self._refusal(hole, settings, manual=manual)
        if refusal:
            yield Answer(None, refusal, final=True)
            return
        settings_key = self._settings_key(settings)
        with trace.stage("reuse"):
            kept = self.reuse.look_up(hole, settings_key)
        if kept and not self.reuse.is_rejected(hole, kept.text):
            trace.note(reuse="typed_through_or_same")
            self._suggestions += 1
            number = self._suggestions
            yield self._answer_of_text(number, hole, kept.text, kept.replaced, final=True)
            return
        run = self._runs.get(hole.snapshot.uri)
        if run is None or run.done or not run.continues(hole):
            with trace.stage("pace"):
                is_wanted = await self._pace(hole.snapshot.uri, settings, manual=manual)
            if not is_wanted:
                yield Answer(None, Reason.SUPERSEDED, final=True)
                return
            run = self._begin(hole, settings, settings_key, manual=manual)
        else:
            trace.note(reuse="adopted")
        while True:
            async with aclosing(self._follow(run, hole, trace, deadline)) as answers:
                async for answer in answers:
                    yield answer
                    if answer.final:
                        return
            trace.note(reuse="diverged")
            run = self._begin(hole, settings, settings_key, manual=manual)

    def _refusal(self, hole: Hole, settings: CompletionSettings, *, manual: bool) -> str:
        if self.paused:
            return Reason.PAUSED
        if not settings.enabled or not settings.languages.get(hole.snapshot.language, True):
            return Reason.DISABLED
        name = gate(hole, settings, manual=manual)
        return Reason.gate(name) if name else ""

    async def _pace(self, uri: str, settings: CompletionSettings, *, manual: bool) -> bool:
        """Wait for the typing to pause; whether this request is still the newest of its document."""
        ticket = self._latest.take(uri)
        fixed_ms = None if settings.debounce == "auto" else float(settings.debounce)
        wait_ms = 0.0 if manual else DebouncePolicy(fixed_ms).wait_ms(self._latency_ms.value)
        await asyncio.sleep(wait_ms / 1000)
        return self._latest.is_newest(uri, ticket)

    def _begin(self, hole: Hole, settings: CompletionSettings, settings_key: str, *, manual: bool) -> Run:
        old = self._runs.get(hole.snapshot.uri)
        if old:
            old.stop()
        run = Run(hole, settings_key, manual)
        self._runs[hole.snapshot.uri] = run
        run.task = asyncio.create_task(self._generate(run, settings))
        return run

    async def _follow(self, run: Run, hole: Hole, trace: Trace, deadline: float | None) -> AsyncGenerator[Answer]:
        """Yield an answer for the hole at each change of the run; at the deadline what is whole, and end.

        Ends without a final answer when an adopted run turns out to say something else than the user typed.
        ``deadline`` is on the event loop's clock. Cancellation fails the request; the deadline only ends the waiting.
        """
        self._suggestions += 1
        number = self._suggestions
        event = run.watch()
        answer: Answer | None = None
        try:
            while not run.done:
                if not run.continues(hole):
                    return
                if run.trimmed.text:
                    answer = self._partial(number, run, hole)
                    yield answer
                try:
                    with trace.stage("stream"):
                        async with asyncio.timeout_at(deadline):
                            await event.wait()
                except TimeoutError:
                    self._note(run, trace)
                    yield self._by_deadline(number, run, hole, answer)
                    return
                event.clear()
            self._note(run, trace)
            yield self._final(number, run, hole)
        except asyncio.CancelledError:
            self._stop_after_grace(run)
            raise
        finally:
            run.unwatch(event)

    def _stop_after_grace(self, run: Run) -> None:
        def stop_unless_wanted() -> None:
            if not run.waiters:
                run.stop()

        asyncio.get_running_loop().call_later(CANCEL_GRACE_MS / 1000, stop_unless_wanted)

    async def _generate(self, run: Run, settings: CompletionSettings) -> None:
        """Fill the run; it ends done, whatever happens."""
        try:
            await self._ask_model(run, settings)
        except SparkError as error:
            run.reason = error.reason
        except asyncio.CancelledError:
            run.reason = Reason.SUPERSEDED
            raise
        except Exception as error:  # noqa: BLE001 - a broken request must still be answered
            run.reason = Reason.ENGINE_FAILED
            bug("generation failed", error=repr(error))
        finally:
            run.done = True
            run.changed()

    async def _ask_model(self, run: Run, settings: CompletionSettings) -> None:
        loop = asyncio.get_running_loop()
        model = await self._engine.start()
        if not model.family:
            raise ModelNoFim(f"The model {model.name} has no fill-in-the-middle tokens that we know.")
        run.reason = Reason.TIMEOUT
        began = loop.time()
        run.packed = await self._context.pack_for(run.hole.snapshot, run.hole.offset)
        lines = settings.max_lines if run.hole.multi_line else 1
        request = Infill(
            prompt=run.packed.parts,
            max_tokens=SINGLE_LINE_TOKENS if lines == 1 else TOKENS_PER_LINE * lines,
            stops=self._context.stops(),
            deadline_ms=0 if run.manual else BACKGROUND_LIMIT_MS,
            key=run.hole.snapshot.uri,
        )
        async with aclosing(self._engine.infill(request)) as chunks:
            async for chunk in chunks:
                if not run.first_token_ms and chunk.text:
                    run.first_token_ms = (loop.time() - began) * 1000
                    self._latency_ms.add(run.first_token_ms)
                run.take(chunk)
                run.trimmed = trim(run.hole, run.raw, max_lines=settings.max_lines, finished=chunk.stop is not None)
                run.changed()
                if run.trimmed.done:
                    break
        self._context.learn(run.usage)
        self._store(run)

    def _store(self, run: Run) -> None:
        cleaned = clean(run.hole, run.trimmed.text)
        if cleaned.text:
            run.reason = Reason.OK
            self.reuse.store(
                Result(
                    run.hole.snapshot.uri,
                    run.hole.prefix,
                    run.hole.suffix,
                    cleaned.text,
                    cleaned.replaced,
                    run.settings_key,
                )
            )
        elif not run.raw.strip():
            run.reason = Reason.TIMEOUT if run.stop_cause == "deadline" else Reason.EMPTY
        else:
            run.reason = Reason.trimmed(run.trimmed.rule or cleaned.rule)

    def _partial(self, number: int, run: Run, hole: Hole) -> Answer:
        """Show what has been said so far; nothing that a later cut could take back is shown at a line's end."""
        text = run.trimmed.text.rstrip()
        cleaned = clean(run.hole, text) if "\n" not in text else None
        shown, replaced = (cleaned.text, cleaned.replaced) if cleaned else (text, 0)
        rest = typed_through(run.hole.prefix, run.hole.suffix, shown, replaced, hole)
        return self._answer_of_text(number, hole, rest, replaced, final=False)

    def _final(self, number: int, run: Run, hole: Hole) -> Answer:
        kept = self.reuse.look_up(hole, run.settings_key) if run.reason == Reason.OK else None
        if kept is None:
            reason = Reason.EMPTY if run.reason == Reason.OK else run.reason
            return Answer(None, reason, final=True, usage=run.usage)
        return replace(self._answer_of_text(number, hole, kept.text, kept.replaced, final=True), usage=run.usage)

    def _by_deadline(self, number: int, run: Run, hole: Hole, answer: Answer | None) -> Answer:
        """Return whole lines, or the whole words of a single one; the rest will be served as the user types on."""
        if answer is None or answer.suggestion is None:
            return Answer(None, run.reason, final=True, usage=run.usage)
        text = answer.suggestion.text
        whole = text.rsplit("\n", 1)[0] if "\n" in text else _PARTIAL_WORD.sub("", text)
        cleaned = clean(hole, whole)
        return self._answer_of_text(number, hole, cleaned.text, cleaned.replaced, final=True)

    def _answer_of_text(self, number: int, hole: Hole, text: str, replaced: int, *, final: bool) -> Answer:
        if not text.strip():
            return Answer(None, Reason.EMPTY if final else Reason.TIMEOUT, final)
        if self.reuse.is_rejected(hole, text):
            return Answer(None, Reason.trimmed("rejected"), final)
        self.feedback.offered(number, hole.snapshot.language, len(text))
        return Answer(Suggestion(text, replaced, number), Reason.OK, final)

    def _finished(self, trace: Trace, answer: Answer) -> Answer:
        if answer.suggestion:
            trace.note(characters=len(answer.suggestion.text), lines=answer.suggestion.text.count("\n") + 1)
        record = trace.finish(answer.reason)
        self._log(record)
        return replace(answer, final=True, record=record)

    def _note(self, run: Run, trace: Trace) -> None:
        trace.note(
            gather_ms=round(run.packed.gather_ms if run.packed else 0.0, 1),
            pack_ms=round(run.packed.pack_ms if run.packed else 0.0, 1),
            first_token_ms=round(run.first_token_ms, 1),
            prompt_tokens=run.usage.prompt_tokens,
            cached_tokens=run.usage.cached_tokens,
            prefill_tokens=run.usage.prefill_tokens,
            generated_tokens=run.usage.generated_tokens,
            drafted_tokens=run.usage.drafted_tokens,
            accepted_draft_tokens=run.usage.accepted_draft_tokens,
            trim=run.trimmed.rule,
        )

    def _settings_key(self, settings: CompletionSettings) -> str:
        fingerprint = self._engine.model.fingerprint if self._engine.model else ""
        return f"{fingerprint}:{settings.max_lines}:{self._context.digest}"


def _extends(text: str, shown: str) -> bool:
    """Whether a text may replace what is on screen: it starts with it and is longer."""
    return text != shown and text.startswith(shown)
