"""Check a JavaScript or TypeScript test that a model wrote: it calls the tested function and asserts its results. Pure.

Never runs the test; only users run generated code, after they have seen it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.checks.generated_test import MAX_ASSERTIONS
from spark_lsp.actions.checks.script_body import inside
from spark_lsp.actions.checks.sure import MIN_SURE, TextProbability, probability_of
from spark_lsp.actions.javascript.scopes import FUNCTIONS, text_of
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import Syntax, parse

_BROWSER: Final = frozenset(
    ("alert", "document", "history", "localStorage", "location", "navigator", "sessionStorage", "window")
)
"""Globals that test runners do not have unless they are told to."""
_HARMFUL: Final = re.compile(
    r"\b(?:child_process|process\.(?:exit|kill|abort)|eval|rmSync|rmdirSync|unlinkSync|rm|exec)$"
)
_EQUAL: Final = frozenset(
    ("toBe", "toEqual", "toStrictEqual", "toBeCloseTo", "toHaveLength", "toContain", "toMatchObject",
     "equal", "strictEqual", "deepEqual", "deepStrictEqual")
)  # fmt: skip
_ASSERTION: Final = re.compile(r"[ \t]*(?:await )?(?:expect|assert)\b")


def script_test_problem(test_file: Syntax, offset: int, tested: str, function: Node) -> str:
    """Say in one sentence why the test around an offset is refused; empty if it is accepted."""
    test = _test_at(test_file, offset)
    if test is None:
        return "There is no test."
    calls = [node for node in inside(test) if node.type == "call_expression"]
    own = [call for call in calls if _callee(call) == tested]
    harmful = next((_callee(call) for call in calls if _HARMFUL.search(_callee(call))), "")
    checks = (
        "" if own else f"The test never calls {tested}.",
        f"The test calls {harmful}." if harmful else "",
        _browser(test, function),
        "" if _asserts(test, tested) else f"The test asserts nothing about {tested}.",
        next((problem for call in own if (problem := _misfit(call, tested, function))), ""),
        _contradiction(calls),
        _of_nothing(calls, tested, function),
    )
    return next((check for check in checks if check), "")


def needs_this(function: Node) -> bool:
    """Whether a function reads its ``this``, which a test that calls it by name does not give."""
    parameters = function.child_by_field_name("parameters")
    given = parameters.named_children if parameters is not None else []
    body = function.child_by_field_name("body")
    if any(child.type == "this" for node in given for child in inside(node)):
        return True
    return body is not None and any(node.type == "this" for node in _own(body))


def _own(body: Node) -> Iterator[Node]:
    """Yield the nodes of a body and of its arrow functions, which share its ``this``."""
    waiting = [body]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [
            child for child in node.named_children if child.type == "arrow_function" or child.type not in FUNCTIONS
        ]


def script_sure_part(pieces: Sequence[TextProbability]) -> str:
    """Return the beginning of a test's body up to the first assertion whose expected value is a guess."""
    raw = "".join(text for text, _ in pieces)
    syntax = parse(LANGUAGES["typescript"], raw)
    if syntax is None:
        return raw
    values = {
        text_of(name): node.child_by_field_name("value")
        for node in inside(syntax.tree.root_node)
        if node.type == "variable_declarator" and (name := node.child_by_field_name("name")) is not None
    }
    for call in sorted(_equalities(syntax.tree.root_node), key=lambda node: node.start_byte):
        value = _expected(call)
        value = values.get(text_of(value), value) if value is not None and value.type == "identifier" else value
        span = syntax.wrap(value).span if value is not None else None
        if span is not None and probability_of(pieces, span.start, span.end) < MIN_SURE:
            start = raw.rfind("\n", 0, syntax.wrap(call).span.start) + 1
            return raw[:start].rstrip("\n")
    return raw


def has_enough_assertions(raw: str) -> bool:
    """Whether a model has written the first lines of more assertions than are kept."""
    return len({line.strip() for line in raw.split("\n")[:-1] if _ASSERTION.match(line)}) > MAX_ASSERTIONS


def repaired_script(body: str) -> str:
    """Return a test's body with its first assertions, each once, and with objects compared by value."""
    lines: list[str] = []
    seen: set[str] = set()
    for line in body.split("\n"):
        is_assertion = _ASSERTION.match(line) is not None and line.rstrip().endswith((";", ")"))
        if is_assertion and (line.strip() in seen or len(seen) == MAX_ASSERTIONS):
            continue
        if is_assertion:
            seen.add(line.strip())
        lines.append(re.sub(r"\.toBe\((?=\s*(?:\[|\{|new ))", ".toEqual(", line))
    return "\n".join(lines)


def _test_at(syntax: Syntax, offset: int) -> Node | None:
    """Return the outermost function of a call around an offset."""
    at = syntax.to_byte(offset)
    node = syntax.tree.root_node.descendant_for_byte_range(at, at)
    outermost = None
    while node is not None:
        outermost = node if node.type in FUNCTIONS else outermost
        node = node.parent
    return outermost


