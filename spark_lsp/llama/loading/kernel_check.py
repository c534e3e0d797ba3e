"""Whether this build of llama.cpp may use its fast matrix kernels: checked once for each build, the result kept.

A compiler can get AMX kernels wrong, and the process then dies at its first decode (docs/decisions/amx.md). The check
runs in a process of its own, see ``llama/compute_check.py``. Never computes in a process that serves anyone.
"""

import contextlib
import hashlib
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import llama_cpp
import platformdirs

from spark_lsp.llama.loading.native import library_version

EXTRA_BUFFERS_VARIABLE: Final = "SPARK_LSP_FAST_KERNELS"
"""``0`` never uses kernels that rearrange the weights, AMX among them; ``1`` uses them unchecked."""

_AMX: Final = "AMX_INT8 = 1"
_LIMIT_S: Final = 120.0
_log = logging.getLogger("spark_lsp.llama")


def fast_kernels_work(model_path: str) -> bool:
    """Return whether the kernels may be used; answers from memory but for the first time with a build."""
    override = os.environ.get(EXTRA_BUFFERS_VARIABLE, "")
    if override in {"0", "1"}:
        return override == "1"
    features = library_version()
    if _AMX not in features:
        return True
    key = _build_key(features)
    known = _read(results_path()).get(key)
    if known is None:
        known = _works_in_another_process(model_path)
        if known is not None:
            _write(results_path(), key, works=known)
    return known is not False


def results_path() -> Path:
    """Return where the results are kept, by build."""
    return Path(platformdirs.user_cache_dir("spark-lsp")) / "compute-check.json"


def _works_in_another_process(model_path: str) -> bool | None:
    """Return what the check found; None where it could not be finished, which says nothing of the build."""
    command = [sys.executable, "-P", "-m", "spark_lsp", "engine", "compute-check", model_path]
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and module
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("the compute check did not end: %s", error)
        return None
    if done.returncode:
        _log.warning("the compute check ended with %d", done.returncode)
    return done.returncode == 0


def _build_key(features: str) -> str:
    folder = Path(os.environ.get("LLAMA_CPP_LIB_PATH") or Path(llama_cpp.__file__).parent / "lib")
    files = sorted(path for path in folder.glob("*ggml-cpu*") if path.is_file() and not path.is_symlink())
    stamps = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.blake2b(json.dumps([features, stamps]).encode(), digest_size=16).hexdigest()


def _read(path: Path) -> dict[str, bool]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: value for key, value in content.items() if isinstance(value, bool)}


def _write(path: Path, key: str, *, works: bool) -> None:
    fresh = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.write_text(json.dumps({**_read(path), key: works}) + "\n", "utf-8")
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
