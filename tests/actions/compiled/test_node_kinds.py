"""Every node type of the C, C++, Go, Java and Rust grammars is decided: none counts as harmless by accident."""

import importlib

import pytest
from tree_sitter import Language

from spark_lsp.actions.compiled.node_kinds import ACTING, QUIET
from spark_lsp.actions.compiled.rules import RULES


def _kinds(name: str) -> set[str]:
    language = Language(importlib.import_module(f"tree_sitter_{name}").language())
    return {
        language.node_kind_for_id(number) or ""
        for number in range(language.node_kind_count)
        if language.node_kind_is_named(number) and language.node_kind_is_visible(number)
    }


@pytest.mark.parametrize("language", RULES)
def test_each_node_type_is_decided_once(language: str) -> None:
    assert sorted(_kinds(language)) == sorted([*QUIET[language], *ACTING[language]])


@pytest.mark.parametrize("language", RULES)
def test_calls_and_assignments_act(language: str) -> None:
    calls = {"call_expression", "method_invocation", "assignment_expression", "assignment_statement"} & _kinds(language)
    assert calls
    assert calls <= ACTING[language]
    assert not RULES[language].quiet & ACTING[language]
