"""``annotate.types`` in TypeScript: which types are missing, which are certain, what the model may write."""

import pytest

from spark_lsp.actions.javascript.annotate import grammar_of, said_type, type_names
from spark_lsp.engine.base import CompletionRequest, TextPart
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.text.edit import apply_edits
from tests.actions.check import target_of, titles
from tests.support.workspace import TestWorkspace

HEAD = 'import { Row, load } from "./row";\ninterface Box { w: number }\n'
CASES = {
    "parameters and result": (
        "function area(box, rate) {\n  return $0box.w * rate;\n}\n",
        ["Box", "number, x", "number {"],
        "function area(box: Box, rate: number): number {\n  return box.w * rate;\n}\n",
    ),
    "nothing comes back": (
        "function show(box, ...rest) {\n  say($0box);\n}\n",
        ["Box | null"],
        "function show(box: Box | null, ...rest): void {\n  say(box);\n}\n",
    ),
    "async": (
        "const get = async (id?, n = 1) => {\n  return $0load(id);\n};\n",
        ["string", "Promise<Map<string, Row[]>> => {"],
        "const get = async (id?: string, n = 1): Promise<Map<string, Row[]>> => {\n  return load(id);\n};\n",
    ),
    "method": (
        "class A {\n  f(a: number, b) {\n    return $0a;\n  }\n}\n",
        ["Array<Box>", "number"],
        "class A {\n  f(a: number, b: Array<Box>): number {\n    return a;\n  }\n}\n",
    ),
    "what is unknown is left out": (
        "function f(a, b) {\n  return $0a;\n}\n",
        ["Foo", "string", "{ a: 1 }"],
        "function f(a, b: string) {\n  return a;\n}\n",
    ),
    "setter": ("class A {\n  set f(a) {$0}\n}\n", ["number"], "class A {\n  set f(a: number) {}\n}\n"),
}


@pytest.mark.parametrize(("before", "answers", "after"), CASES.values(), ids=CASES)
async def test_annotated(before: str, answers: list[str], after: str) -> None:
    target = target_of(HEAD + before, "a.ts")
    engine = ScriptedEngine(answers)
    proposal = await TestWorkspace(engine).actions.propose("annotate.types", target)
    assert (apply_edits(target.snapshot.text, proposal.edits), proposal.reason) == (HEAD + after, "ok")
    assert len(engine.requests) == len(answers)


async def test_each_request_shows_the_types_before_it() -> None:
    def answer(request: CompletionRequest) -> str:
        shown = "".join(part.text for part in request.prompt if isinstance(part, TextPart))
        return "Box" if "a: Box" not in shown else "string"

    target = target_of(HEAD + "function f(a, b) {\n  say($0a);\n}\n", "a.ts")
    proposal = await TestWorkspace(ScriptedEngine(answer)).actions.propose("annotate.types", target)
    assert "function f(a: Box, b: string): void" in apply_edits(target.snapshot.text, proposal.edits)


async def test_an_unsure_model_changes_nothing() -> None:
    target = target_of("function f(a) {\n  return $0a;\n}\n", "a.ts")
    proposal = await TestWorkspace(ScriptedEngine(["string"], probability=0.05)).actions.propose(
        "annotate.types", target
    )
    assert (proposal.edits, proposal.message) == ((), "The model is not sure of any type of f.")


def test_the_grammar_names_what_the_file_knows() -> None:
    syntax = target_of(HEAD + "x$0", "a.ts").syntax
    assert syntax is not None
    assert type_names(syntax) == ("Box", "Row")
    assert '"Box" | "Row"' in grammar_of(("Box", "Row"))
    assert grammar_of((), is_async_result=True).startswith('root ::= "Promise<" type ">" end?')


SAID = {
    "string": "string",
    "Map<a, b>, c": "Map<a, b>",
    "A | B) {": "A | B",
    "A => 1": "A",
    "Set<A>>": "Set<A>",
    "": "",
}


@pytest.mark.parametrize(("raw", "wanted"), SAID.items())
def test_where_a_type_ends(raw: str, wanted: str) -> None:
    assert said_type(raw) == wanted


OFFERED = {
    "typed": ("a.ts", "function f(a: A): B {\n  return $01;\n}\n", []),
    "javascript": ("a.js", "function f(a) {\n  return $01;\n}\n", []),
    "constructor": ("a.ts", "class A {\n  constructor(a: A) {$0}\n}\n", []),
    "result only": ("a.tsx", "function f() {\n  return $01;\n}\n", ["Annotate the types of f"]),
}


@pytest.mark.parametrize(("path", "before", "wanted"), OFFERED.values(), ids=OFFERED)
def test_available(path: str, before: str, wanted: list[str]) -> None:
    assert titles(before, path, "annotate.types") == wanted
