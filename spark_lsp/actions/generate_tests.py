"""``generate.tests``: write a test of the function around the cursor, in its test file or in a new one.

The code around the test (file, imports, name) is computed. Examples in a docstring become assertions without a model;
otherwise the model fills the body like any empty one, with additional checks. Never runs the test.
"""

import asyncio
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from spark_lsp.actions.base import FileEdits, Needs, Proposal, Target, Tools
from spark_lsp.actions.checks.completing import completed
from spark_lsp.actions.checks.examples import assertions_of
from spark_lsp.actions.checks.functions import Function, function_at, parsed
from spark_lsp.actions.checks.generated_test import has_enough, repaired, test_problem
from spark_lsp.actions.checks.script import SCRIPTS
from spark_lsp.actions.checks.script_test import (
    has_enough_assertions,
    needs_this,
    repaired_script,
    script_sure_part,
    script_test_problem,
)
from spark_lsp.actions.checks.sure import sure_part
from spark_lsp.actions.checks.unpredictable import unpredictable_call, unpredictable_source
from spark_lsp.actions.definition import CALLABLES, DefinitionNode, definition_at
from spark_lsp.actions.implement_body import Wish, write_body
from spark_lsp.actions.layout import newline_of
from spark_lsp.actions.model_answer import ModelAnswer
from spark_lsp.actions.refusal import Refusal
from spark_lsp.engine.base import Usage
from spark_lsp.errors import Reason
from spark_lsp.index.storage.view import IndexView
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.language import Language
from spark_lsp.text.syntax import Syntax, parse

_TEST_NAME: Final = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|[^/]*\.(?:test|spec))\.\w+$")
_PARTS: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])|_+")


@dataclass(frozen=True, slots=True)
class PlannedTest:
    """A test to write: its file with the old text (None for a new file), and the text with an empty test at the end."""

    path: str
    before: str | None
    text: str
    offset: int
    """An offset within the empty test."""


class GenerateTests:
    """The action."""

    id = "generate.tests"
    kind = "source.generateTests"
    needs: Needs = "fim"

    def applies(self, target: Target) -> str:
        """Offer the action in a function that other files can call."""
        definition = _tested(target)
        return f"Write a test of {definition.name}" if definition else ""

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        """Create the empty test and have its body written."""
        definition = _tested(target)
        if definition is None:
            return Proposal(self.id, (), Reason.EMPTY, "There is no function here that a test could call.")
        message = await asyncio.to_thread(_untestable, target, definition)
        if message:
            return Proposal(self.id, (), Reason.EMPTY, message)
        path = tools.context.path_of(target.snapshot)
        plan = plan_of(target, definition, path, tools.context.view)
        if isinstance(plan, Refusal):
            return Proposal(self.id, (), Reason.EMPTY, plan.message)
        snapshot = replace(target.snapshot, path=_sibling(target, path, plan.path), text=plan.text)
        empty = Target.of(snapshot, Span(plan.offset, plan.offset))
        known = await asyncio.to_thread(_from_examples, target, definition, plan, tools)
        if known:
            return _proposal(plan, known, Usage())
        written = await write_body(empty, tools, _wish(target, plan, definition))
        if not written.edits:
            return Proposal(self.id, (), written.reason, written.message, written.usage)
        return _proposal(plan, apply_edits(plan.text, written.edits), written.usage)


def _proposal(plan: PlannedTest, text: str, usage: Usage) -> Proposal:
    edit = _difference(plan.before or "", text)
    return Proposal(GenerateTests.id, (), usage=usage, files=(FileEdits(plan.path, plan.before, (edit,)),))


def _from_examples(target: Target, definition: DefinitionNode, plan: PlannedTest, tools: Tools) -> str:
    """Return the test file with a test made from the docstring's examples; empty if there are none."""
    assert target.syntax is not None, "the caller has looked"
    function = _function(target, definition)
    statements = assertions_of(function) if function is not None else []
    if not statements:
        return ""
    newline = newline_of(plan.text)
    body = f"{newline}".join(f"    {line}" for line in statements)
    start = plan.text.index("    pass", plan.offset - len("    pass") - 2)
    text = plan.text[:start] + body + plan.text[start + len("    pass") :]
    whole = completed(plan.text, text, plan.path, tools.context.view)
    problem = whole.problem or test_problem(whole.text, f"test_{definition.name}", definition.name, function)
    return "" if problem else whole.text


def _function(target: Target, definition: DefinitionNode) -> Function | None:
    """Return a Python function as its ``ast`` node."""
    assert target.syntax is not None, "the caller has looked"
    tree = parsed(target.snapshot.text) if target.syntax.language.name == "python" else None
    line = target.snapshot.text.count("\n", 0, target.syntax.wrap(definition.inner).span.start) + 1
    at = function_at(tree, line) if tree is not None else None
    return at[0] if at is not None else None


