"""Code that lists the names of a class gives the same result after a method is extracted, or that is refused."""

import asyncio
from pathlib import Path

import pytest

from scripts.harness.fixture import parse_fixture
from tests.actions.python.check import propose
from tests.support.workspace import indexed

MODULE = """\
{head}class Shape{bases}:
{body}    def area(self, w, h):
        $0self.size = w * h
        print(self.size)$0
"""
LISTS = {
    "its own object": ("", "", "    def names(self):\n        return sorted(dir(self))\n\n", "", True),
    "its own class": ("", "", "    @classmethod\n    def names(cls):\n        return [*cls.__dict__]\n\n", "", True),
    "the class of its object": ("", "", "    def names(self):\n        return [*vars(type(self))]\n\n", "", True),
    "what its object holds": ("", "", "    def held(self):\n        return vars(self), self.__dict__\n\n", "", False),
    "its marked methods": (
        "import inspect\n\n\n",
        "",
        "    def marked(self):\n        return [m for _, m in inspect.getmembers(self) if hasattr(m, 'mark')]\n\n",
        "",
        False,
    ),
    "its fields": (
        "",
        "",
        "    def __init_subclass__(cls):\n        cls.own = [n for n, v in vars(cls).items() if hasattr(v, 'm')]\n\n",
        "",
        False,
    ),
    "a base": ("from base import Base\n\n\n", "(Base)", "", "", True),
    "a base, by public names": ("from base import Public\n\n\n", "(Public)", "", "", False),
    "a class below": ("", "", "", "class Square(Shape):\n    def names(self):\n        return dir(self)\n", True),
    "another file": ("", "", "", "print(sorted(Shape.__dict__), 'area' in dir(Shape))\n", True),
    "another file, an object": ("", "", "", "def f(shape: Shape):\n    return dir(shape)\n", True),
    "another file, one name": ("", "", "", "print('area' in dir(Shape), vars(Shape)['area'])\n", False),
    "another file, something else": ("", "", "", "print(dir(Shape.area), vars(type(Shape)))\n", False),
}
BASE = """\
class Base:
    def names(self):
        return [name for name in dir(self) if "__" not in name]


class Public:
    def names(self):
        return [name for name in dir(self) if not name.startswith("_")]
"""


@pytest.mark.parametrize("model", [None, "show"])
@pytest.mark.parametrize(("head", "bases", "body", "other_class", "is_seen"), LISTS.values(), ids=LISTS)
def test_lists_of_a_class(
    head: str, bases: str, body: str, other_class: str, is_seen: bool, model: str | None, tmp_path: Path
) -> None:
    before = MODULE.format(head=head, bases=bases, body=body)
    files = {"shapes.py": before, "base.py": BASE, "uses.py": f"from shapes import Shape\n\n\n{other_class}"}
    index = indexed(parse_fixture("".join(f"#- {path}\n{text}" for path, text in files.items())), tmp_path)
    try:
        after, proposal = asyncio.run(propose("extract.function", before, model, "shapes.py", index))
    finally:
        index.close()
    assert (after is None) == is_seen
    assert ("lists the names of the class, where a new name would appear." in proposal.message) == is_seen
    if after is not None:
        goes_by_public = "Public" in bases
        assert ("def show(" in after) == (model is not None and not goes_by_public)
