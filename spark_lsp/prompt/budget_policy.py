"""Which budget a prompt has now: the user's limits, the loaded model's size, and the prefill cost learned so far."""

from dataclasses import dataclass, field, replace

from spark_lsp.engine.base import PrefillCost, Usage
from spark_lsp.prompt.budget import PREFILL_SHARE, Budget, Split, budget_for, steady_cost

REPLY_TOKENS = 512  # cells kept free for the answer
MIN_TOKENS_FOR_A_RATE = 64  # a shorter prefill measures the overhead, not the rate


@dataclass(frozen=True, slots=True)
class PromptLimits:
    """What the settings allow a prompt."""

    ceiling_tokens: int
    first_token_target_ms: int
    fixed_tokens: int | None = None
    """A prompt size that the user has named, however long its prefill takes; None for the budget of the moment."""
    is_report: bool = False
    """Whether prompts are shown to the user alone: a size that is named may then be more than the engine holds."""

    @property
    def prefill_target_ms(self) -> float:
        """What of the first-token target the prefill may take."""
        return self.first_token_target_ms * PREFILL_SHARE


@dataclass
class BudgetPolicy:
    """The budget of the moment. Belongs to one event loop."""

    limits: PromptLimits
    cost: PrefillCost = field(default_factory=PrefillCost)
    """The prefill cost as it was measured last."""
    steady_cost: PrefillCost = field(default_factory=PrefillCost)
    """The cost that budgets go by: it follows the measured one in large steps."""

    def fix_size(self, tokens: int | None, *, is_report: bool) -> None:
        """Use a prompt size that the user names, see ``PromptLimits``."""
        self.limits = replace(self.limits, fixed_tokens=tokens, is_report=is_report)

    def assume(self, cost: PrefillCost) -> None:
        """Go by a cost that was measured elsewhere until a request tells."""
        self.cost = cost

    def learn(self, usage: Usage) -> None:
        """Take what a request tells of the cost of prefill into account for the next budgets."""
        if usage.prefill_cost.base_ms > 0:
            self.cost = usage.prefill_cost
        elif usage.prefill_tokens >= MIN_TOKENS_FOR_A_RATE and usage.first_token_ms > 0:
            self.cost = PrefillCost(usage.first_token_ms / usage.prefill_tokens)  # of an engine that does not say

    def budget(
        self, *, context_tokens: int, prefilled_tokens: int, split: Split, ceiling_tokens: int | None = None
    ) -> Budget:
        """Return the budget of the moment; an explicit ceiling, which a report names, replaces the user's."""
        self.steady_cost = steady_cost(self.steady_cost, self.cost, prefilled_tokens)
        named = ceiling_tokens or self.limits.fixed_tokens
        if named and (ceiling_tokens or self.limits.is_report):
            context_tokens = max(context_tokens, named + REPLY_TOKENS)
        return budget_for(
            ceiling_tokens=named or self.limits.ceiling_tokens,
            context_tokens=context_tokens,
            reply_tokens=REPLY_TOKENS,
            prefill_cost=self.steady_cost,
            first_token_target_ms=self.limits.first_token_target_ms,
            resident_tokens=prefilled_tokens,
            is_patient=named is not None,
            split=split,
        )
