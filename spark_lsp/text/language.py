"""One row per language: how its files are named, which grammar parses them, which marks its comments carry.

To add a language, add a row here and a query file in ``text/queries``; a test walks every row. Files of no row are
plain text and still work, by lines.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from os.path import splitext
from pathlib import PurePath
from typing import Literal, get_args

import tree_sitter


@dataclass(frozen=True, slots=True)
class Language:
    """What is known of one language.

    ``grammar`` is ``module:function`` of an official tree-sitter wheel. ``query`` names a file in ``text/queries``.
    ``block_openers`` are the characters with which a line that invites a block ends.
    """

    name: str
    extensions: tuple[str, ...]
    grammar: str
    query: str
    line_comment: str
    block_openers: str
    client_ids: tuple[str, ...] = ()
    """Language ids that editors use besides ``name``."""
    indents_blocks: bool = False
    """Whether indentation alone delimits blocks (Python)."""


_ROWS = (
    Language("python", (".py", ".pyi"), "tree_sitter_python:language", "python", "#", ":([{", indents_blocks=True),
    Language(
        "javascript",
        (".js", ".jsx", ".mjs", ".cjs"),
        "tree_sitter_javascript:language",
        "javascript",
        "//",
        "{([",
        ("javascriptreact",),
    ),
    Language(
        "typescript",
        (".ts", ".mts", ".cts"),
        "tree_sitter_typescript:language_typescript",
        "typescript",
        "//",
        "{([",
    ),
    Language(
        "tsx",
        (".tsx",),
        "tree_sitter_typescript:language_tsx",
        "typescript",
        "//",
        "{([",
        ("typescriptreact",),
    ),
    Language("go", (".go",), "tree_sitter_go:language", "go", "//", "{(["),
    Language("rust", (".rs",), "tree_sitter_rust:language", "rust", "//", "{(["),
    Language("java", (".java",), "tree_sitter_java:language", "java", "//", "{(["),
    Language("c", (".c",), "tree_sitter_c:language", "c", "//", "{(["),
    Language(
        "cpp",
        (".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".hxx"),
        "tree_sitter_cpp:language",
        "cpp",
        "//",
        "{([",
        ("c++",),
    ),
    Language("csharp", (".cs",), "tree_sitter_c_sharp:language", "csharp", "//", "{(["),
    Language("ruby", (".rb", ".rake", ".gemspec", ".ru"), "tree_sitter_ruby:language", "ruby", "#", "|{(["),
    Language("php", (".php", ".phtml"), "tree_sitter_php:language_php", "php", "//", "{(["),
    Language("lua", (".lua",), "tree_sitter_lua:language", "lua", "--", "{(["),
    Language("bash", (".sh", ".bash"), "tree_sitter_bash:language", "bash", "#", "{([", ("shellscript", "sh")),
    Language("kotlin", (".kt", ".kts"), "tree_sitter_kotlin:language", "kotlin", "//", "{(["),
    Language("scala", (".scala", ".sc", ".sbt"), "tree_sitter_scala:language", "scala", "//", "{(["),
    Language("swift", (".swift",), "tree_sitter_swift:language", "swift", "//", "{(["),
)

LANGUAGES: Mapping[str, Language] = {row.name: row for row in _ROWS}
_BY_EXTENSION = {extension: row for row in _ROWS for extension in row.extensions}
_BY_CLIENT_ID = {client_id: row for row in _ROWS for client_id in (row.name, *row.client_ids)}


_SHARED: tuple[frozenset[str], ...] = (
    frozenset({"javascript", "typescript", "tsx"}),
    frozenset({"c", "cpp"}),
    frozenset({"java", "kotlin", "scala"}),
)
"""Languages whose files use each other's definitions."""


def may_use(user: str, definer: str) -> bool:
    """Whether code in one language can name a definition in another; a text of no known language can name any."""
    return user == definer or user not in LANGUAGES or any({user, definer} <= group for group in _SHARED)


def language_of_path(path: PurePath | str) -> Language | None:
    """Return the row that a file name belongs to, or None for plain text."""
    return _BY_EXTENSION.get(splitext(path)[1].lower())  # noqa: PTH122 - a path for each file of a workspace is slow


def language_of_id(client_id: str) -> Language | None:
    """Return the row of an editor's language id, or None for plain text."""
    return _BY_CLIENT_ID.get(client_id)


@cache
def grammar(language: Language) -> tree_sitter.Language:
    """Load the grammar of a language, once per process."""
    module, function = language.grammar.split(":")
    return tree_sitter.Language(getattr(import_module(module), function)())


Section = Literal["definitions", "references", "imports", "scopes", "comments"]
_INHERITS = re.compile(r"^; inherits: (\w+)$", re.MULTILINE)


@cache
def query_source(language: Language) -> str:
    """Return the language's query file, each section behind that of the file it inherits; empty when it has none."""
    return _query_text(language.query)


def _query_text(name: str) -> str:
    resource = files("spark_lsp.text") / "queries" / f"{name}.scm"
    text = resource.read_text("utf-8") if resource.is_file() else ""
    inherited = _INHERITS.search(text)
    if inherited is None:
        return text
    texts = (_query_text(inherited[1]), text)
    return "\n".join(
        f";; {section}\n" + "\n".join(_section(text, section).strip("\n") for text in texts) + "\n"
        for section in get_args(Section)
    )


def _section(text: str, section: str) -> str:
    """Return a section of a query file; it begins at ``;; section``."""
    return text.partition(f";; {section}\n")[2].partition("\n;; ")[0]


@cache
def query(language: Language, *sections: Section) -> tree_sitter.Query | None:
    """Compile sections of a language's query file as one query, once per process."""
    source = "\n".join(_section(query_source(language), section) for section in sections)
    return tree_sitter.Query(grammar(language), source) if source.strip() else None
