"""The comparison with llama.cpp's server: its trace, llama.vim's ring, its requests and its table; never the build."""

import io
import os
import stat
import sys
import tarfile
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.compare import __main__ as program
from scripts.compare import build_server
from scripts.compare.measure import KeyTime, rest
from scripts.compare.our_side import _key_time, _pids_in, _position, our_side
from scripts.compare.ring import CHUNK_LINES, QUEUED, Ring, similarity
from scripts.compare.table import Comparison, as_text, figure, is_uneven, p95, ratio, side
from scripts.compare.their_side import PREFIX_LINES, SUFFIX_LINES, ServerFailed, TheirSide, local_request
from scripts.compare.trace import Trace, Visit, record, source_files, windows
from spark_lsp.catalog.model_names import resolve_model
from tests.repo.source import ROOT
from tests.support.marks import needs_llama_cpp

FAKE_SERVER = """\
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        if asked["n_predict"]:
            timings = {"cache_n": len(asked["input_extra"]), "prompt_n": 3, "predicted_n": 2}
            for event in ({"content": "  "}, {"content": "ready()"}, {"content": "", "stop": True, "timings": timings}):
                self.wfile.write(b"data: " + json.dumps(event).encode() + b"\\n\\n")

    def log_message(self, *_):
        pass


port = int(sys.argv[sys.argv.index("--port") + 1])
HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def key(number: int = 1, *, ms: float = 10.0, how: str = "model", visit: int = 0) -> KeyTime:
    """A key that took so long, its answer twice that."""
    return KeyTime(
        visit=visit, key=number, how=how, first_text_ms=ms, answer_ms=2 * ms, prompt_tokens=8000, read_tokens=2
    )


# The trace


def test_the_trace_types_back_what_was_taken_out() -> None:
    files = source_files(ROOT)
    trace = record(files)
    texts = dict(trace.files)
    for visit in trace.visits:
        assert texts[visit.path] == visit.text
        texts[visit.path] = visit.left_behind
    assert texts == files


def test_the_trace_switches_files_and_comes_back() -> None:
    trace = record(source_files(ROOT))
    paths = [visit.path for visit in trace.visits]
    assert all(path != next_path for path, next_path in pairwise(paths))
    assert paths[0] in paths[1:]
    assert 50 <= trace.keys <= 160
    assert all("\n" in "".join(visit.keys) for visit in trace.visits)


def test_equal_files_give_an_equal_trace_and_others_another_name() -> None:
    files = source_files(ROOT)
    assert record(files) == record(dict(reversed(files.items())))
    assert record(files).digest == record(files).digest
    assert record({**files, "spark_lsp/zz.py": "x = 1\n"}).digest != record(files).digest


def test_a_workspace_of_short_files_makes_no_trace() -> None:
    with pytest.raises(ValueError, match="needs 3 files"):
        record({"a.py": "x = 1\n" * 20})


@given(st.text(alphabet="ab\n", max_size=60), st.integers(1, 9))
def test_windows_hold_every_line_once(text: str, lines: int) -> None:
    chunks = list(windows(text, lines))
    assert [line for window in chunks for line in window] == text.split("\n")
    assert all(len(window) <= lines for window in chunks)


# llama.vim's ring


def numbered(first: int, count: int) -> list[str]:
    return [f"name_{number} = call_{number}()" for number in range(first, first + count)]


def test_a_chunk_waits_in_the_queue_until_it_is_promoted() -> None:
    ring = Ring(2)
    ring.pick("a.py", numbered(0, 10))
    assert ring.extra() == []
    assert ring.promote()
    assert ring.extra() == [{"text": "\n".join(numbered(0, 10)) + "\n", "filename": "a.py"}]
    assert not ring.promote()


def test_the_oldest_chunk_leaves_a_full_ring() -> None:
    ring = Ring(2)
    for number in range(3):
        ring.pick(f"{number}.py", numbered(100 * number, 10))
        ring.promote()
    assert [chunk.path for chunk in ring.chunks] == ["1.py", "2.py"]
    assert ring.is_full


def test_tiny_and_known_chunks_are_not_taken() -> None:
    ring = Ring(4)
    ring.pick("a.py", ["x", "y"])
    ring.pick("a.py", numbered(0, 10))
    ring.pick("a.py", numbered(0, 10))
    assert len(ring.queued) == 1


def test_a_similar_chunk_replaces_the_old_one_or_gives_way() -> None:
    ring = Ring(4)
    ring.pick("a.py", numbered(0, 40))
    changed = [*numbered(0, 39), "other = 1"]
    ring.pick("a.py", changed, evict=False)
    assert ring.queued[0].lines[-1] != "other = 1"
    ring.pick("a.py", changed)
    assert [chunk.lines[-1] for chunk in ring.queued] == ["other = 1"]


def test_chunks_like_the_text_at_the_cursor_leave_the_ring() -> None:
    ring = Ring(4)
    for first in (0, 500):
        ring.pick("a.py", numbered(first, 20))
        ring.promote()
    ring.drop_near(numbered(0, 20))
    assert [chunk.lines[0] for chunk in ring.chunks] == ["name_500 = call_500()"]


def test_similarity_counts_common_words() -> None:
    assert similarity(["a b"], ["a b"]) == 1.0
    assert similarity(["a b"], ["c d"]) == 0.0


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 150), st.booleans()), max_size=40), st.integers(1, 5))
def test_ring_and_queue_never_outgrow_their_limits(picks: list[tuple[int, int, bool]], capacity: int) -> None:
    ring = Ring(capacity)
    for first, count, promote in picks:
        ring.pick("a.py", numbered(first, count))
        if promote:
            ring.promote()
        assert len(ring.chunks) <= capacity
        assert len(ring.queued) <= QUEUED
        assert all(3 <= len(chunk.lines) < CHUNK_LINES for chunk in (*ring.chunks, *ring.queued))


# Their requests


def test_a_request_holds_the_lines_around_the_cursor() -> None:
    above, below = numbered(0, 400), numbered(400, 100)
    before = "\n".join(above) + "\n    total = su"
    request, around = local_request(before, ")\n" + "\n".join(below))
    assert request["input_prefix"] == "\n".join(above[-PREFIX_LINES:]) + "\n"
    assert request["prompt"] == "    total = su"
    assert request["input_suffix"] == ")\n" + "\n".join(below[:SUFFIX_LINES]) + "\n"
    assert request["n_indent"] == 4
    assert request["cache_prompt"]
    assert "    total = su)" in around
    assert len(around) == CHUNK_LINES + 1


def test_a_blank_line_is_asked_for_from_its_start() -> None:
    request, _ = local_request("if x:\n    ", "\ny = 1\n")
    assert (request["prompt"], request["n_indent"]) == ("", 0)
    assert request["input_suffix"].startswith("\ny = 1")


def test_the_first_line_of_a_file_has_nothing_above() -> None:
    request, _ = local_request("imp", "")
    assert request["input_prefix"] == "\n"
    assert request["prompt"] == "imp"


def a_trace() -> Trace:
    """Two visits to small files among a few others."""
    files = {f"m{number}.py": "\n".join(numbered(200 * number, 80)) + "\n" for number in range(4)}
    visits = []
    for path in ("m0.py", "m1.py"):
        at = files[path].index("\n", 900) + 1
        visits.append(Visit(path, files[path][:at] + "\n" + files[path][at:], at, tuple("value = n")))
    return Trace(tuple(visits), files)


@pytest.mark.skipif(os.name == "nt", reason="the fake server starts by its first line")
def test_their_side_fills_the_ring_and_times_each_key(tmp_path: Path) -> None:
    fake = tmp_path / "llama-server"
    fake.write_text(f"#!{sys.executable}\n{FAKE_SERVER}", "utf-8")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    trace = a_trace()
    with TheirSide(fake, tmp_path / "any.gguf", 1024, 1, tmp_path, cache_reuse=0, is_suffix_first=True) as theirs:
        theirs.prepare(trace)
        theirs.arrive(None, trace.visits[0], 0.0)
        times = list(theirs.type(trace.visits[0], 0))
        theirs.arrive(trace.visits[0], trace.visits[1], 0.0)
        times += theirs.type(trace.visits[1], 1)
    assert [time.key for time in times] == [*range(9), *range(9)]
    assert all(0 < time.first_text_ms <= time.answer_ms for time in times)
    assert [time.prompt_tokens for time in times] == [2 + 3] * 18  # a ring of 1,024 / 512 chunks, and what was read
    assert {(time.read_tokens, time.written_tokens) for time in times} == {(3, 2)}
    assert [time.is_switch for time in times].index(True) == 9


def test_a_server_that_does_not_start_is_told(tmp_path: Path) -> None:
    false = Path("/bin/false")
    if not false.exists():
        false = Path("/usr/bin/false")
    their_side = TheirSide(false, tmp_path / "any.gguf", 512, 1, tmp_path, cache_reuse=0, is_suffix_first=False)
    with pytest.raises(ServerFailed, match=r"did not start; .*llama-server-0\.log"):
        their_side.__enter__()


# Our side


def test_positions_count_utf_16_units() -> None:
    place = _position("a\nx = '😀'")
    assert (place.line, place.character) == (1, 8)


def test_process_ids_are_found_at_any_depth() -> None:
    assert sorted(_pids_in(b'{"engines": [{"pid": 7, "clients": [{"pid": 9}]}], "pid": null}')) == [7, 9]
    assert _pids_in(b"") == []


@pytest.mark.parametrize(
    ("reason", "facts", "how"),
    [
        ("ok", {"prompt_tokens": 5, "prefill_tokens": 2, "generated_tokens": 1}, "model"),
        ("ok", {"reuse": "typed_through_or_same"}, "kept"),
        ("gate.finished", {}, "refused"),
    ],
)
def test_the_log_says_where_an_answer_came_from(reason: str, facts: dict[str, object], how: str) -> None:
    entry = SimpleNamespace(reason=reason, facts=SimpleNamespace(**facts))
    time = _key_time(entry, 1.0, 2.0, visit=0, key=3)
    assert (time.how, time.first_text_ms, time.answer_ms) == (how, 1.0, 2.0)
    assert time.read_tokens == facts.get("prefill_tokens", 0)


@pytest.mark.model
@pytest.mark.e2e
async def test_our_side_times_each_key_of_the_real_server(tmp_path: Path) -> None:
    trace = a_trace()
    async with our_side(tmp_path, trace, resolve_model(), 1024, 1) as ours:
        await ours.prepare(trace)
        await ours.arrive(None, trace.visits[0], 0.0)
        times = [time async for time in ours.type(trace.visits[0], 0)]
        await ours.arrive(trace.visits[0], trace.visits[1], 0.0)
        times += [time async for time in ours.type(trace.visits[1], 1)]
    asked = [time for time in times if time.how == "model"]
    assert len(times) == 18
    assert asked
    assert all(0 < time.first_text_ms <= time.answer_ms for time in times)
    assert all(time.prompt_tokens >= time.read_tokens for time in asked)


# Waiting, summing up, showing


def test_a_process_at_rest_is_noticed_and_a_busy_one_too() -> None:
    assert rest([], 5.0, look_s=0.001)
    assert not rest([os.getpid()], 0.0)


def test_figures_are_medians_of_keys_that_asked_the_model() -> None:
    keys = [key(0), key(ms=10), key(ms=30), key(ms=20), key(ms=1, how="kept"), key(0, ms=90, visit=1)]
    report = side("one", keys, 12.34)
    assert report.key is not None
    assert report.switch is not None
    assert (report.key.keys, report.key.first_text_p50_ms, report.key.answer_p50_ms) == (3, 20.0, 40.0)
    assert (report.switch.keys, report.switch.first_text_p50_ms) == (1, 90.0)
    assert report.every is not None
    assert (report.every.keys, report.every.first_text_p50_ms) == (6, 15.0)
    assert (report.kept, report.refused, report.ready_s) == (1, 0, 12.3)
    assert figure([]) is None


def test_the_95th_percentile() -> None:
    assert p95(list(range(1, 101))) == 95
    assert p95([3.0]) == 3.0


def test_a_share_of_nothing_is_none() -> None:
    assert ratio(1.0, 4.0) == 0.25
    assert ratio(1.0, 0.0) is None


def test_the_table_shows_both_sides_and_our_share() -> None:
    ours = side("Spark LSP", [key(ms=20), key(0, ms=100, visit=1)], 1.0)
    theirs = side("llama.cpp", [key(ms=200), key(0, ms=1000, visit=1)], 2.0)
    lines = as_text(Comparison(8192, ours, (theirs,))).splitlines()
    assert lines[0].split() == ["8,192", "tokens", "of", "context", "Spark", "LSP", "llama.cpp", "share"]
    assert lines[1].split() == [
        "each",
        "key",
        "that",
        "asked:",
        "first",
        "text,",
        "median",
        "20.0",
        "ms",
        "200",
        "ms",
        "0.10",
    ]
    assert any(line.startswith("after a file switch: whole answer, median") and "0.10" in line for line in lines)
    assert all("None" not in line for line in lines)


def test_the_table_stands_without_their_side_and_without_a_switch() -> None:
    shown = as_text(Comparison(8192, side("Spark LSP", [key()], 1.0), ()))
    assert "share" not in shown
    assert shown.splitlines()[1].endswith("10.0 ms")
    assert "after a file switch: first text, median" in shown


def test_a_much_shorter_prompt_is_noticed() -> None:
    long, short = (side("one", [msgspec.structs.replace(key(), prompt_tokens=count)], 1.0) for count in (8000, 4000))
    assert is_uneven(Comparison(8192, short, (short, long)))
    assert not is_uneven(Comparison(8192, long, (short, long)))
    assert not is_uneven(Comparison(8192, short, ()))


# The server's build


@needs_llama_cpp
def test_without_a_compiler_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    options = program._options(["--build-folder", str(tmp_path / "none")])
    assert program._server(options) is None
    assert capsys.readouterr().out == build_server.NO_COMPILER + "\n"


@needs_llama_cpp
def test_a_context_too_small_for_their_side_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program._options(["--context-tokens", "8192", "1024"])
    assert "at least 2048 tokens" in capsys.readouterr().err


def test_an_earlier_build_is_used(tmp_path: Path) -> None:
    assert build_server.finished(tmp_path) is None
    server_program = tmp_path / "build" / "bin" / ("llama-server.exe" if os.name == "nt" else "llama-server")
    server_program.parent.mkdir(parents=True)
    server_program.touch()
    assert build_server.build(tmp_path, lambda _: None) == server_program


def test_only_llama_cpp_is_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "lib.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        inner = ("vendor/llama.cpp/CMakeLists.txt", "vendor/llama.cpp/src/a.cpp")
        for name in (".git/modules/vendor/llama.cpp/HEAD", "setup.py", *inner):
            member = tarfile.TarInfo(f"lib-1/{name}")
            member.size = 2
            tar.addfile(member, io.BytesIO(b"x\n"))
    build_server._unpack(archive, tmp_path / "source")
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["source/CMakeLists.txt", "source/src/a.cpp"]


def test_a_failed_step_names_its_log(tmp_path: Path) -> None:
    with pytest.raises(build_server.BuildFailed, match=r"failed with 3; .*step\.log"):
        build_server._run([sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "step.log")
