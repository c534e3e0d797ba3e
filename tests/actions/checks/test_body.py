"""Bodies that must be refused, each as a whole file whose last function has the body."""

import pytest

from spark_lsp.actions.checks.body import body_problem


def _problem(text: str) -> str:
    line = max(number for number, part in enumerate(text.split("\n"), 1) if part.lstrip().startswith(("def", "async")))
    return body_problem(text, line)


MONEY = "class Money:\n    def __init__(self, cents):\n        self.cents = cents\n\n"
REFUSED = {
    "a parameter is not used": (
        MONEY + "    def __radd__(self, other):\n        return Money(-self.cents)\n",
        "The body of __radd__ does not use other.",
    ),
    "two are not": ("def f(a, b, c):\n    return a\n", "The body of f does not use b, c."),
    "arguments with a star": ("def f(*args):\n    return 1\n", "The body of f does not use args."),
    "an alternative constructor": (
        "class A:\n    @classmethod\n    def make(cls, text):\n        return cls()\n",
        "The body of make does not use text.",
    ),
    "nothing": ("def f(a):\n    pass\n", "The body of f does nothing."),
    "dots": ('def f(a):\n    """Doc."""\n    ...\n', "The body of f does nothing."),
    "returns nothing": ("def f():\n    return None\n", "The body of f does nothing."),
    "says that it is to be done": ("def f(a):\n    raise NotImplementedError(a)\n", "The body of f does nothing."),
    "calls itself": ("def f(a):\n    return f(a)\n", "The body of f always calls f again."),
    "calls itself as a method": (
        "class A:\n    def size(self):\n        return self.size() + 1\n",
        "The body of size always calls size again.",
    ),
    "calls itself in a condition": (
        "def f(a):\n    if f(a):\n        return a\n",
        "The body of f always calls f again.",
    ),
    "a number for an object": (
        MONEY + '    def twice(self) -> "Money":\n        return 2\n',
        "twice returns an int, and its signature says 'Money'.",
    ),
    "a text for a number": (
        "def f(a) -> int:\n    return f'{a}'\n",
        "f returns a str, and its signature says int.",
    ),
    "a list for a dict": (
        "def f(a) -> dict[str, int]:\n    return [a]\n",
        "f returns a list, and its signature says dict[str, int].",
    ),
    "None for a text": ("def f(a) -> str:\n    return a or None\n\n", ""),
    "no value for a text": (
        "def f(a) -> str:\n    if a:\n        return 'x'\n",
        "f may end without a value, and its signature says str.",
    ),
    "a value for None": ("def f(a) -> None:\n    return [a]\n", "f returns a list, and its signature says None."),
    "no value though promised": (
        'def f(a):\n    """Return the name."""\n    a.name()\n',
        "f returns nothing, but its docstring describes a return value.",
    ),
    "the body of another": (
        ("def g(a):\n    x = a\n    y = x + a\n    return y\n\n\ndef f(a):\n    x = a\n    y = x + a\n    return y\n"),
        "The body of f is that of g.",
    ),
    "numbers for an object, by their attributes": (
        (
            "class Money:\n    cents: int\n\n    def __radd__(self, other: 'Money') -> 'Money':\n"
            "        return self.cents + other.cents\n"
        ),
        "__radd__ returns an int, and its signature says 'Money'.",
    ),
    "a truth for bytes, by the signature of another method": (
        (
            "class A:\n    def check(self, value) -> bool:\n        return bool(value)\n\n"
            "    def sign(self, value) -> bytes:\n        return self.check(value)\n"
        ),
        "sign returns a bool, and its signature says bytes.",
    ),
    "calls itself on the other": (
        MONEY + "    def __radd__(self, other):\n"
        "        return other.__radd__(self) if other else self.__radd__(other)\n",
        "The body of __radd__ always calls __radd__ again.",
    ),
    "an attribute of a parameter that is not there": (
        "class Money:\n    cents: int\n\n\ndef total(one: Money) -> int:\n    return one.amount\n",
        "Money has no amount.",
    ),
    "an attribute that is not there": (
        MONEY + "    def twice(self):\n        return self.amount * 2\n",
        "Money has no amount.",
    ),
}


@pytest.mark.parametrize(("text", "problem"), REFUSED.values(), ids=REFUSED)
def test_refused(text: str, problem: str) -> None:
    assert _problem(text) == problem


ACCEPTED = {
    "right": MONEY + "    def __radd__(self, other):\n        return Money(self.cents + other.cents)\n",
    "a name that begins with an underscore": "def f(_a):\n    return 1\n",
    "keywords": "def f(**more):\n    return 1\n",
    "what Python hands over anyway": "class A:\n    close = 1\n\n    def __exit__(self, kind, error, trace):\n"
    "        self.close()\n",
    "used in a closure": "def f(a):\n    return lambda: a\n",
    "used by locals": "def f(a):\n    return locals()\n",
    "calls itself on one way": "def f(a):\n    if not a:\n        return 0\n    return f(a - 1)\n",
    "calls itself behind a condition": "def f(a):\n    return a and f(a - 1)\n",
    "calls the one above": "class A:\n    def f(self):\n        return super().f()\n",
    "an optional value": "def f(a) -> str | None:\n    if a:\n        return 'x'\n",
    "a number where one is due": "def f(a) -> float:\n    return 1 if a else 2\n",
    "leaves on all ways": "def f(a) -> int:\n    if a:\n        return 1\n    else:\n        raise ValueError\n",
    "tries": "def f(a) -> int:\n    try:\n        return a.x\n    except KeyError:\n        return 0\n",
    "never ends": "def f(a) -> int:\n    while True:\n        a.go()\n",
    "yields": "def f(a) -> Iterator[int]:\n    yield a\n",
    "an alias of a type": "Name = str\n\n\ndef f(a) -> Name:\n    return 'x' + a if a else 'y'\n",
    "an attribute of a class that is not known whole": "class A(B):\n    def f(self):\n        return self.x\n",
    "an attribute that is assigned elsewhere": "class A:\n    def g(self):\n        self.x = 1\n\n"
    "    def f(self):\n        return self.x\n",
    "the body of a method of the same name": (
        "class A:\n    def f(self, a):\n        x = a\n        y = x + a\n        return y\n\n\n"
        "class B:\n    def f(self, a):\n        x = a\n        y = x + a\n        return y\n"
    ),
    "a short body that another has": "def g(a):\n    return a\n\n\ndef f(a):\n    return a\n",
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(text: str) -> None:
    assert _problem(text) == ""


def test_a_text_that_does_not_parse_is_not_judged() -> None:
    assert body_problem("def f(:\n", 1) == ""