def _callee(call: Node) -> str:
    target = call.child_by_field_name("function")
    return text_of(target) if target is not None else ""


def _arguments(call: Node) -> list[Node]:
    arguments = call.child_by_field_name("arguments")
    return [node for node in arguments.named_children if node.type != "comment"] if arguments is not None else []


def _browser(test: Node, function: Node) -> str:
    root = function
    while root.parent is not None:
        root = root.parent
    names = {text_of(node) for node in inside(test) if node.type == "identifier"}
    bound = {
        text_of(node.child_by_field_name("name") or node) for node in inside(test) if node.type == "variable_declarator"
    }
    foreign = sorted(name for name in names & _BROWSER - bound if not re.search(rf"\b{name}\b", text_of(root)))
    return f"The test uses {foreign[0]}, which only browsers have." if foreign else ""


def _asserts(test: Node, tested: str) -> bool:
    """Whether an assertion speaks of the tested function's result, directly or through a variable."""
    tainted = {tested}
    for node in inside(test):
        value = node.child_by_field_name("value") if node.type == "variable_declarator" else None
        name = node.child_by_field_name("name") if value is not None else None
        if value is not None and name is not None and _names(value) & tainted:
            tainted |= _names(name)
    calls = (node for node in inside(test) if node.type == "call_expression")
    return any(re.match(r"(?:expect|assert)\b", _callee(call)) and _names(call) & tainted for call in calls)


def _names(node: Node) -> set[str]:
    kinds = {"identifier", "shorthand_property_identifier_pattern"}
    return {text_of(child) for child in inside(node) if child.type in kinds}


def _misfit(call: Node, tested: str, function: Node) -> str:
    """Refuse a call with fewer or more arguments than the function takes."""
    given = _arguments(call)
    if any(node.type == "spread_element" for node in given) or _is_in_function_argument(call):
        return ""
    parameters = function.child_by_field_name("parameters")
    taken = [node for node in parameters.named_children if node.type != "comment"] if parameters is not None else []
    has_rest = any(child.type == "rest_pattern" for node in taken for child in (node, *node.named_children))
    needed = sum(node.type == "required_parameter" and node.child_by_field_name("value") is None for node in taken)
    if len(given) > len(taken) and not has_rest:
        return f"The test calls {tested} with {len(given)} arguments, and it takes {len(taken)}."
    if len(given) < needed - has_rest:
        return f"The test calls {tested} with {len(given)} arguments, and it needs {needed - has_rest}."
    return ""


def _is_in_function_argument(node: Node) -> bool:
    """Whether a call is in a function that is handed to an assertion, which expects it to fail."""
    around = node.parent
    while around is not None and around.type not in FUNCTIONS:
        around = around.parent
    arguments = around.parent if around is not None else None
    call = arguments.parent if arguments is not None and arguments.type == "arguments" else None
    return call is not None and re.match(r"(?:expect|assert)\b", _callee(call)) is not None


def _equalities(root: Node) -> Iterator[Node]:
    """Yield the calls that compare a result with an expected value."""
    for node in inside(root):
        if node.type == "call_expression" and _callee(node).rpartition(".")[2] in _EQUAL:
            yield node


def _expected(call: Node) -> Node | None:
    arguments = _arguments(call)
    is_assert = _callee(call).startswith("assert")
    return (arguments[1] if len(arguments) > 1 else None) if is_assert else next(iter(arguments), None)


def _actual(call: Node) -> Node | None:
    """Return the value that is compared: the argument of ``expect``, or the first one of ``assert.equal``."""
    if _callee(call).startswith("assert"):
        return next(iter(_arguments(call)), None)
    expects = [node for node in inside(call) if node.type == "call_expression" and _callee(node) == "expect"]
    return next(iter(_arguments(expects[0])), None) if expects else None


def _contradiction(calls: list[Node]) -> str:
    values: dict[str, str] = {}
    for call in calls:
        actual, expected = _actual(call), _expected(call)
        if (
            _callee(call).rpartition(".")[2] not in _EQUAL
            or actual is None
            or expected is None
            or ".not." in _callee(call)
        ):
            continue
        kind = f"{_callee(call).rpartition('.')[2]} {text_of(actual)}"
        if actual.type == "call_expression" and values.setdefault(kind, text_of(expected)) != text_of(expected):
            return f"The test asserts two values of {text_of(actual)}."
    return ""


def _of_nothing(calls: list[Node], tested: str, function: Node) -> str:
    """Refuse a test that compares the result of a function that returns nothing with a value."""
    body = function.child_by_field_name("body")
    if body is None or any(
        node.type == "return_statement" and node.named_children for node in inside(body, functions=False)
    ):
        return ""
    for call in calls:
        actual, expected = _actual(call), _expected(call)
        if _callee(call).rpartition(".")[2] not in _EQUAL or actual is None or expected is None:
            continue
        if actual.type == "call_expression" and _callee(actual) == tested and text_of(expected) != "undefined":
            return f"{tested} returns nothing, but the test asserts a value."
    return ""
