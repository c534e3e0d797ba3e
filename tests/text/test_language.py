"""The rows of languages. Every row is walked, so that a new one without a grammar, query or fixture fails here."""

from pathlib import Path
from typing import get_args

import pytest
from tree_sitter import Query

import spark_lsp.text
from spark_lsp.text.language import (
    LANGUAGES,
    Language,
    Section,
    grammar,
    language_of_id,
    language_of_path,
    query,
    query_source,
)

rows = pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES.keys())


@rows
def test_every_row_has_a_grammar_and_names_that_find_it(language: Language) -> None:
    assert grammar(language).node_kind_count > 10
    assert all(language_of_path(f"some/dir/name{extension.upper()}") is language for extension in language.extensions)
    assert all(language_of_id(name) is language for name in (language.name, *language.client_ids))


@pytest.mark.slow
@rows
@pytest.mark.parametrize("section", ["definitions", "references", "imports", "scopes", "comments"])
def test_every_section_of_every_query_compiles(language: Language, section: str) -> None:
    assert isinstance(query(language, section), Query), f"{language.query}.scm has no section {section}"  # type: ignore[arg-type]


@rows
def test_a_query_file_has_no_unknown_section(language: Language) -> None:
    sections = [line[3:] for line in query_source(language).splitlines() if line.startswith(";; ")]
    assert sections == ["definitions", "references", "imports", "scopes", "comments"]


def test_a_query_file_that_inherits_adds_to_known_sections() -> None:
    for path in (Path(spark_lsp.text.__file__).parent / "queries").iterdir():
        sections = [line[3:] for line in path.read_text("utf-8").splitlines() if line.startswith(";; ")]
        assert sections == [name for name in get_args(Section) if name in sections], path.name
    cpp, c = query_source(LANGUAGES["cpp"]), query_source(LANGUAGES["c"])
    assert all(line in cpp for line in c.splitlines() if not line.startswith("; What"))
    assert "(lambda_expression) @scope" in cpp.partition(";; scopes")[2].partition(";; ")[0]


def test_unknown_names_are_plain_text() -> None:
    assert language_of_path("README") is None
    assert language_of_path("notes.unknown") is None
    assert language_of_id("plaintext") is None
