"""The opening of the current file: its imports of the workspace, where the window begins below them.

They say which names of other files this one may use, in few tokens, and stay the same from key to key.
"""

import re
from functools import lru_cache

from spark_lsp.prompt.segment import Segment
from spark_lsp.prompt.sources import PromptCursor
from spark_lsp.prompt.token_counts import TokenCounter
from spark_lsp.text.edit import Span
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import parse

MAX_CHARACTERS = 8_000  # of the top of a file; parsing as much takes some 3 ms, on the event loop
OPENINGS_KEPT = 64

_IMPORT = re.compile(r"import|^use_declaration$|^namespace_use|^using_directive$|^preproc_include$")
_WORD = re.compile(r"[^\W\d]\w*")


async def opening_of(cursor: PromptCursor, window: Span, counter: TokenCounter, most_tokens: int) -> Segment | None:
    """Return the imports above the window that say a name which the workspace defines, as many as fit, in their order.

    The text ends in a blank line, and its tokens are exact. None where there are none, or no room.

    Raises:
        EngineError, ModelError: there is no tokenizer to ask.
    """
    text, language = cursor.snapshot.text, cursor.snapshot.language
    known = cursor.view.definitions
    spans = _imports(language, text[: min(window.start, MAX_CHARACTERS)])  # which no key in the window changes
    kept = [span for span in spans if any(word in known for word in _WORD.findall(text, span.start, span.end))]
    while kept:
        shown = "\n".join(span.text(text) for span in kept) + "\n\n"
        (tokens,) = await counter.count([shown])
        if tokens <= most_tokens:
            lines = cursor.snapshot.lines
            first, last = lines.line_of(kept[0].start) + 1, lines.line_of(kept[-1].end) + 1
            reason = "imports of the workspace above the window"
            return Segment(cursor.path, shown, "imports", reason, start_line=first, end_line=last, tokens=tokens)
        kept.remove(max(kept, key=lambda span: span.end - span.start))
    return None


@lru_cache(maxsize=OPENINGS_KEPT)
def _imports(language: str, text: str) -> tuple[Span, ...]:
    """Return where the imports at the top level of a text stand."""
    syntax = parse(LANGUAGES.get(language), text)
    if syntax is None:
        return ()
    return tuple(syntax.wrap(node).span for node in syntax.tree.root_node.children if _IMPORT.search(node.type))
