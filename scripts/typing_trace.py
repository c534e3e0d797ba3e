"""Type real functions key by key into the whole pipeline with the real model, and say what a user would have seen.

``python scripts/typing_trace.py`` takes 20 functions of cattrs, which is installed with the language server and is held
out of the shipped model's training. A patient typist: each key waits for the answer to the one before.

shown: keys with a suggestion; right: suggestions that say what is typed next; flicker: a suggestion that was being
typed and did not stay; with ``--thresholds`` what other settings of ``completion.minConfidence`` would have shown.
"""

import argparse
import ast
import asyncio
import importlib.util
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import msgspec

from spark_lsp.app import open_rooms
from spark_lsp.cli.oneshot import settings_of
from spark_lsp.completion.complete import Answer
from spark_lsp.completion.hole import Hole, imbalance
from spark_lsp.completion.judge import judge
from spark_lsp.completion.recording import Recording
from spark_lsp.server.rooms import Rooms
from spark_lsp.text.document import Snapshot

PACKAGE = "cattrs"
FEWEST_LINES, MOST_LINES = 2, 8
MOST_CHARACTERS = 200
THRESHOLDS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


@dataclass(frozen=True, slots=True)
class Function:
    """A function body to type: the file's text before and after it."""

    path: Path
    before: str
    body: str
    after: str


@dataclass(slots=True)
class Report:
    """What the typist saw."""

    functions: int = 0
    keys: int = 0
    shown: int = 0
    right: int = 0
    characters_right: int = 0
    continued: int = 0
    """Keys that typed the next character of what was shown."""
    flicker: int = 0
    duplicated_suffix: int = 0
    unbalanced: int = 0
    model_requests: int = 0
    prepared_requests: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    typed_through_ms: list[float] = field(default_factory=list)
    fresh_ms: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, object]:
        """Return the figures."""
        plain = {name: value for name, value in asdict(self).items() if not name.endswith("_ms")}
        return plain | {
            "requests_per_100_keys": round(100 * self.model_requests / max(1, self.keys), 1),
            "typed_through_p50_ms": _percentile(self.typed_through_ms, 0.5),
            "typed_through_p95_ms": _percentile(self.typed_through_ms, 0.95),
            "fresh_p50_ms": _percentile(self.fresh_ms, 0.5),
            "fresh_p95_ms": _percentile(self.fresh_ms, 0.95),
        }


def functions_of(root: Path, wanted: int) -> list[Function]:
    """Choose functions by turns from the package's files, the same ones each time."""
    by_file = [list(_functions(path)) for path in sorted(root.rglob("*.py"))]
    turns = [functions[turn] for turn in range(wanted) for functions in by_file if turn < len(functions)]
    return turns[:wanted]


def _functions(path: Path) -> Iterator[Function]:
    source = path.read_text("utf-8")
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef) or node.end_lineno is None:
            continue
        body = node.body[1:] if ast.get_docstring(node) else node.body
        if not body or body[0].lineno <= node.lineno:
            continue
        start, end = body[0].lineno - 1, node.end_lineno
        text = "".join(lines[start:end])
        if FEWEST_LINES <= end - start <= MOST_LINES and len(text) <= MOST_CHARACTERS:
            indent = len(text) - len(text.lstrip(" "))
            yield Function(
                path,
                "".join(lines[:start]) + text[:indent],
                text[indent:].rstrip(),
                "".join(lines[end - 1 :])[len(lines[end - 1].rstrip()) :],
            )


def keys_of(body: str) -> Iterator[str]:
    """Yield what each key types; a new line brings its indentation, as in any editor."""
    at = 0
    while at < len(body):
        end = at + 1
        while body[at] == "\n" and end < len(body) and body[end] in " \n":
            end += 1
        yield body[at:end]
        at = end


