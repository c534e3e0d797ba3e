"""``annotate.types`` for TypeScript: add the missing types of a function's parameters and result.

Certain types are computed; the model writes the others one at a time, under a grammar of types that the file knows.
A type that the model is unsure of is left out.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.base import Needs, Proposal, Target, Tools
from spark_lsp.actions.definition import CALLABLES, definition_at
from spark_lsp.actions.javascript.context_types import results_of
from spark_lsp.actions.javascript.file_uses import every
from spark_lsp.actions.javascript.flow import ends, facts_of
from spark_lsp.actions.javascript.piece import TYPED
from spark_lsp.actions.javascript.scopes import FUNCTIONS, names_of, text_of
from spark_lsp.actions.model_answer import added, key_of, stream
from spark_lsp.actions.naming import MIN_PROBABILITY
from spark_lsp.engine.base import ACTION_PRIORITY, CompletionRequest, Sampling, Usage
from spark_lsp.errors import Reason
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.syntax import Syntax

MAX_TYPE_TOKENS: Final = 24
MAX_NAMES: Final = 60
"""Types of the file in the grammar; more would slow down every token."""
PLAIN: Final = (
    "string",
    "number",
    "boolean",
    "unknown",
    "null",
    "undefined",
    "void",
    "bigint",
    "Date",
    "RegExp",
    "Error",
)
_GENERIC: Final = ("Array", "Promise", "Map", "Set", "Record", "Iterable", "ReadonlyArray", "Partial")
_WORD: Final = re.compile(r"[A-Za-z_$][\w$]*")
_TELLING: Final = frozenset(("instanceof", "in", "typeof", "===", "!==", "==", "!="))
_SHAPE: Final = re.compile(r"[\w$<>\[\], |]+")


@dataclass(frozen=True, slots=True)
class MissingType:
    """Where a type is missing, in code points; ``certain`` is the type if it needs no model."""

    offset: int
    is_async_result: bool = False
    certain: str = ""
    tells_types: bool = False
    """Whether ``boolean`` would say less than the type predicate that TypeScript infers."""


class AnnotateTypes:
    """The action."""

    id = "annotate.types"
    kind = "refactor.rewrite.annotate"
    needs: Needs = "fim"

    def applies(self, target: Target) -> str:
        """Offer the action in a TypeScript function that lacks types."""
        annotations = missing_annotations(target.syntax, target.span.start)
        return f"Annotate the types of {annotations[0]}" if annotations[1] else ""

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Write the missing types one after another; the model sees each when it writes the next."""
        name, all_missing = missing_annotations(target.syntax, target.span.start)
        if target.syntax is None or not all_missing:
            return Proposal(self.id, (), Reason.EMPTY, "There is no function without types here.")
        known = type_names(target.syntax)
        edits: list[Edit] = []
        usage = Usage()
        for missing in all_missing:
            type_text = missing.certain
            if not type_text:
                type_text, cost = await _asked(target, tools, missing, edits, known)
                usage = added(usage, cost)
            if type_text and not (missing.tells_types and type_text == "boolean"):
                edits.append(Edit(Span(missing.offset, missing.offset), f": {type_text}"))
        if not edits:
            return Proposal(self.id, (), Reason.EMPTY, f"The model is not sure of any type of {name}.", usage)
        return Proposal(self.id, tuple(edits), usage=usage)


def missing_annotations(syntax: Syntax | None, offset: int) -> tuple[str, list[MissingType]]:
    """Return the name of the function around an offset and where its signature lacks types."""
    if syntax is None or syntax.language.name not in TYPED:
        return "", []
    definition = definition_at(syntax, offset, CALLABLES)
    parameters = definition.inner.child_by_field_name("parameters") if definition is not None else None
    if definition is None or parameters is None:
        return "", []
    all_missing = [
        MissingType(syntax.wrap(child).span.end) for child in parameters.named_children if _lacks_type(child)
    ]
    words = {child.type for child in definition.inner.children}
    has_result = definition.inner.child_by_field_name("return_type") is not None
    is_special = (
        "set" in words
        or "*" in words
        or definition.name == "constructor"
        or definition.inner.type.startswith("generator")
    )
    if not has_result and not is_special and not _never_returns(syntax, definition.inner):
        all_missing.append(_result(syntax, definition.inner, parameters, is_async="async" in words))
    return definition.name, all_missing


def grammar_of(names: tuple[str, ...], *, is_async_result: bool = False) -> str:
    """Return a GBNF grammar of possible types, and of the text that may follow a type."""
    plain = " | ".join(f'"{name}"' for name in (*PLAIN, *names))
    generic = " | ".join(f'"{name}<" type ">"' for name in _GENERIC if name not in {"Map", "Record"})
    root = '"Promise<" type ">"' if is_async_result else "type"
    return (
        f'root ::= {root} end?\nend ::= "," | ")" | " {{" | " =>" | ";"\ntype ::= one (" | " one)?\n'
        f'one ::= base "[]"?\nbase ::= {plain} | {generic} | "Map<" type ", " type ">" | "Record<string, " type ">"'
    )


