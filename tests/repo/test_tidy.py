"""The manners of the code: said once, small, typed, quiet and finished."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import PurePath

from tests.repo.source import ROOT, Module, modules, report

MAX_MODULE_LINES = 500
MAX_FUNCTION_LINES = 60
MAX_DOCSTRING_LINES = 30
VAGUE_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "misc", "manager"})
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
FOREIGN_PATH = re.compile(r"(?<![\w.])/(?:home|Users|root|work)/\w+")
PROSE_AND_CODE = frozenset({".py", ".md", ".toml", ".sh", ".lua", ".ts", ".json", ".scm", ".yml", ".yaml"})

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_every_module_says_what_it_is_for() -> None:
    report([f"{module.place}:1: has no docstring" for module in _ours() if not ast.get_docstring(module.tree)])


def test_modules_and_functions_are_small() -> None:
    long_modules = [
        f"{module.place}:{lines}: has {lines} lines, {MAX_MODULE_LINES} at most"
        for module in modules()
        if (lines := module.text.count("\n")) > MAX_MODULE_LINES
    ]
    long_functions = [
        f"{module.place}:{function.lineno}: {function.name} has {lines} lines, {MAX_FUNCTION_LINES} at most"
        for module in modules()
        for function in _functions(module.tree)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > MAX_FUNCTION_LINES
    ]
    report(long_modules + long_functions)


def test_public_functions_are_documented() -> None:
    report(
        [
            f"{module.place}:{node.lineno}: {node.name} has no docstring"
            for module in modules()
            for node in _public(module.tree)
            if not ast.get_docstring(node) and not _is_overload(node)
        ]
    )


def test_functions_are_annotated() -> None:
    faults = []
    for module in modules():
        for function in _functions(module.tree):
            arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            bare = [a.arg for a in arguments if a.annotation is None and a.arg not in {"self", "cls"}]
            bare += [a.arg for a in (function.args.vararg, function.args.kwarg) if a and a.annotation is None]
            if bare:
                faults.append(f"{module.place}:{function.lineno}: {function.name} has no type for {', '.join(bare)}")
            if function.returns is None:
                faults.append(f"{module.place}:{function.lineno}: {function.name} has no return type")
    report(faults)


def test_only_the_command_line_prints() -> None:
    report(
        [
            f"{module.place}:{node.lineno}: prints; standard output belongs to the language server's stream"
            for module in modules()
            if module.package != "cli"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        ]
    )


def test_names_say_something() -> None:
    report(
        [
            f"{module.place}:1: {part} says nothing; name it for what it holds"
            for module in [*modules(), *modules("tests"), *modules("scripts")]
            for part in PurePath(module.place).with_suffix("").parts
            if part in VAGUE_NAMES
        ]
    )


def test_nothing_is_left_for_later() -> None:
    """Text that speaks of such marks, as a code action does, is fine; comments and statements are not."""
    comments = [
        f"{module.place}:{token.start[0]}: {match.group(1)}; finish it or open an issue"
        for module in _ours()
        for token in tokenize.generate_tokens(io.StringIO(module.text).readline)
        if token.type == tokenize.COMMENT and (match := UNFINISHED.search(token.string))
    ]
    raised = [
        f"{module.place}:{node.lineno}: raises NotImplementedError; finish it"
        for module in _ours()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Raise) and node.exc and "NotImplementedError" in ast.unparse(node.exc)
    ]
    report(comments + raised)


def test_no_path_of_somebodys_machine() -> None:
    """What is committed works anywhere, so it names no folder of the machine that it was written on."""
    faults = []
    for path in _text_files():
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
            if FOREIGN_PATH.search(line) and "FOREIGN_PATH" not in line and "/home/user" not in line:
                faults.append(f"{path.relative_to(ROOT)}:{number}: names a folder of one machine: {line.strip()[:80]}")
    report(faults)


def test_lock_files_hold_no_addresses() -> None:
    """Whose mirror an install came from is nobody's business; npm adds them again, so see editors/vscode/README.md."""
    names = ("package-lock.json", "npm-shrinkwrap.json", "uv.lock", "poetry.lock", "requirements/dev.txt")
    paths = [path for name in names for path in ROOT.rglob(name) if "node_modules" not in path.parts]
    assert [str(path.relative_to(ROOT)) for path in paths if "://" in path.read_text("utf-8")] == []


def _ours() -> tuple[Module, ...]:
    return modules() + modules("scripts")


def _text_files() -> Iterator["PurePath"]:
    skipped = {"node_modules", ".venv", ".git", "dist", "build", "artifacts"}
    for folder in ("docs", "editors", "models", "samples", "scripts", "spark_lsp", "tests", ".ci"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in PROSE_AND_CODE and not skipped & set(path.parts):
                yield path
    yield from (path for path in ROOT.glob("*.md"))


def _functions(tree: ast.AST) -> Iterator[_Function]:
    return (node for node in ast.walk(tree) if isinstance(node, _Function))


def _public(tree: ast.Module | ast.ClassDef) -> Iterator[_Function | ast.ClassDef]:
    """Yield classes and functions of a module's surface: no leading underscore, none inside a function."""
    for node in tree.body:
        if isinstance(node, _Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)


def _is_overload(node: ast.AST) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any(ast.unparse(decorator).split(".")[-1] in {"overload", "override"} for decorator in decorators)
