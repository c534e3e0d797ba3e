"""A real model's outputs at many cursors, and what the pipeline shows of them.

The data holds outputs of Qwen2.5-Coder-0.5B-Instruct at cursors of this repository's files and of texts written for
it, gathered and kept by ``scripts/real_outputs``. ``UPDATE_EXPECT=1`` writes the verdicts again; the rules below hold
for every one of them, so that a verdict is not merely what the code said once.
"""

import os
import re
from pathlib import Path

import msgspec
import pytest

from scripts.real_outputs.gather import cursor_of
from scripts.real_outputs.keep import Kept, judged_again
from spark_lsp.completion.brackets import imbalance
from tests.support.syntax import parsed

DATA = Path(__file__).with_name("real_outputs.jsonl")
OUTPUTS = [msgspec.json.decode(line, type=Kept) for line in DATA.read_bytes().splitlines()]
MARKS = re.compile(r"<\|[a-z_]+\|>|^[ \t]*```", re.MULTILINE)


def test_the_verdicts_are_those_of_the_data() -> None:
    fresh = [judged_again(output) for output in OUTPUTS]
    if os.environ.get("UPDATE_EXPECT"):
        DATA.write_bytes(b"".join(msgspec.json.encode(output) + b"\n" for output in fresh))
    for old, new in zip(OUTPUTS, fresh, strict=True):
        assert new == old


@pytest.mark.parametrize("threshold", ["all", "sure"])
@pytest.mark.parametrize("number", range(len(OUTPUTS)))
def test_what_is_shown_keeps_the_rules(number: int, threshold: str) -> None:
    output = OUTPUTS[number]
    text = output.all if threshold == "all" else output.sure
    replaced = output.all_replaced if threshold == "all" else output.sure_replaced
    if not text:
        return
    rest = output.after[replaced:]
    cursor = cursor_of(output.path, output.before, output.after)
    # Nothing but white space, and none at the end, which no reader sees.
    assert text.strip()
    assert text == text.rstrip()
    # Neither marks of the prompt nor fences of a chat.
    assert not MARKS.search(text) or "`" in output.before
    # No line that stands right below the cursor, nor the same line three times in a row.
    lines = [cursor.line_prefix.strip() + text.split("\n")[0].strip(), *(line.strip() for line in text.split("\n")[1:])]
    telling = [line for line in lines if sum(map(str.isalnum, line)) > 2]
    next_line_prefetch = next((line.strip() for line in rest.split("\n")[1:] if line.strip()), "")
    assert sum(map(str.isalnum, next_line_prefetch)) < 3 or next_line_prefetch not in telling
    assert not any(lines[at] and lines[at] == lines[at + 1] == lines[at + 2] for at in range(len(lines) - 2))
    # What it replaces right of the cursor is in it.
    assert not replaced or all(char in text for char in output.after[:replaced].strip())
    # It leaves no bracket open, closes none that it did not open, and the document parses no worse.
    whole = imbalance(output.before + text + rest)
    assert whole <= imbalance(output.before + output.after)
    if cursor.language is not None:
        old, new = (
            parsed(cursor.language, document) for document in (cursor.snapshot.text, output.before + text + rest)
        )
        assert new.error_count <= old.error_count
