"""How other files are shown to a model: what it completes best with, as data. See docs/decisions/context-layout.md."""

from dataclasses import dataclass

from spark_lsp.engine.base import ModelInfo
from spark_lsp.prompt.budget import CONTEXT_FIRST, WINDOW_FIRST, Split

TOKENS_PER_SIMILAR_SNIPPET = 100  # eighteen lines take 100 to 270


@dataclass(frozen=True, slots=True)
class Style:
    """What the part of a prompt that is chosen for the cursor is made of.

    The rest of it are signature lines of the definitions that the cursor is likely to need.
    """

    similar_share: float = 0.0
    """How much of it may go to lines of other files that are like those around the cursor."""
    opening_share: float = 0.0
    """How much of it may go to the current file's own imports of the workspace, where they stand above the window."""
    split: Split = WINDOW_FIRST
    """How much of the prompt that part is."""


PLAIN = Style()
"""Signatures alone, which is what the embedded model was trained on."""
RICH = Style(similar_share=0.5, opening_share=0.3, split=CONTEXT_FIRST)

_BY_NAME: tuple[tuple[str, Style], ...] = (("spark-nano", PLAIN),)
"""What a model's name holds, in lower case -> its style; all others get ``RICH``."""


def style_of(model: ModelInfo) -> Style:
    """Return the style of a model, by its name: families share tokens, but not what they were trained on."""
    name = model.name.casefold()
    return next((style for word, style in _BY_NAME if word in name), RICH)


def similar_snippets_for(snippet_tokens: int, style: Style) -> int:
    """Return how many similar snippets to search for: as many as the tokens hold, and some to choose from."""
    tokens = int(snippet_tokens * style.similar_share)
    return -(-tokens // TOKENS_PER_SIMILAR_SNIPPET) + 2 if tokens else 0
