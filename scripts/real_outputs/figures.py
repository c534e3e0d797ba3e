"""Compute the figures of many outputs: what a threshold would show, and what a typist saves by accepting right text."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath
from typing import Final

from scripts.real_outputs.gather import MAX_LINES, Output, cursor_of
from spark_lsp.completion.postprocess.known_names import unknown_names
from spark_lsp.completion.postprocess.pipeline import PostprocessResult, Terms, postprocess
from spark_lsp.text.language import language_of_path

THRESHOLDS: Final = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7)


def processed_of(output: Output, confidence: float) -> PostprocessResult:
    """Process an output as the pipeline would in a workspace that knows every name."""
    cursor = cursor_of(output.path, output.before, output.after)
    terms = Terms(MAX_LINES, confidence)
    return postprocess(cursor, output.raw, output.scores, terms, finished=True, whole=output.is_whole)


def is_right(output: Output, text: str) -> bool:
    """Whether a text equals what follows, ignoring blanks at line ends."""
    return bool(text) and output.coming.startswith(text)


def by_threshold(outputs: Sequence[Output]) -> list[dict[str, float]]:
    """Return a row for each threshold: shown, right, the characters on both sides, and the saved share."""
    rows = []
    coming = sum(len(output.coming) for output in outputs)
    for threshold in THRESHOLDS:
        shown = right = characters = wrong = 0
        for output in outputs:
            text = processed_of(output, threshold).text
            shown += bool(text)
            same = common(text, output.coming)
            wrong += len(text) - same
            if is_right(output, text):
                right += 1
                characters += len(text)
        rows.append({"threshold": threshold, "cursors": len(outputs), "shown": shown, "right": right,
                     "share_right": round(right / max(1, shown), 3), "characters_saved": characters,
                     "share_saved": round(characters / max(1, coming), 3), "characters_wrong": wrong})  # fmt: skip
    return rows


def by_language(outputs: Iterable[Output]) -> dict[str, list[Output]]:
    """Return the outputs of each language."""
    groups: defaultdict[str, list[Output]] = defaultdict(list)
    for output in outputs:
        language = language_of_path(PurePath(output.path))
        groups[language.name if language else "text"].append(output)
    return dict(sorted(groups.items()))


def rules(outputs: Sequence[Output]) -> dict[str, dict[str, int]]:
    """Return for each rule how often it cut an answer, and how often the removed text was what followed."""
    cut: Counter[str] = Counter()
    false: Counter[str] = Counter()
    for output in outputs:
        processed = processed_of(output, 0.0)
        if not processed.rule:
            continue
        cut[processed.rule] += 1
        kept = len(processed.text)
        beyond = output.coming.rstrip()[kept:]
        new_text = output.raw[kept:]
        if output.coming.startswith(processed.text) and common(new_text.lstrip("\n"), beyond.lstrip("\n")) >= min(
            8, max(1, len(beyond.strip()))
        ):
            false[processed.rule] += bool(beyond.strip())
    return {rule: {"cut": count, "cut_what_follows": false[rule]} for rule, count in cut.most_common()}


def common(left: str, right: str) -> int:
    """Return how many characters two texts have in common at the beginning."""
    pairs = zip(left, right, strict=False)
    return next((at for at, (ours, theirs) in enumerate(pairs) if ours != theirs), min(len(left), len(right)))


def names(outputs: Sequence[Output], folder: Path) -> dict[str, int]:
    """Return how often a suggestion uses an unknown name, for right and for wrong suggestions.

    A name is known if it occurs in another file of the same project, the first folder of a path.
    """
    words = _words(folder)
    counts_by_kind: Counter[str] = Counter()
    for output in outputs:
        text = processed_of(output, 0.0).text
        project = output.path.split("/")[0]
        if not text:
            continue

        def is_known_name(name: str, output: Output = output, project: str = project) -> bool:
            return bool(words[project].get(name, frozenset()) - {output.path})

        is_doubted = any(unknown_names(cursor_of(output.path, output.before, output.after), text, is_known_name))
        counts_by_kind[f"{'right' if is_right(output, text) else 'wrong'} {'doubted' if is_doubted else 'known'}"] += 1
    return dict(sorted(counts_by_kind.items()))


def _words(folder: Path) -> dict[str, dict[str, frozenset[str]]]:
    words: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path in folder.rglob("*"):
        if path.is_file() and language_of_path(path):
            name = path.relative_to(folder).as_posix()
            for word in set(re.findall(r"\w+", path.read_text("utf-8", errors="replace"))):
                words[name.split("/")[0]][word].add(name)
    return defaultdict(dict, {project: {word: frozenset(places) for word, places in counts.items()}
                              for project, counts in words.items()})  # fmt: skip
