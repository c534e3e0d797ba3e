"""Check that rewritten JavaScript and TypeScript keeps its functions, conditions, errors and effects. Pure.

A simplified text must also have fewer parts than before, and a fix must remove the finding where that can be counted.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.base import Diagnostic
from spark_lsp.actions.checks.differences import edits_between
from spark_lsp.actions.checks.script_body import inside
from spark_lsp.actions.javascript.scopes import FUNCTIONS, text_of
from spark_lsp.text.syntax import Syntax

_WITHOUT_EFFECT: Final = frozenset(
    """
    Array Boolean Error Number Object RangeError String Symbol TypeError
    assign at charAt charCodeAt concat entries every filter find findIndex flat flatMap from fromEntries get has
    includes indexOf isArray isInteger isNaN join keys lastIndexOf map match max min of padEnd padStart pop push
    reduce repeat replace replaceAll reverse set shift slice some sort splice split startsWith endsWith substring
    test toFixed toLowerCase toString toUpperCase trim trimEnd trimStart unshift valueOf values
    """.split()  # noqa: SIM905 - eighty names read better as words
)
"""Calls that a rewritten text may drop: they only affect the function's own values."""
_REORDERS: Final = re.compile(r"\b(?:renam|remov|delet|inlin|split|extract|mov|drop)\w*", re.IGNORECASE)
_SIGNATURE: Final = re.compile(r"\b(?:param|arg|signature|type|annotat|default|async|generic|renam)\w*", re.IGNORECASE)
_QUOTED: Final = re.compile(r"\"([^\"\n]{2,})\"")
_ERROR: Final = re.compile(r"\b[A-Z]\w*(?:Error|Exception)\b")
_RENAME: Final = re.compile(r"\brename\b.*?([A-Za-z_$][\w$]*) to ([A-Za-z_$][\w$]*)", re.IGNORECASE)
_NEAR_LINES: Final = 3
_CONDITIONS: Final = frozenset(
    ("if_statement", "while_statement", "do_statement", "ternary_expression", "for_statement")
)
_LOGIC: Final = frozenset(("&&", "||"))


def script_lost_problem(old: Syntax, new: Syntax, instruction: str = "") -> str:
    """Say in one sentence what an edit dropped without an instruction; empty for nothing."""
    before, after = old.tree.root_node, new.tree.root_node
    checks = (
        _functions_problem(before, after, instruction),
        _calls_problem(before, after, instruction),
        _errors_problem(before, after, instruction),
        _condition_problem(before, after, instruction),
        _assignment_problem(before, after, instruction),
        _comment_problem(before, after, instruction),
    )
    return next((check for check in checks if check), "")


def script_asked_problem(old: Syntax, new: Syntax, instruction: str) -> str:
    """Say in one sentence which part of the instruction an edit ignores; empty if that cannot be seen."""
    for wanted in (*_QUOTED.findall(instruction), *_ERROR.findall(instruction)):
        if wanted not in new.text and not _REORDERS.search(instruction):
            return f"The result does not have {wanted}."
    renamed = _RENAME.search(instruction)
    if renamed is None:
        return ""
    counts = [Counter(re.findall(r"[A-Za-z_$][\w$]*", syntax.text)) for syntax in (old, new)]
    for name, is_new in ((renamed[1], False), (renamed[2], True)):
        if counts[0][name] and not is_new and counts[1][name] >= counts[0][name]:
            return f"{name} is not renamed."
        if is_new and counts[1][name] <= counts[0][name]:
            return f"The result does not have {name}."
    return ""


def script_size_problem(old: Syntax, new: Syntax) -> str:
    """Say that a simplified text has as many parts as before; empty if it has fewer."""
    before, after = (sum(1 for _ in inside(syntax.tree.root_node)) for syntax in (old, new))
    return "" if after < before else "The result is no simpler than before."


