"""Judge an action's edit with independent tools: a package's tests, ruff, pyright.

Generated code runs only here, in a temporary copy, in a process with a time limit.
"""

import ast
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from rapidfuzz import fuzz

from scripts.judge_actions.corpus import Corpus, Function
from scripts.judge_actions.linters import pyright_errors, ruff_codes
from scripts.judge_actions.mutants import mutants_of
from scripts.judge_actions.solving import Solution
from scripts.judge_actions.tasks import FIXABLE_RULES, Task
from scripts.judge_actions.testing import copied, failing_tests

DOCUMENT_RULES: Final = "D2,D3,D403,D405,D410,D411,D412,D414,D416,D417,D419"
MAX_MUTANTS: Final = 4
Verdict = tuple[bool, str]
"""Whether the edit is right, and the reason."""


def judged(task: Task, solution: Solution, corpus: Corpus, pyright: Path | None) -> Verdict:
    """Judge an offered edit."""
    return _JUDGES[task.action](task, solution, corpus, pyright)


def _before(task: Task, corpus: Corpus) -> str:
    return task.texts.get(task.path) or (corpus.root / task.path).read_text("utf-8")


def _tests(task: Task, solution: Solution, corpus: Corpus) -> str:
    name = task.name.rpartition(".")[2]
    return failing_tests(corpus, {**task.texts, **solution.texts}, [name] if not name.isdigit() else [])


def _by_tests(task: Task, solution: Solution, corpus: Corpus, _pyright: Path | None) -> Verdict:
    failed = _tests(task, solution, corpus)
    return not failed, failed


def _renamed(task: Task, solution: Solution, corpus: Corpus, _pyright: Path | None) -> Verdict:
    failed = _tests(task, solution, corpus)
    if failed:
        return False, failed
    function = _function(solution.texts[task.path], task.name)
    assert function is not None, "a renamed variable takes no function away"
    before = _function(_before(task, corpus), task.name)
    assert before is not None, "the task was made of it"
    new = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    new -= {node.id for node in ast.walk(before) if isinstance(node, ast.Name)}
    name, original = min(new, default=""), str(task.facts["original"])
    return bool(name), f"{name} for {original}, {fuzz.ratio(name, original):.0f} % alike"


def _simplify(task: Task, solution: Solution, corpus: Corpus, _pyright: Path | None) -> Verdict:
    failed = _tests(task, solution, corpus)
    if failed:
        return False, failed
    before, after = (_size(text, task.name) for text in (_before(task, corpus), solution.texts[task.path]))
    return after < before, f"size {before} to {after}"


def _size(text: str, name: str) -> int:
    function = _function(text, name)
    return sum(1 for _ in ast.walk(function)) if function is not None else 0


def _rewrite(task: Task, solution: Solution, corpus: Corpus, _pyright: Path | None) -> Verdict:
    text = solution.texts[task.path]
    function = _function(text, task.name)
    if function is None or not _is_done(task.facts, function, text):
        return False, "what was asked for is not there"
    failed = _tests(task, solution, corpus)
    return not failed, failed


def _is_done(facts: Mapping[str, object], function: Function, text: str) -> bool:
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    source = ast.unparse(function)
    if facts["kind"] == "rename":
        return facts["new"] in names and facts["old"] not in names
    if facts["kind"] == "log":
        return bool(re.search(r"\.debug\(.*called|\.log\(.*DEBUG", source)) and "logging" in text
    if facts["kind"] == "guard":
        return f"{facts['name']} is None" in source and "TypeError" in source
    return any(isinstance(node, ast.JoinedStr) for node in ast.walk(function)) and ".format(" not in source


def _fix(task: Task, solution: Solution, corpus: Corpus, _pyright: Path | None) -> Verdict:
    before, after = _before(task, corpus), solution.texts[task.path]
    rule = str(task.facts["rule"])
    was, now = (ruff_codes(text, f"{FIXABLE_RULES},{rule}") for text in (before, after))
    if now.count(rule) >= was.count(rule):
        return False, f"{rule} is still there"
    new = sorted({code for code in now if code.startswith(("F", "E9")) and now.count(code) > was.count(code)})
    if new:
        return False, f"new: {', '.join(new)}"
    failed = _tests(task, solution, corpus)
    return not failed, failed


