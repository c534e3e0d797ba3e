"""The source of repeated edits: two of the last changes have one shape, and other places look as those did. Pure."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from tree_sitter import Node

from spark_lsp.edits.journal import difference
from spark_lsp.edits.next_edit import NOTHING, NextEdit, Silence, Situation
from spark_lsp.edits.rename_source import SourceEdits
from spark_lsp.edits.repeat_example import ChangeExample, examples
from spark_lsp.edits.repeat_rule import Rule, Site, leftover, rule_of, sites
from spark_lsp.edits.tree_pattern import TreePattern
from spark_lsp.index.parse.symbols import symbols_of
from spark_lsp.text.edit import Span
from spark_lsp.text.syntax import Syntax
from spark_lsp.text.syntax_cache import SYNTAX_CACHE

MAX_BURSTS: Final = 6
"""How far back the first of two examples may be."""
MAX_TITLE_CHARACTERS: Final = 40


def repeated_edits(situation: Situation) -> SourceEdits | Silence:
    """Return the places that the user has not changed yet as two others were."""
    syntax = SYNTAX_CACHE.of(situation.language, situation.text, situation.path)
    if syntax is None or not situation.texts_before:
        return NOTHING
    last = difference(situation.texts_before[0], situation.text, 0.0)
    newest = Span(last.start, last.start + len(last.inserted))
    for before in islice(situation.texts_before, MAX_BURSTS):
        changes = examples(before, syntax)
        for rule in _rules(changes, newest, syntax):
            places = sites(rule, syntax)
            if rule.renamed is not None and not _is_safe_renaming(rule, places, syntax):
                return NOTHING
            return SourceEdits(tuple(_next_edit(situation, syntax, rule, site) for site in places))
    return NOTHING


def _rules(changes: list[ChangeExample], newest: Span, syntax: Syntax) -> Iterator[Rule]:
    """Yield the rules of a change just made and another one, the nearest first."""
    for own in changes:
        if own.span.start > newest.end or own.span.end < newest.start:
            continue
        others = sorted(changes, key=lambda change: _distance(own, change))
        rules = (rule_of(own, change, syntax) for change in others if change is not own)
        yield from (rule for rule in rules if rule is not None)


def _distance(first: ChangeExample, second: ChangeExample) -> int:
    return abs(first.span.start - second.span.start)


def _is_safe_renaming(rule: Rule, places: list[Site], syntax: Syntax) -> bool:
    """Whether a change of one word alone is that of a called name, defined elsewhere, whose old name goes for good.

    Any other is a renaming, which the scopes decide.
    """
    old = rule.renamed[0] if rule.renamed is not None else b""
    is_defined = any(definition.name.encode() == old for definition in symbols_of(syntax).definitions)
    nodes = [rule.level.after, *(site.node for site in places)]
    is_called = all(_is_called(old, rule.before, node, syntax.source) for node in nodes)
    return is_called and not is_defined and not leftover(old, places, syntax)


def _is_called(word: bytes, pattern: TreePattern, node: Node, source: bytes) -> bool:
    """Whether a word of a pattern, found at a node, stands before an opening bracket."""
    leaves = [leaf.text for leaf in pattern.leaves()]
    at = leaves.index(word) + 1
    return leaves[at] == b"(" if at < len(leaves) else source[node.end_byte : node.end_byte + 1] == b"("


def _next_edit(situation: Situation, syntax: Syntax, rule: Rule, site: Site) -> NextEdit:
    """Return the smallest edit of whole words that makes a site look as the rule says."""
    whole = syntax.wrap(site.node).span
    new_text = site.new_text.decode("utf-8", "replace")
    change = difference(whole.text(situation.text), new_text, 0.0)
    start, end = change.start, change.start + len(change.removed)
    old_text = whole.text(situation.text)
    while start and _is_word(old_text[start - 1]) and not change.removed[:1].isspace():
        start -= 1
    while end < len(old_text) and _is_word(old_text[end]):
        end += 1
    kept = len(old_text) - end
    span = Span(whole.start + start, whole.start + end)
    title = f"Change {_shown(rule.before)} to {_shown(rule.after)}"
    return NextEdit(
        situation.path, situation.text, span, new_text[start : len(new_text) - kept], "repeat", "likely", title
    )


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _shown(pattern: TreePattern) -> str:
    """Return a pattern as a user reads it, an ellipsis in each hole."""
    pieces: list[str] = []
    for leaf in pattern.leaves():
        text = "…" if leaf.hole is not None else leaf.text.decode("utf-8", "replace")
        is_apart = bool(pieces) and (pieces[-1][-1:] == "," or (_is_word(pieces[-1][-1:]) and _is_word(text[:1])))
        pieces.append(f" {text}" if is_apart or text in {"=", "==", "is", "->", "=>"} else text)
    shown = "".join(pieces)
    return shown if len(shown) <= MAX_TITLE_CHARACTERS else f"{shown[: MAX_TITLE_CHARACTERS - 1]}…"
