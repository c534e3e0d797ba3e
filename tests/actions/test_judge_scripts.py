"""The evaluation of code actions in TypeScript: places, tasks, and what its judges read from an edit by themselves."""

import json
import random
from pathlib import Path

import pytest

from scripts.judge_actions.node_tools import NodeFolder, NodePackage
from scripts.judge_actions.script_corpus import ScriptCorpus, place_named, script_places
from scripts.judge_actions.script_judges import _is_done, _mutants, _tokens
from scripts.judge_actions.script_tasks import SCRIPT_MAKERS, locals_of
from spark_lsp.text.edit import Edit, apply_edits

CODE = """\
/**
 * Add up.
 *
 * @param first - A number.
 */
export function sum(first: number, more = 2): number {
  const total = first + more;
  if (total === 0) {
    return 0;
  }
  return total;
}

class Box {
  size = 1;

  /** Grow. */
  grow(by: number): number {
    this.size += by;
    return this.size;
  }
}

function sum2() { return sum(1); }
"""


@pytest.fixture
def corpus(tmp_path: Path) -> ScriptCorpus:
    """A package whose functions are all known to be tested, so that nothing is run."""
    kept = tmp_path / "box.tested.json"
    tested = {"a.ts sum": True, "a.ts Box.grow": True, "a.ts sum2": True}
    kept.write_text(json.dumps({"tests": [], "tested": tested}))
    folder = NodeFolder(NodePackage("box", "1.0.0", ".", "."), tmp_path, tmp_path)
    return ScriptCorpus(folder, {"a.ts": CODE}, {"a.spec.ts": "sum(1); sum(2);"}, kept)


def test_functions_and_methods_are_places(corpus: ScriptCorpus) -> None:
    places = script_places(corpus)
    assert [place.full_name for place in places] == ["sum", "sum2", "Box.grow"]
    comments = [place.comment.text(CODE)[:12] if place.comment else "" for place in places]
    assert comments == ["/**\n * Add u", "", "/** Grow. */"]
    assert [place.lines for place in places] == [5, -1, 2]


@pytest.mark.parametrize(
    ("action", "name", "text"),
    [
        ("implement.body", "sum", CODE.replace(CODE[CODE.index("{\n  const") : CODE.index("\n\nclass")], "{\n}")),
        ("document", "Box.grow", CODE.replace("/** Grow. */\n  ", "")),
        ("annotate.types", "sum", CODE.replace("first: number, more = 2): number", "first, more = 2)")),
        ("update.references", "sum", CODE.replace("more = 2", "more")),
        ("rename.suggest", "sum", CODE.replace("total", "x1")),
    ],
)
def test_a_task_takes_something_away(corpus: ScriptCorpus, action: str, name: str, text: str) -> None:
    tasks = {task.name: task for task in SCRIPT_MAKERS[action](corpus, random.Random(1))}
    assert tasks[name].texts == {"a.ts": text}
    assert 0 < tasks[name].span.start < len(text)


def test_generated_tests_replace_those_that_name_the_function(corpus: ScriptCorpus) -> None:
    (task,) = SCRIPT_MAKERS["generate.tests"](corpus, random.Random(1))
    assert (task.name, task.texts) == ("sum", {"a.spec.ts": None})


def test_a_variable_that_is_also_a_property_is_not_renamed() -> None:
    place = place_named("a.ts", "function f(o) {\n  const size = 1;\n  return o.size + size;\n}\n", "f")
    assert place is not None
    assert locals_of(place) == {}


def test_a_comment_is_no_code() -> None:
    assert _tokens(CODE) == _tokens(CODE.replace("/** Grow. */", "// Another."))
    assert _tokens(CODE) != _tokens(CODE.replace("by: number", "by: string"))


@pytest.mark.parametrize(
    ("facts", "line", "is_done"),
    [
        ({"kind": "log", "name": "sum"}, '  console.debug("sum called");\n', True),
        ({"kind": "log", "name": "sum"}, '  console.log("sum called");\n', False),
        ({"kind": "guard", "name": "first"}, "  if (first === null) throw new TypeError();\n", True),
        ({"kind": "guard", "name": "first"}, "  if (!first) throw new TypeError();\n", False),
        ({"kind": "rename", "old": "total", "new": "totalValue"}, "", False),
        ({"kind": "rename", "old": "gone", "new": "total"}, "", True),
    ],
)
def test_what_was_asked_for_is_looked_for(facts: dict[str, str], line: str, *, is_done: bool) -> None:
    at = CODE.index("  const total")
    place = place_named("a.ts", CODE[:at] + line + CODE[at:], "sum")
    assert place is not None
    assert _is_done(facts, place) is is_done


def test_a_function_is_changed_in_each_of_its_operators() -> None:
    place = place_named("a.ts", CODE, "sum")
    assert place is not None
    empty, *swapped = _mutants(place)
    assert empty == apply_edits(CODE, [Edit(place.body, "{\nreturn undefined as never;\n}")])
    assert sorted(swapped) == sorted([CODE.replace("first + more", "first - more"), CODE.replace("===", "!==")])