def _untestable(target: Target, definition: DefinitionNode) -> str:
    """Say in one sentence why a test that calls a function by its name cannot assert its result; empty if it may."""
    assert target.syntax is not None, "the caller has looked"
    if target.syntax.language.name in SCRIPTS and needs_this(definition.inner):
        return f"{definition.name} needs a this, which a test that only calls it does not give."
    source = _unpredictable(target, definition)
    return f"{definition.name} uses {source}, so no test can name its result." if source else ""


def _unpredictable(target: Target, definition: DefinitionNode) -> str:
    """Return what makes a function's result unpredictable; empty for nothing that is known."""
    assert target.syntax is not None, "the caller has looked"
    language = target.syntax.language.name
    if language != "python":
        return unpredictable_call(language, definition.whole.span.text(target.snapshot.text))
    function, module = _function(target, definition), parsed(target.snapshot.text)
    return unpredictable_source(function, module) if function is not None and module is not None else ""


def _wish(target: Target, plan: PlannedTest, definition: DefinitionNode) -> Wish:
    """Return the instruction for the test's body, and its checks."""
    shown = definition.whole.span.text(target.snapshot.text).replace("\r\n", "\n")
    wish = (
        f"Write a test of {definition.name}: call it with two or three simple inputs whose results you know for "
        "certain, and assert each result. No classes, no prints, nothing else."
    )
    assert target.syntax is not None, "the caller has looked"
    if target.syntax.language.name in SCRIPTS:
        return _script_wish(target.syntax, plan, definition, wish, shown)
    function = _function(target, definition)
    if function is None:
        return Wish(GenerateTests.id, wish, shown)
    name = f"test_{definition.name}"
    return Wish(
        GenerateTests.id,
        wish,
        shown,
        check=lambda after: test_problem(after, name, definition.name, function),
        rewrite_body=lambda body: repaired(body, definition.name, function),
        is_enough=has_enough,
        sifted=lambda answer: _sure(answer, definition.name),
        unsure=f"The model is not sure of the results of {definition.name}.",
    )


def _script_wish(syntax: Syntax, plan: PlannedTest, definition: DefinitionNode, wish: str, shown: str) -> Wish:
    def check(after: str) -> str:
        edited = parse(syntax.language, after)
        offset = plan.offset - 1
        return script_test_problem(edited, offset, definition.name, definition.inner) if edited is not None else ""

    return Wish(
        GenerateTests.id,
        wish,
        shown,
        check=check,
        rewrite_body=repaired_script,
        is_enough=has_enough_assertions,
        sifted=lambda answer: _script_sure(answer, definition.name),
        unsure=f"The model is not sure of the results of {definition.name}.",
    )


def _script_sure(answer: ModelAnswer, tested: str) -> str:
    """Return the assertions that the model was sure of; nothing if none is left."""
    kept = script_sure_part(answer.pieces)
    return kept if kept == answer.raw or tested in kept else ""


def _sure(answer: ModelAnswer, tested: str) -> str:
    """Return the assertions that the model was sure of; nothing if none is left."""
    kept = sure_part(answer.pieces, tested)
    return kept if kept == answer.raw or "assert" in kept or "raises" in kept else ""


def plan_of(target: Target, definition: DefinitionNode, path: str, view: IndexView) -> PlannedTest | Refusal:
    """Return the test to write, or in one sentence why there is none."""
    assert target.syntax is not None, "the caller has looked"
    language = target.syntax.language
    place = test_path(path, language.name, view.files)
    entry = view.files.get(place)
    before = entry.text if entry is not None else None
    if entry is not None and not before and entry.size:
        return Refusal("unreadable", f"{place} has changed since it was read; please try again in a moment.")
    newline = newline_of(before or target.snapshot.text)
    if language.name == "python":
        imports, test = _python(definition, path)
    elif language.name == "go":
        imports, test = _go(target, definition)
    else:
        imports, test = _script(definition, path, place, before, view)
    old = (before or "").replace("\r\n", "\n")
    if test.split("\n")[0] in old:
        return Refusal("calls", f"{definition.name} is already tested in {place}.")
    gap = "\n\n" if language.name == "python" else "\n"
    head = _with_import(language, old, imports[-1], definition.name) if old.strip() else "\n".join(imports) + "\n"
    text = (head.rstrip() + "\n" + gap + test).replace("\n", newline)
    offset = len(text) - len(test.split("\n", 1)[1].replace("\n", newline))
    return PlannedTest(place, before, text, offset)


