"""``bench index``: measure the time and the memory of the index, beside a bare parse of the same files.

Makes a workspace of its own from the files of a folder, repeating them under other names where there are too few. The
bare parse runs in the same worker processes, so what stands beside it is the price of everything else.
"""

import os
import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from spark_lsp.bench.asking import percentile
from spark_lsp.bench.server_start import measure_window
from spark_lsp.index.scan.crawl import crawl
from spark_lsp.index.scan.ignore import CrawlRules
from spark_lsp.index.store import Index
from spark_lsp.index.workers.pool import Workers
from spark_lsp.index.workers.worker import ParseBare, ScanFiles, WorkerJob
from spark_lsp.text.language import language_of_path

SLICE_FILES = 20
BEAT_S = 0.005
MIN_S = 0.01  # the resolution of a process clock
FOLDER_FILES = 100
SHORT = "def value_{0}():\n    return value_{1}()\n"

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """What to measure: the folder whose files are taken, how many files, the large tree, the long file, the edits."""

    folder: Path
    files: int
    many: int
    lines: int
    edits: int
    workers: int


def measure_index(sizes: Sizes, tell: Tell) -> dict[str, Any]:
    """Measure everything in one run; ``tell`` hears what is going on."""
    with tempfile.TemporaryDirectory(prefix="spark-index-") as name:
        place = Path(name)
        root = place / "workspace"
        tell("Copying files …")
        paths, repeated = fill(sizes.folder, root, sizes.files)
        report: dict[str, Any] = {
            "files": len(paths),
            "repeated": repeated,
            "bytes": sum((root / path).stat().st_size for path in paths),
        }
        report["first"] = _first(root, place, paths, sizes.workers, tell)
        report["warm"] = _warm(root, place, tell)
        report["edits"] = _edits(root, place, paths, sizes.edits, tell)
        report["branch_switch"] = _switch(root, place, paths, sizes.workers, tell)
        tell("Starting the language server on it …")
        report["server"] = measure_window(root, place)
        report["long_file"] = _long_file(place, sizes.lines, tell)
        report["many_files"] = _many(place, sizes.many, sizes.workers, tell)
        return report


def fill(folder: Path, root: Path, count: int) -> tuple[list[str], int]:
    """Copy files of known languages until there are enough; returns their paths and how many are repeated ones."""
    files = [file for file in crawl(folder, CrawlRules(max_files=10 * count), Counter()) if language_of_path(file.path)]
    random.Random(1).shuffle(files)  # noqa: S311 - a sample, no secret
    paths = []
    for number in range(count if files else 0):
        file = files[number % len(files)]
        round_number = number // len(files)
        path = f"r{round_number}/{file.path}" if round_number else file.path
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        text = (folder / file.path).read_bytes()
        language = language_of_path(path)
        if round_number and language:
            text = f"{language.line_comment} {round_number}\n".encode() + text  # another content, or nothing is parsed
        (root / path).write_bytes(text)
        paths.append(path)
    return paths, max(0, count - len(files))


@dataclass(slots=True)
class Beats:
    """For how long a thread was held up: median, 95th percentile and longest, in ms; and what it took to find out."""

    gaps: list[float]
    cpu_s: float = 0.0


@contextmanager
def beating() -> Iterator[Beats]:
    """Measure for how long other threads of this process are held up."""
    beats = Beats([])
    stop = threading.Event()

    def beat() -> None:
        before = time.perf_counter()
        while not stop.wait(BEAT_S):
            now = time.perf_counter()
            beats.gaps.append(1000 * (now - before - BEAT_S))
            before = time.perf_counter()
        beats.cpu_s = time.thread_time()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield beats
    finally:
        stop.set()
        thread.join()
        gaps = beats.gaps
        beats.gaps = [
            round(gap_ms, 2) for gap_ms in (percentile(gaps, 0.5), percentile(gaps, 0.95), max(gaps, default=0))
        ]


def _worker_cpu_s(workers: Workers) -> float:
    total = 0.0
    for pid in workers.pids():
        times = psutil.Process(pid).cpu_times()
        total += times.user + times.system
    return total


