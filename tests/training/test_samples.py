"""Samples are laid out as the engine lays out prompts, end with the end token, and come out the same each time."""

import random
import re
from pathlib import Path

import numpy as np
import pytest

from models.training.batches import END_WEIGHT, LINE_END_WEIGHT, MIDDLE_WEIGHT, batch_of, pool
from models.training.corpus import source_file
from models.training.corpus_file import SourceFile
from models.training.holes import Hole, hole_of_shape
from models.training.manifest import Package
from models.training.prompt import Prompt
from models.training.samples import NOVEL_BEFORE_CHARACTERS, TOLD, Sampler, family, length_limits, window
from models.training.siblings import IDENTIFIER, Library, choose_blocks, signature_sheet, whole_file
from models.training.tokenizer import SPECIAL_TOKENS
from spark_lsp.engine.base import SpecialToken, TextPart
from spark_lsp.engine.fim import FileBlock, build_prompt
from spark_lsp.index.store import Index
from spark_lsp.prompt import cached_prefix
from spark_lsp.prompt.cached_prefix import block_of
from tests.training.support import ByteEncoder, small_corpus

ENCODER = ByteEncoder()
SAMPLER = Sampler(small_corpus(), ENCODER)


@pytest.mark.parametrize("order", ["spm", "psm"])
def test_the_layout_is_build_prompt_token_for_token(order: str) -> None:
    block = FileBlock("alpha/b.py", "def b() -> int:\n    ...\n\n", stable=True)
    prompt = Prompt("alpha", (block,), "alpha/a.py", "x = ", "\ny = 2\n", "b()")
    parts = build_prompt(
        family(),
        order,
        repository="alpha",
        blocks=[block],
        current_path="alpha/a.py",
        prefix="x = ",
        suffix="\ny = 2\n",
    )
    expected: list[int] = []
    for part in parts:
        expected += [ENCODER.special_token(part.text)] if isinstance(part, SpecialToken) else ENCODER.encode(part.text)
    sample = Sampler(SAMPLER.files, ENCODER, order=order).encode(prompt, 1000)
    assert sample is not None
    assert sample.ids[: sample.prompt_tokens] == expected
    assert ENCODER.decode(sample.middle) == "b()<|endoftext|>"


def test_a_sample_reads_like_this() -> None:
    block = FileBlock("alpha/b.py", "def b() -> int:\n", stable=True)
    sample = SAMPLER.encode(Prompt("alpha", (block,), "alpha/a.py", "x = ", "\n", "b()"), 1000)
    assert sample is not None
    assert ENCODER.decode(sample.ids) == (
        "<|repo_name|>alpha\n<|file_sep|>alpha/b.py\ndef b() -> int:\n<|file_sep|>alpha/a.py\n"
        "<|fim_prefix|><|fim_suffix|>\n<|fim_middle|>x = b()<|endoftext|>"
    )


def test_each_piece_is_tokenised_alone() -> None:
    seen: list[str] = []

    class Listening(ByteEncoder):
        def encode(self, text: str) -> list[int]:
            seen.append(text)
            return super().encode(text)

    sampler = Sampler(SAMPLER.files, Listening())
    prompt = sampler.prompt(random.Random(3), 2000)
    sampler.encode(prompt, 10_000)
    pieces = [part.text for part in prompt.parts(family(), "spm") if isinstance(part, TextPart)]
    assert seen == [*pieces, *([prompt.middle] if prompt.middle else [])] or seen == [*pieces, prompt.middle]


@pytest.mark.slow
def test_samples_are_the_same_each_time_and_differ_from_each_other() -> None:
    again = Sampler(small_corpus(), ByteEncoder())
    for number in range(30):
        assert SAMPLER.sample(1, number, 0.5) == again.sample(1, number, 0.5)
    assert len({tuple(SAMPLER.sample(1, number, 0.5).ids) for number in range(30)}) > 25
    assert SAMPLER.sample(1, 0, 0.5) != SAMPLER.sample(2, 0, 0.5)


@pytest.mark.slow
def test_samples_keep_their_length_and_end_with_the_end_token() -> None:
    for progress in (0.0, 0.5, 1.0):
        _, longest = length_limits(progress, 4096)
        for number in range(60):
            sample = SAMPLER.sample(5, number, progress)
            assert len(sample.ids) <= longest * 2  # of bytes, as long as tokens of three characters would be
            assert sample.ids[-1] == SPECIAL_TOKENS.index("<|endoftext|>")
            assert sample.ids.count(sample.ids[-1]) == 1


def test_line_ends_of_the_prefix_weigh_little_and_those_of_the_answer_much() -> None:
    prompt = Prompt("alpha", (), "alpha/a.py", "a = 1\nb = ", "\nd = 3\n", "2\nc = 4")
    sample = SAMPLER.encode(prompt, 1000)
    assert sample is not None
    assert ENCODER.decode([sample.ids[place] for place in sample.prefix_line_ends]) == "\n"
    batch = batch_of([[sample]], len(sample.ids) - 1)
    line_ends = batch.targets == ENCODER.encode("\n")[0]
    before = [1.0] * 4  # the package's name, the path, the suffix
    assert batch.weights[line_ends].tolist() == pytest.approx([*before, LINE_END_WEIGHT, MIDDLE_WEIGHT])


