"""What each kind of syntax node does when it runs. Never edit a document with an unlisted kind.

``ast`` grows with each version of Python; a test compares the table with its classes and fails on an undecided one.
"""

import ast
from collections.abc import Mapping
from typing import Final, Literal

Effect = Literal["nothing", "reads", "anything", "ordered"]
"""What a kind does besides its parts: ``nothing``, ``reads`` an object and may fail, or ``anything`` at all.

``ordered`` kinds have a rule of their own in ``expressions``: their parts are evaluated conditionally, later, or
more than once.
"""

EXPRESSIONS: Final[Mapping[str, Effect]] = {
    "Attribute": "reads",
    "Await": "anything",
    "BinOp": "reads",
    "BoolOp": "ordered",
    "Call": "anything",
    "Compare": "ordered",
    "Constant": "nothing",
    "Dict": "ordered",
    "DictComp": "ordered",
    "FormattedValue": "reads",
    "GeneratorExp": "ordered",
    "IfExp": "ordered",
    "JoinedStr": "nothing",
    "Lambda": "ordered",
    "List": "nothing",
    "ListComp": "ordered",
    "Name": "ordered",
    "NamedExpr": "ordered",
    "Set": "reads",
    "SetComp": "ordered",
    "Slice": "nothing",
    "Starred": "reads",
    "Subscript": "reads",
    "Tuple": "nothing",
    "UnaryOp": "reads",
    "Yield": "anything",
    "YieldFrom": "anything",
}
STATEMENTS: Final = frozenset(
    {
        *("AnnAssign", "Assert", "Assign", "AsyncFor", "AsyncFunctionDef", "AsyncWith", "AugAssign", "Break"),
        *("ClassDef", "Continue", "Delete", "Expr", "For", "FunctionDef", "Global", "If", "Import", "ImportFrom"),
        *("Match", "Nonlocal", "Pass", "Raise", "Return", "Try", "TryStar", "TypeAlias", "While", "With"),
    }
)
PATTERNS: Final = frozenset(
    {"MatchAs", "MatchClass", "MatchMapping", "MatchOr", "MatchSequence", "MatchSingleton", "MatchStar", "MatchValue"}
)
PARTS: Final = frozenset(
    {
        *("ExceptHandler", "Module", "ParamSpec", "TypeVar", "TypeVarTuple", "TypeIgnore", "alias", "arg", "arguments"),
        *("comprehension", "keyword", "match_case", "withitem"),
    }
)
REFUSED: Final = frozenset({"Interpolation", "TemplateStr"})
"""Kinds that are known and not analysed: the template strings of Python 3.14."""
_ANALYSED: Final = frozenset(EXPRESSIONS) | STATEMENTS | PATTERNS | PARTS
_MARKS: Final = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)
"""Kinds that only mark the form of another node; that node itself is listed."""


def is_analysed(tree: ast.AST) -> bool:
    """Whether every kind of node in a tree is listed."""
    kinds = {type(node) for node in ast.walk(tree)}
    return all(kind.__name__ in _ANALYSED or issubclass(kind, _MARKS) for kind in kinds)
