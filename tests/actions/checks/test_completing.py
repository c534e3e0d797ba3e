"""Names that an edit uses: imported from the workspace or the standard library, or a reason to refuse."""

from pathlib import Path

import pytest

from scripts.harness.fixture import parse_fixture
from spark_lsp.actions.checks.completing import completed
from spark_lsp.actions.checks.stdlib import module_of, public_names
from spark_lsp.index.storage.view import EMPTY_VIEW
from tests.support.workspace import indexed

BEFORE = '"""Doc."""\n\nimport os\n\n\ndef f(a):\n    return os.sep\n'


def _edited(body: str) -> str:
    return BEFORE.replace("    return os.sep\n", body)


SUPPLIED = {
    "from the standard library": (
        "    return os.sep, defaultdict(list)\n",
        (
            '"""Doc."""\n\nimport os\nfrom collections import defaultdict\n\n\n'
            "def f(a):\n    return os.sep, defaultdict(list)\n"
        ),
    ),
    "a module": (
        "    return os.sep, re.escape(a)\n",
        '"""Doc."""\n\nimport os\nimport re\n\n\ndef f(a):\n    return os.sep, re.escape(a)\n',
    ),
    "hoisted, and one that nothing uses": (
        "    import re, json\n    return os.sep, re.escape(a)\n",
        '"""Doc."""\n\nimport os\nimport re\n\n\ndef f(a):\n    return os.sep, re.escape(a)\n',
    ),
    "nothing": ("    return a\n", BEFORE.replace("return os.sep", "return a")),
}


@pytest.mark.parametrize(("body", "after"), SUPPLIED.values(), ids=SUPPLIED)
def test_supplied(body: str, after: str) -> None:
    result = completed(BEFORE, _edited(body), "main.py", EMPTY_VIEW)
    assert (result.text, result.problem) == (after, "")


REFUSED = {
    "one": ("    return whatever(a)\n", "whatever is not defined anywhere."),
    "two": ("    return whatever(a), Thing\n", "whatever, Thing are not defined anywhere."),
    "several modules have it": ("    return dumps(a)\n", "dumps is not defined anywhere."),
    "a variable that was forgotten": ("    return a + signature\n", "signature is not defined anywhere."),
    "a module as a variable": ("    return queue\n", "queue is not defined anywhere."),
    "self in a function": ("    self.assertEqual(a, 1)\n", "self is not defined anywhere."),
}


@pytest.mark.parametrize(("body", "problem"), REFUSED.values(), ids=REFUSED)
def test_refused(body: str, problem: str) -> None:
    assert completed(BEFORE, _edited(body), "main.py", EMPTY_VIEW).problem == problem


def test_what_was_undefined_before_does_not_count() -> None:
    before = "def f(a):\n    return later(a)\n"
    assert completed(before, before.replace("(a)\n", "(a) + 1\n"), "main.py", EMPTY_VIEW).problem == ""


WORKSPACE = {
    "the one definition": (
        "#- shop/money.py\nclass Money:\n    pass\n#- shop/main.py\nx = 1$0\n",
        "from shop.money import Money",
    ),
    "relative where the file is": (
        "#- shop/money.py\nclass Money:\n    pass\n#- shop/main.py\nfrom .other import y\n\nx = 1$0\n",
        "from .money import Money",
    ),
    "as the others have it": (
        (
            "#- shop/money.py\nclass Money:\n    pass\n#- shop/a.py\nfrom lib import Money\n\nprint(Money)\n"
            "#- shop/main.py\nx = 1$0\n"
        ),
        "from lib import Money",
    ),
    "by another name": (
        "#- shop/a.py\nimport numpy as Money\n\nprint(Money)\n#- shop/main.py\nx = 1$0\n",
        "import numpy as Money",
    ),
    "from src": ("#- src/shop/money.py\nclass Money:\n    pass\n#- main.py\nx = 1$0\n", "from shop.money import Money"),
    "two definitions": (
        "#- shop/money.py\nclass Money:\n    pass\n#- shop/cash.py\nclass Money:\n    pass\n#- shop/main.py\nx = 1$0\n",
        None,
    ),
    "one that imports this file": (
        "#- shop/money.py\nfrom shop.main import x\n\n\nclass Money:\n    pass\n#- shop/main.py\nx = 1$0\n",
        None,
    ),
    "a test's": ("#- tests/test_money.py\nclass Money:\n    pass\n#- shop/main.py\nx = 1$0\n", None),
}


@pytest.mark.parametrize(("files", "line"), WORKSPACE.values(), ids=WORKSPACE)
def test_from_the_workspace(files: str, line: str | None, tmp_path: Path) -> None:
    fixture = parse_fixture(files)
    index = indexed(fixture, tmp_path)
    text = fixture.text
    result = completed(text, text + "\n\ndef g():\n    return Money()\n", fixture.path, index.view())
    index.close()
    assert result.problem == ("" if line else "Money is not defined anywhere.")
    assert line is None or line in result.text.split("\n")


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("defaultdict", "collections"), ("Path", "pathlib"), ("dataclass", "dataclasses"), ("Any", "typing"),
        ("sqrt", "math"), ("datetime", "datetime"), ("Iterable", "collections.abc"), ("patch", "unittest.mock"),
        ("partial", "functools"), ("dumps", ""), ("nonsense", ""), ("TestCase", "unittest"),
    ],
)  # fmt: skip
def test_the_standard_library(name: str, module: str) -> None:
    assert module_of(name) == module


def test_a_list_of_public_names_that_adds_up_others_is_read() -> None:
    """Python 3.13 writes pathlib's like this."""
    sources = {
        "pathlib": "from pathlib._abc import *\nfrom pathlib._local import *\n\n"
        "__all__ = (_abc.__all__ +\n           _local.__all__)\n",
        "pathlib._abc": '__all__ = ["UnsupportedOperation"]\n\nclass PathBase: ...\n',
        "pathlib._local": '__all__ = [\n    "PurePath",\n    "Path", "_hidden",\n]\n',
        "mixed": '__all__ = ["one", *_parts.__all__] + ["two"]\n',
        "mixed._parts": '__all__ = ("three",)\n',
    }
    assert public_names("pathlib", sources.__getitem__) == ["UnsupportedOperation", "PurePath", "Path"]
    assert public_names("mixed", sources.__getitem__) == ["one", "three", "two"]