def _warmed(count: int, root: Path, paths: Sequence[str]) -> Workers:
    """Start workers and let them load grammars and queries, which is not what is measured."""
    workers = Workers(count, idle_s=600)
    kinds = tuple({Path(path).suffix: path for path in paths}.values())
    jobs: list[WorkerJob] = [
        ParseBare(str(root), kinds),
        ScanFiles(str(root), kinds, CrawlRules().max_file_bytes, None),
    ]
    for future in [workers.submit(job) for job in jobs * 2 * workers.count]:
        future.result()
    return workers


def _bare(workers: Workers, root: Path, paths: Sequence[str]) -> tuple[float, float]:
    """Parse all files and nothing else; returns seconds by the clock and of processors."""
    cpu_s, started = _worker_cpu_s(workers), time.perf_counter()
    slices = [tuple(paths[start : start + SLICE_FILES]) for start in range(0, len(paths), SLICE_FILES)]
    for future in [workers.submit(ParseBare(str(root), paths)) for paths in slices]:
        future.result()
    return time.perf_counter() - started, _worker_cpu_s(workers) - cpu_s


def _first(root: Path, place: Path, paths: Sequence[str], count: int, tell: Tell) -> dict[str, Any]:
    workers = _warmed(count, root, paths)
    try:
        tell("Parsing all files and nothing else …")
        bare_s, bare_cpu_s = _bare(workers, root, paths)
        tell("Indexing for the first time …")
        index = Index(root, cache_path=place / "index.sqlite", workers=workers)
        cpu_s, own_s, started = _worker_cpu_s(workers), time.process_time(), time.perf_counter()
        with beating() as beats:
            report = index.refresh()
        first_s = time.perf_counter() - started
        own_s = time.process_time() - own_s - beats.cpu_s
        first_cpu_s = _worker_cpu_s(workers) - cpu_s + own_s
        tell("Parsing all files once more …")
        again_s, again_cpu_s = _bare(workers, root, paths)
    finally:
        workers.close()
    bare_s, bare_cpu_s = (bare_s + again_s) / 2, (bare_cpu_s + again_cpu_s) / 2
    return {
        "workers": workers.count,
        "parsed": report.parsed,
        "symbols": report.symbols,
        "seconds": round(first_s, 2),
        "bare_parse_seconds": round(bare_s, 2),
        "ratio": round(first_s / max(bare_s, MIN_S), 2),
        "cpu_seconds": round(first_cpu_s, 2),
        "bare_parse_cpu_seconds": round(bare_cpu_s, 2),
        "cpu_ratio": round(first_cpu_s / max(bare_cpu_s, MIN_S), 2),
        "own_cpu_seconds": round(own_s, 2),
        "held_up_ms_p50_p95_max": beats.gaps,
    }


def _warm(root: Path, place: Path, tell: Tell) -> dict[str, Any]:
    tell("Starting once more …")
    cpu_s, started = time.process_time(), time.perf_counter()
    index = Index(root, cache_path=place / "index.sqlite")
    with beating() as beats:
        report = index.refresh()
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_s - beats.cpu_s
    index.close()
    return {
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu_s, 3),
        "parsed": report.parsed,
        "reused": report.reused,
        "held_up_ms_p50_p95_max": beats.gaps,
    }


def _edits(root: Path, place: Path, paths: Sequence[str], count: int, tell: Tell) -> dict[str, Any]:
    """Type into files of the workspace, each time a line more."""
    tell("Editing …")
    index = Index(root, cache_path=place / "index.sqlite")
    index.refresh()
    took, cpu = [], []
    for path in random.Random(2).sample(list(paths), min(count, len(paths))):  # noqa: S311 - a sample, no secret
        text = (root / path).read_bytes().decode("utf-8", "replace")
        for line in ("\n", "\nx"):
            text += line
            started, own_s = time.perf_counter(), time.thread_time()
            index.update(path, text)
            took.append(1000 * (time.perf_counter() - started))
            cpu.append(1000 * (time.thread_time() - own_s))
    index.close()
    return {
        "count": len(took),
        "p50_ms": round(percentile(took, 0.5), 2),
        "p95_ms": round(percentile(took, 0.95), 2),
        "max_ms": round(max(took), 2),
        "cpu_p50_ms": round(percentile(cpu, 0.5), 2),
        "cpu_p95_ms": round(percentile(cpu, 0.95), 2),
    }


