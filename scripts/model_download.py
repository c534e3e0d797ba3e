"""Download a model beside the installation: a separate process, whose output lines report its progress.

Uses only the standard library, because it runs before anything is installed. A failed download costs nothing else.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOG = Path(sys.prefix) / "spark-lsp-model.log"


class ModelDownload:
    """One running download; ``scripts/pull_model.py`` does the work and writes to a log."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.error = ""
        self.status = "asking for it"
        self.notices: list[str] = []
        """Messages that were not shown yet."""
        with LOG.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(ROOT / "scripts" / "pull_model.py"), name],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._reader = LOG.open(encoding="utf-8", errors="replace")
        self._rest = ""

    def poll(self) -> bool:
        """Read new output; return whether the download still runs."""
        if self._reader.closed:
            return False
        is_running = self._process.poll() is None
        *lines, self._rest = (self._rest + self._reader.read()).split("\n")
        for line in lines:
            self._take(line)
        if not is_running:
            self._reader.close()
            if self._process.returncode and not self.error:
                self.error = f"The download ended with status {self._process.returncode}; {LOG} holds the reason."
        return is_running

    def wait(self, seconds: float) -> None:
        """Wait for its end, for at most so long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def stop(self) -> None:
        """Stop it; downloaded parts are kept."""
        self._process.terminate()
        self._process.wait()

    def _take(self, line: str) -> None:
        kind, _, text = line.partition(" ")
        if kind == "notice":
            self.notices.append(text)
        elif kind == "error":
            self.error = text
        elif kind == "step":
            done, total, step = text.split(" ", 2)
            share = int(done) * 100 // max(1, int(total))
            self.status = f"{step}: {int(done) / 1e6:,.0f} of {int(total) / 1e6:,.0f} MB, {share} %"