class Typist:
    """Types into one workspace and keeps the account."""

    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms
        self.report = Report()
        self.recordings: list[tuple[Recording, str]] = []
        self._coming = ""
        rooms.completer.writer.record = self._record

    def _record(self, recording: Recording) -> str:
        is_next = recording.request.priority > 0
        self.report.prepared_requests += is_next
        self.report.model_requests += not is_next
        if not is_next:
            self.recordings.append((recording, self._coming))
        return ""

    async def type(self, function: Function) -> None:
        """Type one function."""
        self.report.functions += 1
        typed, shown = "", ""
        for version, key in enumerate(keys_of(function.body), 1):
            typed += key
            text = function.before + typed + function.after
            hole = Hole(
                Snapshot(function.path.as_uri(), function.path, version, "python", text), len(function.before + typed)
            )
            self._coming = function.body[len(typed) :]
            self.rooms.completer.changed(hole)
            answer = await self.rooms.completer.complete(hole, manual=False)
            new = answer.suggestion.text if answer.suggestion else ""
            self._note(hole, answer, new)
            if shown.startswith(key) and len(shown) > len(key):
                self.report.continued += 1
                if not new.startswith(shown[len(key) :]):
                    self.report.flicker += 1
                    sys.stderr.write(f"flicker {function.path.name} {shown!r} {key!r} {new!r} {answer.reason}\n")
            shown = new
        self.rooms.completer.forget(function.path.as_uri())

    def _note(self, hole: Hole, answer: Answer, new: str) -> None:
        report = self.report
        report.keys += 1
        report.reasons[answer.reason] = report.reasons.get(answer.reason, 0) + 1
        record = answer.record
        assert record is not None, "every answer has its record"
        if record.facts.get("reuse") == "typed_through_or_same":
            report.typed_through_ms.append(record.total_ms)
        elif "first_token_ms" in record.facts:
            report.fresh_ms.append(record.total_ms)
        if not answer.suggestion:
            return
        report.shown += 1
        if self._coming.startswith(new):
            report.right += 1
            report.characters_right += len(new)
        before, after = hole.around
        rest = after[answer.suggestion.replaced :]
        report.unbalanced += imbalance(before + new + rest) > imbalance(before + after)
        report.duplicated_suffix += _repeats(new, hole, rest)


def _repeats(text: str, hole: Hole, rest: str) -> bool:
    """Whether a text says again what stands after the cursor."""
    lines = [(hole.line_prefix + text).splitlines()[0].strip(), *(line.strip() for line in text.splitlines()[1:])]
    said = [line for line in lines if sum(map(str.isalnum, line)) >= 3]
    tail = rest.lstrip().split("\n", 1)[0].strip()
    return hole.next_line.strip() in said or (len(tail) >= 3 and text.rstrip().endswith(tail))


def thresholds(recordings: list[tuple[Recording, str]]) -> list[dict[str, float]]:
    """Judge every answer of the model anew with other thresholds."""
    rows = []
    for threshold in THRESHOLDS:
        shown = right = characters = wrong_characters = 0
        for recording, coming in recordings:
            terms = replace(recording.terms, confidence=threshold)
            text = judge(recording.hole, recording.raw, recording.scores, terms, finished=True).text
            shown += bool(text)
            right += bool(text) and coming.startswith(text)
            common = next(
                (at for at, (one, other) in enumerate(zip(text, coming, strict=False)) if one != other),
                min(len(text), len(coming)),
            )
            characters += common
            wrong_characters += len(text) - common
        rows.append(
            {"threshold": threshold, "answers": len(recordings), "shown": shown, "right": right,
             "share_right": round(right / max(1, shown), 3), "characters_right": characters,
             "characters_wrong": wrong_characters}
        )  # fmt: skip
    return rows


async def trace(root: Path, wanted: int, model: str, confidence: float | None) -> Typist:
    """Type the functions into a copy of the package."""
    settings = settings_of(root, model)
    completion = msgspec.structs.replace(settings.completion, debounce=0, deadline_ms=20_000)
    if confidence is not None:
        completion = msgspec.structs.replace(completion, min_confidence=confidence)
    quiet = msgspec.structs.replace(settings.telemetry, local=False)
    rooms = open_rooms(root, msgspec.structs.replace(settings, completion=completion, telemetry=quiet))
    try:
        await rooms.refresh_index(lambda _done, _of: None)
        await rooms.engine.start()
        await rooms.rebuild_trunk([], lambda _done, _of: None)
        typist = Typist(rooms)
        for function in functions_of(root, wanted):
            await typist.type(function)
        return typist
    finally:
        await rooms.close()


def main() -> None:
    """Print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", type=int, default=20)
    parser.add_argument("--model", default="")
    parser.add_argument("--confidence", type=float, help="Instead of the setting's default.")
    parser.add_argument("--thresholds", action="store_true")
    parser.add_argument("--keep", type=Path, help="Write each request that the model answered there.")
    options = parser.parse_args()
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{PACKAGE} is not installed.")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / PACKAGE
        shutil.copytree(Path(spec.origin).parent, root / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
        typist = asyncio.run(trace(root, options.functions, options.model, options.confidence))
    report = typist.report.summary()
    if options.thresholds:
        report["thresholds"] = thresholds(typist.recordings)
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        for number, (recording, coming) in enumerate(typist.recordings):
            told = {"coming": coming, "recording": msgspec.to_builtins(recording)}
            (options.keep / f"{number:04}.json").write_text(json.dumps(told), "utf-8")
    sys.stdout.write(json.dumps(report | {"seconds": round(time.perf_counter() - began)}, indent=2) + "\n")


def _percentile(samples: list[float], share: float) -> float:
    if not samples:
        return 0.0
    return round(
        statistics.quantiles(samples, n=100, method="inclusive")[int(share * 100) - 1]
        if len(samples) > 1
        else samples[0],
        2,
    )


if __name__ == "__main__":
    main()
