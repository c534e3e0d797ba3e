"""``document``: a docstring, JSDoc or doc comment for the definition around the cursor, in the file's style.

The model writes between the comment marks, under a grammar that cannot leave the comment; it never writes code.
"""

import asyncio
import re
import textwrap
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from spark_lsp.actions import implement_body
from spark_lsp.actions.base import Needs, Proposal, Target, Tools
from spark_lsp.actions.chat.begun import Begun, prompt_to_finish
from spark_lsp.actions.checks.docstring import Documented, facts_of, usable
from spark_lsp.actions.checks.functions import function_at, parsed
from spark_lsp.actions.definition import DefinitionNode, definition_at
from spark_lsp.actions.layout import indent_of, line_end, line_start, newline_of, starts_line
from spark_lsp.actions.model_answer import RETRY, added, key_of, stream
from spark_lsp.engine.base import ACTION_PRIORITY, CompletionRequest, PromptPart, Sampling, Usage
from spark_lsp.errors import Reason
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.syntax import Syntax, parse

MAX_TOKENS: Final = 128
LINE_COLUMNS: Final = 88
MAX_LINES: Final = 12
LINES_ABOVE: Final = 0
"""Lines of the file above the definition in the prompt; a small model repeats the comment above."""
LANGUAGES: Final = frozenset(("python", "javascript", "typescript", "tsx", "go", "rust", "java", "c", "cpp"))
"""Languages whose comments this module can lay out."""
MIN_PROSE: Final = 0.8
"""The least share of letters and blanks in a first line; sentences of programmers have more, statements have less."""
_WORD = re.compile(r"[^\W\d_]{2,}")
_SENTENCE = re.compile(r"(?P<said>[^\n]+[.!?])\s*\n[ \t*]*\w+,? \w")
"""A first line with a sentence and the beginning of another one, which was not requested and cannot be checked."""
_CLAUSE = re.compile(r"[,;] | (?:and|by) ")
MIN_WORDS: Final = 4


@dataclass(frozen=True, slots=True)
class CommentSite:
    """Where the comment goes: ``head`` and ``tail`` surround its words, ``line`` starts its later lines.

    ``start`` begins the first line in languages whose comments begin with the name.
    """

    name: str
    offset: int
    head: str
    tail: str
    line: str
    start: str = ""
    stop: str = ""


