"""Edit the imports at the top of a Python file: add a name in sorted order, and move imports to the top. Pure.

A name is added to the ``from`` line of its module if there is one; otherwise a new line is inserted in its group
(standard library, other packages, relative) before the first line that sorts after it.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spark_lsp.actions.layout import newline_of

MAX_LINE_COLUMNS = 120
_LONG_LINE = 88


@dataclass(frozen=True, slots=True, order=True)
class Needed:
    """An import: ``import module`` without a name, else ``from module import name``; ``level`` counts leading dots."""

    module: str
    name: str = ""
    alias: str = ""
    level: int = 0

    @property
    def bound(self) -> str:
        """The name that it binds in the file."""
        return self.alias or self.name or self.module.split(".")[0]

    @property
    def path(self) -> str:
        """The module as written after ``from``."""
        return "." * self.level + self.module

    @property
    def line(self) -> str:
        """The import as a line of its own."""
        tail = f" as {self.alias}" if self.alias else ""
        return f"from {self.path} import {self.name}{tail}" if self.name else f"import {self.module}{tail}"


def imports_of(node: ast.Import | ast.ImportFrom) -> list[Needed]:
    """Return the imports of one statement."""
    if isinstance(node, ast.Import):
        return [Needed(alias.name, "", alias.asname or "") for alias in node.names]
    return [Needed(node.module or "", alias.name, alias.asname or "", node.level) for alias in node.names]


def with_imports(text: str, wanted: Sequence[Needed]) -> str:
    """Return a file that has these imports at its top; existing imports are skipped."""
    for imported in sorted(set(wanted)):
        text = _with_one(text, imported)
    return text


def _with_one(text: str, wanted: Needed) -> str:
    tree = ast.parse(text)
    block = _block(tree)
    if any(wanted in imports_of(node) for node in block):
        return text
    newline = newline_of(text)
    lines = text.split("\n")
    same = [
        statement for statement in block if isinstance(statement, ast.ImportFrom) and _path(statement) == wanted.path
    ]
    same = [statement for statement in same if statement.names[0].name != "*"]
    if wanted.name and same:
        node = same[-1]
        start, end = node.lineno - 1, node.end_lineno or node.lineno
        lines[start:end] = _joined(lines[start:end], node, wanted, newline)
        return "\n".join(lines)
    at = _line_for(block, wanted, tree)
    tail = "\r" if newline == "\r\n" else ""
    added = [wanted.line + tail]
    if not block:
        is_first = at == 0
        added = [*added, tail] if is_first else [tail, *added]
        if not is_first and at < len(lines) and lines[at].strip():
            added.append(tail)
        if is_first and lines[0].strip().startswith(("def", "class", "@", "async")):
            added.append(tail)
    elif _is_alone(block, wanted):
        added = [tail, *added] if at and lines[at - 1].strip() else added
        added = [*added, tail] if at < len(lines) and lines[at].strip() else added
    lines[at:at] = added
    return "\n".join(lines)


def _joined(own: list[str], node: ast.ImportFrom, wanted: Needed, newline: str) -> list[str]:
    """Return the lines of a ``from`` import with one more name, in the same layout."""
    tail = "\r" if newline == "\r\n" else ""
    clause = f"{wanted.name} as {wanted.alias}" if wanted.alias else wanted.name
    names = [f"{alias.name} as {alias.asname}" if alias.asname else alias.name for alias in node.names]
    is_sorted = names == sorted(names, key=_sort_key) or names == sorted(names)
    names = sorted({*names, clause}, key=_sort_key) if is_sorted else [*names, clause]
    comments = any("#" in line for line in own)
    if comments and len(own) == 1:
        return [*own, f"{wanted.line}{tail}"]
    if len(own) > 1:
        at = next((n for n, line in enumerate(own) if n and _sort_key(line.strip()) > _sort_key(clause)), len(own) - 1)
        if own[-1].strip().startswith(")") and all(line.rstrip("\r").rstrip().endswith(",") for line in own[1:-1]):
            indent = own[1][: len(own[1]) - len(own[1].lstrip())]
            return [*own[:at], f"{indent}{clause},{tail}", *own[at:]]
        return [*own, f"{wanted.line}{tail}"]
    line = f"from {wanted.path} import {', '.join(names)}"
    limit = MAX_LINE_COLUMNS if len(own[0]) > _LONG_LINE else _LONG_LINE
    if len(line) <= limit:
        return [line + tail]
    return [f"from {wanted.path} import ({tail}", *(f"    {name},{tail}" for name in names), f"){tail}"]


def _sort_key(name: str) -> tuple[int, str]:
    """Return the usual order of names in an import: constants, classes, then the rest."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2, name.lower())