def test_a_good_part_of_the_samples_shows_other_files_and_what_is_needed() -> None:
    prompts = [SAMPLER.prompt(random.Random(number), 1500) for number in range(300)]
    with_blocks = [prompt for prompt in prompts if prompt.blocks]
    assert 0.4 < len(with_blocks) / len(prompts) < 0.8
    assert all(block.path != prompt.path for prompt in prompts for block in prompt.blocks)
    assert {block.path.split("/")[0] == prompt.repository for prompt in prompts for block in prompt.blocks} == {True}
    needing = [prompt for prompt in with_blocks if "make_" in prompt.middle.split("(")[0]]
    assert needing
    shown = [
        any(prompt.middle.split("make_")[1].split("(")[0] in block.text for block in prompt.blocks)
        for prompt in needing
    ]
    assert sum(shown) > len(shown) / 2


def test_half_of_the_samples_with_siblings_need_a_name_that_only_those_have() -> None:
    """Each file of the small corpus calls what the next one defines, so a hole that needs its name is always found."""
    prompts = [SAMPLER.prompt(random.Random(number), 1500) for number in range(300)]
    with_blocks = [prompt for prompt in prompts if prompt.blocks]
    needing = [prompt for prompt in with_blocks if _needs_a_shown_name(prompt)]
    assert len(needing) > len(with_blocks) * TOLD * 0.5


def _needs_a_shown_name(prompt: Prompt) -> bool:
    line = prompt.prefix.rsplit("\n", 1)[-1] + prompt.middle
    near = set(IDENTIFIER.findall(prompt.prefix.rpartition("\n")[0][-NOVEL_BEFORE_CHARACTERS:]))
    defined = {name for block in prompt.blocks for name in re.findall(r"def (\w+)", block.text)}
    return bool((set(IDENTIFIER.findall(line)) - near) & defined)


def test_a_line_that_stands_elsewhere_too_is_shown_there_at_times() -> None:
    package = [
        SourceFile("p", "p/a.py", "python", "x = 1\nwith open_ledger(path) as ledger:\n    pass\n"),
        SourceFile("p", "p/b.py", "python", "y = 2\nwith open_ledger(path) as ledger:\n    total(ledger)\n"),
    ]
    library = Library.of(package)
    hole = Hole(package[0].text.index("ledger(path)"), package[0].text.index("\n    pass"), "line")
    blocks = [choose_blocks(random.Random(n), library, package[0], hole, "x = 1\n", "", 2000) for n in range(40)]
    with_twin = [chosen for chosen in blocks if any("total(ledger)" in block.text for block in chosen)]
    assert len(with_twin) > 10
    assert all(block.path == "p/b.py" for chosen in blocks for block in chosen)


def test_windows_end_where_the_packer_ends_them() -> None:
    text = "".join(f"line {number}\n" for number in range(200))
    start = text.index("line 100") + 5
    prefix, suffix = window(text, Hole(start, start + 3, "line"), 700)
    assert prefix.split("\n", 1)[0] in {f"line {number}" for number in range(0, 200, 2)}  # 525 characters: steps of 2
    assert text[:start].endswith(prefix)
    assert suffix.startswith("\nline 101\n")


@pytest.mark.parametrize("shape", ["line", "lines", "block", "span"])
def test_holes_have_their_shape(shape: str) -> None:
    text = small_corpus()[0].text
    chance = random.Random(1)
    holes = [hole_of_shape(chance, text, shape, most_characters=400) for _ in range(100)]
    assert any(hole.shape == shape for hole in holes)
    for hole in holes:
        assert 0 <= hole.start <= hole.end <= len(text)
        if hole.shape == "line":
            assert "\n" not in hole.of(text)
        if hole.shape == "block":
            assert not hole.of(text).endswith("\n")
            assert hole.of(text).strip()


def test_blocks_are_those_of_the_packer(tmp_path: Path) -> None:
    """The sheet and the whole file are what the cached prefix shows of a file."""
    text = (
        "import os\n\n\nclass Thing(\n    dict,\n):\n    size: int = 3\n\n"
        "    def name(\n        self,\n    ) -> str:\n        return os.name\n"
    )
    (tmp_path / "thing.py").write_text(text, "utf-8")
    index = Index(tmp_path)
    index.refresh()
    entry = index.view().files["thing.py"]
    ours = source_file(Package("thing", "1", "MIT"), "thing.py", text)
    sheet = cached_prefix.signature_sheet("thing.py", entry)
    whole = cached_prefix.whole_file("thing.py", entry)
    assert sheet is not None
    assert whole is not None
    assert signature_sheet(ours) == block_of(sheet)
    assert whole_file(ours) == block_of(whole)
    index.close()


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["rows", "packed"])
def test_batches_hold_samples_with_weights(layout: str) -> None:
    batches = pool(SAMPLER, seed=1, number=0, progress=0.0, layout=layout, row_tokens=2048, batch_tokens=4096)
    again = pool(SAMPLER, seed=1, number=0, progress=0.0, layout=layout, row_tokens=2048, batch_tokens=4096)
    assert len(batches) > 3
    end = SPECIAL_TOKENS.index("<|endoftext|>")
    for batch, second_batch in zip(batches, again, strict=True):
        assert (batch.ids == second_batch.ids).all()
        assert batch.ids.shape == batch.targets.shape == batch.weights.shape == batch.documents.shape
        assert ((batch.documents >= 0) == (batch.weights > 0)).all()
        assert (batch.weights[batch.targets == end][batch.weights[batch.targets == end] > 0] == END_WEIGHT).all()
        kinds = {np.float32(weight) for weight in (1.0, MIDDLE_WEIGHT, END_WEIGHT, LINE_END_WEIGHT)}
        assert kinds <= set(batch.weights.flat) <= {*kinds, np.float32(0.0)}
        if layout == "packed":
            assert batch.ids.shape == (2, 2048)
