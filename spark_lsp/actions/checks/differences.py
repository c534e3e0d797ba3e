"""Compute the edits between two texts of a document, in whole lines. Pure."""

from difflib import SequenceMatcher

from spark_lsp.text.edit import Edit, Span


def edits_between(before: str, after: str) -> tuple[Edit, ...]:
    """Return the edits, in whole lines, from one text to another; marks and folds of other lines stay."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line))
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return tuple(
        Edit(Span(starts[i1], starts[i2]), "".join(new[j1:j2]))
        for kind, i1, i2, j1, j2 in matcher.get_opcodes()
        if kind != "equal"
    )
