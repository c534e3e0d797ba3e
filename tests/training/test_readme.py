"""The commands of the training page name options that exist, and no machine that only its authors have."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "models" / "training" / "README.md").read_text("utf-8")
FENCES = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for fence in FENCES for line in fence.replace("\\\n", " ").splitlines()]


def test_the_page_is_for_anyone_with_a_gpu() -> None:
    assert not re.search(r"\b(?:lent|lease|calls?|\$OUT|carry|issue)\b", PAGE)


def test_options_of_the_trainer_are_there() -> None:
    pytest.importorskip("torch")
    from models.training.train import read_options  # noqa: PLC0415 - needs torch

    for line in COMMANDS:
        for command in re.findall(r"models\.training\.train([^|;>#]*)", line.replace("2>&1", "")):
            assert read_options(command.replace('"', "").split())