class Document:
    """The action."""

    id = "document"
    kind = "refactor.rewrite.document"
    needs: Needs = "fim"

    def applies(self, target: Target) -> str:
        """Offer the action in a definition without documentation."""
        site = site_of(target.syntax, target.span.start)
        return f"Document {site.name}" if site else ""

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Request the words from the model; retry once with other sampling if the answer says nothing."""
        site = site_of(target.syntax, target.span.start)
        if site is None or target.syntax is None:
            return Proposal(self.id, (), Reason.EMPTY, "There is no definition without a comment here.")
        usage, facts = Usage(), _facts(target, site)
        for sampling in (Sampling(), RETRY):
            request = await _request(target, tools, site, sampling)
            is_short = not request.stops  # the prompt requests one sentence
            answer = await stream(tools, request, partial(_is_over, site, is_short=is_short))
            usage = added(usage, answer.usage)
            if answer.stop == "cancelled":
                message = "A newer action in this document replaced this one."
                return Proposal(self.id, (), Reason.SUPERSEDED, message, usage)
            more = _SENTENCE.match(answer.raw) if is_short else None
            raw = more["said"] if more else answer.raw
            words = words_of(raw, site, is_cut=answer.stop == "max_tokens" and more is None)
            words = usable(words, facts) if facts is not None else words
            edit = _edit(target.snapshot.text, site, words) if words else None
            if edit is not None and await asyncio.to_thread(_is_comment, target.syntax, edit):
                return Proposal(self.id, (edit,), usage=usage)
        return Proposal(self.id, (), Reason.EMPTY, f"The model wrote nothing about {site.name}.", usage)


def _facts(target: Target, site: CommentSite) -> Documented | None:
    """Return what a Python docstring may describe; None for other languages and for classes."""
    definition = definition_at(target.syntax, target.span.start) if target.syntax is not None else None
    if target.syntax is None or definition is None or not target.syntax.language.indents_blocks:
        return None
    tree = parsed(target.snapshot.text)
    line = target.snapshot.text.count("\n", 0, target.syntax.wrap(definition.inner).span.start) + 1
    at = function_at(tree, line) if tree is not None else None
    return facts_of(at[0], target.snapshot.text) if at is not None and at[0].name == site.name else None


def site_of(syntax: Syntax | None, offset: int) -> CommentSite | None:
    """Return where a comment for the definition around an offset goes; None if it has one already."""
    definition = definition_at(syntax, offset) if syntax is not None and syntax.language.name in LANGUAGES else None
    if syntax is None or definition is None:
        return None
    return _inside(syntax, definition) if syntax.language.indents_blocks else _above(syntax, definition)


def _inside(syntax: Syntax, definition: DefinitionNode) -> CommentSite | None:
    """Return the place of a Python docstring: the beginning of the body."""
    body = definition.inner.child_by_field_name("body")
    first = body.named_children[0] if body is not None and body.named_children else None
    if body is None or first is None or first.start_point.row == definition.inner.start_point.row:
        return None
    only = first.named_children[0].type if first.type == "expression_statement" and first.named_children else ""
    if only in {"string", "concatenated_string"}:
        return None
    text, start = syntax.text, syntax.wrap(first).span.start
    if not starts_line(text, start):
        return None
    indent = indent_of(text, start)
    quotes = "'''" if text.count("'''") > text.count('"""') else '"""'
    colon = [child for child in definition.inner.children if child.type == ":"][-1]
    below = line_end(text, syntax.wrap(colon).span.end)
    at = min(start, text.find("\n", below) + 1)  # above comments, which precede the body in the tree
    return CommentSite(definition.name, at, f"{indent}{quotes}", quotes, indent, stop=quotes)


def _above(syntax: Syntax, definition: DefinitionNode) -> CommentSite | None:
    """Return the place of a comment above a definition."""
    text, start, language = syntax.text, definition.whole.span.start, syntax.language.name
    raw = definition.whole.raw
    while (before := raw.prev_named_sibling) is not None and before.type in {"attribute_item", "decorator"}:
        raw, start = before, syntax.wrap(before).span.start
    above = raw.prev_named_sibling
    is_near = above is not None and raw.start_point.row - above.end_point.row <= 1
    if not starts_line(text, start) or (above is not None and is_near and "comment" in above.type):
        return None
    at, indent = line_start(text, start), indent_of(text, start)
    if language == "go":
        return CommentSite(
            definition.name, at, f"{indent}// {definition.name} ", "", f"{indent}// ", start=definition.name
        )
    if language == "rust" or (language in {"c", "cpp"} and _count(text, r"///") > _count(text, r"/\*\*")):
        return CommentSite(definition.name, at, f"{indent}/// ", "", f"{indent}/// ")
    return CommentSite(definition.name, at, f"{indent}/** ", " */", f"{indent} * ", stop="*/")


def words_of(raw: str, site: CommentSite, *, is_cut: bool = False) -> list[str]:
    """Return the lines of the model's answer without comment marks; none if the answer says nothing."""
    raw = raw.replace("\r\n", "\n").split(site.stop)[0] if site.stop else raw.replace("\r\n", "\n")
    mark = site.line.strip()
    lines: list[str] = []
    for number, line in enumerate(raw.split("\n")):
        stripped = line.strip()
        if number and mark and not stripped.startswith(mark):
            break
        stripped = stripped.removeprefix(mark).strip() if number and mark else stripped
        if stripped and stripped in lines:
            break  # the answer repeats itself
        lines.append(stripped)
    if is_cut and lines and not lines[-1].endswith((".", "!", "?")):
        lines = lines[:-1] if len(lines) > 1 else []
    while lines and not lines[-1]:
        lines.pop()
    lines = lines[:MAX_LINES]
    if not lines or len(_WORD.findall(lines[0])) < 2 or _looks_like_code(lines[0]):
        return []
    if lines[0][-1].isalnum() or lines[0][-1] in "`)":
        lines[0] += "."
    return lines


def _looks_like_code(line: str) -> bool:
    """Whether too much of a text is neither letter nor blank for a sentence."""
    prose = sum(char.isalpha() or char in " ,.`" for char in line)
    return prose < len(line) * MIN_PROSE


def grammar_of(site: CommentSite) -> str:
    """Return a GBNF grammar of the words: text that cannot end the comment, on lines with the right beginning."""
    forbidden = {'"""': '"', "'''": "'", "*/": "*"}.get(site.stop, "")
    first = "[a-z]" if site.start else "[A-Z]"
    mark = _literal("\n" + site.line)
    end = f" {_literal(site.stop)}?" if site.stop else ""
    is_string = site.stop in {'"""', "'''"}
    lines = f'(({mark} line) | ("\\n" {mark} line))*' if is_string else f"({mark} line)*"
    return f"root ::= {first} line {lines}{end}\nline ::= [^{forbidden}\\\\\\n\\r]+"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