def _document(task: Task, solution: Solution, corpus: Corpus, _pyright: Path | None) -> Verdict:
    before, after = _before(task, corpus), solution.texts[task.path]
    if ast.dump(_undocumented(before)) != ast.dump(_undocumented(after)):
        return False, "the code is another"
    function = _function(after, task.name)
    docstring = ast.get_docstring(function) if function is not None else None
    if function is None or not docstring:
        return False, "there is no docstring"
    was, now = (ruff_codes(text, DOCUMENT_RULES) for text in (before, after))
    new = sorted({code for code in now if now.count(code) > was.count(code)})
    if new:
        return False, f"new: {', '.join(new)}"
    own = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    documented = re.findall(
        r":param (?:\w+ )?\*{0,2}(\w+):|^ {4,}\*{0,2}(\w+)(?: \([^)]*\))?: ", docstring, re.MULTILINE
    )
    wrong = sorted({name for pair in documented for name in pair if name} - own - {"Raises", "ValueError", "TypeError"})
    return (False, f"no parameters: {', '.join(wrong)}") if wrong else (True, docstring.split("\n")[0])


def _undocumented(text: str) -> ast.Module:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and isinstance(body, list):
            first = body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(body) > 1:
                del body[0]
    return tree


def _annotate(task: Task, solution: Solution, corpus: Corpus, pyright: Path | None) -> Verdict:
    failed = _tests(task, solution, corpus)
    if failed:
        return False, failed
    if pyright is None:
        return True, "not judged by pyright"
    with copied(corpus, task.texts) as root:
        was = pyright_errors(pyright, root, task.path)
    with copied(corpus, {**task.texts, **solution.texts}) as root:
        now = pyright_errors(pyright, root, task.path)
    new = [finding for finding in now if now.count(finding) > was.count(finding)]
    if new:
        return False, new[0]
    before, after = (_function(text, task.name) for text in (_before(task, corpus), solution.texts[task.path]))
    assert before is not None, "the task was made of it"
    assert after is not None, "annotations take no function away"
    return True, f"places without a type {_untyped(before)} to {_untyped(after)}"


def _untyped(function: Function) -> int:
    args = [node for node in ast.walk(function.args) if isinstance(node, ast.arg) and node.arg not in {"self", "cls"}]
    return sum(argument.annotation is None for argument in args) + (function.returns is None)


def _generated(task: Task, solution: Solution, corpus: Corpus, _pyright: Path | None) -> Verdict:
    (path,) = solution.texts
    texts = {**task.texts, **solution.texts}
    failed = failing_tests(corpus, texts, [], only=path, named=f"test_{task.name}")
    if failed:
        return False, failed
    source = (corpus.root / task.path).read_text("utf-8")
    killed = tried = 0
    for mutant in mutants_of(source, task.name)[:MAX_MUTANTS]:
        tried += 1
        killed += bool(failing_tests(corpus, {**texts, task.path: mutant}, [], only=path, named=f"test_{task.name}"))
    return bool(killed or not tried), f"{killed} of {tried} changed functions noticed"


def _function(text: str, name: str) -> Function | None:
    owner, _, own = name.rpartition(".")
    tree = ast.parse(text)
    body = tree.body
    if owner:
        body = next(
            (
                statement.body
                for statement in tree.body
                if isinstance(statement, ast.ClassDef) and statement.name == owner
            ),
            [],
        )
    return next((statement for statement in body if isinstance(statement, Function) and statement.name == own), None)


_JUDGES: Final[Mapping[str, Callable[[Task, Solution, Corpus, Path | None], Verdict]]] = {
    "implement.body": _by_tests,
    "generate.tests": _generated,
    "document": _document,
    "annotate.types": _annotate,
    "fix.diagnostic": _fix,
    "simplify": _simplify,
    "rewrite": _rewrite,
    "update.references": _by_tests,
    "rename.suggest": _renamed,
}