def script_fix_problem(old: Syntax, new: Syntax, diagnostic: Diagnostic) -> str:
    """Say in one sentence why an edit does not remove a finding; empty if it may."""
    counted = _COUNTED.get(diagnostic.code.rpartition("/")[2])
    if counted is not None:
        before, after = (sum(map(counted, inside(syntax.tree.root_node))) for syntax in (old, new))
        if 0 < before <= after:
            return "The problem is still there."
    if diagnostic.code == "eqeqeq" and _is_stricter(old, new):
        return "A value that is undefined would be compared otherwise than before."
    start, end = (old.text.count("\n", 0, place) for place in (diagnostic.span.start, diagnostic.span.end))
    for edit in edits_between(old.text, new.text):
        first = old.text.count("\n", 0, edit.span.start)
        last = old.text.count("\n", 0, max(edit.span.start, edit.span.end - 1))
        if first <= end + _NEAR_LINES and last >= start - _NEAR_LINES:
            return ""
    return "The edit does not change the code of the problem."


def _named(instruction: str, name: str) -> bool:
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", instruction) is not None


def _signatures(root: Node) -> dict[str, list[str]]:
    """Return the heads of the named functions, from the parameters to the body."""
    heads: dict[str, list[str]] = {}
    for node in inside(root):
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if node.type in FUNCTIONS and name is not None and body is not None:
            head = (node.text or b"")[name.end_byte - node.start_byte : body.start_byte - node.start_byte]
            heads.setdefault(text_of(name), []).append(re.sub(r"\s+|,(?=\s*\))", "", head.decode("utf-8", "replace")))
    return heads


def _functions_problem(before: Node, after: Node, instruction: str) -> str:
    old, new = _signatures(before), _signatures(after)
    for name, heads in old.items():
        left = new.get(name, [])
        if len(left) < len(heads) and not (_named(instruction, name) or _REORDERS.search(instruction)):
            return f"{name} would be removed."
        if len(left) > len(heads):
            return f"{name} would be defined twice."
        if len(left) == len(heads) and left != heads and not _SIGNATURE.search(instruction):
            return f"The signature of {name} would change."
    return ""


def _calls(root: Node) -> Counter[str]:
    """Count the called functions by the last part of their names."""
    counts: Counter[str] = Counter()
    for node in inside(root):
        kinds = {"call_expression": "function", "new_expression": "constructor"}
        target = node.child_by_field_name(kinds[node.type]) if node.type in kinds else None
        if target is not None:
            counts[re.split(r"\.|\?\.", text_of(target))[-1].strip()] += 1
    return counts


def _calls_problem(before: Node, after: Node, instruction: str) -> str:
    """Refuse a call that is gone altogether: one of two equal calls may be one too many."""
    left = _calls(after)
    gone = [name for name in _calls(before) if name not in left and name not in _WITHOUT_EFFECT]
    gone = [name for name in gone if re.fullmatch(r"[\w$]+", name) and not _named(instruction, name)]
    return f"The call of {gone[0]} would be removed." if gone else ""


def _errors_problem(before: Node, after: Node, instruction: str) -> str:
    """Refuse a lost ``throw``, ``try`` or ``await``."""
    words = {
        "throw_statement": "throw",
        "try_statement": "try",
        "await_expression": "await",
        "yield_expression": "yield",
    }
    old, new = (Counter(node.type for node in inside(root) if node.type in words) for root in (before, after))
    lost = next((words[kind] for kind in words if new[kind] < old[kind]), "")
    return f"A {lost} would be removed." if lost and lost not in instruction.lower() else ""


def _atoms(root: Node) -> Counter[str]:
    """Count the parts of all conditions, without the operators that join or negate them."""
    counts: Counter[str] = Counter()
    for node in inside(root):
        condition = node.child_by_field_name("condition") if node.type in _CONDITIONS else None
        waiting = [condition] if condition is not None else []
        while waiting:
            part = waiting.pop()
            operator = part.child_by_field_name("operator")
            is_joined = part.type == "binary_expression" and operator is not None and operator.type in _LOGIC
            is_negated = part.type == "unary_expression" and operator is not None and operator.type == "!"
            if is_joined or is_negated or part.type in {"parenthesized_expression", "expression_statement"}:
                waiting += part.named_children
            elif part.type != "comment":
                counts[_plain(text_of(part))] += 1
    return counts


