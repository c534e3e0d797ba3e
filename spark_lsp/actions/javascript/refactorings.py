"""The refactorings of JavaScript and TypeScript as actions: listed from the tree, computed once chosen."""

import asyncio

from spark_lsp.actions.base import Needs, Proposal, Target, Tools, refused
from spark_lsp.actions.javascript import extract_function, extract_variable, inline, rename
from spark_lsp.actions.javascript.extract_function import ExtractionPlan
from spark_lsp.actions.javascript.extract_variable import Naming
from spark_lsp.actions.javascript.piece import Piece, piece_at
from spark_lsp.actions.javascript.rename import Renaming
from spark_lsp.actions.naming import UnnamedEdit, free_name, named, plain_name, words_of
from spark_lsp.actions.refusal import Refusal
from spark_lsp.errors import Reason


class ExtractFunction:
    """``extract.function``: the selection becomes a function, a method, or an arrow function before its statement."""

    id = "extract.function"
    kind = "refactor.extract.function"
    needs: Needs = "fim"

    def applies(self, target: Target) -> str:
        """Offer the action for a selection of whole statements, or of an expression."""
        piece = piece_at(target.syntax, target.span)
        return "" if piece is None or _is_trivial(piece) else "Extract function"

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Analyse the selection, choose a name, and compute the function."""
        piece = piece_at(target.syntax, target.span)
        if piece is None:
            return Proposal(self.id, (), Reason.EMPTY, "Select whole statements or one expression.")
        plan = await asyncio.to_thread(extract_function.plan_of, piece)
        if not isinstance(plan, ExtractionPlan):
            return refused(self.id, plan)
        taken = words_of(target.snapshot.text)
        taken |= plan.names.words() if plan.form == "method" else set()
        plain = free_name("extracted", taken)
        edits = extract_function.edits_of(plan, plain)
        # A method is declared after its use, so the model completes the name at the use.
        heads = {"function": "function* " if plan.facts.yields else "function ", "arrow": "const ", "method": "this."}
        name, usage = await named(target, tools, UnnamedEdit(edits, plain, heads[plan.form]), "camel", taken)
        return Proposal(self.id, extract_function.edits_of(plan, name), usage=usage)


class ExtractVariable:
    """``extract.variable``: declare a variable for an expression before its statement."""

    id = "extract.variable"
    kind = "refactor.extract.variable"
    needs: Needs = "fim"

    def applies(self, target: Target) -> str:
        """Offer the action for a selected expression that is more than a name."""
        piece = piece_at(target.syntax, target.span)
        return "Extract variable" if piece is not None and piece.is_expression and not _is_trivial(piece) else ""

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Find the place, choose a name, and replace equal expressions."""
        piece = piece_at(target.syntax, target.span)
        if piece is None or not piece.is_expression:
            return Proposal(self.id, (), Reason.EMPTY, "Select one expression.")
        naming = await asyncio.to_thread(extract_variable.naming_of, piece)
        if not isinstance(naming, Naming):
            return refused(self.id, naming)
        text = target.snapshot.text
        taken = words_of(text)
        plain = free_name(plain_name(piece.span.text(text), "camel", "value"), taken)
        unnamed = UnnamedEdit(extract_variable.edits_of(naming, plain), plain, "const ")
        name, usage = await named(target, tools, unnamed, "camel", taken)
        return Proposal(self.id, extract_variable.edits_of(naming, name), usage=usage)


class InlineVariable:
    """``inline.variable``: replace a variable by its value."""

    id = "inline.variable"
    kind = "refactor.inline"
    needs: Needs = "none"

    def applies(self, target: Target) -> str:
        """Offer the action for a cursor on the name of a variable of the file."""
        name = inline.variable_at(target.syntax, target.span.start)
        return f"Inline {name}" if name and target.syntax and _is_variable(target.syntax.text, name) else ""

    async def propose(self, target: Target, tools: Tools) -> Proposal:  # noqa: ARG002 - no model is needed
        """Replace the uses and remove the declaration."""
        if target.syntax is None:
            return Proposal(self.id, (), Reason.EMPTY, "There is no variable here.")
        inlining = await asyncio.to_thread(inline.inlining_of, target.syntax, target.span.start)
        if isinstance(inlining, Refusal):
            return refused(self.id, inlining)
        return Proposal(self.id, inline.edits_of(inlining))


class RenameSuggest:
    """``rename.suggest``: rename a local at every place."""

    id = "rename.suggest"
    kind = "refactor.rewrite.rename"
    needs: Needs = "fim"

    def applies(self, target: Target) -> str:
        """Offer the action for a cursor on a name; whether it is a local is checked once the action is chosen."""
        name = inline.variable_at(target.syntax, target.span.start)
        return f"Suggest a better name for {name}" if name and target.syntax and rename.is_inner(target) else ""

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Have the model choose a name at the declaration, and rename every use."""
        if target.syntax is None:
            return Proposal(self.id, (), Reason.EMPTY, "There is no name here.")
        renaming = await asyncio.to_thread(rename.renaming_of, target.syntax, target.span.start)
        if not isinstance(renaming, Renaming):
            return refused(self.id, renaming)
        old = renaming.binding.name
        mark = free_name("spark", words_of(target.snapshot.text))
        edits = rename.edits_of(renaming, mark)
        head = rename.head_of(renaming)
        taken = words_of(target.snapshot.text) | {mark}
        name, usage = await named(target, tools, UnnamedEdit(edits, mark, head, is_last=True), "camel", taken)
        suited = rename.suited(renaming, name)
        if name == mark or suited in taken:
            return Proposal(self.id, (), Reason.EMPTY, f"The model has no better name for {old}.", usage)
        return Proposal(self.id, rename.edits_of(renaming, suited), usage=usage)


def _is_trivial(piece: Piece) -> bool:
    """Whether a piece is a single name or literal, which nobody would extract."""
    return piece.is_expression and piece.nodes[0].type in {"identifier", "this", "undefined", "null"}


def _is_variable(text: str, name: str) -> bool:
    """Whether the file seems to declare a variable of that name; a quick check that may be wrong either way."""
    return any(f"{word} {name}" in text for word in ("const", "let", "var"))
