"""Rewritten Python must catch, return and pass on the same values as before."""

import pytest

from spark_lsp.actions.base import Diagnostic
from spark_lsp.actions.checks.kept import kept_problem
from spark_lsp.actions.checks.outcomes import outcome_problem
from spark_lsp.text.edit import Span

GUARDED = (
    "def f(x):\n    try:\n        g(x)\n        return True\n    except (KeyError, errors.Bad):\n        return False\n"
)
PAIRS = {
    "an error is not caught": (
        GUARDED,
        "def f(x):\n    if g(x):\n        return True\n    return False\n",
        "Bad would no longer be caught.",
    ),
    "an error is suppressed": (
        GUARDED,
        "def f(x):\n    with suppress(KeyError, errors.Bad):\n        return bool(g(x) or True)\n    return False\n",
        "",
    ),
    "a test in place of two constants": (
        "def f(x):\n    if x > 1:\n        return True\n    return False\n",
        "def f(x):\n    return x > 1\n",
        "",
    ),
    "a constant that is not returned": (
        "def f(x):\n    if not x:\n        return None\n    return x[0]\n",
        "def f(x):\n    return x[0]\n",
        "None would no longer be returned.",
    ),
    "a constant within another value": (
        "def f(x):\n    if x:\n        return x\n    return 'none'\n",
        "def f(x):\n    return x or 'none'\n",
        "",
    ),
    "an end without a return": (
        "def f(x):\n    if x:\n        g(x)\n    return None\n",
        "def f(x):\n    if x:\n        g(x)\n",
        "",
    ),
    "a pattern that is taken literally": (
        "def f(x):\n    x = re.sub('_id$', '', x)\n    return re.sub('a+', 'b', x)\n",
        "def f(x):\n    x = x.replace('_id$', '')\n    return re.sub('a+', 'b', x)\n",
        "'_id$' would be passed to replace and no longer to sub.",
    ),
    "the second function of a name": (
        f"if A:\n    def f(x):\n        return x\nelse:\n    {GUARDED.replace(chr(10), chr(10) + '    ').rstrip()}\n",
        "if A:\n    def f(x):\n        return x\nelse:\n    def f(x):\n        g(x)\n        return True\n",
        "Bad would no longer be caught.",
    ),
    "a conversion that an f-string lacks": (
        "def f(x):\n    return '%s(x=%r)' % (name, x)\n",
        "def f(x):\n    return f'{name}(x={x})'\n",
        "A value would not be formatted with !r any more.",
    ),
    "conversions that an f-string has": (
        "def f(x):\n    return '%s %r %d %5.2f %-8s %08x %%' % x\n",
        "def f(a, b, c, d, e, g):\n    return f'{a} {b!r} {c} {d:5.2f} {e:<8} {g:08x} %'\n",
        "",
    ),
    "a precision that is dropped": (
        "def f(x):\n    return '{0:>10} {1:.3f} {1!r:{2}}'.format(x, y, z)\n",
        "def f(x):\n    return f'{x:>10} {y:.2f} {y!r:{z}}'\n",
        "A value would not be formatted with :.3f any more.",
    ),
    "repr in place of a conversion": (
        "def f(x):\n    return '%r' % (x,) + format(x, '.1f')\n",
        "def f(x):\n    return repr(x) + f'{x:.1f}'\n",
        "",
    ),
    "no Python": ("def f(:", "def f(x): pass", ""),
}


@pytest.mark.parametrize(("before", "after", "problem"), PAIRS.values(), ids=PAIRS)
def test_what_becomes_of_a_function(before: str, after: str, problem: str) -> None:
    assert outcome_problem(before, after) == problem
    assert outcome_problem(before, before) == ""


def test_what_the_user_asks_for_may_change() -> None:
    before, after, _ = PAIRS["an error is not caught"]
    assert outcome_problem(before, after, "Let errors through") == ""
    before, after, _ = PAIRS["a pattern that is taken literally"]
    assert outcome_problem(before, after, "Use replace for the suffix") == ""


def test_a_rule_of_layout_keeps_the_conditions() -> None:
    before = "def f(x):\n    if x == 0:\n        return 1\n    elif x == 1:\n        return 2\n    return 3\n"
    after = before.replace("    elif x == 1:\n        return 2\n    return 3\n", "    return 2\n    return 3\n")
    span = Span(before.index("elif"), before.index("elif") + 4)
    diagnostic = Diagnostic(span, "Unnecessary `elif` after `return` statement", "RET505", "Ruff")
    assert kept_problem(before, after, diagnostic) == "The edit changes more than the layout of the lines."
    assert kept_problem(before, before.replace("elif", "if"), diagnostic) == ""
