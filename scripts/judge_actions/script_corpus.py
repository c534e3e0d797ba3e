"""Collect material for TypeScript tasks: published packages, their functions, and which of these their tests run."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tree_sitter

from scripts.judge_actions.node_tools import NodeFolder, NodePackage, unpacked
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import Syntax, parse

MANIFEST: Final = Path(__file__).with_name("npm.toml")
THROWS: Final = 'throw new Error("never run");'
_KINDS: Final = frozenset(("function_declaration", "method_definition"))


@dataclass(frozen=True, slots=True)
class ScriptCorpus:
    """A package with the test files that pass unchanged. ``kept`` is where it stores which functions are tested."""

    folder: NodeFolder
    texts: Mapping[str, str]
    tests: Mapping[str, str]
    kept: Path

    @property
    def name(self) -> str:
        """The package's name."""
        return self.folder.package.name


@dataclass(frozen=True, slots=True)
class ScriptPlace:
    """A function or method. ``owner`` is its class, empty for a function."""

    path: str
    name: str
    owner: str
    text: str
    syntax: Syntax
    node: tree_sitter.Node
    """The definition, with ``export`` in front."""
    function: tree_sitter.Node

    @property
    def full_name(self) -> str:
        """The name with its class."""
        return f"{self.owner}.{self.name}" if self.owner else self.name

    @property
    def body(self) -> Span:
        """The braces of the body and what is between them."""
        body = self.function.child_by_field_name("body")
        assert body is not None, "functions without a body are no places"
        return self.syntax.wrap(body).span

    @property
    def whole(self) -> Span:
        """The definition without its comment."""
        return self.syntax.wrap(self.node).span

    @property
    def lines(self) -> int:
        """How many lines are between the braces."""
        return self.body.text(self.text).count("\n") - 1

    @property
    def comment(self) -> Span | None:
        """The documentation comment, up to the definition."""
        before = self.node.prev_named_sibling
        if before is None or before.type != "comment" or not (before.text or b"").startswith(b"/**"):
            return None
        span = Span(self.syntax.wrap(before).span.start, self.whole.start)
        return span if not span.text(self.text).split("*/", 1)[1].strip() else None

    @property
    def parameters(self) -> list[tree_sitter.Node]:
        """The parameters."""
        parameters = self.function.child_by_field_name("parameters")
        return parameters.named_children if parameters is not None else []

    def cursor(self) -> Span:
        """Return a cursor in the name."""
        name = self.function.child_by_field_name("name")
        assert name is not None, "a place has a name"
        start = self.syntax.wrap(name).span.start
        return Span(start, start)


def script_corpora(folder: Path, names: set[str]) -> Iterator[ScriptCorpus]:
    """Yield the packages of the manifest, or those of some names, that are available and have passing tests."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = tomllib.loads(MANIFEST.read_text("utf-8"))
    for row in manifest["package"]:
        package = NodePackage(**row | {"conditions": tuple(row.get("conditions", ()))})
        place = unpacked(package, manifest["tools"], folder) if not names or package.name in names else None
        corpus = _corpus(place, folder) if place is not None else None
        if corpus is not None:
            yield corpus


def _corpus(place: NodeFolder, folder: Path) -> ScriptCorpus | None:
    kept = folder / f"{place.root.name}.tested.json"
    if not kept.exists():
        kept.write_text(json.dumps({"tests": place.passing_tests(), "tested": {}}), "utf-8")
    tests = json.loads(kept.read_text("utf-8"))["tests"]
    files = sorted((place.root / place.package.sources).rglob("*.ts"))
    paths = [file.relative_to(place.root).as_posix() for file in files]
    own = [path for path in paths if not path.endswith((".spec.ts", ".test.ts", ".d.ts")) and "/tests/" not in path]
    return ScriptCorpus(place, _read(place.root, own), _read(place.root, tests), kept) if tests else None


def _read(root: Path, paths: list[str]) -> dict[str, str]:
    return {path: (root / path).read_text("utf-8") for path in paths}


def is_tested(corpus: ScriptCorpus, place: ScriptPlace) -> bool:
    """Whether a test fails when a function throws; each answer is stored."""
    stored: dict[str, Any] = json.loads(corpus.kept.read_text("utf-8"))
    key = f"{place.path} {place.full_name}"
    if key not in stored["tested"]:
        text = apply_edits(place.text, [Edit(place.body, f"{{\n{THROWS}\n}}")])
        stored["tested"][key] = bool(corpus.folder.failing_tests({place.path: text}, corpus.tests))
        corpus.kept.write_text(json.dumps(stored), "utf-8")
    return bool(stored["tested"][key])


def script_places(corpus: ScriptCorpus) -> list[ScriptPlace]:
    """Return the functions and methods with a body that their file has once."""
    return [place for path, text in corpus.texts.items() for place in _places_in(path, text)]


def _places_in(path: str, text: str) -> list[ScriptPlace]:
    candidates = list(_walk(path, text))
    names = [place.full_name for place in candidates]
    return [place for place in candidates if names.count(place.full_name) == 1]


def place_named(path: str, text: str, full_name: str) -> ScriptPlace | None:
    """Return the function of a name in a text."""
    return next((place for place in _places_in(path, text) if place.full_name == full_name), None)


def _walk(path: str, text: str) -> Iterator[ScriptPlace]:
    syntax = parse(LANGUAGES["typescript"], text)
    waiting = [(child, "") for child in syntax.tree.root_node.named_children] if syntax is not None else []
    while waiting and syntax is not None:
        node, owner = waiting.pop(0)
        inner = node.child_by_field_name("declaration") if node.type == "export_statement" else node
        if inner is None:
            continue
        name = inner.child_by_field_name("name")
        body = inner.child_by_field_name("body")
        if name is None or body is None:
            continue
        own = (name.text or b"").decode("utf-8", "replace")
        if inner.type in _KINDS:
            yield ScriptPlace(path, own, owner, text, syntax, node, inner)
        elif body.type == "class_body":
            waiting += [(child, own) for child in body.named_children]
