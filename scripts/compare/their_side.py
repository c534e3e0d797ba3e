"""Drive llama.cpp's server as llama.vim does, one request after the other, all on 127.0.0.1.

A request contains up to 256 lines before the cursor, 64 after, and the ring; the prompt stays in the server's cache; a
completion ends after 128 tokens, at a lesser indentation, or at the first line end after a quarter of a second.
llama.vim also prefetches what follows an accepted suggestion; that is left out here, because it only takes time from
the next key.
"""

import http.client
import json
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self

from scripts.compare.measure import KeyTime
from scripts.compare.ring import CHUNK_LINES, Ring
from scripts.compare.trace import Trace, Visit, windows

PREFIX_LINES: Final = 256
SUFFIX_LINES: Final = 64
MAX_TOKENS: Final = 128
PREDICT_MS: Final = 250
"""llama.vim allows a request while typing a quarter of its t_max_predict_ms of 1,000."""
PROMPT_MS: Final = 500
FAR_LINES: Final = 32
"""Lines between two requests beyond which chunks around the cursor are queued."""
SCOPE_LINES: Final = 1024
LOOK_BACK: Final = 128
"""Typed characters after which an earlier answer is still found."""
TOKENS_PER_CHUNK: Final = 512
"""llama.vim's default ring of 16 chunks suits 8k tokens of context; its documentation gives 64 for 32k."""

BATCH: Final = ("--batch-size", "1024", "--ubatch-size", "1024")
"""The batch size that llama.vim's documentation and the server's own presets for it recommend."""
MIN_CONTEXT_TOKENS: Final = 2048
"""Tokens; the batch limits the text around the cursor to 1,024, for which a smaller context has no space."""
_LOAD_S: Final = 120.0
_ANSWER_S: Final = 600.0

_Settings = dict[str, Any]


class ServerFailed(Exception):
    """Their server did not start, or refused a request; the message quotes its output."""


