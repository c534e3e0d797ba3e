"""Worker processes of the index: the same result as without, and never one too many."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scripts.harness.fixture import parse_fixture, write_workspace
from spark_lsp.index.parse.facts import decoded, file_facts
from spark_lsp.index.refresh import BULK_FILES
from spark_lsp.index.storage.view import IndexView
from spark_lsp.index.store import Index
from spark_lsp.index.workers.pool import ATTEMPTS, WorkerLostError, Workers
from spark_lsp.index.workers.worker import ParseText, ScanFiles
from spark_lsp.text.snapshot import content_hash
from tests.support.marks import posix_only
from tests.support.processes import still_running

pytestmark = pytest.mark.slow

LONG_S = 60.0  # far beyond what any machine needs; reached only by a failure
FILLER = "# " + "x" * 90 + "\n"


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(2)
    yield workers
    workers.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace worth a worker."""
    files = "".join(f"#- pkg/m{n}.py\ndef make_{n}(): return make_{n + 1}()\n{FILLER * 60}" for n in range(80))
    write_workspace(parse_fixture(files + "#- notes.txt\nwords\n#- web/a.ts\nexport class Box {}\n"), tmp_path / "w")
    return tmp_path / "w"


def same(left: IndexView, right: IndexView) -> bool:
    return (
        dict(left.files) == dict(right.files)
        and dict(left.definitions) == dict(right.definitions)
        and dict(left.referencing) == dict(right.referencing)
        and all(left.files[path].facts() == right.files[path].facts() for path in left.files)
    )


@pytest.mark.parametrize("kept", [False, True])
def test_an_index_made_by_workers_equals_one_made_here(
    root: Path, tmp_path: Path, workers: Workers, *, kept: bool
) -> None:
    index = Index(root, cache_path=tmp_path / "c.sqlite" if kept else None, workers=workers)
    report = index.refresh()
    here = Index(root)
    assert (report.parsed, report.complete) == (82, True)
    assert here.refresh().as_json() | {"seconds": 0} == report.as_json() | {"seconds": 0}
    assert workers.pids() != []
    assert same(index.view(), here.view())
    index.close()


def test_so_many_files_that_they_come_with_the_tables(tmp_path: Path, workers: Workers) -> None:
    """Also the next session begins with these tables, with overlaid with an unsaved document."""
    count = BULK_FILES + 50
    for n in range(count):
        folder = tmp_path / "w" / f"p{n % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"m{n}.py").write_text(f"def make_{n}(): return make_{n + 1}()\n{FILLER * 4}")
    seen: list[tuple[int, int]] = []
    index = Index(tmp_path / "w", cache_path=tmp_path / "c.sqlite", workers=workers)
    index.update("p0/m0.py", "def typed(): pass\n")
    report = index.refresh(lambda done, total: seen.append((done, total)))
    assert (report.files, report.parsed, report.reused) == (count, count - 1, 1)
    assert seen[-1] == (count, count)
    assert "typed" in index.view().definitions
    assert "make_0" not in index.view().definitions
    index.update("p0/m0.py", None)
    here = Index(tmp_path / "w")
    here.refresh()
    assert same(index.view(), here.view())
    index.close()
    again = Index(tmp_path / "w", cache_path=tmp_path / "c.sqlite")
    assert again.refresh().parsed == 0
    assert same(again.view(), here.view())
    (tmp_path / "w" / "p1" / "m1.py").unlink()
    assert again.refresh().removed == 1
    assert "make_1" not in again.view().definitions
    again.close()


def test_a_worker_that_dies_costs_one_job(root: Path, workers: Workers) -> None:
    job = ScanFiles(str(root), ("web/a.ts",), 1000, None)
    assert workers.submit(job).result(LONG_S).files[0].definitions == 1
    (pid,) = workers.pids()
    psutil.Process(pid).kill()
    with pytest.raises(WorkerLostError):
        workers.submit(job).result(LONG_S)
    assert workers.submit(job).result(LONG_S).files[0].definitions == 1


