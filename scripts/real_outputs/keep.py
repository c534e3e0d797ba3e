"""Convert outputs to test data: the excerpt around the cursor, and what may be shown of the output.

Only outputs at cursors in this repository's own files and in texts written for this purpose may be kept.
"""

from collections.abc import Iterator

import msgspec

from scripts.real_outputs.gather import MAX_LINES, Output, cursor_of
from spark_lsp.completion.postprocess.pipeline import Terms, postprocess

MAX_LINES_BEFORE, LINES_AFTER = 30, 8


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """One output and its verdicts: ``all`` without a threshold, ``sure`` with one, and how much each replaces."""

    path: str
    before: str
    after: str
    raw: str
    chances: list[tuple[int, int]]
    """For each token its end and its probability in percent."""
    threshold: float
    all: str
    all_rule: str
    sure: str
    sure_rule: str
    is_whole: bool = True
    all_replaced: int = 0
    sure_replaced: int = 0


def judged_again(kept: Kept) -> Kept:
    """Return an output with the current verdicts."""
    cursor = cursor_of(kept.path, kept.before, kept.after)
    scores = [(end, percent / 100) for end, percent in kept.chances]
    plain, sure = (
        postprocess(cursor, kept.raw, scores, Terms(MAX_LINES, threshold), finished=True, whole=kept.is_whole)
        for threshold in (0.0, kept.threshold)
    )
    return msgspec.structs.replace(
        kept, all=plain.text, all_rule=plain.rule, all_replaced=plain.replaced,
        sure=sure.text, sure_rule=sure.rule, sure_replaced=sure.replaced,
    )  # fmt: skip


def kept_of(outputs: list[Output], threshold: float) -> Iterator[Kept]:
    """Yield outputs as test data, each answer to the same text once, without empty ones."""
    seen = set()
    for output in outputs:
        kept = judged_again(Kept(
            output.path.rsplit("/", 1)[-1], _from_definition(output.before),
            "".join(output.after.splitlines(keepends=True)[: LINES_AFTER + 1]), output.raw,
            [(end, round(probability * 100)) for end, probability in output.scores],
            threshold, "", "", "", "", output.is_whole,
        ))  # fmt: skip
        key = kept.before[-80:], kept.raw
        if kept.raw.strip() and key not in seen:
            seen.add(key)
            yield kept


def _from_definition(before: str) -> str:
    """Return the end of a text from its last line without indentation, except the cursor's own, or so many lines."""
    lines = before.split("\n")
    first = next(
        (at for at in range(len(lines) - 2, -1, -1) if lines[at][:1].strip() and lines[at][0] not in "})]#*/"), 0
    )
    return "\n".join(lines[max(first, len(lines) - MAX_LINES_BEFORE) :])
