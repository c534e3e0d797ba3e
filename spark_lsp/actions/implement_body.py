"""``implement.body``: fill the body of a function that has none yet (empty, ``pass``, ``...``, ``todo!()``, ``throw``).

The model writes only what stands between the signature and the end of the function; it is cut at the first line that
would leave the body, and lines are dropped from its end until the file parses no worse than before.
"""

import re
from contextlib import aclosing
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Final

import msgspec

from spark_lsp.actions.base import Needs, Proposal, Target, Tools
from spark_lsp.actions.check import failure
from spark_lsp.engine.base import Infill, Sampling, Usage
from spark_lsp.errors import Reason
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.syntax import Node, Syntax

MAX_BODY_TOKENS = 256
ACTION_PRIORITY = 1
RETRY = Sampling(temperature=0.5, seed=1)
"""A fill-in-the-middle model cannot be told what was wrong, so the one retry asks for another draw."""

_FUNCTIONS: Final = frozenset(
    (
        "function_definition",
        "function_declaration",
        "method_definition",
        "method_declaration",
        "function_item",
        "arrow_function",
        "function_expression",
        "generator_function_declaration",
        "constructor_declaration",
    )
)
_PLACEHOLDER = re.compile(
    r"(?:pass|\.\.\.|raise NotImplementedError\b.*|(?:todo|unimplemented|panic)!?\(.*\)|throw .*|return null)\s*;?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _EmptyBody:
    """A function without a body: its name, what the text replaces, and the indentation of its lines."""

    name: str
    span: Span
    indent: str
    in_braces: bool


class ImplementBody:
    """The action."""

    id = "implement.body"
    kind = "refactor.rewrite.implement"
    needs: Needs = "fim"

    def applies(self, target: Target) -> str:
        """Offer for a cursor anywhere in the function."""
        body = _empty_body(target)
        return f"Implement {body.name}" if body else ""

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Ask the model for the body; one retry when the first text does not pass the checks."""
        body = _empty_body(target)
        if body is None or target.syntax is None:
            return Proposal(self.id, (), Reason.EMPTY, "There is no function without a body here.")
        problem, usage = "The model had nothing to say.", Usage()
        for sampling in (Sampling(), RETRY):
            raw, usage = await _ask(target, body, tools, sampling)
            written = _within_body(raw, body)
            while written.strip():
                edit = _edit(target, body, written)
                problem = failure(target.snapshot.text, target.syntax, [edit])
                if not problem:
                    return Proposal(self.id, (edit,), usage=usage)
                written = written.rstrip().rpartition("\n")[0]
        return Proposal(self.id, (), Reason.trimmed("syntax") if problem else Reason.EMPTY, problem, usage)


def _empty_body(target: Target) -> _EmptyBody | None:
    if target.syntax is None:
        return None
    for node in target.syntax.ancestors_at(target.span.start):
        body = node.raw.child_by_field_name("body")
        if node.kind in _FUNCTIONS and body is not None:
            return _of_function(target.syntax, node, target.syntax.wrap(body))
    return None


def _of_function(syntax: Syntax, function: Node, body: Node) -> _EmptyBody | None:
    named = function.raw.child_by_field_name("name") or function.raw.child_by_field_name("declarator")
    name = syntax.wrap(named).span.text(syntax.text).partition("(")[0] if named else "function"
    in_braces = body.raw.type != "block" or syntax.text[body.span.start : body.span.start + 1] == "{"
    statements = [syntax.wrap(child) for child in body.raw.named_children if "comment" not in child.type]
    if not in_braces and statements and _is_docstring(statements[0]) and len(statements) > 1:
        statements = statements[1:]
    inner = _indent_of(syntax.text, function.span.start) + _unit(syntax.text)
    if not statements and in_braces:
        return _EmptyBody(name, Span(body.span.start + 1, body.span.end - 1), inner, in_braces)
    if len(statements) != 1:
        return None
    only = statements[0]
    if _is_docstring(only) and not in_braces:
        return _EmptyBody(name, Span(only.span.end, only.span.end), _indent_of(syntax.text, only.span.start), in_braces)
    if not _PLACEHOLDER.fullmatch(only.span.text(syntax.text).strip()):
        return None
    return _EmptyBody(name, only.span, _indent_of(syntax.text, only.span.start) or inner, in_braces)


def _is_docstring(node: Node) -> bool:
    children = node.raw.named_children
    return node.kind == "expression_statement" and len(children) == 1 and children[0].type == "string"


def _indent_of(text: str, offset: int) -> str:
    line = text[text.rfind("\n", 0, offset) + 1 : offset]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    """Return the document's indentation unit."""
    tabs = len(re.findall(r"^\t", text, re.MULTILINE))
    return (
        "\t"
        if tabs > len(re.findall(r"^ {2}", text, re.MULTILINE))
        else "  "
        if re.search(r"^ {2}\S", text, re.MULTILINE)
        else "    "
    )


async def _ask(target: Target, body: _EmptyBody, tools: Tools, sampling: Sampling) -> tuple[str, Usage]:
    """Stream the body's text; stop as soon as it leaves the body."""
    lead = _lead(target, body)
    text = apply_edits(target.snapshot.text, [Edit(body.span, lead)])
    await tools.engine.start()
    packed = await tools.context.pack_for(replace(target.snapshot, text=text), body.span.start + len(lead))
    request = Infill(
        prompt=packed.parts,
        max_tokens=MAX_BODY_TOKENS,
        stops=tools.context.stops(),
        sampling=sampling,
        priority=ACTION_PRIORITY,
        key=f"action:{target.snapshot.uri}",
    )
    began, raw, tokens, usage = perf_counter(), "", 0, Usage()
    async with aclosing(tools.engine.infill(request)) as chunks:
        async for chunk in chunks:
            raw += chunk.text
            tokens += chunk.tokens
            usage = msgspec.structs.replace(chunk.usage or usage, generated_tokens=tokens)
            tools.progress(tokens, tokens / max(perf_counter() - began, 0.001))
            if len(_within_body(raw, body)) < len(raw.rstrip()):
                break
    return raw, usage


def _lead(target: Target, body: _EmptyBody) -> str:
    """Return what stands between the signature and the model's first character."""
    before = target.snapshot.text[: body.span.start]
    line = before[before.rfind("\n") + 1 :]
    return "" if not line.strip() and line else f"\n{body.indent}"


def _edit(target: Target, body: _EmptyBody, written: str) -> Edit:
    lead = _lead(target, body)
    text = lead + written.strip() if lead else written.lstrip(" \t").rstrip()
    if body.in_braces and lead:
        text += "\n" + _indent_of(target.snapshot.text, body.span.start)
    return Edit(body.span, text)


def _within_body(raw: str, body: _EmptyBody) -> str:
    """Cut where the text leaves the body: a line indented less, or a brace that it did not open."""
    kept: list[str] = []
    depth = 0
    for number, line in enumerate(raw.split("\n")):
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        if number and line.strip() and len(indent.expandtabs(4)) < len(body.indent.expandtabs(4)):
            break
        if body.in_braces:
            depth += line.count("{") - line.count("}")
            if depth < 0:
                break
        kept.append(line)
    return "\n".join(kept).rstrip()
