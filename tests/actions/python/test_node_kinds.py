"""Every kind of node that this Python has was decided: analysed, or refused on purpose."""

import ast
from collections.abc import Iterator

import pytest

from spark_lsp.actions.python.analysis import control_flow, expressions
from spark_lsp.actions.python.analysis.flow_graph import GraphBuilder
from spark_lsp.actions.python.analysis.node_kinds import EXPRESSIONS, PARTS, PATTERNS, REFUSED, STATEMENTS, is_analysed

ROOTS = (ast.AST, ast.expr, ast.stmt, ast.pattern, ast.excepthandler, ast.mod, ast.type_ignore)
MARKS = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)
OTHER_ENTRIES = {"Expression", "FunctionType", "Interactive"}
"""Roots of what ``ast.parse`` gives in other modes."""
OLD = {"AugLoad", "AugStore", "Bytes", "Ellipsis", "ExtSlice", "Index", "NameConstant", "Num", "Param", "Str", "Suite"}
"""Classes that ``ast`` keeps for old code; nothing is parsed to them."""


def kinds() -> Iterator[str]:
    """The concrete classes of ``ast``."""
    for name, kind in vars(ast).items():
        is_kind = isinstance(kind, type) and issubclass(kind, ast.AST) and not issubclass(kind, MARKS)
        if is_kind and kind not in ROOTS and not name.startswith("_"):
            yield name


def test_every_kind_is_decided() -> None:
    decided = {*EXPRESSIONS, *STATEMENTS, *PATTERNS, *PARTS, *REFUSED, *OTHER_ENTRIES, *OLD, "slice", "type_param"}
    assert set(kinds()) <= decided


def test_expressions_and_statements_are_in_their_tables() -> None:
    def below(root: type[ast.AST]) -> set[str]:
        return {kind.__name__ for kind in root.__subclasses__() if kind.__module__ in {"ast", "_ast"}} - REFUSED

    old = {"Bytes", "Ellipsis", "NameConstant", "Num", "Str", "slice"}
    assert below(ast.expr) - old <= set(EXPRESSIONS)
    assert below(ast.stmt) <= STATEMENTS
    assert below(ast.pattern) <= PATTERNS


def test_ordered_expressions_have_a_rule() -> None:
    graph = GraphBuilder(())
    rules = expressions.Expressions(graph)._how
    own = {name for name, effect in EXPRESSIONS.items() if effect == "ordered"}
    assert own - rules.keys() == {"DictComp", "GeneratorExp", "ListComp", "SetComp"}


def test_statements_have_a_rule_or_none_but_their_expression() -> None:
    rules = control_flow._Statements(GraphBuilder(()), {})._how
    assert STATEMENTS - rules.keys() == {"Expr", "Global", "Nonlocal", "Pass"}


@pytest.mark.parametrize("text", ["def f(x):\n    return x + 1\n", "match p:\n    case [a, *_]:\n        pass\n"])
def test_usual_code_is_analysed(text: str) -> None:
    assert is_analysed(ast.parse(text))


def test_a_kind_that_is_not_listed_is_not() -> None:
    class Later(ast.expr):
        """A node of a Python to come."""

    tree = ast.parse("x")
    tree.body[0].value = Later()  # type: ignore[attr-defined]
    assert not is_analysed(tree)
