"""The source of rename follow-ups: from the journal's texts to the next edits, nearest language first. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from spark_lsp.edits.next_edit import NOTHING, NextEdit, Silence, Situation
from spark_lsp.edits.python_bindings import Unclear
from spark_lsp.edits.rename_elsewhere import elsewhere
from spark_lsp.edits.rename_local import local_follow_ups
from spark_lsp.edits.rename_python import follow_ups
from spark_lsp.edits.rename_script import LANGUAGE_NAMES, script_follow_ups
from spark_lsp.edits.renamed import Renamed, renamed
from spark_lsp.text.edit import Edit, Span, apply_edits

UNCERTAIN = Silence("uncertain")
"""The last edit began a renaming, but its other places are not certain."""


@dataclass(frozen=True, slots=True)
class SourceEdits:
    """What a source gives: edits of the document, and what finds those of other files when they are wanted."""

    edits: tuple[NextEdit, ...] = ()
    more: Callable[[], tuple[NextEdit, ...]] | None = None


def rename_edits(situation: Situation) -> SourceEdits | Silence:
    """Return what a renaming of the last edits leaves."""
    renaming = renamed(situation.texts_before, situation.text)
    if renaming is None:
        return NOTHING
    done = [Edit(place, renaming.new) for place in renaming.places]
    if apply_edits(renaming.before, done) != situation.text:
        return NOTHING
    more = None
    left: tuple[Edit, ...] | Unclear
    if situation.language.name == "python":
        uses = follow_ups(renaming)
        if isinstance(uses, Unclear):
            return UNCERTAIN
        left = tuple(Edit(place, renaming.new) for place in uses.places)
        if uses.is_shared:
            more = partial(_elsewhere, situation, renaming)
    elif situation.language.name in LANGUAGE_NAMES:
        left = script_follow_ups(renaming, situation.language)
    else:
        left = local_follow_ups(renaming, situation.language)
    if isinstance(left, Unclear):
        return UNCERTAIN
    return SourceEdits(_next_edits(situation, renaming, left), more)


def _next_edits(situation: Situation, renaming: Renamed, left: Iterable[Edit]) -> tuple[NextEdit, ...]:
    """Return edits of the old text as edits of the current text."""
    growth = len(renaming.new) - len(renaming.old)
    title = f"Rename {renaming.old} to {renaming.new}"
    edits = []
    for edit in left:
        shift = growth * sum(place.start < edit.span.start for place in renaming.places)
        span = Span(edit.span.start + shift, edit.span.end + shift)
        edits.append(NextEdit(situation.path, situation.text, span, edit.new_text, "rename", "computed", title))
    assert all(first.span.end <= second.span.start for first, second in pairwise(edits)), "in order of text"
    return tuple(edits)


def _elsewhere(situation: Situation, renaming: Renamed) -> tuple[NextEdit, ...]:
    return tuple(elsewhere(situation, renaming))
