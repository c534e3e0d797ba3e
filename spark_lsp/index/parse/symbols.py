"""Extract what a text defines, uses and imports from its syntax tree, with the queries in ``text/queries``. Pure.

Never reads files and never fails: broken code yields what still parses, a text of no known language yields nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, get_args

import msgspec
import tree_sitter

from spark_lsp.index.parse.windows import FileWords, WordInput, words_of_all
from spark_lsp.text.edit import Span
from spark_lsp.text.language import Language, Section, query
from spark_lsp.text.reserved import RESERVED
from spark_lsp.text.syntax import Syntax, parse

SymbolKind = Literal["function", "method", "class", "interface", "type", "enum", "variable", "constant", "field"]

KINDS: tuple[SymbolKind, ...] = get_args(SymbolKind)
CLASS_LIKE = frozenset({"class", "interface", "enum", "container.type"})
_ROUTINES = frozenset({"function", "method"})
_HOLDERS = frozenset({*CLASS_LIKE, *_ROUTINES, "type", "container"})  # kinds that can hold definitions
_IN_CLASS = {"function": "method", "variable": "field"}
_BLANKS = b" \t\n\r\v\f"

SIGNATURE_LINES = 3  # a definition without a body (a constant's table) shows no more of itself than this
SIGILS, ENDINGS = ":@$", "?!="  # what stands around Ruby's names and is no part of the word that uses them


@dataclass(frozen=True, slots=True)
class Definition:
    """One named definition.

    ``span`` covers all of it, decorators and ``export`` included; ``signature_span`` ends before the body.
    ``container`` is the dotted path of the definitions around it, empty at the top of a file.
    """

    name: str
    kind: SymbolKind
    span: Span
    signature_span: Span
    container: str = ""

    @property
    def qualified_name(self) -> str:
        """The name with its containers."""
        return f"{self.container}.{self.name}" if self.container else self.name


@dataclass(frozen=True, slots=True)
class Import:
    """One import: the module as written, and the names taken from it by their original names."""

    module: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileSymbols:
    """What one file defines (in order of start), how often it uses which identifier, and what it imports."""

    definitions: tuple[Definition, ...] = ()
    references: Mapping[str, int] = field(default_factory=dict)
    imports: tuple[Import, ...] = ()


EMPTY = FileSymbols()


Captures = Mapping[str, Sequence[tree_sitter.Node]]
Matches = Sequence[tuple[int, Captures]]
DefinitionRow = tuple[str, str, int, int, int, str]
"""A definition as it is written down: name, kind, start, end, end of signature, container."""
ImportRow = tuple[str, tuple[str, ...]]
"""An import as it is written down: module and names."""

_SECTIONS: tuple[Section, ...] = ("definitions", "imports", "comments")


@dataclass(frozen=True, slots=True)
class ParsedText:
    """What one text defines, imports and uses, in the plain form in which it is written down."""

    definitions: list[DefinitionRow]
    imports: list[ImportRow]
    wanted: WordInput
    """The words, which are counted for many texts at once."""


class _FoundDefinition(msgspec.Struct, gc=False):
    """A definition while its patterns are put together, in bytes; the widest span and the last pattern's kind win."""

    name: str
    name_start: int
    start: int
    end: int
    body_start: int
    """-1 where there is no body."""
    kind: str
    pattern: int
    owner: str
    """The type that a Go or C++ method names in its signature, where it does not stand inside that type."""


@dataclass(frozen=True, slots=True)
class _QueryPlan:
    """Facts about a language's query: its first pattern for imports, its first for comments, and words."""

    asked: tree_sitter.Query | None
    imports_from: int
    comments_from: int
    reserved: frozenset[bytes]
    roles: dict[int, str] = field(default_factory=dict)
    """Which capture of a pattern is the whole definition, as far as it has matched already; empty for none."""


def extract(language: Language | None, text: str) -> FileSymbols:
    """Return the symbols of a text; ``EMPTY`` for plain text and for texts too large to parse."""
    syntax = parse(language, text)
    return EMPTY if syntax is None else symbols_of(syntax)


