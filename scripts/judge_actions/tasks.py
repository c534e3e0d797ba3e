"""Draw the tasks of each action from a package: a file before, a place in it, and the request."""

import ast
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from scripts.judge_actions.corpus import Corpus, Place, body_of, has_docstring, places, span_of
from scripts.judge_actions.linters import Finding, ruff_findings
from spark_lsp.actions.base import Diagnostic
from spark_lsp.text.edit import Edit, Span, apply_edits

MAX_BODY_LINES: Final = 25
MAX_FINDINGS_PER_RULE: Final = 3
MAX_CALLS: Final = 8
PLAIN_NAME: Final = "x1"
FIXABLE_RULES: Final = "E7,F,B,SIM,UP,C4,PIE,RET,PERF,PLR1714,PLR5501,RUF005,RUF015,FURB"


@dataclass(frozen=True, slots=True)
class Task:
    """One task. ``texts`` are the files that differ from the package, None for a removed file."""

    action: str
    package: str
    path: str
    name: str
    span: Span
    texts: Mapping[str, str | None]
    instruction: str = ""
    diagnostic: Diagnostic | None = None
    baseline: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Facts for the judge."""

    @property
    def id(self) -> str:
        """A stable name of the task."""
        return f"{self.action} {self.package} {self.path} {self.name} {self.facts.get('rule', '')}".strip()


Maker = Callable[[Corpus, random.Random], Iterator[Task]]


def tasks_of(action: str, corpora: list[Corpus], count: int, seed: int) -> list[Task]:
    """Return up to so many tasks of an action: from each package in turn, drawn at random."""
    streams = {
        corpus.package.name: MAKERS[action](corpus, random.Random(f"{seed} {action} {corpus.package.name}"))  # noqa: S311
        for corpus in corpora
    }
    return drawn(streams, count)


def drawn(streams: dict[str, Iterator[Task]], count: int) -> list[Task]:
    """Take tasks from streams in turn, each once."""
    chosen: list[Task] = []
    while streams and len(chosen) < count:
        for name in list(streams):
            task = next(streams[name], None)
            if task is None:
                del streams[name]
            elif len(chosen) < count and all(task.id != earlier.id for earlier in chosen):
                chosen.append(task)
    return chosen


def _shuffled(corpus: Corpus, dice: random.Random) -> list[Place]:
    candidates = [place for place in places(corpus) if not place.name.startswith("__") or place.name in _USUAL_SPECIAL]
    dice.shuffle(candidates)
    return candidates


_USUAL_SPECIAL: Final = frozenset(("__eq__", "__repr__", "__len__", "__contains__", "__radd__", "__add__", "__iter__"))


def _lines(place: Place) -> int:
    body = body_of(place.function)
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def _whole(place: Place) -> Span:
    """Return a function's whole lines, decorators included."""
    first = min([place.function.lineno, *(decorator.lineno for decorator in place.function.decorator_list)])
    start = sum(len(line) for line in place.text.splitlines(keepends=True)[: first - 1])
    return Span(start, span_of(place.text, place.function).end)


def implement_body(corpus: Corpus, dice: random.Random) -> Iterator[Task]:
    """Remove a documented function's body."""
    for place in _shuffled(corpus, dice):
        body = body_of(place.function)
        if not has_docstring(place.function) or not body or not 1 <= _lines(place) <= MAX_BODY_LINES:
            continue
        span = Span(span_of(place.text, body[0]).start, span_of(place.text, body[-1]).end)
        text = apply_edits(place.text, [Edit(span, "...")])
        facts = {"original": span.text(place.text)}
        at = Span(span.start, span.start)
        yield Task(
            "implement.body", corpus.package.name, place.path, place.full_name, at, {place.path: text}, facts=facts
        )


def document(corpus: Corpus, dice: random.Random) -> Iterator[Task]:
    """Remove a docstring."""
    for place in _shuffled(corpus, dice):
        body = body_of(place.function)
        if not has_docstring(place.function) or not body or _lines(place) > 2 * MAX_BODY_LINES:
            continue
        span = Span(span_of(place.text, place.function.body[0]).start, span_of(place.text, body[0]).start)
        text = apply_edits(place.text, [Edit(span, "")])
        at = span_of(place.text, place.function).start + 5
        facts = {"original": ast.get_docstring(place.function)}
        yield Task(
            "document", corpus.package.name, place.path, place.full_name, Span(at, at), {place.path: text}, facts=facts
        )


