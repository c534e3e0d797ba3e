"""New names stand wherever the old ones stood, and a cursor within a name stays within it."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.training.prompt import Prompt
from models.training.renaming import IDENTIFIER, fresh_name, may_be_renamed, renamed
from models.training.samples import Sampler
from spark_lsp.engine.fim import FileBlock
from tests.training.support import ByteEncoder, small_corpus


def renamed_texts(text: str, block: str, names: dict[str, str]) -> tuple[str, str]:
    """Rename in a text with its answer between ``[`` and ``]``, and in a block; return both in the same form."""
    prefix, rest = text.split("[")
    middle, suffix = rest.split("]")
    prompt = Prompt("p", (FileBlock("p/b.py", block, stable=True),), "p/a.py", prefix, suffix, middle)
    new_prompt = renamed(prompt, names)
    assert (new_prompt.repository, new_prompt.path, new_prompt.blocks[0].path) == ("p", "p/a.py", "p/b.py")
    return f"{new_prompt.prefix}[{new_prompt.middle}]{new_prompt.suffix}", new_prompt.blocks[0].text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = [Account(1)]\n", "x = [Ledger(1)]\n"),
        ("x = Acc[ount(1)]\n", "x = Led[ger(1)]\n"),
        ("x = Acc[ou]nt(1)\n", "x = Led[ge]r(1)\n"),
        ("x = Account[(1)]\n", "x = Ledger[(1)]\n"),
        ("x = [Accounts(Account)]\n", "x = [Accounts(Ledger)]\n"),
        ("Account[ = ]Account.of(account)\n", "Ledger[ = ]Ledger.of(account)\n"),
    ],
)
def test_a_name_changes_everywhere(before: str, after: str) -> None:
    assert renamed_texts(before, "class Account:\n", {"Account": "Ledger"}) == (after, "class Ledger:\n")


def test_a_short_new_name_keeps_something_to_be_completed() -> None:
    assert renamed_texts("x = Accoun[t]\n", "", {"Account": "Be"})[0] == "x = B[e]\n"


TEXTS = st.text(alphabet="ab_ .\n(", max_size=30)


@given(TEXTS, TEXTS, TEXTS, st.dictionaries(st.sampled_from(["a", "b", "ab", "_a"]), st.sampled_from(["x", "yz"])))
def test_renaming_in_pieces_is_always_renaming_of_the_whole(
    prefix: str, middle: str, suffix: str, names: dict[str, str]
) -> None:
    new_prompt = renamed(Prompt("p", (), "p/a.py", prefix, suffix, middle), names)
    whole = IDENTIFIER.sub(lambda match: names.get(match[0], match[0]), prefix + middle + suffix)
    assert new_prompt.prefix + new_prompt.middle + new_prompt.suffix == whole


@given(
    st.sampled_from(["load_rows", "_private", "HTTPServer", "MAX_SIZE", "toString", "x", "X", "Account"]),
    st.integers(0, 50),
)
def test_a_fresh_name_always_has_the_style_of_the_old(like: str, seed: int) -> None:
    name = fresh_name(random.Random(seed), like, ["open", "row", "tree"])
    assert name.isidentifier()
    assert name.startswith("_") == like.startswith("_")
    assert name.strip("_")[0].isupper() == like.strip("_")[0].isupper()
    assert (name.isupper() and len(name) > 1) == (like.isupper() and len(like) > 1)


@pytest.mark.parametrize("name", ["client", "load_rows", "Account"])
def test_a_programs_own_names_may_change(name: str) -> None:
    assert may_be_renamed(name)


@pytest.mark.parametrize("name", ["return", "len", "__init__", "_", "ValueError"])
def test_the_languages_names_stay(name: str) -> None:
    assert not may_be_renamed(name)


def test_new_names_of_an_answer_can_be_had_from_the_prompt() -> None:
    """In the samples themselves: no word of the small corpus is in them by chance."""
    sampler = Sampler(small_corpus(), ByteEncoder())
    known = {name for file in sampler.files for name in IDENTIFIER.findall(file.text)}
    new_names = 0
    for number in range(300):
        prompt = sampler.prompt(random.Random(number), 1500)
        shown = set(IDENTIFIER.findall("\n".join(block.text for block in prompt.blocks)))
        line = prompt.prefix.rsplit("\n", 1)[-1] + prompt.middle
        told_names = {name for name in IDENTIFIER.findall(line) if name not in known and string.digits[0] not in name}
        whole = {name for name in told_names if name in shown}
        new_names += len(whole)
    assert new_names > 20
