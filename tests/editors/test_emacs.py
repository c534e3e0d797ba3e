"""Emacs in batch with the real server and scripted answers: completion and actions in lsp-mode, actions in eglot."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.editors import install
from tests.editors.shop import REPOSITORY, SPARK, environment, money_text, stop_engine, write_ledger

pytestmark = [pytest.mark.editor, pytest.mark.model]

PLUGIN = REPOSITORY / "editors" / "emacs"
FIXTURES = Path(__file__).parent / "fixtures"
DEADLINE_S = 240


@pytest.fixture
def emacs(tmp_path: Path, scripted_answers: dict[str, str]) -> Any:
    """Run one of the sessions on the sample workspace; return its output."""
    if reason := install.missing("debian"):
        pytest.skip(reason)
    root = install.DEBIAN_ROOT / "usr"
    (dump,) = root.glob("libexec/emacs/*/*/emacs-*.pdmp")
    share = root / "share" / "emacs" / dump.parents[1].name
    work = write_ledger(tmp_path / "ledger")

    def run(session: str) -> dict[str, Any]:
        variables = {
            **os.environ,
            **environment(tmp_path / "run"),
            **scripted_answers,
            # Where the unpacked Emacs finds itself.
            "EMACSLOADPATH": str(share / "lisp"),
            "EMACSDATA": str(share / "etc"),
            "EMACSDOC": str(share / "etc"),
            "EMACSPATH": str(dump.parent),
            "HOME": str(tmp_path),
            "SPARK_TEST_PLUGIN": str(PLUGIN),
            "SPARK_TEST_COMMAND": "\n".join([*SPARK, "serve", "--stdio"]),
            "SPARK_TEST_ELPA": str(root / "share" / "emacs" / "site-lisp" / "elpa-src" / "*"),
            "SPARK_TEST_WORKSPACE": str(work),
            "SPARK_TEST_STATE": str(tmp_path),
        }
        command = [
            str(root / "bin" / "emacs-nox"),
            f"--dump-file={dump}",
            "-Q",
            "--batch",
            "-l",
            str(FIXTURES / session),
        ]
        done = subprocess.run(
            command, env=variables, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        facts: dict[str, Any] = {}
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                facts |= json.loads(line)
        return facts

    yield run
    stop_engine(tmp_path / "run")


def test_lsp_mode_shows_ghost_text_takes_it_and_applies_an_action(emacs: Any) -> None:
    facts = emacs("emacs_lsp_mode.el")
    assert facts["before"].endswith("+ entry.am"), "ghost text is not in the buffer"
    assert facts["after"] == facts["before"] + facts["ghost"].split("\n")[0]
    assert facts["ghost"]
    assert "Implement __radd__" in facts["actions"]
    assert facts["status"].startswith("Spark")
    check_body(facts["text"])


def test_eglot_applies_an_action(emacs: Any) -> None:
    facts = emacs("emacs_eglot.el")
    assert "Implement __radd__" in facts["actions"]
    check_body(facts["text"])


def test_eglot_shows_a_next_edit_and_makes_it(emacs: Any, tmp_path: Path) -> None:
    (tmp_path / "ledger" / "price.py").write_text("def price(item):\n    return item\n\n\nx = price(1)\n")
    (tmp_path / "ledger" / "cart.py").write_text("from price import price\n\nprint(price(2))\n")
    facts = emacs("emacs_next_edit.el")
    assert (facts["title"], facts["struck"], facts["line"]) == ("Rename price to cost", "price", 5)
    assert facts["text"] == "def cost(item):\n    return item\n\n\nx = cost(1)\n"
    assert facts["file"] == "cart.py"
    assert facts["keys before"] == facts["keys after"] != "spark-lsp-accept-next-edit"
    assert facts["keys while shown"] == "spark-lsp-accept-next-edit"


def check_body(text: str) -> None:
    """Check that the method has a body now, and the rest of the file is unchanged."""
    before = money_text()
    compile(text, "money.py", "exec")
    assert "        return self + other\n" in text
    assert text.partition("def __radd__")[0] == before.partition("def __radd__")[0]
    assert text.partition("def __str__")[2] == before.partition("def __str__")[2]