def generate_tests(corpus: Corpus, dice: random.Random) -> Iterator[Task]:
    """Remove the test files that name a function."""
    for place in _shuffled(corpus, dice):
        if place.owner or place.name.startswith("_") or _lines(place) > 2 * MAX_BODY_LINES:
            continue
        named = {path: None for path, text in corpus.tests.items() if re.search(rf"\b{place.name}\b", text)}
        at = span_of(place.text, place.function).start + 5
        yield Task("generate.tests", corpus.package.name, place.path, place.name, Span(at, at), named)


def simplify(corpus: Corpus, dice: random.Random) -> Iterator[Task]:
    """Request a simpler function."""
    for place in _shuffled(corpus, dice):
        if 5 <= _lines(place) <= MAX_BODY_LINES:
            at = span_of(place.text, place.function).start + 5
            yield Task("simplify", corpus.package.name, place.path, place.full_name, Span(at, at), {})


def rewrite(corpus: Corpus, dice: random.Random) -> Iterator[Task]:
    """Request a change that can be found in the result."""
    for place in _shuffled(corpus, dice):
        if not 3 <= _lines(place) <= MAX_BODY_LINES:
            continue
        asked = dice.choice(INSTRUCTIONS)(place)
        if asked is None:
            continue
        instruction, facts = asked
        at = span_of(place.text, place.function).start + 5
        task = Task("rewrite", corpus.package.name, place.path, place.full_name, Span(at, at), {}, instruction)
        yield replace(task, facts=facts)


Asked = tuple[str, dict[str, Any]]


def _rename(place: Place) -> Asked | None:
    own = sorted(
        node.id
        for node in ast.walk(place.function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and len(node.id) > 1
    )
    outer = {
        name for node in ast.walk(place.function) if isinstance(node, ast.Nonlocal | ast.Global) for name in node.names
    }
    own = [name for name in own if name not in outer and not name.startswith("_")]
    if not own:
        return None
    new = f"{own[0]}_value"
    return f"Rename the local variable {own[0]} to {new}.", {"kind": "rename", "old": own[0], "new": new}


def _logged(place: Place) -> Asked | None:
    return (
        f'Log "{place.name} called" at debug level with the logging module at the start of the function.',
        {"kind": "log"},
    )


def _guarded(place: Place) -> Asked | None:
    args = [parameter.arg for parameter in place.function.args.args if parameter.arg not in {"self", "cls"}]
    defaults = len(place.function.args.defaults)
    args = args[: len(args) - defaults] if defaults else args
    if not args:
        return None
    instruction = f"Raise a TypeError at the start of the function if {args[0]} is None."
    return instruction, {"kind": "guard", "name": args[0]}


def _f_strings(place: Place) -> Asked | None:
    formats = [
        node
        for node in ast.walk(place.function)
        if (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant)
            and isinstance(node.left.value, str))
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format"
            and isinstance(node.func.value, ast.Constant))
    ]  # fmt: skip
    return ("Use f-strings in place of the other ways to format text.", {"kind": "f-string"}) if formats else None


INSTRUCTIONS: Final[tuple[Callable[[Place], Asked | None], ...]] = (_rename, _logged, _guarded, _f_strings)


def annotate_types(corpus: Corpus, dice: random.Random) -> Iterator[Task]:
    """Request types where there are none."""
    for place in _shuffled(corpus, dice):
        args = [parameter for parameter in place.function.args.args if parameter.arg not in {"self", "cls"}]
        if args and any(argument.annotation is None for argument in args) and _lines(place) <= MAX_BODY_LINES:
            at = span_of(place.text, place.function).start + 5
            yield Task("annotate.types", corpus.package.name, place.path, place.full_name, Span(at, at), {})


