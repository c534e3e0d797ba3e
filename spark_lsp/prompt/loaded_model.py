"""What the loaded model and the machine mean for prompts: family, order, layout, and how many tokens are allowed.

Asks the engine for nothing but its measurements. Never tokenises and never looks at the workspace.
"""

from math import inf

from spark_lsp.engine.base import Engine, ModelInfo, Usage
from spark_lsp.engine.fim import FimFamily, Order, family_named
from spark_lsp.errors import EngineStarting, ModelNoFim
from spark_lsp.prompt.budget import Budget
from spark_lsp.prompt.budget_policy import REPLY_TOKENS, BudgetPolicy, PromptLimits
from spark_lsp.prompt.layout_style import PLAIN, Style, style_of
from spark_lsp.prompt.pack import Layout

MIN_QUICK_TOKENS = 64
"""What a key may always prefill: the lines that were typed since the last one, and the text behind the cursor."""


class LoadedModel:
    """The engine's model of the moment, as prompts need it. ``limits`` are the settings'."""

    def __init__(self, engine: Engine, repository: str, limits: PromptLimits) -> None:
        """``repository`` is the name in the prompt's header."""
        self._engine = engine
        self._repository = repository
        self._policy = BudgetPolicy(limits)

    @property
    def is_loaded(self) -> bool:
        """Whether there is a model now."""
        return self._engine.model is not None

    @property
    def info(self) -> ModelInfo:
        """The model.

        Raises:
            EngineStarting: there is none yet.
        """
        model = self._engine.model
        if model is None:
            raise EngineStarting("The model is not loaded yet.")
        return model

    @property
    def family(self) -> FimFamily:
        """The model's fill-in-the-middle family.

        Raises:
            ModelNoFim: it has none that is known.
        """
        family = family_named(self.info.family)
        if family is None:
            raise ModelNoFim(
                f"The model {self.info.name} has no known fill-in-the-middle tokens.",
                fix="Choose a code model with fill-in-the-middle support: spark-lsp models list.",
            )
        return family

    @property
    def order(self) -> Order:
        """The order in which the model reads the window."""
        return self.info.fim_order

    @property
    def style(self) -> Style:
        """How prompts for the model are laid out; the plain style while there is none."""
        return style_of(self._engine.model) if self._engine.model else PLAIN

    @property
    def layout(self) -> Layout:
        """All that ``pack`` needs to know of the model."""
        return Layout(self.family, self.order, self._repository, self.style)

    @property
    def max_prompt_tokens(self) -> int:
        """The most tokens that a prompt may have: the user's limit, within what the engine holds beside an answer."""
        return min(self._policy.limits.ceiling_tokens, self.info.context_tokens - REPLY_TOKENS)

    @property
    def prefill_target_ms(self) -> float:
        """How long the prefill of a key's own part may take."""
        return self._policy.limits.prefill_target_ms

    def budget(self, prefilled_tokens: int, ceiling_tokens: int | None = None) -> Budget:
        """Return the budget beside a prefilled prefix; an explicit ceiling replaces the user's."""
        return self._policy.budget(
            context_tokens=self.info.context_tokens,
            prefilled_tokens=prefilled_tokens,
            split=self.style.split,
            ceiling_tokens=ceiling_tokens,
        )

    def quick_tokens(self, prefilled_tokens: int) -> float:
        """Return how many tokens are prefilled within the first-token target; infinite where that does not matter.

        That is where nothing was measured yet, and where the user named a size and takes the time that it needs.
        """
        cost_ms = self._policy.steady_cost.at(prefilled_tokens)
        if self._policy.limits.fixed_tokens is not None or cost_ms <= 0:
            return inf
        return max(MIN_QUICK_TOKENS, self.prefill_target_ms / cost_ms)

    def steady_ms(self, tokens: int, prefilled_tokens: int) -> float:
        """Return how long the prefill of some tokens takes behind others, by the cost that budgets are made with."""
        return self._policy.steady_cost.at(prefilled_tokens) * tokens

    def min_volatile_ms(self, prefilled_tokens: int) -> float:
        """Return how long the prefill of the smallest volatile part takes, by what was measured last."""
        return self._policy.cost.at(prefilled_tokens) * self.style.split.min_volatile_tokens

    def fix_size(self, tokens: int | None, *, is_report: bool = False) -> None:
        """Use a prompt size that the user names, see ``PromptLimits``."""
        self._policy.fix_size(tokens, is_report=is_report)

    def learn(self, usage: Usage) -> None:
        """Take what a request tells of the cost of prefill into account for the next budgets."""
        self._policy.learn(usage)

    async def learn_cost(self) -> None:
        """Take the engine's own measurement as a first guess, unless something is known already."""
        if not self._policy.cost.base_ms:
            self._policy.assume((await self._engine.status()).prefill_cost)
