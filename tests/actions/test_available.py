"""Where ``implement.body`` is offered; listing is cheap and survives a broken action."""

import time
from collections.abc import Callable, Sequence

import pytest

from spark_lsp.actions.base import Action, ActionRunner, Needs, Proposal, Target, Tools
from spark_lsp.actions.catalog import CATALOG
from spark_lsp.actions.implement_body import ImplementBody
from spark_lsp.config import ActionsSettings
from spark_lsp.engine.testing import ScriptedEngine
from tests.actions.check import proposed, target_of, titles
from tests.support.workspace import TestWorkspace

EMPTY = {
    "pass": "def f():\n    pass$0",
    "ellipsis": "def f():\n    ...$0",
    "docstring": 'def f():\n    """Doc."""$0',
    "two strings": 'def f():\n    "a" "b"$0',
    "docstring and pass": 'def f():\n    """Doc."""\n    pass$0',
    "docstring and ellipsis": 'def f():\n    """Doc."""\n    ...$0',
    "not implemented": "def f():\n    raise NotImplementedError$0",
    "not implemented, called": 'def f():\n    """Doc."""\n    raise NotImplementedError(\n        f"{x}"\n    )$0',
    "one line": "def f(): ...$0",
    "one line of pass": "def f(): pass$0\n",
    "semicolon": "def f(): pass;$0\n",
    "async": "async def f():\n    $0pass",
    "on the name": "def $0f():\n    pass",
    "on def": "$0def f():\n    pass",
    "in the parameters": "def f(a, $0b=1):\n    pass",
    "on the decorator": "@cac$0he\ndef f():\n    pass",
    "left of def": "class A:\n  $0  def f(self):\n        pass",
    "in the docstring": 'def f():\n    """Doc.\n$0\n    More.\n    """\n',
    "below the docstring": 'def f():\n    """Doc."""\n    $0\n\nx = 1',
    "below the signature": "def f():\n    $0",
    "in a comment below": "def f():\n    # how$0\n\nx = 1",
    "behind white space": "def f():\n    pass   $0\n",
    "nested in a real one": "def outer():\n    def f():\n        $0pass\n    return f",
    "method": "class A(Base):\n    def f(self):\n        pass$0",
    "static method": "class A:\n    @staticmethod\n    def f():\n        pass$0",
    "in an if": "if x:\n    def f():\n        pass$0\nelse:\n    y = 1",
    "selection": "x = 1\n$0\ndef f():\n    pass\n$0",
}

NOT_EMPTY = {
    "real body": "def f():\n    return 1$0",
    "pass and more": "def f():\n    pass\n    x = 1$0",
    "docstring and more": 'def f():\n    """Doc."""\n    x = 1$0',
    "return": "def f():\n    return$0",
    "other error": "def f():\n    raise ValueError('not implemented')$0",
    "not a function": "class A:\n    pass$0",
    "in the real one around": "def outer():$0\n    def f():\n        pass\n    return f",
    "inner real one": "def outer():\n    def f():\n        return 1$0\n    pass",
    "abstract": "class A:\n    @abstractmethod\n    def f(self):\n        pass$0",
    "abstract, dotted": "class A:\n    @property\n    @abc.abstractmethod\n    def f(self):\n        pass$0",
    "overload": "@overload\ndef f(a: int) -> int: ...$0\n",
    "overload, dotted": "@typing.overload\ndef f(a: int) -> int: ...$0\n",
    "protocol": "class P(Protocol):\n    def f(self): ...$0\n",
    "generic protocol": "class P(typing.Protocol[T]):\n    def f(self): ...$0\n",
    "abstract class": "class A(abc.ABC):\n    def f(self): ...$0\n",
    "abstract metaclass": "class A(metaclass=ABCMeta):\n    @cache\n    def f(self): ...$0\n",
    "lambda": "f = lambda: ...$0",
    "two functions selected": "$0def f():\n    pass\n\n\ndef g():\n    pass$0",
    "line below, further out": "def f():\n    pass\n$0\nx = 1",
    "comment below, further out": "def f():\n    pass\n# how$0\nx = 1",
    "empty document": "$0",
    "only comments": "# a\n  # b$0",
}