def symbols_of(syntax: Syntax) -> FileSymbols:
    """Return the symbols of a text that is parsed already."""
    rows = rows_of(syntax)
    return of_rows(rows.definitions, rows.imports, words_of_all([rows.wanted])[0])


def of_rows(definitions: Iterable[DefinitionRow], imports: Iterable[ImportRow], words: FileWords) -> FileSymbols:
    """Return symbols that were written down."""
    return FileSymbols(
        tuple(
            Definition(name, kind, Span(start, end), Span(start, signature_end), container)  # type: ignore[arg-type]
            for name, kind, start, end, signature_end, container in definitions
        ),
        words.uses(),
        tuple(Import(module, names) for module, names in imports),
    )


def rows_of(syntax: Syntax) -> ParsedText:
    """Return what a text holds that is parsed already."""
    plan = _plan(syntax.language)
    about: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
    definitions, imports, comments = about
    for match in syntax.matches(plan.asked) if plan.asked else ():
        if match[0] < plan.imports_from:
            definitions.append(match)
        elif match[0] < plan.comments_from:
            imports.append(match)
        else:
            comments.append(match)
    rows = _definitions(syntax, definitions, plan.roles)
    wanted = WordInput(syntax.source, syntax.code_only(comments), plan.reserved, [row[0] for row in rows])
    return ParsedText(rows, _imports(syntax, imports), wanted)


@cache
def _plan(language: Language) -> _QueryPlan:
    definitions, imports = (query(language, section) for section in _SECTIONS[:2])
    first = definitions.pattern_count if definitions else 0
    return _QueryPlan(
        query(language, *_SECTIONS),  # one walk over the tree costs less than three
        first,
        first + (imports.pattern_count if imports else 0),
        frozenset(word.encode() for word in RESERVED[language.name]),
    )


def definition_at(symbols: FileSymbols, offset: int) -> Definition | None:
    """Return the innermost definition around an offset, fields and variables included."""
    around = [definition for definition in symbols.definitions if definition.span.contains(offset)]
    return min(around, key=lambda d: (len(d.span), -d.span.start), default=None)


def _definitions(syntax: Syntax, matches: Matches, roles: dict[int, str]) -> list[DefinitionRow]:
    if not matches:
        return []
    symbols_by_node: dict[int, _FoundDefinition] = {}
    guards: set[int] = set()  # names that a C header defines only to be read once
    for pattern, captures in matches:
        names = captures.get("name")
        if names is None:
            guards.update(node.start_byte for node in captures.get("guard", ()))
            continue
        role = roles.get(pattern)
        if role is None:
            role = roles[pattern] = next((name for name in captures if _is_whole(name)), "")
        if role:
            _merge(syntax, symbols_by_node, pattern, role, names[0], captures)
    named = (
        [item for item in symbols_by_node.values() if item.name_start not in guards]
        if guards
        else symbols_by_node.values()
    )
    ordered = sorted(named, key=_order)
    return _in_characters(syntax, list(_without_repeated_fields(_contained(syntax, ordered))))


def _order(item: _FoundDefinition) -> tuple[int, int, int]:
    return item.start, -item.end, item.name_start


def _merge(
    syntax: Syntax,
    symbols_by_node: dict[int, _FoundDefinition],
    pattern: int,
    role: str,
    name: tree_sitter.Node,
    captures: Captures,
) -> None:
    """Take one match in. Several patterns may match one definition: bare, decorated, exported."""
    whole = captures[role][0]
    start, end, name_start = whole.start_byte, whole.end_byte, name.start_byte
    bodies, owners = captures.get("body"), captures.get("owner")
    body_start = bodies[0].start_byte if bodies else -1
    owner = ".".join(_text(syntax, node) for node in owners) if owners else ""
    known = symbols_by_node.get(name_start)
    if known is None:
        text = _text(syntax, name)
        if text[:1] in SIGILS or text[-1:] in ENDINGS:
            text = text.lstrip(SIGILS).rstrip(ENDINGS) or text
        kind = role.removeprefix("definition.")
        symbols_by_node[name_start] = _FoundDefinition(text, name_start, start, end, body_start, kind, pattern, owner)
        return
    if known.body_start < 0:
        known.body_start = body_start
    known.owner = known.owner or owner
    if end - start > known.end - known.start:
        known.start, known.end = start, end
    if pattern > known.pattern:
        known.kind, known.pattern = role.removeprefix("definition."), pattern


