"""The ordered table of code actions: its order is the menu's order. Adding an action is one row."""

from spark_lsp.actions.base import Action
from spark_lsp.actions.chat.fix import FixDiagnostic
from spark_lsp.actions.chat.rewrite import Rewrite, Simplify
from spark_lsp.actions.fix_line import FixLine
from spark_lsp.actions.implement_body import ImplementBody
from spark_lsp.actions.javascript.actions import ExtractFunction, ExtractVariable, InlineVariable, RenameSuggest

CATALOG: tuple[Action, ...] = (
    FixDiagnostic(),
    FixLine(),
    ExtractFunction(),
    ExtractVariable(),
    InlineVariable(),
    RenameSuggest(),
    ImplementBody(),
    Rewrite(),
    Simplify(),
)