BRACES_EMPTY = {
    "function": ("a.ts", "function f() {$0}"),
    "throw": ("a.ts", 'function f() { throw new Error("Method not implemented.");$0 }'),
    "bare throw": ("a.ts", "function f() {\n  throw new Error();$0\n}"),
    "throw of a kind": ("a.ts", "function f() {\n  throw new NotImplementedError(`x ${y}`)$0\n}"),
    "throw of a string": ("a.js", "function f() { throw 'todo'$0 }"),
    "method": ("a.ts", "class A { async f() {$0} }"),
    "getter": ("a.ts", "class A { get f() {$0} }"),
    "constructor": ("a.ts", "class A { constructor(x: number) {$0} }"),
    "arrow": ("a.ts", "export const f = async () => {$0};"),
    "cursor behind an arrow": ("a.ts", "const f = () => {};$0"),
    "cursor on const": ("a.js", "co$0nst f = () => {};"),
    "field": ("a.ts", "class A { f$0 = () => {}; }"),
    "pair": ("a.js", "const o = { f$0: function () {} };"),
    "generator": ("a.js", "function* f() {$0}"),
    "export default": ("a.js", "ex$0port default function f() {}"),
    "exports": ("a.js", "ex$0ports.f = function () {};"),
    "callback": ("a.js", "function outer() { g(() => {$0}); }"),
    "comment": ("a.ts", "function f() {\n  // later$0\n}"),
    "go": ("a.go", "package a\nfunc f() {$0}"),
    "go panic": ("a.go", 'package a\nfunc (t T) f() { panic("TODO: write")$0 }'),
    "go comment": ("a.go", "package a\nfunc f() {\n\t// later$0\n}"),
    "rust todo": ("a.rs", "fn f() -> i32 { todo!()$0 }"),
    "rust unimplemented": ("a.rs", 'impl T for A { fn f(&self) { unimplemented!("x {}", 1);$0 } }'),
    "java": ("A.java", "class A { void f() {$0} }"),
    "java throw": ("A.java", 'class A { int f() { throw new UnsupportedOperationException("f");$0 } }'),
    "c": ("a.c", "static int *f(int a) {$0}"),
    "cpp": ("a.cpp", 'int A::f() const {\n  throw std::runtime_error{"not implemented"};$0\n}'),
    "cpp in a class": ("a.hpp", "struct A { void f() {$0} };"),
}

BRACES_NOT_EMPTY = {
    "real": ("a.ts", "function f() { return 1;$0 }"),
    "real throw": ("a.ts", "function f() { throw new TypeError(`bad ${x}`);$0 }"),
    "error that says something": ("a.ts", 'function f() { throw new Error("no such file");$0 }'),
    "interface": ("a.ts", "interface A { f(): void;$0 }"),
    "abstract": ("a.ts", "abstract class A { abstract f(): void;$0 }"),
    "overload signature": ("a.ts", "function f(a: string): void;$0\nfunction f(a: any) { g(a); }"),
    "declare": ("a.ts", "declare function f(): void;$0"),
    "parameter properties": ("a.ts", "class A { constructor(private x: number) {$0} }"),
    "expression arrow": ("a.ts", "const f = () => ({});$0"),
    "block": ("a.ts", "if (x) {$0}"),
    "class": ("a.ts", "class A {$0}"),
    "unclosed": ("a.ts", "function f() {$0"),
    "go real panic": ("a.go", "package a\nfunc f(e error) { panic(e)$0 }"),
    "go type": ("a.go", "package a\ntype T interface { f() }$0"),
    "rust trait": ("a.rs", "trait T { fn f(&self);$0 }"),
    "rust struct": ("a.rs", "struct A {$0}"),
    "java abstract": ("A.java", "abstract class A { abstract void f();$0 }"),
    "java interface": ("A.java", "interface A { void f();$0 }"),
    "c prototype": ("a.c", "int f(int a);$0"),
    "cpp pure": ("a.cpp", "struct A { virtual void f() = 0;$0 };"),
    "cpp default": ("a.cpp", "struct A { A() = default;$0 };"),
    "cpp initializers": ("a.cpp", "A::A() : x(1) {$0}"),
    "plain text": ("a.txt", "def f():\n    pass$0"),
}


@pytest.mark.parametrize("before", EMPTY.values(), ids=EMPTY)
def test_available_in_python(before: str) -> None:
    assert titles(before) == ["Implement f"]


@pytest.mark.parametrize("before", NOT_EMPTY.values(), ids=NOT_EMPTY)
def test_not_available_in_python(before: str) -> None:
    assert titles(before) == []


@pytest.mark.parametrize(("path", "before"), BRACES_EMPTY.values(), ids=BRACES_EMPTY)
def test_available_in_braces(path: str, before: str) -> None:
    names = {"constructor": "constructor", "exports": "exports.f", "callback": "function"}
    known = {key for key, value in BRACES_EMPTY.items() if value == (path, before)}
    title = "Implement " + next((names[key] for key in known if key in names), "f")
    assert titles(before, path) in ([title], ["Implement A::f"])