def fix_diagnostic(corpus: Corpus, dice: random.Random) -> Iterator[Task]:
    """Use ruff's findings in the unchanged package, in functions that tests run."""
    held = {path: [_whole(place) for place in places(corpus) if place.path == path] for path in corpus.texts}
    findings = ruff_findings(corpus.root, sorted(corpus.texts), FIXABLE_RULES)
    dice.shuffle(findings)
    seen: dict[str, int] = {}
    for finding in findings:
        whole = next((span for span in held.get(finding.path, ()) if span.contains(finding.span.start)), None)
        if whole is None or seen.get(finding.code, 0) >= MAX_FINDINGS_PER_RULE:
            continue
        if whole.text(corpus.texts[finding.path]).count("\n") > 2 * MAX_BODY_LINES:
            continue
        seen[finding.code] = seen.get(finding.code, 0) + 1
        yield _fix_task(corpus, finding, {})


def _fix_task(corpus: Corpus, finding: Finding, texts: Mapping[str, str | None]) -> Task:
    at = Span(finding.span.start, finding.span.start)
    diagnostic = Diagnostic(finding.span, finding.message, finding.code, "Ruff")
    task = Task("fix.diagnostic", corpus.package.name, finding.path, f"{finding.span.start}", at, texts)
    return replace(task, diagnostic=diagnostic, facts={"rule": finding.code})


def update_references(corpus: Corpus, dice: random.Random) -> Iterator[Task]:
    """Remove the first default of a function, so that calls which omit the argument have to pass it."""
    texts = {**corpus.texts, **corpus.tests}
    for place in _shuffled(corpus, dice):
        args = place.function.args
        if not args.defaults or args.posonlyargs or place.name.startswith("__") or _is_named_twice(corpus, place):
            continue
        first = args.args[len(args.args) - len(args.defaults)]
        calls = sum(len(re.findall(rf"\b{place.name}\(", text)) for text in texts.values())
        if not 2 <= calls <= MAX_CALLS:
            continue
        span = Span(span_of(place.text, first).end, span_of(place.text, args.defaults[0]).end)
        text = apply_edits(place.text, [Edit(span, "")])
        at = span_of(place.text, place.function).start + 5
        task = Task(
            "update.references", corpus.package.name, place.path, place.full_name, Span(at, at), {place.path: text}
        )
        yield replace(task, baseline=place.text)


def _is_named_twice(corpus: Corpus, place: Place) -> bool:
    return sum(len(re.findall(rf"\bdef {place.name}\(", text)) for text in corpus.texts.values()) > 1


def rename_suggest(corpus: Corpus, dice: random.Random) -> Iterator[Task]:
    """Give a local variable a meaningless name, and request a better one."""
    for place in _shuffled(corpus, dice):
        names = [node for node in ast.walk(place.function) if isinstance(node, ast.Name)]
        given = {node.arg for node in ast.walk(place.function) if isinstance(node, ast.arg)}
        own = sorted({name.id for name in names if isinstance(name.ctx, ast.Store) and len(name.id) > 2} - given)
        if not own or PLAIN_NAME in place.text or _lines(place) > MAX_BODY_LINES:
            continue
        old = dice.choice(own)
        own_spans = [span_of(place.text, name) for name in names if name.id == old]
        words = len(re.findall(rf"\b{old}\b", _whole(place).text(place.text)))
        if words != len(own_spans) or any(span.text(place.text) != old for span in own_spans):
            continue
        text = apply_edits(place.text, [Edit(span, PLAIN_NAME) for span in own_spans])
        at = text.index(PLAIN_NAME)
        task = Task(
            "rename.suggest", corpus.package.name, place.path, place.full_name, Span(at, at), {place.path: text}
        )
        yield replace(task, facts={"original": old})


MAKERS: Final[Mapping[str, Maker]] = {
    "implement.body": implement_body,
    "generate.tests": generate_tests,
    "document": document,
    "annotate.types": annotate_types,
    "fix.diagnostic": fix_diagnostic,
    "simplify": simplify,
    "rewrite": rewrite,
    "update.references": update_references,
    "rename.suggest": rename_suggest,
}