class TheirSide:
    """One server process and one llama.vim. Use as a context manager; ``prepare`` fills the ring and the cache.

    ``cache_reuse`` is the server's option: 0, its default, prefills everything after the first difference
    and is exact. 256 is what llama.vim's documentation recommends: equal text further on moves to its new
    position although it was computed behind other text, which is fast and changes the answers.
    ``is_suffix_first`` is the order that the model was trained on, which our side uses too.
    """

    def __init__(
        self,
        program: Path,
        model: Path,
        context_tokens: int,
        threads: int,
        folder: Path,
        *,
        cache_reuse: int,
        is_suffix_first: bool,
    ) -> None:
        self._ring = Ring(max(1, context_tokens // TOKENS_PER_CHUNK))
        self._answers: dict[tuple[str, str], str] = {}
        self._picked_line = -(10**6)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        place = ["--host", "127.0.0.1", "--port", str(self._port), "--n-gpu-layers", "0", *BATCH]
        if is_suffix_first:
            place.append("--spm-infill")
        # The server reserves space for its own --predict, not for the request's, and refuses what is then too long.
        place += ["--cache-reuse", str(cache_reuse), "--predict", str(MAX_TOKENS)]
        sizes = ["-c", str(context_tokens), "--threads", str(threads), "--threads-batch", str(threads)]
        self._log = (folder / f"llama-server-{cache_reuse}.log").open("wb")
        self._process = subprocess.Popen(
            [str(program), "--model", str(model), *place, *sizes],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        until = time.monotonic() + _LOAD_S
        while not self._is_up():
            if self._process.poll() is not None or time.monotonic() > until:
                self.close()
                raise ServerFailed(f"llama.cpp's server did not start; {self._log.name} holds what it said.")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def prepare(self, trace: Trace) -> None:
        """Visit the workspace's other files until the ring is full, and let the server prefill it."""
        visited = {visit.path for visit in trace.visits}
        for path, text in trace.files.items():
            for lines in windows(text, CHUNK_LINES + 1) if path not in visited else ():
                self._ring.pick(path, lines)
                self._ring.promote()
            if self._ring.is_full:
                break
        self._warm()

    def arrive(self, old: Visit | None, new: Visit, pause_s: float) -> None:
        """Save and leave one file and move around in the next, while one chunk a second goes into the ring."""
        if old:
            text = old.left_behind
            at = text.count("\n", 0, old.offset + sum(map(len, old.keys)))
            for _ in ("saved", "left"):
                self._ring.pick(old.path, _around(text, at))
        self._ring.pick(new.path, _around(new.text, new.text.count("\n", 0, new.offset)))
        until = time.monotonic() + pause_s
        while time.monotonic() + 1.0 <= until:
            time.sleep(1.0)
            if self._ring.promote():
                self._warm()
        time.sleep(max(0.0, until - time.monotonic()))

    def type(self, visit: Visit, number: int) -> Iterator[KeyTime]:
        """Type a visit's keys, with a request at each."""
        typed = ""
        for key, inserted in enumerate(visit.keys):
            typed += inserted
            yield self._press(visit, typed, visit=number, key=key)

    def _press(self, stay: Visit, typed: str, **place: int) -> KeyTime:
        began = time.perf_counter()
        before = stay.text[: stay.offset] + typed
        request, around = local_request(before, stay.text[stay.offset :])
        self._ring.drop_near(around)
        request["input_extra"] = self._ring.extra()
        kept = self._kept(request)
        kept_ms = (time.perf_counter() - began) * 1000
        first_ms, answer, facts = self._ask(request, began)
        answer_ms = (time.perf_counter() - began) * 1000
        self._answers[_key(request)] = answer
        self._look_around(stay, before)
        timings = facts.get("timings", {})
        read = int(timings.get("prompt_n", 0))
        return KeyTime(
            **place,
            how="kept" if kept else "model",
            first_text_ms=kept_ms if kept else first_ms,
            answer_ms=kept_ms if kept else answer_ms,
            prompt_tokens=int(timings.get("cache_n", 0)) + read,
            read_tokens=read,
            written_tokens=int(timings.get("predicted_n", 0)),
        )

    def _kept(self, request: _Settings) -> str:
        """Return the rest of an earlier answer that is being typed through; it is shown while the next request runs."""
        before, suffix = _key(request)
        for back in range(1, min(LOOK_BACK, len(before)) + 1):
            answer = self._answers.get((before[:-back], suffix), "")
            if answer.startswith(before[-back:]) and answer[back:].strip():
                return answer[back:]
        return ""

    def _look_around(self, stay: Visit, before: str) -> None:
        """Queue a chunk above the request's lines and one below, if the cursor has moved far."""
        line = before.count("\n")
        if abs(line - self._picked_line) <= FAR_LINES:
            return
        lines = (before + stay.text[stay.offset :]).split("\n")
        self._ring.pick(stay.path, lines[max(0, line - SCOPE_LINES) : max(0, line - PREFIX_LINES) + 1], evict=False)
        below = line + SUFFIX_LINES
        self._ring.pick(stay.path, lines[below : below + CHUNK_LINES + 1], evict=False)
        self._picked_line = line

    def _warm(self) -> None:
        """Let the server prefill the ring, as llama.vim does when nothing is typed."""
        self._post({**_empty_request(), "input_extra": self._ring.extra(), "n_predict": 0, "stream": False})

    def _post(self, body: _Settings) -> bytes:
        connection = self._send(body)
        try:
            return connection.getresponse().read()
        finally:
            connection.close()

    def _ask(self, request: _Settings, began: float) -> tuple[float, str, _Settings]:
        """Return the time of the first text, the whole text, and the statistics of the last event."""
        connection = self._send(request)
        first_ms, text, facts = 0.0, "", {}
        try:
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise ServerFailed(f"llama.cpp's server answered {response.status}: {response.read(200)!r}")
            for line in response:
                if not line.startswith(b"data: "):
                    continue
                facts = json.loads(line.removeprefix(b"data: "))
                text += facts.get("content", "")
                if not first_ms and (text.strip() or facts.get("stop")):
                    first_ms = (time.perf_counter() - began) * 1000
        finally:
            connection.close()
        return first_ms, text, facts

    def _send(self, body: _Settings) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_S)
        connection.request("POST", "/infill", json.dumps(body), {"Content-Type": "application/json"})
        return connection

    def _is_up(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()


def local_request(before: str, after: str) -> tuple[_Settings, list[str]]:
    """Return a request for a cursor without its ring, and the lines around the cursor."""
    above, _, current = before.rpartition("\n")
    lines_above = above.split("\n") if above or "\n" in before else []
    rest_of_line, _, below = after.partition("\n")
    lines_below = below.split("\n") if below else []
    whole = current + rest_of_line
    around = [*lines_above[-CHUNK_LINES // 2 :], whole, *lines_below[: CHUNK_LINES // 2]]
    indent = len(whole) - len(whole.lstrip())
    if not whole.strip():  # a blank line is completed from its start
        current, rest_of_line, indent = "", "", 0
    request = {
        **_empty_request(),
        "input_prefix": "\n".join(lines_above[-PREFIX_LINES:]) + "\n",
        "prompt": current,
        "input_suffix": "\n".join([rest_of_line, *lines_below[:SUFFIX_LINES]]) + "\n",
        "n_indent": indent,
    }
    return request, around


def _empty_request() -> _Settings:
    return {
        "id_slot": 0,
        "input_prefix": "",
        "input_suffix": "",
        "prompt": "",
        "n_predict": MAX_TOKENS,
        "top_k": 40,
        "top_p": 0.90,
        "samplers": ["top_k", "top_p", "infill"],
        "stream": True,  # llama.vim waits for the whole answer; streaming shows when the first text is there
        "seed": 1,  # the same texts in each run; llama.vim chooses at random
        "cache_prompt": True,
        "t_max_prompt_ms": PROMPT_MS,
        "t_max_predict_ms": PREDICT_MS,
    }


def _key(request: _Settings) -> tuple[str, str]:
    return request["input_prefix"] + request["prompt"], request["input_suffix"]


def _around(text: str, line: int) -> Sequence[str]:
    return text.split("\n")[max(0, line - CHUNK_LINES // 2) : line + CHUNK_LINES // 2 + 1]
