"""Imports at the top of a file: where a new one goes, which ones move up, which ones are removed."""

import pytest

from spark_lsp.actions.checks.import_block import Needed, hoisted, with_imports, without_unused

DEFAULTDICT, RE = Needed("collections", "defaultdict"), Needed("re")
ADDED = {
    "sorted among others": ("import os\nimport sys\n\nx = 1\n", RE, "import os\nimport re\nimport sys\n\nx = 1\n"),
    "behind a docstring": ('"""Doc."""\n\n\ndef f(): ...\n', RE, '"""Doc."""\n\nimport re\n\n\ndef f(): ...\n'),
    "into an empty file": ("", RE, "import re\n\n"),
    "before a function": ("def f(): ...\n", RE, "import re\n\n\ndef f(): ...\n"),
    "behind the future": (
        "from __future__ import annotations\n\n\nclass A: ...\n",
        RE,
        "from __future__ import annotations\n\nimport re\n\n\nclass A: ...\n",
    ),
    "into a from line": (
        "from collections import Counter, deque\n",
        DEFAULTDICT,
        "from collections import Counter, defaultdict, deque\n",
    ),
    "at the end of one that is not sorted": (
        "from collections import deque, Counter\n",
        DEFAULTDICT,
        "from collections import deque, Counter, defaultdict\n",
    ),
    "into lines of one name each": (
        "from collections import (\n    Counter,\n    deque,\n)\n",
        DEFAULTDICT,
        "from collections import (\n    Counter,\n    defaultdict,\n    deque,\n)\n",
    ),
    "behind the standard library": (
        "import os\n\nfrom . import x\n",
        Needed("numpy", "", "np"),
        "import os\n\nimport numpy as np\n\nfrom . import x\n",
    ),
    "relative": ("import os\n\nfrom . import x\n", Needed("", "y", level=1), "import os\n\nfrom . import x, y\n"),
    "that is there": ("import re\n", RE, "import re\n"),
    "with other line ends": ("import os\r\n\r\nx = 1\r\n", RE, "import os\r\nimport re\r\n\r\nx = 1\r\n"),
    "beside a comment": (
        "from collections import deque  # fast\n",
        DEFAULTDICT,
        "from collections import deque  # fast\nfrom collections import defaultdict\n",
    ),
    "behind a conditional one": (
        "import os\n\nif os:\n    import a\n\nimport sys\n",
        RE,
        "import os\n\nif os:\n    import a\n\nimport re\nimport sys\n",
    ),
}


@pytest.mark.parametrize(("before", "wanted", "after"), ADDED.values(), ids=ADDED)
def test_added(before: str, wanted: Needed, after: str) -> None:
    assert with_imports(before, [wanted]) == after
    assert with_imports(after, [wanted]) == after


def test_a_long_line_is_laid_out_in_lines() -> None:
    names = [f"a_rather_long_name_{number}" for number in range(4)]
    text = with_imports(f"from module import {', '.join(names[:3])}\n", [Needed("module", names[3])])
    assert text == "from module import (\n" + "".join(f"    {name},\n" for name in names) + ")\n"


BEFORE = "import os\n\n\ndef f():\n    return os.sep\n"
HOISTED = {
    "from a function": ("import os\n\n\ndef f():\n    import re\n\n    return re.escape(os.sep)\n", (RE,)),
    "from between functions": ("import os\n\n\nimport re\n\ndef f():\n    return re.escape(os.sep)\n", (RE,)),
    "from a method": (
        "import os\n\n\nfrom collections import defaultdict\n\n\ndef f():\n    return defaultdict, os.sep\n",
        (DEFAULTDICT,),
    ),
}


@pytest.mark.parametrize(("after", "imports"), HOISTED.values(), ids=HOISTED)
def test_hoisted(after: str, imports: tuple[Needed, ...]) -> None:
    result = hoisted(BEFORE, after)
    assert (result.imports, result.problem) == (imports, "")
    body = "re.escape(os.sep)" if imports == (RE,) else "defaultdict, os.sep"
    assert result.text == f"import os\n\n\ndef f():\n    return {body}\n"


STAYS = {
    "what was there": (
        "def f():\n    import re\n    return re\n",
        "def f():\n    import re\n    return re.escape\n",
    ),
    "what depends on something": (BEFORE, BEFORE + "\n\ntry:\n    import re\nexcept ImportError:\n    re = None\n"),
}


@pytest.mark.parametrize(("before", "after"), STAYS.values(), ids=STAYS)
def test_stays(before: str, after: str) -> None:
    assert hoisted(before, after) == hoisted(after, after)
    assert hoisted(before, after).text == after


REFUSED = {
    "everything": ("from re import *\n" + BEFORE, "The model's text imports everything from a module."),
    "on one line with something": (
        BEFORE.replace("    return", "    import re; return"),
        "The model's text imports in the middle of a line.",
    ),
    "a name of the file": (
        BEFORE.replace("    return os.sep", "    from x import f\n    return f"),
        "The model's text imports f, which is a name of the file.",
    ),
}


@pytest.mark.parametrize(("after", "problem"), REFUSED.values(), ids=REFUSED)
def test_refused(after: str, problem: str) -> None:
    assert hoisted(BEFORE, after).problem == problem


def test_an_import_that_the_file_has_is_taken_out_of_the_middle() -> None:
    before = "import re\n\n\ndef f():\n    return re\n"
    result = hoisted(before, before.replace("    return", "    import re\n\n    return"))
    assert (result.text, result.problem) == (before, "")


def test_unused_imports_of_an_edit_are_left_out() -> None:
    before = "import os\n\nprint(1)\n"
    after = "import os\nimport re\nfrom a import b, c\n\nprint(c)\n"
    assert without_unused(before, after, ["os", "re", "b"]) == "import os\nfrom a import c\n\nprint(c)\n"
