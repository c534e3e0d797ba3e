"""Files that the command line writes are readable by their owner only, and safe to print in a terminal."""

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from spark_lsp.cli import serve
from tests.cli.test_terminal import NASTY, controls

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("spark_lsp")
    handlers, levels = root.handlers[:], (root.level, ours.level, logging.getLogger("pygls").level)
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    for logger, level in zip((root, ours, logging.getLogger("pygls")), levels, strict=True):
        logger.setLevel(level)


@pytest.mark.usefixtures("logging_restored")
def test_the_log_file_is_private_and_holds_no_controls(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "server.log"
    old_mask = os.umask(0)
    try:
        serve._log_to(path)
        logging.getLogger("spark_lsp.test").warning("opened %s", NASTY)
    finally:
        os.umask(old_mask)
    for handler in logging.getLogger().handlers:
        handler.flush()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text("utf-8")
    assert "PWNED" in text
    assert controls(text) == []