def _text(syntax: Syntax, node: tree_sitter.Node) -> str:
    if syntax.text.isascii():
        return syntax.text[node.start_byte : node.end_byte]
    return syntax.source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _is_whole(capture: str) -> bool:
    return capture.startswith(("definition.", "container"))


def _contained(syntax: Syntax, ordered: Iterable[_FoundDefinition]) -> Iterator[DefinitionRow]:
    """Give each definition its container and settle the kinds that depend on it."""
    around: list[tuple[int, str, str, str]] = []  # end, name, kind, path of the definitions that are open
    for item in ordered:
        while around and around[-1][0] < item.end:
            around.pop()
        above = len(around)
        if item.kind == "field":  # ``self.x = …`` belongs to the class, not to the method that sets it
            while above and around[above - 1][2] in _ROUTINES:
                above -= 1
        path = around[above - 1][3] if above else ""
        if item.name and not item.kind.startswith("container"):
            in_class = bool(above) and around[above - 1][2] in CLASS_LIKE
            kind = _IN_CLASS.get(item.kind, item.kind) if in_class else item.kind
            container = f"{path}.{item.owner}" if path and item.owner else path or item.owner
            yield (item.name, kind, *_spans(syntax, item), container)
        if item.kind in _HOLDERS:
            around.append((item.end, item.name, item.kind, f"{path}.{item.name}" if above else item.name))


def _spans(syntax: Syntax, item: _FoundDefinition) -> tuple[int, int, int]:
    """Return start and end of a definition, and the end of its signature, in bytes.

    A signature goes to the body, or over the first lines of a definition that has none.
    """
    source = syntax.source
    if item.body_start > item.start:
        end = item.body_start
    else:
        end = item.start
        for _ in range(SIGNATURE_LINES):
            end = source.find(b"\n", end + 1, item.end)
            if end < 0:
                end = item.end
                break
    while end > item.start and source[end - 1] in _BLANKS:
        end -= 1
    whole = item.end
    while whole > end and source[whole - 1] in b"\r\n":  # C's directives hold the end of their line
        whole -= 1
    return item.start, whole, end


def _in_characters(syntax: Syntax, rows: list[DefinitionRow]) -> list[DefinitionRow]:
    """Return rows whose places are bytes with places in characters."""
    if syntax.text.isascii() or not rows:
        return rows
    names, kinds, *places, containers = zip(*rows, strict=True)
    return list(zip(names, kinds, *map(syntax.bytes_map.to_offsets, places), containers, strict=True))


def _without_repeated_fields(definitions: Iterable[DefinitionRow]) -> Iterator[DefinitionRow]:
    """Keep the first of several assignments to one field: it is where the field is made."""
    seen: set[tuple[str, str]] = set()
    for definition in definitions:
        if definition[1] == "field":
            key = (definition[0], definition[5])
            if key in seen:
                continue
            seen.add(key)
        yield definition


def _imports(syntax: Syntax, matches: Matches) -> list[ImportRow]:
    modules: dict[int, tuple[str, dict[str, None]]] = {}
    for _, captures in matches:
        for module in captures.get("import.module", ()):
            _take_import(syntax, modules, module.start_byte, _text(syntax, module).strip("<>\"'"), captures)
        if begin := captures.get("import.from"):  # Scala's grammar knows the parts of a path, not the path
            start, end = begin[0].start_byte, captures.get("import.to", begin)[0].end_byte
            written = syntax.source[start:end].decode("utf-8", "replace")
            _take_import(syntax, modules, start, written, captures)
    return [(module, tuple(names)) for _, (module, names) in sorted(modules.items()) if module]


def _take_import(
    syntax: Syntax, modules: dict[int, tuple[str, dict[str, None]]], start: int, module: str, captures: Captures
) -> None:
    known, names = modules.get(start, ("", {}))
    names.update({_text(syntax, node): None for node in captures.get("import.name", ())})
    modules[start] = (max(module, known, key=len), names)