@pytest.mark.parametrize(("path", "before"), BRACES_NOT_EMPTY.values(), ids=BRACES_NOT_EMPTY)
def test_not_available_in_braces(path: str, before: str) -> None:
    assert titles(before, path) == []


def test_not_available_in_a_stub_file() -> None:
    assert titles("def f(): ...$0\n", "main.pyi") == []


def test_every_cursor_of_a_function_and_none_outside() -> None:
    text = "import os\n\n\n@cache\ndef f(a):\n    pass\n\n\nprint(os)\n"
    offered = [bool(titles(text[:at] + "$0" + text[at:])) for at in range(len(text) + 1)]
    start, end = text.index("@cache"), text.index("pass") + len("pass")
    assert offered == [start <= at <= end for at in range(len(text) + 1)]


class _Broken:
    """An action that always fails."""

    id = "broken"
    kind = "refactor"
    needs: Needs = "none"

    def applies(self, target: Target) -> str:
        raise LookupError("broken")

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        raise LookupError("broken")


class _Always:
    """An action that applies everywhere."""

    kind = "refactor"

    def __init__(self, needs: Needs) -> None:
        self.id = f"always.{needs}"
        self.needs: Needs = needs

    def applies(self, target: Target) -> str:
        return self.id

    async def propose(self, target: Target, tools: Tools) -> Proposal:
        return Proposal(self.id, ())


def _runner(engine: ScriptedEngine, catalog: Sequence[Action], settings: ActionsSettings | None = None) -> ActionRunner:
    workspace = TestWorkspace(engine)
    return ActionRunner(catalog, engine, workspace.context, settings or ActionsSettings(), workspace.log.append)


def test_a_broken_action_does_not_spoil_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    target = target_of("def f():\n    pass$0")
    runner = _runner(ScriptedEngine(["x"]), [_Broken(), ImplementBody(), _Always("none")])
    with pytest.raises(AssertionError, match=r"broken"):
        runner.available(target)
    monkeypatch.setenv("SPARK_LSP_STRICT", "0")  # as it is at the user's, where a bug is logged
    assert [action.id for action in runner.available(target)] == ["implement.body", "always.none"]


async def test_what_the_model_cannot_do_is_not_offered() -> None:
    target = target_of("def f():\n    pass$0")
    engine = ScriptedEngine(["x"], family="")
    runner = _runner(engine, [ImplementBody(), _Always("none"), _Always("chat")])
    assert [action.id for action in runner.available(target)] == ["implement.body", "always.none", "always.chat"]
    await engine.start()
    assert [action.id for action in runner.available(target)] == ["always.none"]


def test_switched_off_offers_nothing() -> None:
    runner = _runner(ScriptedEngine(["x"]), CATALOG, ActionsSettings(enabled=False))
    assert runner.available(target_of("def f():\n    pass$0")) == []


async def test_chosen_where_it_does_not_apply() -> None:
    proposal = await proposed(target_of("x = 1$0"), ["return 1"])
    assert (proposal.edits, proposal.reason, proposal.message) == ((), "empty", "implement.body does not apply here.")


def test_a_list_that_is_late_looks_at_no_further_action() -> None:
    looked = iter([False, False, True])
    workspace = TestWorkspace(ScriptedEngine(["x"]))
    target = target_of("def f():\n    pass$0")
    whole = [action.id for action in workspace.actions.available(target)]
    late = [action.id for action in workspace.actions.available(target, is_late=lambda: next(looked))]
    assert set(late) < set(whole)


_DEEP: dict[str, Callable[[int], str]] = {
    "sum.py": lambda depth: "x = " + "+".join(["a"] * depth),
    "chain.py": lambda depth: "x = a" + ".b()" * depth,
    "calls.py": lambda depth: "x = " + "f(" * depth + ")" * depth,
    "sum.js": lambda depth: "const x = " + "+".join(["a"] * depth),
    "types.ts": lambda depth: "type A = " + "Array<" * depth + "x" + ">" * depth,
    "sum.c": lambda depth: "int f(int a) {\n  int x = " + "+".join(["a"] * depth) + ";\n}\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("path", _DEEP)
def test_a_list_takes_no_more_than_the_text_is_deep(path: str) -> None:
    """Where each step asked for a node's parent, four times as deep a text took sixteen times as long."""
    workspace = TestWorkspace(ScriptedEngine(["x"]))

    def spent_s(depth: int) -> float:
        text = _DEEP[path](depth)
        began = time.thread_time()
        workspace.actions.available(target_of(f"{text[:6]}$0{text[6:]}", path), precheck=True)
        return time.thread_time() - began

    spent_s(100)
    assert spent_s(12_000) < 9 * spent_s(3_000) + 0.2
