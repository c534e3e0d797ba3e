"""Run tests of an edited package in a temporary copy, in a process with a time limit and without pytest plugins."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from scripts.judge_actions.corpus import Corpus
from scripts.prove_actions.running import failure_of

TESTS_LIMIT_S: Final = 180.0
_SHORT: Final = 600


@contextmanager
def copied(corpus: Corpus, texts: Mapping[str, str | None]) -> Iterator[Path]:
    """Copy a package with these texts in place of its own, without the files whose text is None."""
    with tempfile.TemporaryDirectory(prefix="judge-") as folder:
        copy = Path(folder) / "package"
        shutil.copytree(corpus.root, copy, ignore=shutil.ignore_patterns("__pycache__", ".git"))
        for path, text in texts.items():
            file = copy / path
            if text is None:
                file.unlink(missing_ok=True)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, "utf-8", newline="")
        yield copy


def failing_tests(
    corpus: Corpus, texts: Mapping[str, str | None], names: Sequence[str], *, only: str = "", named: str = ""
) -> str:
    """Return the failures, empty if all passed, of the test files that mention one of some names, or of all files.

    ``only`` is a test file and ``named`` the test in it that runs alone.
    """
    package = corpus.package
    tests = [only] if only else _saying(corpus, names) or list(package.tests)
    options = ["-k", named] if named else []
    with copied(corpus, texts) as copy:
        python_path = os.pathsep.join([str(copy / package.path), str(copy)])
        own = {"PYTHONPATH": python_path, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "HOME": str(copy)}
        variables = {**os.environ, **own, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [sys.executable, "-W", "ignore", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        command += ["-c", os.devnull, "--rootdir", str(copy), *options, *package.options, *tests]
        return failure_of(command, copy, variables, limit_s=TESTS_LIMIT_S, most_characters=_SHORT)


def _saying(corpus: Corpus, names: Sequence[str]) -> list[str]:
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b") if names else None
    is_test = re.compile(r"(?:^|/)test_[^/]*\.py$|_test\.py$")
    return [path for path, text in corpus.tests.items() if pattern and is_test.search(path) and pattern.search(text)]
