"""``annotate.types`` for Python: add the missing types of a function's parameters and result.

Certain types are computed: a default's type, None for a function that returns nothing. The model writes the others,
one after another, under a grammar of known types; if it is unsure, the place stays empty.
"""

import ast
import asyncio
import re
from dataclasses import replace

import tree_sitter

from spark_lsp.actions.base import Needs, Proposal, Target, Tools, refused
from spark_lsp.actions.checks.body import plain_classes
from spark_lsp.actions.checks.functions import Function, body_of, function_at, parsed
from spark_lsp.actions.checks.kinds import kinds_of
from spark_lsp.actions.checks.returns import fits, return_problem
from spark_lsp.actions.checks.usage import usage_problem
from spark_lsp.actions.model_answer import added, key_of, stream
from spark_lsp.actions.naming import MIN_PROBABILITY
from spark_lsp.actions.python.analysis.quick_checks import is_python
from spark_lsp.actions.python.analysis.source import Source, source_of
from spark_lsp.actions.python.missing_annotations import (
    RETURNS,
    MissingAnnotation,
    grammar_of,
    is_a_type,
    is_faithful,
    missing_annotations,
    names_for_types,
)
from spark_lsp.actions.python.parameter_values import calls_pass, holds_only
from spark_lsp.actions.refusal import NOT_READ, Refusal
from spark_lsp.engine.base import ACTION_PRIORITY, CompletionRequest, Sampling, Usage
from spark_lsp.errors import Reason, SparkError
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.syntax import path_to

MAX_TYPE_TOKENS = 24
TYPE_DEADLINE_MS = 2500
_NAME = re.compile(r"\w+\Z")
_WORD = re.compile(r"[A-Za-z_]\w*")
_UNTYPED = frozenset({"identifier", "default_parameter", "list_splat_pattern", "dictionary_splat_pattern"})


class AnnotateTypes:
    """The action."""

    id = "annotate.types"
    kind = "refactor.rewrite.annotate"
    needs: Needs = "fim"

    def applies(self, target: Target) -> str:
        """Offer the action in the signature of a function that lacks a type."""
        node = _function_at(target) if is_python(target) else None
        name = node.child_by_field_name("name") if node is not None else None
        if node is None or name is None or name.text is None or not _lacks_type(node):
            return ""
        return f"Annotate {name.text.decode()}"

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Fill each place in turn; the model sees earlier types when it writes the next one."""
        plan_or_refusal = await asyncio.to_thread(_find, target)
        path = tools.context.path_of(target.snapshot)
        if isinstance(plan_or_refusal, Refusal):
            return refused(self.id, plan_or_refusal)
        source, function, end = plan_or_refusal
        all_missing, names = missing_annotations(source, function, end), names_for_types(source, function)
        edits: list[Edit] = []
        usage = Usage()
        for missing in all_missing:
            text = missing.known if set(_WORD.findall(missing.known)) <= {*names, "None"} else ""
            if not text:
                text, cost = await _asked(target, tools, missing, edits, names)
                usage = added(usage, cost)
                problem = await asyncio.to_thread(_problem, source, function, missing, text) if text else ""
                text = "" if problem else text
            if text and missing.lead != RETURNS:
                is_kept = await asyncio.to_thread(_is_kept, source, function, missing, text, tools, path)
                text = text if is_kept else ""
            if text:
                edits.append(missing.edit(text))
        if not edits:
            return Proposal(self.id, (), Reason.EMPTY, f"No type of {function.name} is certain.", usage)
        if not await asyncio.to_thread(is_faithful, source, edits):
            return refused(self.id, Refusal("unfaithful", "The types would change more than annotations."))
        return Proposal(self.id, tuple(edits), usage=usage)


def _is_kept(
    source: Source, function: Function, missing: MissingAnnotation, text: str, tools: Tools, path: str
) -> bool:
    """Whether no assignment in the function and no call in the workspace gives a parameter another type."""
    name = _NAME.search(source.text, 0, missing.at)
    if name is None:
        return False
    types = {part.strip() for part in text.split("|")} | ({"None"} if missing.is_optional else set())
    return holds_only(function, name[0], types) and calls_pass(
        source, function, name[0], types, path, tools.context.view
    )


def _problem(source: Source, function: Function, missing: MissingAnnotation, text: str) -> str:
    """Say in one sentence why the function's code contradicts a type; empty if it does not."""
    tree = parsed(apply_edits(source.text, [missing.edit(text)]))
    begun_function = function_at(tree, function.lineno) if tree is not None else None
    if tree is None or begun_function is None:
        return ""
    if missing.lead == RETURNS:
        return return_problem(
            begun_function[0], body_of(begun_function[0]), plain_classes(tree), kinds_of(tree, *begun_function)
        )
    name = _NAME.search(source.text, 0, missing.at)
    if name is None:
        return ""
    if text == "None":
        return f"Nothing can be passed as {name[0]}."
    default, annotation = _default_of(begun_function[0], name[0])
    if default is not None and annotation is not None:
        is_right = fits(default, annotation, plain_classes(tree), kinds_of(tree, *begun_function))
        return (
            usage_problem(begun_function[0], name[0], text)
            if is_right
            else f"The default of {name[0]} is none of {text}."
        )
    return usage_problem(begun_function[0], name[0], text)


