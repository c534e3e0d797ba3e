"""The source of diagnostics: the quick fix that the editor prefers for the diagnostic nearest to the cursor. Pure.

The editor computed it for the text now, so nothing is searched here; the gate decides whether it may be shown.
"""

from typing import Final

from spark_lsp.edits.next_edit import NOTHING, Fix, NextEdit, Silence, Situation
from spark_lsp.edits.rename_source import SourceEdits
from spark_lsp.text.edit import Span, apply_edits

MAX_LINES: Final = 20
"""A fix that spans more is no next edit, but a rewriting."""


def diagnostic_edits(situation: Situation) -> SourceEdits | Silence:
    """Return the first fix that is one small edit."""
    edits = (_next_edit(situation, fix) for fix in situation.fixes)
    edit = next((edit for edit in edits if edit is not None), None)
    return SourceEdits((edit,)) if edit is not None else NOTHING


def _next_edit(situation: Situation, fix: Fix) -> NextEdit | None:
    """Return a fix as one edit, from its first place to its last; None where these are far apart or overlap."""
    text = situation.text
    span = Span(min(edit.span.start for edit in fix.edits), max(edit.span.end for edit in fix.edits))
    if span.end > len(text) or text.count("\n", span.start, span.end) > MAX_LINES:
        return None
    try:
        after = apply_edits(text, fix.edits)
    except ValueError:
        return None
    new_text = after[span.start : span.end + len(after) - len(text)]
    if new_text.count("\n") > MAX_LINES:
        return None
    return NextEdit(situation.path, text, span, new_text, "diagnostic", "likely", f"Fix: {fix.title}")