async def _request(target: Target, tools: Tools, site: CommentSite, sampling: Sampling) -> CompletionRequest:
    text = target.snapshot.text
    newline = newline_of(text)
    shown = apply_edits(text, [Edit(Span(site.offset, site.offset), site.head + site.tail + newline)])
    at = site.offset + len(site.head)
    model = await tools.engine.start()
    definition = definition_at(target.syntax, target.span.start) if target.syntax is not None else None
    if model.chat_template and implement_body.ASKS_IN_WORDS and definition is not None and site.stop:
        prompt: tuple[PromptPart, ...] = prompt_to_finish(model, _begun(target, tools, site, definition))
        stops: tuple[str, ...] = ()
    else:
        prompt = (await tools.context.pack_for(replace(target.snapshot, text=shown), at)).parts
        stops = tools.context.stops()
    return CompletionRequest(
        prompt=prompt,
        max_tokens=MAX_TOKENS,
        stops=stops,
        sampling=Sampling(temperature=sampling.temperature, seed=sampling.seed, grammar=grammar_of(site)),
        priority=ACTION_PRIORITY,
        key=key_of(target),
    )


def _begun(target: Target, tools: Tools, site: CommentSite, definition: DefinitionNode) -> Begun:
    """Return the beginning of the answer: the signature and the comment's marks, or the marks alone."""
    assert target.syntax is not None, "the caller has looked"
    text = apply_edits(target.snapshot.text, [Edit(Span(site.offset, site.offset), site.head)])
    start = min(line_start(text, definition.whole.span.start), site.offset)
    return Begun(
        path=tools.context.path_of(target.snapshot),
        language=target.syntax.language.name,
        text=text,
        start=start,
        at=site.offset + len(site.head),
        task=f"Document {site.name}: say in one short sentence of at most ten words what it does. No examples.",
        shown=definition.whole.span.text(target.snapshot.text).replace("\r\n", "\n"),
        lines_above=LINES_ABOVE,
        lines_below=0,
    )


def _is_over(site: CommentSite, raw: str, *, is_short: bool) -> bool:
    if is_short and _SENTENCE.match(raw):
        return True
    return bool(site.stop and site.stop in raw) or raw.count("\n") > MAX_LINES or "\n\n\n" in raw


def _edit(text: str, site: CommentSite, words: list[str]) -> Edit:
    newline = newline_of(text)
    room = max(40, LINE_COLUMNS - len((site.head + site.tail).expandtabs(4)))
    lines = [part for line in words for part in (textwrap.wrap(line, room) or [""])]
    if site.stop and site.stop != "*/" and words[0] != lines[0]:
        lines = [*textwrap.wrap(shortened(words[0], room), room), *lines[len(textwrap.wrap(words[0], room)) :]]
    if site.stop in {'"""', "'''"}:
        lines = [line.replace("\\", "\\\\") for line in lines]  # within a string a single one begins an escape
    first, rest = lines[0], lines[1:]
    if not rest:
        return Edit(Span(site.offset, site.offset), f"{site.head}{first}{site.tail}{newline}")
    later = [f"{site.line}{line}".rstrip() for line in rest]
    if site.stop == "*/":
        indent = site.line[: -len(" * ")]
        block = [f"{indent}/**", f"{site.line}{first}", *later, f"{indent} */"]
    elif site.stop:
        block = [site.head + first, *later, f"{site.line}{site.stop}"]
    else:
        block = [site.head + first, *later]
    return Edit(Span(site.offset, site.offset), newline.join(block) + newline)


def shortened(sentence: str, room: int) -> str:
    """Return a summary that is too long for its line without its last clauses, if the rest still says something."""
    ends = [match.start() for match in _CLAUSE.finditer(sentence) if match.start() < room]
    kept = sentence[: ends[-1]] if ends else ""
    return f"{kept}." if len(kept.split()) >= MIN_WORDS else sentence


def _is_comment(syntax: Syntax, edit: Edit) -> bool:
    """Whether an insertion adds only a comment or docstring, and the code around parses as before."""
    after = parse(syntax.language, apply_edits(syntax.text, [edit]))
    if after is None or after.error_count > syntax.error_count:
        return False
    start = edit.span.start + len(edit.new_text) - len(edit.new_text.lstrip())
    end = edit.span.start + len(edit.new_text.rstrip())
    inner = range(start + 3, end - 2)  # the comment's marks are part of it
    return all(after.region_at(at) != "code" for at in inner if not _is_between(after.text, at))


def _is_between(text: str, at: int) -> bool:
    """Whether an offset is in white space, or before a mark at the beginning of a line."""
    return text[at - 1].isspace() or text[at : at + 1].isspace() or not text[line_start(text, at) : at].strip(" \t/*")


def _count(text: str, pattern: str) -> int:
    return len(re.findall(pattern, text))
