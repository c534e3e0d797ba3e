"""Drafts for one answer: whether one pays, where its tokens come from, and what became of it. Never decodes."""

import time

import numpy as np

from spark_lsp.engine.base import CompletionRequest
from spark_lsp.llama.generation_context import GenerationContext
from spark_lsp.llama.kv.cells import TokenRun, Tokens
from spark_lsp.llama.kv.llama_context import MAX_DRAFT_TOKENS
from spark_lsp.llama.speculative.drafter import PromptLookupDrafter

_LOOKUP_TOKENS = 16  # the last tokens, by which drafts are looked up
NO_DRAFT = np.empty(0, np.int32)


class Drafting:
    """The drafts of one answer. The drafter is built when the first draft would pay."""

    def __init__(self, generation_context: GenerationContext, request: CompletionRequest) -> None:
        self._generation_context = generation_context
        self._pool = generation_context.pool
        self._texts = request.drafts or ("",)
        self._length_policy = (
            generation_context.rewrite_length_policy if request.drafts else generation_context.completion_length_policy
        )
        self._is_wanted = request.speculate and request.sampling.temperature <= 0
        self._was_close = False
        self._drafter: PromptLookupDrafter | None = None
        self.drafted_tokens = 0
        self.accepted_tokens = 0

    def draft(self, run: TokenRun, answer: Tokens, n_past: int, max_tokens: int) -> Tokens:
        """Return a draft of what follows a prompt and its answer, as long as pays at this position.

        The token of a close call is decoded alone.
        """
        if self._was_close or not self._is_wanted:
            return NO_DRAFT
        length = self._length_policy.length(n_past, max(min(MAX_DRAFT_TOKENS, max_tokens), 0))
        if length:  # only a draft that pays is worth another document's request slot
            length = min(length, self._pool.spare(length + 1) - 1)
        if length <= 0:
            return NO_DRAFT
        began = time.perf_counter()
        if self._drafter is None:
            self._drafter = self._drafter_of(run)
        draft = self._drafter.draft(_last_tokens(run, answer), length)
        self._length_policy.record_cost(n_past, seconds=time.perf_counter() - began)
        return draft

    def decoded(self, rows: int, seconds: float, n_past: int) -> None:
        """Note what the decode of a draft and the token before it took."""
        self._length_policy.learn_cost(rows, seconds, n_past)

    def checked(self, drafted: int, accepted: int, n_past: int, *, is_close: bool) -> None:
        """Note how many tokens of a draft were right; ``is_close``: the token behind them is decoded again, alone."""
        self._was_close = is_close
        if not drafted:
            return
        judged = accepted if is_close else drafted
        self._length_policy.learn_outcome(judged, accepted)
        if self._drafter is not None:
            self._drafter.accepted(judged, accepted)
        self.drafted_tokens += judged
        self.accepted_tokens += accepted
        self._length_policy.record_cost(n_past, decodes=int(is_close))

    def _drafter_of(self, run: TokenRun) -> PromptLookupDrafter:
        """Return a drafter that searches the code being rewritten, the file at the cursor, then the cached prefix."""
        cache, vocabulary = self._generation_context.cache, self._generation_context.vocabulary
        regions = [cache.tokens(vocabulary, text)[1] if text else NO_DRAFT for text in self._texts]
        return PromptLookupDrafter([*regions, run.tokens[run.stable_tokens :], run.tokens[: run.stable_tokens]])


def _last_tokens(run: TokenRun, answer: Tokens) -> Tokens:
    """Return the last tokens of a prompt and its answer."""
    last = answer[-_LOOKUP_TOKENS:]
    missing = _LOOKUP_TOKENS - len(last)
    return np.concatenate([run.tokens[-missing:], last]) if missing else last