def _default_of(function: Function, name: str) -> tuple[ast.expr | None, ast.expr | None]:
    """Return the default and the annotation of a parameter."""
    args = function.args
    given = [*args.posonlyargs, *args.args]
    pairs = list(zip(reversed(given), reversed(args.defaults), strict=False))
    named = zip(args.kwonlyargs, args.kw_defaults, strict=True)
    matching = [(value, parameter.annotation) for parameter, value in [*pairs, *named] if parameter.arg == name]
    return matching[0] if matching else (None, None)


def _function_at(target: Target) -> tree_sitter.Node | None:
    """Return the function whose signature contains the cursor or selection."""
    if target.syntax is None:
        return None
    byte = target.syntax.bytes_map.to_bytes
    start, end = byte(target.span.start), byte(target.span.end)
    node = target.syntax.tree.root_node.descendant_for_byte_range(start, end)
    path = path_to(target.syntax.tree.root_node, node) if node is not None else []
    node = next((around for around in reversed(path) if around.type == "function_definition"), None)
    body = node.child_by_field_name("body") if node is not None else None
    return node if body is not None and end < body.start_byte else None


def _lacks_type(node: tree_sitter.Node) -> bool:
    parameters = node.child_by_field_name("parameters")
    own = [] if parameters is None else parameters.named_children
    first = own[0].text if own else None
    holds = own[1:] if first in {b"self", b"cls"} else own
    return node.child_by_field_name("return_type") is None or any(child.type in _UNTYPED for child in holds)


def _find(target: Target) -> tuple[Source, Function, int] | Refusal:
    """Return the function at the cursor, and where its parameters end."""
    assert target.syntax is not None, "the caller has looked"
    raw = _function_at(target)
    source = source_of(target.syntax)
    if source is None or raw is None:
        return NOT_READ
    start = target.syntax.wrap(raw).span.start
    parameters = raw.child_by_field_name("parameters")
    end = target.syntax.wrap(parameters).span.end if parameters is not None else start
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            head = source.text.index("async" if isinstance(node, ast.AsyncFunctionDef) else "def", _after(source, node))
            if head == start:
                return source, node, end
    return NOT_READ


def _after(source: Source, node: Function) -> int:
    """Return where a definition's own line starts, after its decorators."""
    return max([source.span(node).start, *(source.span(decorator).end for decorator in node.decorator_list)])


async def _asked(
    target: Target, tools: Tools, missing: MissingAnnotation, edits: list[Edit], names: list[str]
) -> tuple[str, Usage]:
    """Return the model's type for a place; empty if there is no model, or its answer is unsure or wrong."""
    shown = [*edits, Edit(Span(missing.at, missing.at), missing.lead)]
    text = apply_edits(target.snapshot.text, shown)
    offset = missing.at + sum(len(edit.new_text) - len(edit.span) for edit in shown)
    try:
        await tools.engine.start()
        packed = await tools.context.pack_for(replace(target.snapshot, text=text), offset)
        request = CompletionRequest(
            prompt=packed.parts,
            max_tokens=MAX_TYPE_TOKENS,
            stops=tools.context.stops(),
            sampling=Sampling(grammar=grammar_of(names)),
            deadline_ms=TYPE_DEADLINE_MS,
            priority=ACTION_PRIORITY,
            key=key_of(target),
        )
        answer = await stream(
            tools, request, lambda raw: raw.endswith((",", ")", " =", ":")) and raw.count("[") == raw.count("]")
        )
    except SparkError:
        return "", Usage()
    type_text = answer.raw.rstrip(",): =").strip()
    is_whole = answer.stop not in {"max_tokens", "deadline", "cancelled"}
    is_good = is_whole and answer.probability >= MIN_PROBABILITY and is_a_type(type_text, names)
    return (type_text if is_good else ""), answer.usage


def _is_over(raw: str) -> bool:
    """Whether a type is complete: the text after it is already in the document."""
    return raw.endswith((",", ")", " =", ":")) and raw.count("[") == raw.count("]")
