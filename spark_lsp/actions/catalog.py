"""The ordered table of code actions: its order is the menu's order. Adding an action is one row."""

from spark_lsp.actions.base import Action
from spark_lsp.actions.implement_body import ImplementBody

CATALOG: tuple[Action, ...] = (ImplementBody(),)
