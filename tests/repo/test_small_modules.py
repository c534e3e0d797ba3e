"""A module of under sixty lines with a single importer has a reason, or it belongs into its importer."""

from collections import defaultdict
from collections.abc import Mapping

from tests.repo.source import imports, modules, report

MIN_LINES = 60

REASONS: Mapping[str, str] = {
    "actions.catalog": "contributors add a row here; only the composition root names it",
    "actions.checks.usage": "a check of generated Python like its neighbours, free of the action",
    "actions.javascript.types": "the importer has 447 lines, and types are a duty of their own",
    "actions.python.analysis.bytecode": "a proof about compiled code, free of renaming's places",
    "actions.python.analysis.decorators": "an analysis; the importer has 461 lines",
    "actions.python.call_updates.builtin_methods": "a table of the names of Python's own methods",
    "actions.python.target_scope": "where code goes, not what it becomes; the importer has 461 lines",
    "actions.verdict_gate": "a pure decision, free of the runner that asks for verdicts",
    "actions.withheld": "an engine, which the runner of actions only holds",
    "bench.beyond": "measures; the command only prints",
    "completion.candidates": "a pure choice between texts, free of the completer's state",
    "completion.postprocess.stable_prefix": "one stage of postprocessing a file",
    "completion.rejection": "a value with a rule of its own, beside the cache that asks it",
    "doctor.all_checks": "the order of the report; the command only prints",
    "doctor.model_checks": "one subject of checks a file",
    "doctor.verdict_checks": "one subject of checks a file",
    "edits.diagnostic_source": "one source of next edits a file",
    "engine.absent": "an engine; only the composition root names engines",
    "engine.local.requantize_process": "starts a process; the command only prints",
    "engine.remote.request": "the pure body of a request, free of the connection",
    "index.gc_freeze": "changes Python's garbage collector for the whole process",
    "index.ranking.definition_sites": "pure, and used in each ranking before it scores",
    "index.scan.privacy": "the rule what may leave the machine, which security.md names",
    "index.scan.texts": "a bounded memory of texts, free of what is parsed from them",
    "index.storage.cleanup": "deletes files of other workspaces, which no index does",
    "index.workers.fact_source": "a source of facts with its own memory",
    "llama.compute_check": "compares two native contexts; the command only prints",
    "llama.grammar": "pure limits that keep llama.cpp from ending the process",
    "llama.parts": "pure, the other half of what the client's side keeps",
    "openai_api.hang_up": "ends work by the connection, whatever the endpoint",
    "prompt.file_imports": "pure, one kind of segment a file",
    "prompt.snippet_search": "state with a lifetime of its own; the importer has 384 lines",
    "server.changes": "a timer over paths, tested without a server",
    "server.completion_item": "one module for each LSP feature",
    "server.did_focus": "one module for each LSP feature",
    "server.information": "one module for each LSP feature",
    "server.lifecycle": "one module for each LSP feature",
    "server.next_edit_action": "one module for each LSP feature",
    "server.quick_fixes": "reads a message of any shape, free of the feature that answers it",
    "server.time_limit": "threads with a deadline, free of what runs in them",
}
"""By name in the package, why a small module is not a part of its only importer."""


def small_modules(lines: Mapping[str, int], importers: Mapping[str, set[str]]) -> list[str]:
    """Return the modules of few lines that exactly one other module imports."""
    return sorted(name for name, count in lines.items() if count < MIN_LINES and len(importers.get(name, ())) == 1)


def _small_ones() -> list[str]:
    read = modules()
    names = {module.name for module in read}
    importers: dict[str, set[str]] = defaultdict(set)
    for module in read:
        for name, _line in imports(module):
            target = name if name in names else name.rpartition(".")[0]
            if target != module.name:
                importers[target].add(module.name)
    lines = {
        module.name.removeprefix("spark_lsp."): module.text.count("\n")
        for module in read
        if not module.place.endswith(("__init__.py", "__main__.py"))
    }
    return small_modules(lines, {name.removeprefix("spark_lsp."): users for name, users in importers.items()})


def test_a_small_module_with_one_importer_has_a_reason() -> None:
    report(
        [
            f"spark_lsp/{name.replace('.', '/')}.py:1: is short and has one importer; join them, or say why not"
            for name in _small_ones()
            if name not in REASONS
        ]
    )


def test_every_reason_is_needed() -> None:
    assert sorted(set(REASONS) - set(_small_ones())) == []


def test_small_modules_are_found() -> None:
    lines = {"a": 59, "b": 60, "c": 10, "d": 10}
    assert small_modules(lines, {"a": {"x"}, "b": {"x"}, "c": {"x", "y"}}) == ["a"]
