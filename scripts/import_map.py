"""Draw which folders of the code import which, and list the import cycles among them.

usage: python -m scripts.import_map [--svg FILE] [FOLDER ...]

Without folders it prints every folder of the package, of the tests, the scripts and the training code. A folder
includes everything in it, so a cycle is two neighbours that import from each other. Reads the files as text; never
imports them.
"""

import argparse
import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOPS = ("spark_lsp", "models", "scripts", "tests")
BOX_WIDTH, BOX_HEIGHT, GAP = 150, 34, 26

Graph = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Import:
    """An import between two modules of the repository; both are paths from its root."""

    source: str
    target: str


def imports_of(root: Path = ROOT) -> frozenset[Import]:
    """Return the imports among the Python files of the repository, those inside functions included."""
    files = {
        path.relative_to(root).as_posix(): path
        for top in TOPS
        for path in (root / top).rglob("*.py")
        if not {".venv", "node_modules"} & set(path.parts)
    }
    named = {place.removesuffix(".py").removesuffix("/__init__").replace("/", "."): place for place in files}
    imports = set()
    for place, path in files.items():
        for name in _names(ast.parse(path.read_text("utf-8"))):
            target = named.get(name) or named.get(name.rpartition(".")[0])
            if target is not None and target != place:
                imports.add(Import(place, target))
    return frozenset(imports)


def graph_of(folder: str, imports: frozenset[Import]) -> Graph:
    """Return which children of a folder (files, and whole folders) import which; an empty folder is the root."""
    edges: dict[str, set[str]] = defaultdict(set)
    for imported in imports:
        source, target = _child(folder, imported.source), _child(folder, imported.target)
        if source and target:
            edges[source].add(target)
            edges[target].update()
    return {child: frozenset(targets - {child}) for child, targets in sorted(edges.items())}


def circles(graph: Graph) -> list[list[str]]:
    """Return the groups of children that import each other in a cycle (Tarjan's algorithm)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    all_circles: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for after in sorted(graph.get(node, ())):
            if after not in number:
                visit(after)
                low[node] = min(low[node], low[after])
            elif after in stack:
                low[node] = min(low[node], number[after])
        if low[node] == number[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                all_circles.append(sorted(group))

    for node in graph:
        if node not in number:
            visit(node)
    return all_circles


def folder_circles(imports: frozenset[Import]) -> list[tuple[str, list[str]]]:
    """Return every cycle with at least one folder in it, with the folder that contains it."""
    folders = sorted({parent.as_posix() for imported in imports for parent in Path(imported.source).parents})
    return [
        (folder, circle)
        for folder in folders
        for circle in circles(graph_of("" if folder == "." else folder, imports))
        if any(not child.endswith(".py") for child in circle)
    ]


def levels(graph: Graph) -> list[list[str]]:
    """Return the children by level: each is above all that it imports; a cycle has the level of its lowest member."""
    level: dict[str, int] = {}

    def of(node: str, above: frozenset[str]) -> int:
        if node not in level:
            below = [of(after, above | {node}) for after in graph.get(node, ()) if after not in above]
            level[node] = 1 + max(below, default=-1)
        return level[node]

    for node in graph:
        of(node, frozenset())
    rows: dict[int, list[str]] = defaultdict(list)
    for node, row in level.items():
        rows[row].append(node)
    return [sorted(rows[row]) for row in sorted(rows, reverse=True)]


def svg_of(title: str, graph: Graph) -> str:
    """Return an SVG picture: a row for each level, an arrow for each import; an upward arrow is red."""
    rows = levels(graph)
    width = max(len(row) for row in rows) * (BOX_WIDTH + GAP) + GAP
    height = len(rows) * (BOX_HEIGHT + 2 * GAP) + 2 * GAP
    places = {
        child: (
            (width - len(row) * (BOX_WIDTH + GAP) + GAP) // 2 + column * (BOX_WIDTH + GAP),
            2 * GAP + number * (BOX_HEIGHT + 2 * GAP),
        )
        for number, row in enumerate(rows)
        for column, child in enumerate(row)
    }
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/><text x="{GAP}" y="{GAP}">{escape(title)}</text>',
    ]
    for source, targets in graph.items():
        for target in sorted(targets):
            (left, top), (right, bottom) = places[source], places[target]
            colour = "#888" if top < bottom else "#c00"
            drawn.append(
                f'<line x1="{left + BOX_WIDTH // 2}" y1="{top + BOX_HEIGHT}"'
                f' x2="{right + BOX_WIDTH // 2}" y2="{bottom}" stroke="{colour}" stroke-opacity="0.5"/>'
            )
    for child, (left, top) in places.items():
        drawn.append(
            f'<rect x="{left}" y="{top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5" fill="#eef" stroke="#446"/>'
            f'<text x="{left + BOX_WIDTH // 2}" y="{top + 22}" text-anchor="middle">{escape(child)}</text>'
        )
    return "\n".join([*drawn, "</svg>"]) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the map; return 1 if there is a cycle with a folder in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--svg", type=Path, help="draw the first folder into this file")
    parser.add_argument("folders", nargs="*", default=["spark_lsp"], help="folders from the root of the repository")
    options = parser.parse_args(arguments)
    imports = imports_of()
    lines = []
    for folder in options.folders:
        graph = graph_of(folder.strip("/"), imports)
        lines.append(f"{folder}, from the top level down:")
        lines += [
            f"  {child} -> {', '.join(sorted(graph[child])) or 'nothing'}" for row in levels(graph) for child in row
        ]
    if options.svg:
        options.svg.write_text(svg_of(options.folders[0], graph_of(options.folders[0].strip("/"), imports)), "utf-8")
    all_circles = folder_circles(imports)
    lines += [f"circle in {folder}: {', '.join(circle)}" for folder, circle in all_circles]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if all_circles else 0


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _child(folder: str, place: str) -> str:
    """Return the child of a folder that contains a path; empty for a path outside."""
    start = f"{folder}/" if folder else ""
    return place.removeprefix(start).split("/")[0] if place.startswith(start) else ""


if __name__ == "__main__":
    sys.exit(main())
