"""Names by the plain rule, and when the model's is not taken."""

import ast

import pytest

from spark_lsp.actions.python.names import free_name, names_in_use
from spark_lsp.actions.python.plain_names import name_of_comment, name_of_value
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.text.edit import apply_edits
from tests.actions.check import target_of
from tests.support.workspace import TestWorkspace


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("get_user(1)", "user"),
        ("self.load_settings()", "settings"),
        ("a.firstName", "first_name"),
        ("rows[0]", "row"),
        ('row["user name"]', "user_name"),
        ("a + b", "total"),
        ("await fetch_page(u)", "page"),
        ("[user.name for user in users]", "names"),
        ("a > b", "condition"),
        ("class_", "value"),
        ("print", "value"),
        ("entries[1]", "entry"),
    ],
)
def test_name_of_a_value(value: str, name: str) -> None:
    assert name_of_value(ast.parse(value, mode="eval").body) == name


@pytest.mark.parametrize(
    ("comment", "name"),
    [("Read the settings of the user", "read_settings_user"), ("!!!", ""), ("-- sum it up", "sum_up")],
)
def test_name_of_a_comment(comment: str, name: str) -> None:
    assert name_of_comment(comment) == name


def test_a_taken_name_is_numbered() -> None:
    assert free_name("total", {"total", "total_2"}) == "total_3"


def test_names_in_use_are_names_and_no_attributes() -> None:
    tree = ast.parse(
        "import a.b as c\ndef f(x):\n    global g\n    y.z(k=1)\n    match x:\n        case {**rest}: pass"
    )
    assert names_in_use(tree) >= {"c", "f", "x", "g", "y", "rest"}
    assert names_in_use(tree).isdisjoint({"z", "k"})


async def test_a_model_that_is_unsure_is_not_heard() -> None:
    target = target_of("def f(a, b):\n    $0c = a * b\n    print(c)$0\n")
    for probability, name in ((0.9, "multiply"), (0.05, "_f_part")):
        workspace = TestWorkspace(ScriptedEngine(["multiply"], probability=probability))
        proposal = await workspace.actions.propose("extract.function", target)
        assert apply_edits(target.snapshot.text, proposal.edits).startswith(f"def {name}(a, b):")


async def test_the_model_writes_under_a_grammar_at_the_definition() -> None:
    engine = ScriptedEngine(["multiply"])
    target = target_of("def f(a, b):\n    $0c = a * b\n    print(c)$0\n")
    await TestWorkspace(engine).actions.propose("extract.function", target)
    (request,) = engine.requests
    assert request.sampling.grammar.startswith("root ::=")
    assert request.priority == 1
