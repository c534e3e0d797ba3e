"""What one text defines, uses and imports: a pure function over its syntax, driven by ``text/queries``.

Never reads files and never fails: broken code yields what still parses, a text of no known language yields nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import tree_sitter

from spark_lsp.index.windows import as_names, words_alone
from spark_lsp.text.edit import Span
from spark_lsp.text.language import Language, query
from spark_lsp.text.reserved import RESERVED
from spark_lsp.text.syntax import Syntax, parse

Kind = Literal["function", "method", "class", "interface", "type", "enum", "variable", "constant", "field"]

KINDS: tuple[Kind, ...] = get_args(Kind)
CLASS_LIKE = frozenset({"class", "interface", "enum", "container.type"})
_HOLDERS = frozenset({*CLASS_LIKE, "function", "method", "type", "container"})  # kinds that can hold definitions

SIGNATURE_LINES = 3  # a definition without a body (a constant's table) shows no more of itself than this
SIGILS, ENDINGS = ":@$", "?!="  # what stands around Ruby's names and is no part of the word that uses them
REFERENCES_LIMIT = 5_000  # names per file; above lie word lists and fixtures, which say nothing about use


@dataclass(frozen=True, slots=True)
class Definition:
    """One named definition.

    ``span`` covers all of it, decorators and ``export`` included; ``signature_span`` ends before the body.
    ``container`` is the dotted path of the definitions around it, empty at the top of a file.
    """

    name: str
    kind: Kind
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


@dataclass(slots=True)
class _Found:
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
    """The type that a Go or C++ method names in its head, where it does not stand inside that type."""


def extract(language: Language | None, text: str) -> FileSymbols:
    """Return the symbols of a text; ``EMPTY`` for plain text and for texts too large to parse."""
    syntax = parse(language, text)
    return EMPTY if syntax is None else symbols_of(syntax)


def symbols_of(syntax: Syntax) -> FileSymbols:
    """Return the symbols of a text that is parsed already."""
    asked = query(syntax.language, "definitions", "imports", "comments")  # one walk over the tree costs less than three
    matches = syntax.matches(asked) if asked else []
    definitions = _definitions(syntax, matches)
    return FileSymbols(definitions, _references(syntax, matches, definitions), _imports(syntax, matches))


def definition_at(symbols: FileSymbols, offset: int) -> Definition | None:
    """Return the innermost definition around an offset, fields and variables included."""
    around = [definition for definition in symbols.definitions if definition.span.contains(offset)]
    return min(around, key=lambda d: (len(d.span), -d.span.start), default=None)


def _definitions(syntax: Syntax, matches: Matches) -> tuple[Definition, ...]:
    found: dict[int, _Found] = {}
    roles: dict[int, str] = {}
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
            _merge(syntax, found, pattern, role, names[0], captures)
    named = (item for item in found.values() if item.name_start not in guards)
    ordered = sorted(named, key=lambda f: (f.start, -f.end, f.name_start))
    return tuple(_without_repeated_fields(_contained(syntax, ordered)))


def _merge(
    syntax: Syntax, found: dict[int, _Found], pattern: int, role: str, name: tree_sitter.Node, captures: Captures
) -> None:
    """Take one match in. Several patterns may match one definition: bare, decorated, exported."""
    whole = captures[role][0]
    start, end, name_start = whole.start_byte, whole.end_byte, name.start_byte
    bodies, owners = captures.get("body"), captures.get("owner")
    body_start = bodies[0].start_byte if bodies else -1
    owner = ".".join(_text(syntax, node) for node in owners) if owners else ""
    kind = role.removeprefix("definition.")
    known = found.get(name_start)
    if known is None:
        text = _text(syntax, name)
        text = text.lstrip(SIGILS).rstrip(ENDINGS) or text
        found[name_start] = _Found(text, name_start, start, end, body_start, kind, pattern, owner)
        return
    if known.body_start < 0:
        known.body_start = body_start
    known.owner = known.owner or owner
    if end - start > known.end - known.start:
        known.start, known.end = start, end
    if pattern > known.pattern:
        known.kind, known.pattern = kind, pattern


def _text(syntax: Syntax, node: tree_sitter.Node) -> str:
    return syntax.source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _is_whole(capture: str) -> bool:
    return capture.startswith(("definition.", "container"))


def _contained(syntax: Syntax, ordered: Iterable[_Found]) -> Iterable[Definition]:
    """Give each definition its container and settle the kinds that depend on it."""
    around: list[tuple[int, str, str]] = []  # end, name, kind of the definitions that are open
    for item in ordered:
        while around and around[-1][0] < item.end:
            around.pop()
        containers = around
        if item.kind == "field":  # ``self.x = …`` belongs to the class, not to the method that sets it
            while containers and containers[-1][2] in {"function", "method"}:
                containers = containers[:-1]
        if not item.kind.startswith("container") and item.name:
            kind = _settled_kind(item.kind, in_class=bool(containers) and containers[-1][2] in CLASS_LIKE)
            path = ".".join([*(part for _, part, _ in containers), *([item.owner] if item.owner else ())])
            span, signature = _spans(syntax, item)
            yield Definition(item.name, kind, span, signature, path)
        if item.kind in _HOLDERS:
            around.append((item.end, item.name, item.kind))


def _settled_kind(kind: str, *, in_class: bool) -> Kind:
    if in_class:
        kind = {"function": "method", "variable": "field"}.get(kind, kind)
    return next(known for known in KINDS if known == kind)


def _spans(syntax: Syntax, item: _Found) -> tuple[Span, Span]:
    """Return all of a definition, and it from its start to its body, or its first lines when it has none."""
    source, to_offset = syntax.source, syntax.bytes_map.to_offset
    if item.body_start > item.start:
        end = item.body_start
    else:
        end = item.start
        for _ in range(SIGNATURE_LINES):
            end = source.find(b"\n", end + 1, item.end)
            if end < 0:
                end = item.end
                break
    end = item.start + len(source[item.start : end].rstrip())
    whole = item.end
    while whole > end and source[whole - 1] in b"\r\n":  # C's directives hold the end of their line
        whole -= 1
    start = to_offset(item.start)
    return Span(start, max(start, to_offset(whole))), Span(start, max(start, to_offset(end)))


def _without_repeated_fields(definitions: Iterable[Definition]) -> Iterable[Definition]:
    """Keep the first of several assignments to one field: it is where the field is made."""
    seen: set[tuple[str, str]] = set()
    for definition in definitions:
        if definition.kind == "field":
            key = (definition.container, definition.name)
            if key in seen:
                continue
            seen.add(key)
        yield definition


def _references(syntax: Syntax, matches: Matches, definitions: Iterable[Definition]) -> Mapping[str, int]:
    """Count the words of the code that are not reserved: the names of the references query, at a sixth of its price."""
    found = Counter(words_alone(syntax.code_only(matches)).split())
    reserved = RESERVED[syntax.language.name]
    kept, words = as_names(found)
    counts = {word: found[raw] for raw, word in zip(kept, words, strict=True) if word not in reserved}
    for definition in definitions:  # the name in its own definition is no use of it
        if definition.name in counts:
            counts[definition.name] -= 1
    used = {name: count for name, count in counts.items() if count > 0}
    if len(used) <= REFERENCES_LIMIT:
        return used
    return dict(sorted(used.items(), key=lambda item: (-item[1], item[0]))[:REFERENCES_LIMIT])


def _imports(syntax: Syntax, matches: Matches) -> tuple[Import, ...]:
    modules: dict[int, tuple[str, dict[str, None]]] = {}
    for _, captures in matches:
        for module in captures.get("import.module", ()):
            _take_import(syntax, modules, module.start_byte, _text(syntax, module).strip("<>\"'"), captures)
        if begin := captures.get("import.from"):  # Scala's grammar knows the parts of a path, not the path
            start, end = begin[0].start_byte, captures.get("import.to", begin)[0].end_byte
            written = syntax.source[start:end].decode("utf-8", "replace")
            _take_import(syntax, modules, start, written, captures)
    return tuple(Import(module, tuple(names)) for _, (module, names) in sorted(modules.items()) if module)


def _take_import(
    syntax: Syntax, modules: dict[int, tuple[str, dict[str, None]]], start: int, module: str, captures: Captures
) -> None:
    known, names = modules.get(start, ("", {}))
    names.update({_text(syntax, node): None for node in captures.get("import.name", ())})
    modules[start] = (max(module, known, key=len), names)
