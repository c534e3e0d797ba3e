"""Every offered extraction and inlining keeps a program's behaviour, judged by node."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import HealthCheck, assume, given, settings

from spark_lsp.actions.javascript import extract_function, extract_variable, inline
from spark_lsp.actions.javascript.piece import piece_at
from spark_lsp.actions.javascript.scopes import names_of
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.syntax import Syntax
from tests.actions.javascript.execute import (
    PROGRAMS,
    expression_selections,
    needs_node,
    outcomes,
    parsed,
    statement_selections,
)
from tests.actions.javascript.programs_made import PROGRAMS_MADE

pytestmark = [needs_node, pytest.mark.slow]

Edits = tuple[Edit, ...]


def functions(syntax: Syntax, selections: Iterable[Span]) -> Iterable[Edits | Refusal]:
    """Yield the results of extracting each selection to a function."""
    for span in selections:
        piece = piece_at(syntax, span)
        if piece is not None:
            plan = extract_function.plan_of(piece)
            yield plan if isinstance(plan, Refusal) else extract_function.edits_of(plan, "extracted")


def variables(syntax: Syntax) -> Iterable[Edits | Refusal]:
    """Yield the results of naming each expression."""
    for span in expression_selections(syntax):
        piece = piece_at(syntax, span)
        if piece is not None and piece.is_expression:
            naming = extract_variable.naming_of(piece)
            yield naming if isinstance(naming, Refusal) else extract_variable.edits_of(naming, "extracted")


def inlinings(syntax: Syntax) -> Iterable[Edits | Refusal]:
    """Yield the results of inlining each variable."""
    for use in names_of(syntax.tree.root_node).uses:
        if use.access == "declare":
            inlining = inline.inlining_of(syntax, syntax.wrap(use.node).span.start)
            yield inlining if isinstance(inlining, Refusal) else inline.edits_of(inlining)


def check(text: str, results: Iterable[Edits | Refusal], *, fewest: int) -> None:
    """Check that each edited program has the output of the original, and that there are enough edits."""
    edited = [apply_edits(text, edits) for edits in results if not isinstance(edits, Refusal)]
    assert len(edited) >= fewest
    expected, *outputs = outcomes([text, *edited])
    assert not any(line.startswith('"!!"') for line in expected), expected
    for program, outcome in zip(edited, outputs, strict=True):
        assert outcome == expected, program


@pytest.mark.parametrize("name", PROGRAMS)
def test_statements_and_expressions_become_functions(name: str) -> None:
    syntax = parsed(PROGRAMS[name])
    selections = [*statement_selections(syntax), *expression_selections(syntax)]
    check(PROGRAMS[name], functions(syntax, selections), fewest=200)


@pytest.mark.parametrize("name", PROGRAMS)
def test_expressions_become_variables(name: str) -> None:
    check(PROGRAMS[name], variables(parsed(PROGRAMS[name])), fewest=50)


@pytest.mark.parametrize("name", PROGRAMS)
def test_variables_are_inlined(name: str) -> None:
    check(PROGRAMS[name], inlinings(parsed(PROGRAMS[name])), fewest=1)


@pytest.mark.parametrize("what", [functions, variables, inlinings], ids=lambda what: what.__name__)
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(text=PROGRAMS_MADE)
def test_made_programs_do_the_same_before_and_after(what: Callable[..., Iterable[Edits | Refusal]], text: str) -> None:
    syntax = parsed(text)
    assume(not syntax.error_count)
    before = outcomes([text])[0]
    assume(not any(line.startswith('"!!"') for line in before))
    results = functions(syntax, statement_selections(syntax)) if what is functions else what(syntax)
    check(text, list(results)[:80], fewest=0)
