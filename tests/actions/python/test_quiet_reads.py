"""Calls that only compute, and attributes that are there, may change places with other code; their doubles may not."""

import pytest

from spark_lsp.actions.python.extract_variable import variable_at
from spark_lsp.actions.python.inline_variable import inlining_at
from spark_lsp.actions.refusal import Refusal
from tests.actions.check import target_of

EXTRACTED = {
    "behind an attribute of a standard module": "import os\ndef f(a, g):\n    return g(os.sep, $0a()$0)\n",
    "behind a chain of modules": "import urllib.parse\ndef f(a):\n    return urllib.parse.quote($0a()$0)\n",
    "a constant of a module behind a call": "import os\ndef f(g):\n    return g(g(), $0os.sep$0)\n",
    "a builtin behind an attribute": "def f(a, b):\n    return a.size + $0len(b)$0\n",
    "a call behind a function that only computes": (
        "def half(n):\n    if isinstance(n, int):\n        return n // 2\n    raise ValueError(n)\n\n\n"
        "def f(a, b):\n    g(b.size, $0half(a)$0)\n"
    ),
    "the method's object is set by __init__ alone": (
        "class A:\n    def __init__(self, out):\n        self.out = out\n\n"
        "    def f(self):\n        self.out.write($0self.g()$0)\n"
    ),
}
REFUSED = {
    "the module's attribute is assigned": "import os\nos.sep = 1\ndef f(a, g):\n    return g(os.sep, $0a()$0)\n",
    "an attribute that changes often": "import sys\ndef f(a, g):\n    return g(sys.stdout, $0a()$0)\n",
    "the module is a parameter": "import os\ndef f(os, a, g):\n    return g(os.sep, $0a()$0)\n",
    "a star import may bind the name": "import os\nfrom a import *\ndef f(a, g):\n    return g(os.sep, $0a()$0)\n",
    "a submodule that nothing imports": "import urllib\ndef f(a, g):\n    return g(urllib.parse, $0a()$0)\n",
    "len is the document's": "def len(x):\n    print(x)\ndef f(a, b):\n    return g(a[0], $0len(b)$0, a)\n",
    "a function that goes through an iterator": (
        "def first(n):\n    a, = n\n    return a\n\n\ndef f(a, b):\n    g(first(a), $0first(b)$0)\n"
    ),
    "a function that reads a variable of the module": (
        "rate = 1\n\n\ndef times(n):\n    return n * rate\n\n\ndef f(a, b):\n    g(a[0], $0times(b)$0)\n"
    ),
    "a function that keeps something": (
        "def note(n):\n    seen[n] = 1\n    return n\n\n\ndef f(a, b):\n    g(note(a), $0note(b)$0)\n"
    ),
    "the method's object is set elsewhere": (
        "class A:\n    def __init__(self, out):\n        self.out = out\n\n    def g(self):\n        self.out = 1\n\n"
        "    def f(self):\n        self.out.write($0self.g()$0)\n"
    ),
    "an object of the document whose length counts": (
        "class A:\n    def __len__(self):\n        self.n += 1\n        return self.n\n\n\n"
        "def f(a, b, c):\n    return c(a.size, len(a), $0len(b)$0)\n"
    ),
}


@pytest.mark.parametrize("name", EXTRACTED)
def test_is_extracted(name: str) -> None:
    assert not isinstance(variable_at(target_of(EXTRACTED[name])), Refusal)


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused(name: str) -> None:
    outcome = variable_at(target_of(REFUSED[name]))
    assert isinstance(outcome, Refusal)
    assert outcome.code == "order"


def test_a_variable_that_a_called_function_reads_is_assigned_between() -> None:
    text = "rate = 1\n\n\ndef times(n):\n    return n * rate\n\n\nprint($0times(2)$0)\nrate = 3\nprint(times(2))\n"
    variable = variable_at(target_of(text))
    assert not isinstance(variable, Refusal)
    assert len(variable.uses) == 1


def test_an_object_of_a_standard_module_stays_the_same() -> None:
    text = "import os\n\n\ndef f(g):\n    env$0 = os.environ\n    g()\n    return env\n"
    assert not isinstance(inlining_at(target_of(text)), Refusal)


def test_a_function_of_the_document_that_is_called_as_a_reader_of_code_reads_none() -> None:
    text = "def dis(x):\n    return x\n\n\ndef f(g):\n    env$0 = g\n    return env\n\n\nprint(dis(1), f)\n"
    assert not isinstance(inlining_at(target_of(text)), Refusal)