def _switch(root: Path, place: Path, paths: Sequence[str], count: int, tell: Tell) -> dict[str, Any]:
    """Change one file in five, as another branch does, and change them back."""
    tell("Switching branches …")
    changed = list(paths)[::5]
    texts = {path: (root / path).read_bytes() for path in changed}
    for path, text in texts.items():
        (root / path).write_bytes(text + b"\n\n")
    workers = _warmed(count, root, paths)
    index = Index(root, cache_path=place / "index.sqlite", workers=workers)
    started = time.perf_counter()
    there = index.refresh()
    there_s = time.perf_counter() - started
    for path, text in texts.items():
        (root / path).write_bytes(text)
    started = time.perf_counter()
    back = index.refresh()
    back_s = time.perf_counter() - started
    bare_s, _ = _bare(workers, root, changed)
    index.close()
    return {
        "files": len(changed),
        "there_seconds": round(there_s, 2),
        "there_parsed": there.parsed,
        "back_seconds": round(back_s, 2),
        "back_parsed": back.parsed,
        "bare_parse_seconds": round(bare_s, 2),
    }


def _long_file(place: Path, lines: int, tell: Tell) -> dict[str, Any]:
    tell("Reading a long file …")
    root = place / "long"
    root.mkdir()
    text = "".join(f"value_{number} = value_{number // 2}\n" for number in range(lines))
    (root / "long.py").write_text(text)
    just = text[: CrawlRules().max_file_bytes - 100].rpartition("\n")[0]
    (root / "short.py").write_text("x = 1\n")
    index = Index(root, workers=Workers(1))
    with beating() as beats:
        started = time.perf_counter()
        report = index.refresh()
        reason = index.update("long.py", text)
        refused_s = time.perf_counter() - started
        started = time.perf_counter()
        index.update("just.py", just)
        largest_s = time.perf_counter() - started
    index.close()
    shutil.rmtree(root)
    return {
        "lines": lines,
        "bytes": len(text),
        "skipped": dict(report.skipped),
        "opened": reason,
        "seconds": round(refused_s, 3),
        "largest_taken_bytes": len(just),
        "largest_taken_seconds": round(largest_s, 3),
        "held_up_ms_p50_p95_max": beats.gaps,
    }


def _many(place: Path, count: int, worker_count: int, tell: Tell) -> dict[str, Any]:
    if not count:
        return {"files": 0}
    tell(f"Writing {count} files …")
    root = place / "many"
    for number in range(count):
        folder = root / f"a{number // FOLDER_FILES // 50}" / f"b{number // FOLDER_FILES}"
        if number % FOLDER_FILES == 0:
            folder.mkdir(parents=True)
        with open(folder / f"m{number}.py", "w", encoding="utf-8") as file:  # noqa: PTH123 - 200,000 times
            file.write(SHORT.format(number, number // 2))
    tell("Indexing them …")
    own = psutil.Process(os.getpid())
    before = own.memory_info().rss
    index = Index(root, cache_path=place / "many.sqlite", workers=Workers(worker_count))
    with beating() as beats:
        started = time.perf_counter()
        report = index.refresh()
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        index.refresh()
        again_s = time.perf_counter() - started
    index.close()
    shutil.rmtree(root)
    return {
        "files": count,
        "indexed": report.files,
        "skipped": dict(report.skipped),
        "seconds": round(seconds, 2),
        "again_seconds": round(again_s, 2),
        "memory_bytes": own.memory_info().rss - before,
        "held_up_ms_p50_p95_max": beats.gaps,
    }
