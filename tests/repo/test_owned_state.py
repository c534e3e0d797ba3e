"""State belongs to its object: no module writes to an attribute of a class of ours that another module defines."""

import ast
from collections import defaultdict
from collections.abc import Iterator

from tests.repo.source import Module, modules, report

ALLOWED = {
    # The builder's place in the graph moves with the two modules that walk the tree.
    "spark_lsp/actions/python/analysis/control_flow.py": {"self._graph.frontier", "self._graph.guard"},
    "spark_lsp/actions/python/analysis/expressions.py": {"self._graph.frontier"},
    # The points of a graph that was just built, before anybody else has it.
    "spark_lsp/actions/python/analysis/operator_hooks.py": {"point.kind"},
    "spark_lsp/actions/python/analysis/quiet_reads.py": {"point.kind"},
    # Nodes of Python's own syntax trees, which are there to be changed.
    "spark_lsp/actions/python/missing_annotations.py": {"node.annotation", "node.returns"},
    "spark_lsp/actions/python/renaming.py": {"node.id"},
    # Objects of libraries: rich's console, llama.cpp's structures, the protocol's messages.
    "spark_lsp/cli/bench.py": {"terminal.width"},
    "spark_lsp/cli/stats.py": {"terminal.width"},
    "spark_lsp/llama/loading/gguf_model.py": {"overrides[0].key"},
    "spark_lsp/llama/loading/memory_estimate.py": {"params.rope_freq_scale"},
    "spark_lsp/server/code_actions.py": {"action.edit", "action.title", "action.disabled", "action.data"},
}
"""What may be written to, by module, with the reason above it."""

_Owners = dict[str, set[str]]


def test_nobody_writes_to_the_state_of_another_modules_object() -> None:
    ours = modules()
    owners = _owners(ours)
    written = [(module.place, line, target) for module in ours for line, target in _foreign_writes(module, owners)]
    report(
        [
            f"{place}:{line}: writes to {target}; give its class a method, or the value at construction"
            for place, line, target in written
            if target not in ALLOWED.get(place, set())
        ]
    )
    unused = {(place, target) for place, targets in ALLOWED.items() for target in targets}
    assert unused - {(place, target) for place, _line, target in written} == set(), "nobody writes to these any more"


def test_a_write_from_outside_is_seen() -> None:
    owner = _module("a.py", "class Gate:\n    def __init__(self) -> None:\n        self.is_paused = False\n")
    user = _module("b.py", "def pause(gate):\n    gate.is_paused = True\n    gate.other = 1\n    gate.is_paused += 1\n")
    owners = _owners((owner, user))
    assert list(_foreign_writes(user, owners)) == [(2, "gate.is_paused"), (4, "gate.is_paused")]
    assert list(_foreign_writes(owner, owners)) == []


def _module(place: str, text: str) -> Module:
    return Module(place, place.removesuffix(".py"), text, ast.parse(text))


def _owners(ours: tuple[Module, ...]) -> _Owners:
    """Return in which modules a class has an attribute of a name, declared in its body or written to by its methods."""
    owners: _Owners = defaultdict(set)
    for module in ours:
        for owner in (node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)):
            for statement in owner.body:
                if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                    owners[statement.target.id].add(module.place)
            for node in ast.walk(owner):
                if isinstance(node, ast.Attribute) and _is_written(node) and _is_own(node):
                    owners[node.attr].add(module.place)
    return owners


def _foreign_writes(module: Module, owners: _Owners) -> Iterator[tuple[int, str]]:
    """Yield writes to attributes that classes of other modules alone have, each with its line."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and _is_written(node) and not _is_own(node):
            places = owners.get(node.attr, set())
            if places and module.place not in places:
                yield node.lineno, ast.unparse(node)


def _is_written(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store | ast.Del)


def _is_own(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