@posix_only
def test_a_job_that_never_ends_ends_its_worker() -> None:
    script = "from spark_lsp.index.workers.worker import limit_job\nlimit_job(0)\nwhile True: pass"
    worker = subprocess.run([sys.executable, "-c", script], check=False, timeout=LONG_S)
    assert worker.returncode == -signal.SIGXCPU


def test_tables_are_laid_out_here_where_no_worker_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = BULK_FILES + 20
    for n in range(count):
        (tmp_path / "w" / f"p{n % 3}").mkdir(parents=True, exist_ok=True)
        (tmp_path / "w" / f"p{n % 3}" / f"m{n}.py").write_text(f"def make_{n}(): pass\n{FILLER * 4}")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    index = Index(tmp_path / "w", cache_path=tmp_path / "c.sqlite", workers=Workers(1))
    assert index.refresh().files == count
    assert f"make_{count - 1}" in index.view().definitions
    index.close()


def test_where_no_worker_can_be_had_all_is_parsed_here(
    root: Path, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(root / "no-python"))
    index = Index(root, workers=workers)
    report = index.refresh()
    assert (report.parsed, workers.usable) == (82, False)
    assert "make_3" in index.view().definitions
    with pytest.raises(WorkerLostError):
        workers.submit(ParseText("a.py", "")).result(LONG_S)


def test_what_goes_wrong_in_a_job_is_told(workers: Workers) -> None:
    for _ in range(2 * ATTEMPTS):
        answer = workers.submit(ScanFiles("\0", ("a.py",), -1, None)).result(LONG_S)
        assert answer.fault or answer.files[0].reason == "unreadable"
    assert workers.usable


def test_a_long_text_in_an_editor_is_parsed_by_a_worker(root: Path, workers: Workers) -> None:
    text = "def long(): return short()\n" + FILLER * 1000
    index = Index(root, workers=workers)
    assert index.update("typed.py", text) is None
    assert workers.pids() != []
    entry = index.view().files["typed.py"]
    assert (entry.text, entry.facts()) == (text, file_facts("typed.py", text))
    result = workers.submit(ParseText("typed.py", text)).result(LONG_S).files[0]
    assert (result.content_hash, decoded(result.payload)) == (content_hash(text), entry.facts())


def test_workers_without_work_leave(root: Path) -> None:
    workers = Workers(1, idle_s=0.01)
    workers.submit(ScanFiles(str(root), ("web/a.ts",), 1000, None)).result(LONG_S)
    assert psutil.wait_procs(still_running(workers.pids()), timeout=LONG_S)[1] == []
    assert workers.submit(ScanFiles(str(root), ("web/a.ts",), 1000, None)).result(LONG_S).files
    workers.close()


@posix_only
def test_a_worker_is_of_low_priority_and_its_output_goes_nowhere(root: Path, workers: Workers) -> None:
    workers.submit(ScanFiles(str(root), ("web/a.ts",), 1000, None)).result(LONG_S)
    (pid,) = workers.pids()
    assert psutil.Process(pid).nice() == 19
    if Path("/proc/self/fd").is_dir():
        assert {Path(f"/proc/{pid}/fd/{number}").readlink() for number in (1, 2)} == {Path(os.devnull)}


@posix_only
def test_a_killed_server_leaves_no_worker(root: Path) -> None:
    script = f"""
        import sys
        from spark_lsp.index.workers.worker import ScanFiles
        from spark_lsp.index.workers.pool import Workers
        workers = Workers(2)
        for job in [workers.submit(ScanFiles({str(root)!r}, ("web/a.ts",), 1000, None)) for _ in range(4)]:
            job.result()
        print(*workers.pids(), flush=True)
        sys.stdin.read()
    """
    server = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with server:
        assert server.stdout
        held = [psutil.Process(int(pid)) for pid in server.stdout.readline().split()]
        assert held != []
        server.send_signal(signal.SIGKILL)
        assert psutil.wait_procs(held, timeout=LONG_S)[1] == []
