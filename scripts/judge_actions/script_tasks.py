"""Make tasks for code actions in TypeScript from published packages, in functions that their tests run."""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import tree_sitter

from scripts.judge_actions.script_corpus import ScriptCorpus, ScriptPlace, is_tested, script_places
from scripts.judge_actions.tasks import (
    MAX_BODY_LINES,
    MAX_CALLS,
    MAX_FINDINGS_PER_RULE,
    PLAIN_NAME,
    Asked,
    Task,
    drawn,
)
from spark_lsp.actions.base import Diagnostic
from spark_lsp.text.edit import Edit, Span, apply_edits

Maker = Callable[[ScriptCorpus, random.Random], Iterator[Task]]

LINT_RULES: Final[Mapping[str, Any]] = {
    "@typescript-eslint/array-type": "error",
    "@typescript-eslint/consistent-type-assertions": "error",
    "@typescript-eslint/no-explicit-any": "error",
    "@typescript-eslint/no-inferrable-types": "error",
    "@typescript-eslint/no-non-null-assertion": "error",
    "@typescript-eslint/no-unused-vars": "error",
    "@typescript-eslint/prefer-for-of": "error",
    "curly": "error",
    "eqeqeq": ["error", "always"],
    "no-else-return": "error",
    "no-implicit-coercion": "error",
    "no-lonely-if": "error",
    "no-negated-condition": "error",
    "no-nested-ternary": "error",
    "no-plusplus": "error",
    "no-unneeded-ternary": "error",
    "no-useless-return": "error",
    "no-var": "error",
    "object-shorthand": "error",
    "operator-assignment": "error",
    "prefer-const": "error",
    "prefer-template": "error",
    "radix": "error",
}
"""Rules of eslint that say what to write instead."""


def script_tasks(action: str, corpora: list[ScriptCorpus], count: int, seed: int) -> list[Task]:
    """Return up to so many tasks of an action: from each package in turn, drawn at random."""
    makers = {
        corpus.name: SCRIPT_MAKERS[action](corpus, random.Random(f"{seed} {action} {corpus.name}"))  # noqa: S311
        for corpus in corpora
    }
    return drawn(makers, count)


def _shuffled(corpus: ScriptCorpus, dice: random.Random, *, lines: int = MAX_BODY_LINES) -> Iterator[ScriptPlace]:
    candidates = [place for place in script_places(corpus) if place.name != "constructor" and 1 <= place.lines <= lines]
    dice.shuffle(candidates)
    return iter(candidates)


def _task(action: str, corpus: ScriptCorpus, place: ScriptPlace, at: Span, edits: list[Edit]) -> Task:
    texts = {place.path: apply_edits(place.text, edits)} if edits else {}
    return Task(action, corpus.name, place.path, place.full_name, at, texts)


def _implement_body(corpus: ScriptCorpus, dice: random.Random) -> Iterator[Task]:
    """Remove a documented function's body."""
    for place in _shuffled(corpus, dice):
        if place.comment is None or not is_tested(corpus, place):
            continue
        indent = re.search(r"[ \t]*$", place.text[: place.whole.start])
        at = Span(place.body.start + 2, place.body.start + 2)
        task = _task("implement.body", corpus, place, at, [Edit(place.body, f"{{\n{indent[0] if indent else ''}}}")])
        yield replace(task, facts={"original": place.body.text(place.text)})


def _document(corpus: ScriptCorpus, dice: random.Random) -> Iterator[Task]:
    """Remove a documentation comment."""
    for place in _shuffled(corpus, dice, lines=2 * MAX_BODY_LINES):
        comment = place.comment
        if comment is None:
            continue
        start = place.cursor().start - len(comment)
        task = _task("document", corpus, place, Span(start, start), [Edit(comment, "")])
        yield replace(task, facts={"original": comment.text(place.text)})


def _generate_tests(corpus: ScriptCorpus, dice: random.Random) -> Iterator[Task]:
    """Remove the test files that name a function, and those that fail unchanged."""
    folder = corpus.folder.root
    files = [
        file for ending in ("spec", "test") for file in (folder / corpus.folder.package.tests).rglob(f"*.{ending}.ts")
    ]
    broken = dict.fromkeys({file.relative_to(folder).as_posix() for file in files} - corpus.tests.keys())
    for place in _shuffled(corpus, dice, lines=2 * MAX_BODY_LINES):
        if place.owner or place.node.type != "export_statement":
            continue
        named = {path: None for path, text in corpus.tests.items() if re.search(rf"\b{place.name}\b", text)}
        yield Task("generate.tests", corpus.name, place.path, place.name, place.cursor(), broken | named)


def _simplify(corpus: ScriptCorpus, dice: random.Random) -> Iterator[Task]:
    """Request a simpler function."""
    for place in _shuffled(corpus, dice):
        if place.lines >= 5 and is_tested(corpus, place):
            yield _task("simplify", corpus, place, place.cursor(), [])


def _rewrite(corpus: ScriptCorpus, dice: random.Random) -> Iterator[Task]:
    """Request a change that can be found in the result."""
    for place in _shuffled(corpus, dice):
        asked = dice.choice((_rename, _logged, _guarded))(place) if place.lines >= 3 else None
        if asked is not None and is_tested(corpus, place):
            task = _task("rewrite", corpus, place, place.cursor(), [])
            yield replace(task, instruction=asked[0], facts=asked[1])


def _rename(place: ScriptPlace) -> Asked | None:
    own = [name for name in sorted(locals_of(place)) if len(name) > 1 and name != place.name]
    if not own:
        return None
    new = f"{own[0]}Value"
    return f"Rename the local variable {own[0]} to {new}.", {"kind": "rename", "old": own[0], "new": new}