def _plain(text: str) -> str:
    return re.sub(r"[!=]==?|\s+|\?", "", text)


def _condition_problem(before: Node, after: Node, instruction: str) -> str:
    """Refuse a condition that is nowhere in the new text, not even as a value."""
    left = _plain(text_of(after))
    lost = [part for part in _atoms(before) if part not in left]
    words = set(re.findall(r"[A-Za-z_$][\w$]*", instruction))
    lost = [part for part in lost if not words & set(re.findall(r"[A-Za-z_$][\w$]*", part))]
    return f"The condition {lost[0]} would be removed." if lost else ""


def _assigned(root: Node) -> Iterator[str]:
    """Yield the properties that are set."""
    for node in inside(root):
        left = node.child_by_field_name("left") if node.type.endswith("assignment_expression") else None
        if left is not None and left.type in {"member_expression", "subscript_expression"}:
            yield text_of(left)


def _assignment_problem(before: Node, after: Node, instruction: str) -> str:
    left = set(_assigned(after))
    lost = [name for name in _assigned(before) if name not in left and not _named(instruction, name.rpartition(".")[2])]
    return f"{lost[0]} would no longer be set." if lost and not _REORDERS.search(instruction) else ""


def _comment_problem(before: Node, after: Node, instruction: str) -> str:
    old, new = (
        sum(node.type == "comment" and text_of(node).startswith("/**") for node in inside(root))
        for root in (before, after)
    )
    is_meant = re.search(r"\b(?:doc|comment)", instruction, re.IGNORECASE) or _REORDERS.search(instruction)
    return "A documentation comment would be removed." if new < old and not is_meant else ""


def _operator(node: Node) -> str:
    operator = node.child_by_field_name("operator")
    return operator.type if operator is not None else ""


def _is_stricter(old: Syntax, new: Syntax) -> bool:
    """Whether ``a == null``, which also holds for undefined, became a comparison with one of the two."""
    before, after = (
        Counter(
            (_operator(node)[:1], len(_operator(node)), text_of(node.named_children[-1]))
            for node in _comparisons(syntax)
        )
        for syntax in (old, new)
    )
    for sign in ("=", "!"):
        lost = sum((before - after)[sign, 2, value] for value in ("null", "undefined"))
        gained = after - before
        if lost > min(gained[sign, 3, value] for value in ("null", "undefined")):
            return True
    return False


def _comparisons(syntax: Syntax) -> list[Node]:
    return [node for node in inside(syntax.tree.root_node) if node.type == "binary_expression" and node.named_children]


def _without_braces(node: Node) -> bool:
    if node.type == "else_clause":
        return not any(child.type in {"statement_block", "if_statement"} for child in node.named_children)
    kept = {
        "if_statement": "consequence",
        "while_statement": "body",
        "for_statement": "body",
        "for_in_statement": "body",
    }
    body = node.child_by_field_name(kept[node.type]) if node.type in kept else None
    return body is not None and body.type != "statement_block"


_COUNTED: Final[Mapping[str, Callable[[Node], bool]]] = {
    "curly": _without_braces,
    "eqeqeq": lambda node: node.type == "binary_expression" and _operator(node) in {"==", "!="},
    "no-explicit-any": lambda node: node.type == "predefined_type" and text_of(node) == "any",
    "no-nested-ternary": lambda node: (
        node.type == "ternary_expression" and any(child.type == "ternary_expression" for child in node.named_children)
    ),
    "no-non-null-assertion": lambda node: node.type == "non_null_expression",
    "no-plusplus": lambda node: node.type == "update_expression",
    "no-var": lambda node: node.type == "variable_declaration",
    "prefer-template": lambda node: (
        node.type == "binary_expression"
        and _operator(node) == "+"
        and any(child.type in {"string", "template_string"} for child in node.named_children)
    ),
}
"""Rules of eslint whose findings can be counted in the syntax tree."""
