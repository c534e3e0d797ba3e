"""What one text defines, uses and imports: a pure function over its syntax, driven by ``text/queries``.

Never reads files and never fails: broken code yields what still parses, a text of no known language yields nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from spark_lsp.text.edit import Span
from spark_lsp.text.language import Language, query
from spark_lsp.text.syntax import Node, Syntax, parse

Kind = Literal["function", "method", "class", "interface", "type", "enum", "variable", "constant", "field"]

KINDS: tuple[Kind, ...] = get_args(Kind)
CLASS_LIKE = frozenset({"class", "interface", "enum", "container.type"})
_HOLDERS = frozenset({*CLASS_LIKE, "function", "method", "type", "container"})  # kinds that can hold definitions

SIGNATURE_LINES = 3  # a definition without a body (a constant's table) shows no more of itself than this
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


Matches = Sequence[tuple[int, Mapping[str, Sequence[Node]]]]


@dataclass(slots=True)
class _Found:
    """A definition while its patterns are put together; the widest span and the last pattern's kind win."""

    name: Node
    span: Span
    body: Span | None
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
    both = query(syntax.language, "definitions", "imports")  # one walk over the tree costs less than two
    matches = syntax.matches(both) if both else []
    definitions = _definitions(syntax.text, matches)
    return FileSymbols(definitions, _references(syntax, definitions), _imports(syntax.text, matches))


def definition_at(symbols: FileSymbols, offset: int) -> Definition | None:
    """Return the innermost definition around an offset, fields and variables included."""
    around = [definition for definition in symbols.definitions if definition.span.contains(offset)]
    return min(around, key=lambda d: (len(d.span), -d.span.start), default=None)


def _definitions(text: str, matches: Matches) -> tuple[Definition, ...]:
    found: dict[int, _Found] = {}
    for pattern, captures in matches:
        if "name" in captures:
            _merge(found, pattern, captures)
    ordered = sorted(found.values(), key=lambda f: (f.span.start, -f.span.end, f.name.span.start))
    return tuple(_without_repeated_fields(_contained(text, ordered)))


def _merge(found: dict[int, _Found], pattern: int, captures: Mapping[str, Sequence[Node]]) -> None:
    """Take one match in. Several patterns may match one definition: bare, decorated, exported."""
    whole, kind = next(
        ((nodes[0], name.removeprefix("definition.")) for name, nodes in captures.items() if _is_whole(name)),
        (None, ""),
    )
    names, bodies = captures["name"], captures.get("body")
    if whole is None:
        return
    body = bodies[0].span if bodies else None
    known = found.get(names[0].span.start)
    owner = ".".join(str(node.raw.text, "utf-8") for node in captures.get("owner", ()) if node.raw.text)
    if known is None:
        found[names[0].span.start] = _Found(names[0], whole.span, body, kind, pattern, owner)
        return
    known.body, known.owner = known.body or body, known.owner or owner
    if len(whole.span) > len(known.span):
        known.span = whole.span
    if pattern > known.pattern:
        known.kind, known.pattern = kind, pattern


def _is_whole(capture: str) -> bool:
    return capture.startswith(("definition.", "container"))


def _contained(text: str, ordered: Iterable[_Found]) -> Iterable[Definition]:
    """Give each definition its container and settle the kinds that depend on it."""
    around: list[tuple[int, str, str]] = []  # end, name, kind of the definitions that are open
    for item in ordered:
        while around and around[-1][0] < item.span.end:
            around.pop()
        name = item.name.span.text(text)
        containers = around
        if item.kind == "field":  # ``self.x = …`` belongs to the class, not to the method that sets it
            while containers and containers[-1][2] in {"function", "method"}:
                containers = containers[:-1]
        if not item.kind.startswith("container") and name:
            kind = _settled_kind(item.kind, in_class=bool(containers) and containers[-1][2] in CLASS_LIKE)
            path = ".".join([*(part for _, part, _ in containers), *([item.owner] if item.owner else ())])
            yield Definition(name, kind, item.span, _signature(text, item), path)
        if item.kind in _HOLDERS:
            around.append((item.span.end, name, item.kind))


def _settled_kind(kind: str, *, in_class: bool) -> Kind:
    if in_class:
        kind = {"function": "method", "variable": "field"}.get(kind, kind)
    return next(known for known in KINDS if known == kind)


def _signature(text: str, item: _Found) -> Span:
    """Return the span from the definition's start to its body, or its first lines when it has none."""
    if item.body is not None and item.body.start > item.span.start:
        head = text[item.span.start : item.body.start].rstrip()
        return Span(item.span.start, item.span.start + len(head))
    end = item.span.start
    for _ in range(SIGNATURE_LINES):
        end = text.find("\n", end + 1, item.span.end)
        if end < 0:
            end = item.span.end
            break
    return Span(item.span.start, item.span.start + len(text[item.span.start : end].rstrip()))


def _without_repeated_fields(definitions: Iterable[Definition]) -> Iterable[Definition]:
    """Keep the first of several assignments to one field: it is where the field is made."""
    seen: set[tuple[str, str]] = set()
    for definition in definitions:
        key = (definition.container, definition.name)
        if definition.kind == "field" and key in seen:
            continue
        seen.add(key)
        yield definition


def _references(syntax: Syntax, definitions: Iterable[Definition]) -> Mapping[str, int]:
    references_query = query(syntax.language, "references")
    if references_query is None:
        return {}
    counts = syntax.count_texts(references_query, "reference")
    for definition in definitions:  # the name in its own definition is no use of it
        counts[definition.name] -= 1
    used = {name: count for name, count in counts.items() if count > 0 and name}
    if len(used) <= REFERENCES_LIMIT:
        return used
    return dict(sorted(used.items(), key=lambda item: (-item[1], item[0]))[:REFERENCES_LIMIT])


def _imports(text: str, matches: Matches) -> tuple[Import, ...]:
    modules: dict[int, tuple[str, dict[str, None]]] = {}
    for _, captures in matches:
        for module in captures.get("import.module", ()):
            written = module.span.text(text).strip("<>\"'")
            _, names = modules.setdefault(module.span.start, (written, {}))
            names.update({node.span.text(text): None for node in captures.get("import.name", ())})
    return tuple(Import(module, tuple(names)) for _, (module, names) in sorted(modules.items()) if module)