def _logged(place: ScriptPlace) -> Asked | None:
    instruction = f'Log "{place.name} called" with console.debug at the start of the function.'
    return instruction, {"kind": "log", "name": place.name}


def _guarded(place: ScriptPlace) -> Asked | None:
    plain = [node for node in place.parameters if node.type == "required_parameter"]
    names = [node.child_by_field_name("pattern") for node in plain if node.child_by_field_name("value") is None]
    first = next((node.text.decode() for node in names if node is not None and node.text), "")
    if not first.isidentifier() or first == "this":
        return None
    instruction = f"Throw a TypeError at the start of the function if {first} is null."
    return instruction, {"kind": "guard", "name": first}


def locals_of(place: ScriptPlace) -> dict[str, list[Span]]:
    """Return the variables that a function declares once, each with all places of its name, if all are identifiers."""
    declared: list[str] = []
    uses: dict[str, list[Span]] = {}
    for node in nodes(place.function):
        if node.type == "variable_declarator":
            name = node.child_by_field_name("name")
            if name is not None and name.type == "identifier":
                declared.append((name.text or b"").decode("utf-8", "replace"))
        if node.type == "identifier":
            uses.setdefault((node.text or b"").decode("utf-8", "replace"), []).append(place.syntax.wrap(node).span)
    text = place.whole.text(place.text)
    return {
        name: uses[name]
        for name in declared
        if declared.count(name) == 1
        and len(re.findall(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text)) == len(uses[name])
    }


def nodes(root: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """Yield a node and all nodes in it."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.named_children)


def _fix_diagnostic(corpus: ScriptCorpus, dice: random.Random) -> Iterator[Task]:
    """Use eslint's findings in the unchanged package, in functions that tests run."""
    places = [place for place in script_places(corpus) if place.lines <= 2 * MAX_BODY_LINES]
    findings = corpus.folder.lint({}, sorted(corpus.texts), LINT_RULES)
    dice.shuffle(findings)
    seen: dict[str, int] = {}
    for finding in findings:
        inside = [place for place in places if place.path == finding.path]
        place = next((place for place in inside if place.whole.contains(finding.span.start)), None)
        if place is None or seen.get(finding.code, 0) >= MAX_FINDINGS_PER_RULE or not is_tested(corpus, place):
            continue
        seen[finding.code] = seen.get(finding.code, 0) + 1
        at = Span(finding.span.start, finding.span.start)
        diagnostic = Diagnostic(finding.span, finding.message, finding.code, "eslint")
        task = Task("fix.diagnostic", corpus.name, finding.path, f"{finding.span.start}", at, {})
        yield replace(task, diagnostic=diagnostic, facts={"rule": finding.code, "function": place.full_name})


def _annotate_types(corpus: ScriptCorpus, dice: random.Random) -> Iterator[Task]:
    """Remove the types of a function's parameters and result."""
    for place in _shuffled(corpus, dice):
        typed = [node for node in place.parameters if node.type == "required_parameter"]
        types = [node.child_by_field_name("type") for node in typed]
        result = place.function.child_by_field_name("return_type")
        spans = [place.syntax.wrap(node).span for node in (*types, result) if node is not None]
        patterns = [node.child_by_field_name("pattern") for node in typed]
        has_names = all(pattern is not None and pattern.type == "identifier" for pattern in patterns)
        is_predicate = result is not None and b" is " in (result.text or b"")
        if not typed or len(spans) < 2 or not has_names or is_predicate:
            continue
        task = _task("annotate.types", corpus, place, place.cursor(), [Edit(span, "") for span in spans])
        yield replace(task, facts={"places": len(spans)})


def _update_references(corpus: ScriptCorpus, dice: random.Random) -> Iterator[Task]:
    """Remove the first default of a function, so that calls which omit the argument have to pass it."""
    texts = {**corpus.texts, **corpus.tests}
    for place in _shuffled(corpus, dice):
        defaults = [node for node in place.parameters if node.child_by_field_name("value") is not None]
        calls = sum(len(re.findall(rf"\b{place.name}\(", text)) for text in texts.values()) - 1
        if not defaults or not 1 <= calls <= MAX_CALLS:
            continue
        value = defaults[0].child_by_field_name("value")
        assert value is not None, "it has a default"
        span = place.syntax.wrap(value).span
        start = place.text.rindex("=", 0, span.start)
        edit = Edit(Span(len(place.text[:start].rstrip()), span.end), "")
        task = _task("update.references", corpus, place, place.cursor(), [edit])
        yield replace(task, baseline=place.text)


def _rename_suggest(corpus: ScriptCorpus, dice: random.Random) -> Iterator[Task]:
    """Give a local variable a meaningless name, and request a better one."""
    for place in _shuffled(corpus, dice):
        own = {name: spans for name, spans in locals_of(place).items() if len(name) > 2 and len(spans) > 1}
        if not own or re.search(rf"\b{PLAIN_NAME}\b", place.text) or not is_tested(corpus, place):
            continue
        old = dice.choice(sorted(own))
        edits = [Edit(span, PLAIN_NAME) for span in sorted(own[old], key=lambda span: span.start)]
        at = edits[0].span.start
        task = _task("rename.suggest", corpus, place, Span(at, at), edits)
        yield replace(task, facts={"original": old})


SCRIPT_MAKERS: Final[Mapping[str, Maker]] = {
    "implement.body": _implement_body,
    "generate.tests": _generate_tests,
    "document": _document,
    "annotate.types": _annotate_types,
    "fix.diagnostic": _fix_diagnostic,
    "simplify": _simplify,
    "rewrite": _rewrite,
    "update.references": _update_references,
    "rename.suggest": _rename_suggest,
}
