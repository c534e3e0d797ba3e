"""Judge an action's edit of TypeScript with independent tools: a package's tests, tsc, eslint."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from rapidfuzz import fuzz

from scripts.judge_actions.judges import MAX_MUTANTS, Verdict
from scripts.judge_actions.script_corpus import ScriptCorpus, ScriptPlace, place_named
from scripts.judge_actions.script_tasks import LINT_RULES, locals_of, nodes
from scripts.judge_actions.solving import Solution
from scripts.judge_actions.tasks import Task
from spark_lsp.text.edit import Edit, apply_edits
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import parse

_COMMENT_RULES: Final[Mapping[str, Any]] = {
    "jsdoc/check-tag-names": ["error", {"definedTags": ["category", "internal", "remarks", "typeParam"]}],
} | {
    f"jsdoc/{name}": "error"
    for name in (
        "check-alignment", "check-param-names", "check-syntax", "empty-tags", "no-bad-blocks",
        "require-param-description", "require-returns-check", "require-returns-description", "valid-types",
    )
}  # fmt: skip
_SWAPS: Final[Mapping[str, str]] = {
    "===": "!==", "!==": "===", "==": "!=", "!=": "==", "<": ">=", ">": "<=", "<=": ">", ">=": "<", "+": "-", "-": "+",
    "*": "+", "&&": "||", "||": "&&", "??": "&&",
}  # fmt: skip


def judged_script(task: Task, solution: Solution, corpus: ScriptCorpus) -> Verdict:
    """Judge an offered edit: first what the action has to do, then types, then tests."""
    verdict = _JUDGES[task.action](task, solution, corpus)
    if not verdict[0] or task.action in {"document", "generate.tests"}:
        return verdict
    problem = _new_type_errors(task, solution, corpus)
    problem = problem or corpus.folder.failing_tests({**task.texts, **solution.texts}, corpus.tests)
    return (False, problem) if problem else verdict


def _before(task: Task, corpus: ScriptCorpus) -> str:
    return task.texts.get(task.path) or corpus.texts[task.path]


def _places(task: Task, solution: Solution, corpus: ScriptCorpus) -> tuple[ScriptPlace, ScriptPlace | None]:
    name = str(task.facts.get("function", task.name))
    before = place_named(task.path, _before(task, corpus), name)
    assert before is not None, "the task was made of it"
    return before, place_named(task.path, solution.texts[task.path], name)


def _new_type_errors(task: Task, solution: Solution, corpus: ScriptCorpus) -> str:
    paths = sorted({*corpus.texts, *corpus.tests} if task.action == "update.references" else solution.texts)
    before = corpus.folder.type_errors({} if task.action == "update.references" else task.texts, paths)
    new = corpus.folder.type_errors({**task.texts, **solution.texts}, paths) - before
    return min(new, default="")


def _any(_task: Task, _solution: Solution, _corpus: ScriptCorpus) -> Verdict:
    return True, ""


def _simplify(task: Task, solution: Solution, corpus: ScriptCorpus) -> Verdict:
    before, after = _places(task, solution, corpus)
    if after is None:
        return False, "the function is not there"
    sizes = [sum(1 for _ in nodes(place.function)) for place in (before, after)]
    return sizes[1] < sizes[0], f"size {sizes[0]} to {sizes[1]}"


def _rewrite(task: Task, solution: Solution, corpus: ScriptCorpus) -> Verdict:
    _, after = _places(task, solution, corpus)
    is_done = after is not None and _is_done(task.facts, after)
    return is_done, "" if is_done else "what was asked for is not there"


def _is_done(facts: Mapping[str, Any], place: ScriptPlace) -> bool:
    text = place.whole.text(place.text)
    if facts["kind"] == "rename":
        return facts["new"] in locals_of(place) and not re.search(rf"(?<![\w$.]){facts['old']}(?![\w$])", text)
    if facts["kind"] == "log":
        return re.search(rf"console\.debug\(.*{facts['name']} called", text) is not None
    is_asked = re.search(rf"\b{facts['name']}\s*===?\s*null\b|\bnull\s*===?\s*{facts['name']}\b", text)
    return is_asked is not None and "throw new TypeError(" in text


def _fix(task: Task, solution: Solution, corpus: ScriptCorpus) -> Verdict:
    texts = {**task.texts, **solution.texts}
    rule = str(task.facts["rule"])
    was, now = (
        Counter(finding.code for finding in corpus.folder.lint(edited, [task.path], LINT_RULES))
        for edited in (task.texts, texts)
    )
    if now[rule] >= was[rule]:
        return False, f"{rule} is still there"
    return (False, "it does not parse") if now["syntax"] else (True, "")


def _document(task: Task, solution: Solution, corpus: ScriptCorpus) -> Verdict:
    before, after = _before(task, corpus), solution.texts[task.path]
    if _tokens(before) != _tokens(after):
        return False, "the code is another"
    _, place = _places(task, solution, corpus)
    comment = place.comment if place is not None else None
    if comment is None:
        return False, "there is no comment"
    was, now = (
        Counter(
            f"{finding.code}: {finding.message}" for finding in corpus.folder.lint(texts, [task.path], _COMMENT_RULES)
        )
        for texts in (task.texts, {**task.texts, **solution.texts})
    )
    new = min(now - was, default="")
    return (False, new) if new else (True, comment.text(after).strip())


def _tokens(text: str) -> list[bytes]:
    syntax = parse(LANGUAGES["typescript"], text)
    assert syntax is not None, "the text is no larger than before"
    waiting, tokens = [syntax.tree.root_node], []
    while waiting:
        node = waiting.pop()
        if node.type == "comment":
            continue
        if not node.children:
            tokens.append(node.text or b"")
        waiting.extend(reversed(node.children))
    return tokens


def _annotate(task: Task, solution: Solution, corpus: ScriptCorpus) -> Verdict:
    before, after = _places(task, solution, corpus)
    if after is None:
        return False, "the function is not there"
    count = sum(
        node.child_by_field_name("type") is not None for node in after.parameters if node.type == "required_parameter"
    ) + (after.function.child_by_field_name("return_type") is not None)
    return after.text != before.text, f"{count} of {task.facts['places']} places have a type"


def _renamed(task: Task, solution: Solution, corpus: ScriptCorpus) -> Verdict:
    before, after = _places(task, solution, corpus)
    new = locals_of(after).keys() - locals_of(before).keys() if after is not None else set()
    name, original = min(new, default=""), str(task.facts["original"])
    return bool(name), f"{name} for {original}, {fuzz.ratio(name, original):.0f} % alike"


def _generated(task: Task, solution: Solution, corpus: ScriptCorpus) -> Verdict:
    (path,) = solution.texts
    texts = {**task.texts, **solution.texts}
    failed = corpus.folder.failing_tests(texts, [path])
    if failed:
        return False, failed
    new = min(corpus.folder.type_errors(texts, [path]) - corpus.folder.type_errors(task.texts, [task.path]), default="")
    if new:
        return False, new
    place = place_named(task.path, corpus.texts[task.path], task.name)
    assert place is not None, "the task was made of it"
    mutants = list(_mutants(place))[:MAX_MUTANTS]
    killed = sum(bool(corpus.folder.failing_tests({**texts, task.path: mutant}, [path])) for mutant in mutants)
    return bool(killed or not mutants), f"{killed} of {len(mutants)} changed functions noticed"


def _mutants(place: ScriptPlace) -> Iterator[str]:
    """Yield a module with one function changed: it returns nothing, or one operator is replaced."""
    if any(node.type == "return_statement" and node.named_children for node in nodes(place.function)):
        yield apply_edits(place.text, [Edit(place.body, "{\nreturn undefined as never;\n}")])
    for node in nodes(place.function):
        operator = node.child_by_field_name("operator") if node.type == "binary_expression" else None
        if operator is not None and operator.type in _SWAPS:
            yield apply_edits(place.text, [Edit(place.syntax.wrap(operator).span, _SWAPS[operator.type])])


_JUDGES: Final[Mapping[str, Callable[[Task, Solution, ScriptCorpus], Verdict]]] = {
    "implement.body": _any,
    "generate.tests": _generated,
    "document": _document,
    "annotate.types": _annotate,
    "fix.diagnostic": _fix,
    "simplify": _simplify,
    "rewrite": _rewrite,
    "update.references": _any,
    "rename.suggest": _renamed,
}
