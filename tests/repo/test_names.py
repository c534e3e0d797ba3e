"""A class, a type and a file stand for one idea each: no second module gives the name to something else.

The exceptions are one idea that several languages or packages have, each with its reason.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

from tests.repo.source import Module, modules, report

SAME_IDEA: Mapping[str, str] = {
    "AnnotateTypes": "the action annotate.types, of JavaScript and of Python",
    "ExtractFunction": "the action extract.function, of JavaScript and of Python",
    "ExtractVariable": "the action extract.variable, of the compiled languages, JavaScript and Python",
    "InlineVariable": "the action inline.variable, of JavaScript and of Python",
    "ExtractionPlan": "how selected code becomes a function, of JavaScript and of Python",
    "Form": "function, method or what else extracted code becomes, of JavaScript and of Python",
    "Inlining": "a variable and the value that takes its place, of JavaScript and of Python",
    "Piece": "the selected statements or expression, of JavaScript and of Python",
    "Renaming": "a local variable with its places, of JavaScript and of Python",
    "Scope": "a region in which names are declared, of JavaScript and of Python",
    "Binding": "a name of one scope with all its places, of JavaScript and of Python",
    "Gate": "a named refusal: of completions, and of next edits",
    "ChatMessage": "OpenAI's name: the message that a client writes, and the one that the endpoint reads",
    "ModelChoice": "what the server asks for, as a protocol, and the catalogue's answer to it",
    "ModelOffer": "what the server asks for, as a protocol, and the catalogue's answer to it",
}
"""Types that several modules name alike, because they are the same idea."""

SAME_DUTY: Mapping[str, str] = {
    "base.py": "the protocol of a package and its values: of actions, and of engines",
    "gate.py": "an ordered table of named refusals: of completions, and of next edits",
    "dataflow.py": "what goes into and out of extracted code, of JavaScript and of Python",
    "extract_function.py": "the action extract.function, of JavaScript and of Python",
    "extract_variable.py": "the action extract.variable, of the compiled languages, JavaScript and Python",
    "narrowing.py": "the types that a name has only in place, of JavaScript and of Python",
    "node_kinds.py": "what each node type does, of the compiled languages, JavaScript and Python",
    "purity.py": "whether an expression may be moved, of JavaScript and of Python",
    "scopes.py": "the names of scopes, of JavaScript and of Python",
}
"""Files that several folders have, because they do the same for another language or package."""

COMMAND_FILES = re.compile(r"spark_lsp/cli/\w+\.py")
"""A file of a command is named as the command is, so it may have the name of what it prints."""


def type_names(module: Module) -> Iterator[str]:
    """Yield the classes of a module and its public type aliases, without the underscore of private ones."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef):
            yield node.name.removeprefix("_")
    for statement in module.tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if re.fullmatch(r"[A-Z]+[a-z]\w*", name):
                if not (isinstance(value, ast.Call) and ast.unparse(value.func) in {"TypeVar", "ParamSpec"}):
                    yield name


def used_twice(read: Sequence[Module]) -> dict[str, list[str]]:
    """Return the type names that several modules define, with the modules."""
    places: dict[str, set[str]] = defaultdict(set)
    for module in read:
        for name in type_names(module):
            places[name].add(module.place)
    return {name: sorted(several) for name, several in places.items() if len(several) > 1}


def files_named_twice(places: Sequence[str]) -> dict[str, list[str]]:
    """Return the file names that several folders have, with the paths."""
    files: dict[str, list[str]] = defaultdict(list)
    for place in places:
        if not place.endswith("__init__.py") and not COMMAND_FILES.fullmatch(place):
            files[PurePath(place).name].append(place)
    return {name: several for name, several in files.items() if len(several) > 1}


def test_a_type_name_stands_for_one_idea() -> None:
    report(
        [
            f"{places[0]}:1: {name} is defined in {', '.join(places[1:])} too; name one of them for what it holds"
            for name, places in sorted(used_twice(modules()).items())
            if name not in SAME_IDEA
        ]
    )


def test_a_file_name_stands_for_one_duty() -> None:
    twice = files_named_twice([module.place for module in modules()])
    report(
        [
            f"{places[0]}:1: {', '.join(places[1:])} has the same name; name one of them for what it does"
            for name, places in sorted(twice.items())
            if name not in SAME_DUTY
        ]
    )


def test_every_exception_is_needed() -> None:
    twice = files_named_twice([module.place for module in modules()])
    assert sorted(set(SAME_IDEA) - set(used_twice(modules()))) == []
    assert sorted(set(SAME_DUTY) - set(twice)) == []


def test_names_used_twice_are_found() -> None:
    texts = {
        "a.py": "Step = int | str\nclass _Row: ...\nclass A:\n    class Inner: ...\nT = TypeVar('T')\nMAX = 1\n",
        "b.py": "class Step: ...\ndef f():\n    class Row: ...\nclass Inner: ...\nT = TypeVar('T')\nMAX = 1\n",
    }
    read = [Module(place, place[0], text, ast.parse(text)) for place, text in texts.items()]
    assert used_twice(read) == {name: ["a.py", "b.py"] for name in ("Row", "Inner", "Step")}
    places = ["spark_lsp/cli/index.py", "spark_lsp/x/index.py", "spark_lsp/x/a.py", "spark_lsp/y/a.py", "y/__init__.py"]
    assert files_named_twice(places) == {"a.py": ["spark_lsp/x/a.py", "spark_lsp/y/a.py"]}
