"""Every gate and every rule that docs/protocol.md names has an example here or in a case file."""

import re
from typing import Final

import msgspec
import pytest

from spark_lsp.completion.gate import GATES, LARGEST_DOCUMENT_CHARACTERS, Moment, gate
from spark_lsp.completion.hole import Hole
from spark_lsp.completion.judge import Terms, judge
from spark_lsp.config import CompletionSettings
from spark_lsp.engine.fake import ScriptedEngine
from tests.completion.check import chosen, hole_of, read_case
from tests.completion.test_cases import CASES
from tests.repo.source import ROOT
from tests.support.rooms import FAST, TestRooms

NO_COMMENTS: Final = msgspec.structs.replace(FAST, in_comments=False)
CALL: Final = "value = call(other)\n$0"

EXAMPLES: Final[dict[str, tuple[str, str, CompletionSettings, Moment]]] = {
    "too_large": ("main.py", "x" * LARGEST_DOCUMENT_CHARACTERS + "\n$0", FAST, Moment()),
    "binary": ("main.py", "a null \0 in a text\n$0", FAST, Moment()),
    "secret": (".env", "TOKEN=abcdefghij\nKEY=$0", FAST, Moment()),
    "too_little": ("main.py", "x = $0", FAST, Moment()),
    "mid_word": ("main.py", "value = na$0me\nprint(value)", FAST, Moment()),
    "mid_line": ("main.py", "value = $0 + other\nprint(value)", FAST, Moment()),
    "several_cursors": ("main.py", CALL, FAST, Moment(several_cursors=True)),
    "accepted": ("main.py", "value = call(other)\nvalue = 1$0", FAST, Moment(just_accepted=True)),
    "finished": ("main.py", "value = call(other)$0", FAST, Moment()),
    "comment": ("main.py", "def f(x):\n    return x  # the value $0\n", NO_COMMENTS, Moment()),
}
BY_PIPELINE: Final = {"confidence", "rejected"}
"""Rules that need more than what the model says; the case files name the first, test_reuse.py holds the second."""
OF_ACTIONS: Final = {"check"}


def _documented(heading: str) -> list[str]:
    """The names in the first column of the table under a heading."""
    section = (ROOT / "docs" / "protocol.md").read_text("utf-8").split(f"### {heading}\n", 1)[1].split("\n#", 1)[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_every_gate_is_documented_and_has_an_example() -> None:
    assert [each.name for each in GATES] == _documented("Gates") == list(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
async def test_a_gate_refuses_its_example_and_by_hand_only_if_it_is_a_hard_one(name: str) -> None:
    path, before, settings, moment = EXAMPLES[name]
    hole = hole_of(before, path)
    is_hard = next(each.hard for each in GATES if each.name == name)
    assert gate(hole, settings, manual=False, moment=moment) == name
    assert gate(hole, settings, manual=True, moment=moment) == (name if is_hard else "")


@pytest.mark.parametrize("name", ["too_large", "binary", "secret"])
async def test_what_a_hard_gate_refuses_never_reaches_the_engine(name: str) -> None:
    path, before, settings, _ = EXAMPLES[name]
    engine = ScriptedEngine(["x"])
    answer = await TestRooms(engine, settings=settings).completer.complete(hole_of(before, path), manual=True)
    assert (answer.reason, engine.starts, engine.requests) == (f"gate.{name}", 0, [])


@pytest.mark.parametrize("region", ['text = "the value of $0"\n', "text = '''\nthe value $0\n'''\n"])
def test_strings_are_left_alone_when_told_so(region: str) -> None:
    hole = hole_of(f"value = call(other)\n{region}")
    settings = [("", FAST), ("comment", NO_COMMENTS)]
    assert [name for name, each in settings if gate(hole, each, manual=False) != name] == []


def test_every_documented_rule_fires_in_a_case_file() -> None:
    fired: set[str] = set()
    for file in CASES:
        case = read_case(file)
        path = case.get("path", "main.py")
        hole: Hole = hole_of(case["before"], path)
        if "entry" in case:
            hole = chosen(case["before"], case["entry"], case.get("over"), case.get("behind", ""), path)
        fired.add(judge(hole, case["model"], [], Terms(FAST.max_lines), finished=True).rule)
        fired.add(case.get("reason", "").removeprefix("trimmed."))
    assert set(_documented("Rules")) - fired - OF_ACTIONS <= BY_PIPELINE
    assert fired - {"", "ok", "empty"} <= set(_documented("Rules"))