def _with_import(language: Language, text: str, line: str, name: str) -> str:
    """Return a test file that imports the tested function; a Go test is in the same package and needs no import."""
    syntax = parse(language, text)
    if language.name == "go" or syntax is None or re.search(rf"\bimport\b[^\n]*\b{name}\b", text):
        return text
    known = [node for node in syntax.tree.root_node.named_children if node.type.startswith("import_")]
    at = syntax.wrap(known[-1]).span.end if known else 0
    return f"{text[:at]}\n{line}{text[at:]}" if known else f"{line}\n\n{text}"


def test_path(path: str, language: str, files: Collection[str]) -> str:
    """Return the path of a file's test file, by the naming convention of the workspace."""
    own = PurePosixPath(path)
    if language == "go":
        return str(own.with_name(f"{own.stem}_test.go"))
    if language == "python":
        wanted = f"test_{own.stem}.py"
        there = next((file for file in files if PurePosixPath(file).name == wanted), None)
        folders = sorted(
            {str(PurePosixPath(file).parent) for file in files if PurePosixPath(file).name.startswith("test_")}
        )
        return there or (f"{folders[0]}/{wanted}" if folders and folders[0] != "." else f"tests/{wanted}")
    for mark in ("test", "spec"):
        there = str(own.with_name(f"{own.stem}.{mark}{own.suffix}"))
        if there in files:
            return there
    uses_spec = any(".spec." in file for file in files) and not any(".test." in file for file in files)
    return str(own.with_name(f"{own.stem}.{'spec' if uses_spec else 'test'}{own.suffix}"))


def _tested(target: Target) -> DefinitionNode | None:
    """Return the function around a cursor if a test can call it: it is at top level and no test itself."""
    syntax, path = target.syntax, target.snapshot.path
    if syntax is None or path is None or _TEST_NAME.search(path.as_posix()):
        return None
    if syntax.language.name not in {"python", "go", *SCRIPTS}:
        return None
    definition = definition_at(syntax, target.span.start, CALLABLES)
    if definition is None or definition.whole.raw.parent is None or definition.whole.raw.parent.parent is not None:
        return None
    is_exported = definition.whole.kind == "export_statement" or f"exports.{definition.name}" in syntax.text
    is_hidden = definition.name.startswith("_") or (syntax.language.name in SCRIPTS and not is_exported)
    return None if is_hidden or definition.inner.type == "method_declaration" else definition


def _python(definition: DefinitionNode, path: str) -> tuple[list[str], str]:
    module = ".".join(PurePosixPath(path).with_suffix("").parts).removeprefix("src.").removesuffix(".__init__")
    test = f"def test_{definition.name}() -> None:\n    pass\n"
    return [f"from {module} import {definition.name}"], test


def _go(target: Target, definition: DefinitionNode) -> tuple[list[str], str]:
    package = re.search(r"^package (\w+)", target.snapshot.text, re.MULTILINE)
    name = definition.name[:1].upper() + definition.name[1:]
    head = [f"package {package[1] if package else 'main'}", "", 'import "testing"']
    return head, f"func Test{name}(t *testing.T) {{\n}}\n"


def _script(
    definition: DefinitionNode, path: str, place: str, before: str | None, view: IndexView
) -> tuple[list[str], str]:
    own = PurePosixPath(path)
    others = (entry.text for name, entry in view.files.items() if name != place and _TEST_NAME.search(name))
    sample = before or next((text for text in others if re.search(r"^\s*(?:it|test)\(", text, re.MULTILINE)), "")
    says = re.search(r"^\s*(it|test)\(", sample, re.MULTILINE)
    runners = r"from [\"'](?:vitest|node:test|@jest/globals|node:assert)"
    imports = [line for line in sample.split("\n") if re.search(runners, line)]
    if not sample:
        imports = ['import assert from "node:assert/strict";', 'import { test } from "node:test";', ""]
    suffix = "" if own.suffix in {".ts", ".tsx"} else own.suffix
    line = f'import {{ {definition.name} }} from "./{own.stem}{suffix}";'
    title = " ".join(part.lower() for part in _PARTS.findall(definition.name) if part.strip("_"))
    return [*imports, line], f'{says[1] if says else "test"}("{title}", () => {{\n}});\n'


def _sibling(target: Target, path: str, other_path: str) -> Path:
    """Return the absolute path of another workspace file."""
    own = target.snapshot.path
    assert own is not None, "the caller has looked"
    root = own
    for _ in PurePosixPath(path).parts:
        root = root.parent
    return root / other_path


def _difference(before: str, after: str) -> Edit:
    """Return one edit from one text to another."""
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return Edit(Span(start, len(before) - end), after[start : len(after) - end])