def type_names(syntax: Syntax) -> tuple[str, ...]:
    """Return the types that a file declares, and the capitalised names that it imports."""
    names = names_of(syntax.tree.root_node).program.names
    own = [name for name, binding in names.items() if binding.kind in {"class", "type", "module"}]
    taken = [name for name, binding in names.items() if binding.kind == "import" and name[:1].isupper()]
    return tuple(name for name in [*own, *taken] if name.isascii())[:MAX_NAMES]


def _lacks_type(parameter: Node) -> bool:
    """Whether a parameter has a plain name, and neither a type nor a value that implies one."""
    pattern = parameter.child_by_field_name("pattern")
    says = parameter.child_by_field_name("type") is not None or parameter.child_by_field_name("value") is not None
    return parameter.type in {"required_parameter", "optional_parameter"} and not says and (
        pattern is not None and pattern.type == "identifier"
    )  # fmt: skip


def _never_returns(syntax: Syntax, function: Node) -> bool:
    """Whether no path reaches a function's end, which TypeScript infers as ``never`` and ``void`` would hide."""
    body = function.child_by_field_name("body")
    if body is None or body.type != "statement_block":
        return body is None
    if facts_of(body.named_children).returns:
        return False
    last = body.named_children[-1] if body.named_children else None
    call = last.named_children[0] if last is not None and last.type == "expression_statement" else None
    called = call.child_by_field_name("function") if call is not None else None
    return ends(body.named_children) or (called is not None and text_of(called) in _never_returning(syntax))


def _never_returning(syntax: Syntax) -> set[str]:
    """Return the functions of a file with the declared result type ``never``."""
    names = set()
    for node in every(syntax.tree.root_node):
        return_type = node.child_by_field_name("return_type") if node.type in FUNCTIONS else None
        if return_type is not None and text_of(return_type).strip(": ") == "never":
            own = node.child_by_field_name("name")
            holder = node.parent if own is None else node
            own = holder.child_by_field_name("name") if holder is not None else None
            names |= {text_of(own)} if own is not None else set()
    return names


def _may_tell_types(function: Node) -> bool:
    """Whether a boolean function may narrow a type, which TypeScript infers as a type predicate."""
    results = results_of(function)
    return len(results) == 1 and any(
        (
            node.type in {"binary_expression", "unary_expression"}
            and any(child.type in _TELLING for child in node.children)
        )
        or node.type == "call_expression"
        for node in every(results[0])
    )


def _result(syntax: Syntax, function: Node, parameters: Node, *, is_async: bool) -> MissingType:
    """Return a function's missing result type; void if it returns no value and can reach its end."""
    body = function.child_by_field_name("body")
    certain = ""
    if body is not None and body.type == "statement_block":
        certain = "" if facts_of(body.named_children).returns else "Promise<void>" if is_async else "void"
    return MissingType(syntax.wrap(parameters).span.end, is_async, certain, _may_tell_types(function))


async def _asked(
    target: Target, tools: Tools, missing: MissingType, before: list[Edit], known: tuple[str, ...]
) -> tuple[str, Usage]:
    """Return the model's type for an annotation; empty if the model is not sure."""
    text = apply_edits(target.snapshot.text, [*before, Edit(Span(missing.offset, missing.offset), ": ")])
    at = missing.offset + sum(len(edit.new_text) for edit in before) + len(": ")
    await tools.engine.start()
    packed = await tools.context.pack_for(replace(target.snapshot, text=text), at)
    request = CompletionRequest(
        prompt=packed.parts,
        max_tokens=MAX_TYPE_TOKENS,
        stops=tools.context.stops(),
        sampling=Sampling(grammar=grammar_of(known, is_async_result=missing.is_async_result)),
        priority=ACTION_PRIORITY,
        key=key_of(target),
    )
    answer = await stream(tools, request, lambda raw: said_type(raw) != raw.strip())
    type_text = said_type(answer.raw)
    words = _WORD.findall(type_text)
    is_type = bool(words) and _SHAPE.fullmatch(type_text) and set(words) <= {*PLAIN, *_GENERIC, *known}
    is_whole = type_text.count("<") == type_text.count(">") and not type_text.endswith(("|", ",", "<"))
    is_promise = not missing.is_async_result or type_text.startswith("Promise<")
    is_sure = answer.probability >= MIN_PROBABILITY
    return (type_text if is_type and is_whole and is_promise and is_sure else ""), answer.usage


def said_type(raw: str) -> str:
    """Return an answer up to the end of the type; a comma within ``<…>`` belongs to the type."""
    depth, text = 0, raw.strip()
    for at, char in enumerate(text):
        depth += (char == "<") - (char == ">")
        if depth < 0 or (char == "," and not depth) or char in "){;=\n":
            return text[:at].strip()
    return text