def _block(tree: ast.Module) -> list[ast.Import | ast.ImportFrom]:
    """Return the imports at the top of a file, before its first other statement, without those in ``if``."""
    block: list[ast.Import | ast.ImportFrom] = []
    for number, node in enumerate(tree.body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            block.append(node)
            continue
        is_between = (number == 0 and _is_text(node)) or (block and isinstance(node, ast.If | ast.Try))
        if not is_between and (block or not isinstance(node, ast.Assign | ast.Expr)):
            break
    return block


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _line_for(block: Sequence[ast.Import | ast.ImportFrom], wanted: Needed, tree: ast.Module) -> int:
    """Return the index of the line before which a new import goes."""
    if not block:
        first = tree.body[0] if tree.body else None
        return (first.end_lineno or 0) if first is not None and _is_text(first) else 0
    key = _order(wanted)
    plain = [node for node in block if _path(node) != "__future__"]
    behind = next((node for node in plain if _order(_first_of(node)) > key), None)
    if behind is None or not _is_ordered(plain):
        group = [node for node in block if _group(_first_of(node)) == _group(wanted)]
        return (group or list(block))[-1].end_lineno or 0
    before = [node for node in plain if node.lineno < behind.lineno]
    if before and _group(_first_of(behind)) != _group(wanted):
        return before[-1].end_lineno or 0
    return behind.lineno - 1


def _is_alone(block: Sequence[ast.Import | ast.ImportFrom], wanted: Needed) -> bool:
    """Whether an import is the first of its group, so that a blank line separates it from the others."""
    groups = {_group(_first_of(node)) for node in block}
    return _group(wanted) not in groups


def _is_ordered(block: Sequence[ast.Import | ast.ImportFrom]) -> bool:
    keys = [_order(_first_of(node)) for node in block]
    return keys == sorted(keys)


def _order(wanted: Needed) -> tuple[int, int, str]:
    return _group(wanted), int(bool(wanted.name)), wanted.path.lower()


def _group(wanted: Needed) -> int:
    if wanted.level:
        return 3
    top = wanted.module.split(".")[0]
    return 0 if top == "__future__" else 1 if top in sys.stdlib_module_names else 2


def _first_of(node: ast.Import | ast.ImportFrom) -> Needed:
    return imports_of(node)[0]


def _path(node: ast.Import | ast.ImportFrom) -> str:
    return "." * node.level + (node.module or "") if isinstance(node, ast.ImportFrom) else ""


@dataclass(frozen=True, slots=True)
class Hoisted:
    """A text without the imports that an edit put into the middle of it, and those imports."""

    text: str
    imports: tuple[Needed, ...]
    problem: str = ""


def hoisted(before: str, after: str) -> Hoisted:
    """Remove the imports that an edit added anywhere in the file; earlier imports stay.

    An import in ``try`` or ``if`` is conditional, so it stays where it is.
    """
    known = Counter(imported for node in _all_imports(ast.parse(before)) for imported in imports_of(node))
    tree = ast.parse(after)
    counts = Counter(imported for node in _all_imports(tree) for imported in imports_of(node))
    block = {id(node) for node in _block(tree)}
    added = [
        node
        for node in _plain_imports(tree)
        if any(
            not known[imported] or (id(node) not in block and counts[imported] > known[imported])
            for imported in imports_of(node)
        )
    ]
    if any(imported.name == "*" for node in added for imported in imports_of(node)):
        return Hoisted(after, (), "The model's text imports everything from a module.")
    lines = after.split("\n")
    for node in sorted(added, key=lambda statement: -statement.lineno):
        start, end = node.lineno - 1, node.end_lineno or node.lineno
        text = "\n".join(lines[start:end]).strip()
        if not re.match(r"(?:from|import)\b", text) or ";" in text:
            return Hoisted(after, (), "The model's text imports in the middle of a line.")
        del lines[start:end]
        while start < len(lines) and not lines[start].strip() and (start == 0 or _opens(lines[start - 1])):
            del lines[start]
    imports = tuple(dict.fromkeys(imported for node in added for imported in imports_of(node)))
    taken = imports and _bound_otherwise(tree) & {imported.bound for imported in imports}
    if taken:
        return Hoisted(after, (), f"The model's text imports {', '.join(sorted(taken))}, which is a name of the file.")
    return Hoisted("\n".join(lines), imports)


def _opens(line: str) -> bool:
    """Whether an empty line below this one would look odd."""
    return line.rstrip().endswith(":") or not line.strip()


def _all_imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))


def _plain_imports(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield unconditional imports: not those in ``if`` and ``try``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not isinstance(child, ast.If | ast.Try):
            yield from _plain_imports(child)


def _bound_otherwise(tree: ast.Module) -> set[str]:
    """Return the names that a module binds without an import."""
    names = {
        statement.name
        for statement in tree.body
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        names |= {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}
    return names


def without_unused(before: str, after: str, unused: Sequence[str]) -> str:
    """Return a text without new imports at its top that bind these names."""
    old = {imported for node in _all_imports(ast.parse(before)) for imported in imports_of(node)}
    lines = after.split("\n")
    for node in reversed(_block(ast.parse(after))):
        kept = [imported for imported in imports_of(node) if imported in old or imported.bound not in unused]
        if len(kept) == len(node.names):
            continue
        start, end = node.lineno - 1, node.end_lineno or node.lineno
        tail = "\r" if lines[start].endswith("\r") else ""
        clauses = ", ".join(
            f"{imported.name} as {imported.alias}" if imported.alias else imported.name for imported in kept
        )
        if isinstance(node, ast.Import):
            lines[start:end] = [imported.line + tail for imported in kept]
        else:
            lines[start:end] = [f"from {_path(node)} import {clauses}{tail}"] if kept else []
    return "\n".join(lines)
