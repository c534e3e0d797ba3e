"""Every node type of the installed grammars is decided: none counts as harmless by accident."""

import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language

from spark_lsp.actions.javascript.node_kinds import EFFECTS, IN_ORDER, QUIET, UNEVALUATED, VALUES

GRAMMARS = (
    tree_sitter_javascript.language(),
    tree_sitter_typescript.language_typescript(),
    tree_sitter_typescript.language_tsx(),
)


def _kinds() -> set[str]:
    languages = [Language(grammar) for grammar in GRAMMARS]
    return {
        language.node_kind_for_id(number) or ""
        for language in languages
        for number in range(language.node_kind_count)
        if language.node_kind_is_named(number) and language.node_kind_is_visible(number)
    }


def test_each_node_type_is_decided_once() -> None:
    decided = [*EFFECTS, *QUIET, *UNEVALUATED]
    assert sorted(_kinds()) == sorted(decided)


def test_tables_of_places_name_what_the_grammars_have() -> None:
    assert {*VALUES, *IN_ORDER} <= _kinds()


def test_what_is_unknown_counts_as_an_effect_and_holds_nothing() -> None:
    assert not UNEVALUATED & {*VALUES, *IN_ORDER}
    assert {"class", "array_pattern", "spread_element", "await_expression"} <= EFFECTS
    assert not {"try_statement", "statement_block", "while_statement", "class_heritage"} & set(IN_ORDER)
