"""The table of families: exact part sequences, detection, and the limits of file text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.engine.base import PromptPart, SpecialToken, TextPart
from spark_lsp.engine.fim import (
    FAMILIES,
    FileBlock,
    FimFamily,
    Order,
    build_prompt,
    family_named,
    family_of,
    pieces,
    prompt_tokens,
)

BLOCKS = (FileBlock("lib/a.py", "A = 1\n\n", stable=True), FileBlock("lib/b.py", "B = 2", stable=False))


def show(parts: tuple[PromptPart, ...]) -> str:
    """Write parts as text: special_tokens as they are, pieces in ‹› (stable ones in «»)."""
    shown = []
    for part in parts:
        if isinstance(part, SpecialToken):
            shown.append(part.text)
        else:
            shown.append(f"«{part.text}»" if part.stable else f"‹{part.text}›")
    return "".join(shown).replace("\n", "⏎")


def check(name: str, order: Order, expected: str, *, repository: str = "proj", blocks: bool = True) -> None:
    family = family_named(name)
    assert family is not None
    parts = build_prompt(
        family,
        order,
        repository=repository,
        blocks=BLOCKS if blocks else (),
        current_path="src/main.py",
        prefix="def f(",
        suffix="\n    pass\n",
    )
    assert show(parts) == expected


QWEN_HEAD = "<|repo_name|>«proj⏎»<|file_sep|>«lib/a.py⏎A = 1⏎»<|file_sep|>‹lib/b.py⏎B = 2⏎›<|file_sep|>‹src/main.py⏎›"


def test_qwen_prefix_first() -> None:
    check(
        "qwen2.5-coder",
        "psm",
        QWEN_HEAD + "<|fim_prefix|>‹def f(›<|fim_suffix|>‹⏎    pass⏎›<|fim_middle|>",
    )


def begun_parts(name: str, order: Order, prefix: str, begun: str) -> tuple[PromptPart, ...]:
    family = family_named(name)
    assert family is not None
    place = {"repository": "", "blocks": (), "current_path": "a.py"}
    return build_prompt(family, order, **place, prefix=prefix, suffix=")\n", begun=begun)  # type: ignore[arg-type]


def test_qwen_prefix_first_with_begun_lines_behind_the_middle_token() -> None:
    parts = begun_parts("qwen2.5-coder", "psm", "import os\n", "print(\n    os.")
    assert show(parts) == "<|fim_prefix|>‹import os⏎›<|fim_suffix|>‹)⏎›<|fim_middle|>‹print(⏎    os.›"
    assert [part.heal for part in parts if isinstance(part, TextPart)] == [False, False, True]


def test_begun_lines_are_prefix_where_the_order_has_no_place_behind_the_middle_token() -> None:
    for name, order in (("qwen2.5-coder", "spm"), ("codestral", "psm")):
        whole = begun_parts(name, order, "import os\nprint(", "")  # type: ignore[arg-type]
        assert begun_parts(name, order, "import os\n", "print(") == whole  # type: ignore[arg-type]


def test_qwen_suffix_first_ends_in_the_prefix() -> None:
    check(
        "qwen2.5-coder",
        "spm",
        QWEN_HEAD + "<|fim_prefix|><|fim_suffix|>‹⏎    pass⏎›<|fim_middle|>‹def f(›",
    )


def test_without_context_there_is_only_the_middle() -> None:
    check(
        "qwen2.5-coder",
        "psm",
        "<|fim_prefix|>‹def f(›<|fim_suffix|>‹⏎    pass⏎›<|fim_middle|>",
        repository="",
        blocks=False,
    )


def test_repository_alone_names_the_current_file() -> None:
    check(
        "qwen2.5-coder",
        "spm",
        "<|repo_name|>«proj⏎»<|file_sep|>‹src/main.py⏎›<|fim_prefix|><|fim_suffix|>‹⏎    pass⏎›<|fim_middle|>‹def f(›",
        blocks=False,
    )


def test_deepseek_is_one_long_document() -> None:
    check(
        "deepseek-coder",
        "psm",
        "<｜fim▁begin｜>«#lib/a.py⏎A = 1⏎»‹#lib/b.py⏎B = 2⏎›‹#src/main.py⏎›"
        "‹def f(›<｜fim▁hole｜>‹⏎    pass⏎›<｜fim▁end｜>",
    )


def test_starcoder2_puts_the_prefix_token_before_the_path() -> None:
    check(
        "starcoder2",
        "psm",
        "<repo_name>«proj»<file_sep>«lib/a.py⏎A = 1⏎»<file_sep>‹lib/b.py⏎B = 2⏎›<file_sep>"
        "<fim_prefix>‹src/main.py⏎›‹def f(›<fim_suffix>‹⏎    pass⏎›<fim_middle>",
    )


def test_granite() -> None:
    check(
        "granite",
        "psm",
        "<reponame>«proj»<filename>«lib/a.py⏎A = 1⏎»<filename>‹lib/b.py⏎B = 2⏎›<filename>‹src/main.py⏎›"
        "<fim_prefix>‹def f(›<fim_suffix>‹⏎    pass⏎›<fim_middle>",
    )


def test_granite_4_spells_the_same_with_pipes() -> None:
    check(
        "granite-4",
        "psm",
        "<|reponame|>«proj»<|filename|>«lib/a.py⏎A = 1⏎»<|filename|>‹lib/b.py⏎B = 2⏎›<|filename|>‹src/main.py⏎›"
        "<|fim_prefix|>‹def f(›<|fim_suffix|>‹⏎    pass⏎›<|fim_middle|>",
    )


def test_mellum_has_the_suffix_first_and_no_repository() -> None:
    check(
        "mellum",
        "spm",
        "<filename>«lib/a.py⏎A = 1⏎»<filename>‹lib/b.py⏎B = 2⏎›<filename>‹src/main.py⏎›"
        "<fim_suffix>‹⏎    pass⏎›<fim_prefix>‹def f(›<fim_middle>",
    )


def test_codegemma() -> None:
    check(
        "codegemma",
        "psm",
        "<|file_separator|>«lib/a.py⏎A = 1⏎»<|file_separator|>‹lib/b.py⏎B = 2⏎›<|file_separator|>‹src/main.py⏎›"
        "<|fim_prefix|>‹def f(›<|fim_suffix|>‹⏎    pass⏎›<|fim_middle|>",
    )


def test_seed_coder_marks_paths_in_plain_text_inside_the_prefix() -> None:
    check(
        "seed-coder",
        "spm",
        "<[fim-suffix]>‹⏎    pass⏎›<[fim-prefix]>‹<filename>lib/a.py⏎A = 1⏎›‹<filename>lib/b.py⏎B = 2⏎›"
        "‹<filename>src/main.py⏎›‹def f(›<[fim-middle]>",
    )


def test_codellama() -> None:
    check(
        "codellama",
        "psm",
        "▁<PRE>‹ def f(›▁<SUF>‹⏎    pass⏎›▁<MID>",
        repository="",
        blocks=False,
    )


def test_codestral_has_no_middle_token() -> None:
    check(
        "codestral",
        "spm",
        "[SUFFIX]‹⏎    pass⏎›[PREFIX]‹+++++ lib/a.py⏎A = 1⏎⏎›‹+++++ lib/b.py⏎B = 2⏎⏎›‹+++++ src/main.py⏎›‹def f(›",
    )


def test_empty_pieces_are_left_out() -> None:
    family = FAMILIES[0]
    parts = build_prompt(family, "spm", repository="", blocks=(), current_path="a.py", prefix="", suffix="")
    assert show(parts) == "<|fim_prefix|><|fim_suffix|><|fim_middle|>"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_is_found_by_its_own_tokens(family: FimFamily) -> None:
    tokens = {*family.required, *family.stops}
    name = family.named[0] if family.named else ""
    assert family_of(tokens.__contains__, f"{name}-4b") == family


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_one_missing_token_is_another_family_or_none(family: FimFamily) -> None:
    for missing in family.required:
        tokens = {*family.required} - {missing}
        assert family_of(tokens.__contains__, family.named[0] if family.named else "") != family


def test_an_unknown_vocabulary_has_no_family() -> None:
    assert family_of({"<s>", "</s>"}.__contains__) is None
    assert family_named("gpt") is None


@given(
    family=st.sampled_from(FAMILIES),
    order=st.sampled_from(["psm", "spm"]),
    prefix=st.text(max_size=20),
    suffix=st.text(max_size=20),
    files=st.lists(st.tuples(st.text(max_size=10), st.booleans()), max_size=4),
)
def test_text_stays_text(
    family: FimFamily, order: Order, prefix: str, suffix: str, files: list[tuple[str, bool]]
) -> None:
    blocks = [FileBlock("a.py", text, stable=stable) for text, stable in files]
    parts = build_prompt(
        family, order, repository="r", blocks=blocks, current_path="c.py", prefix=prefix, suffix=suffix
    )
    texts = pieces(parts)
    assert all(texts)
    assert not prefix or prefix in texts or family.lead + prefix in texts
    assert not prefix or prefix in texts or family.lead + prefix in texts
    assert not suffix or suffix in texts
    assert {part.text for part in parts if isinstance(part, SpecialToken)} <= set(family.required)
    stability = [part.stable for part in parts if isinstance(part, TextPart)]
    assert stability == sorted(stability, reverse=True)
    assert prompt_tokens(parts, [len(text) for text in texts]) == len(parts) - len(texts) + sum(map(len, texts))
