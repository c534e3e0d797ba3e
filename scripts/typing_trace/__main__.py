"""Type 20 functions of cattrs key by key and print what a user would have seen: ``python -m scripts.typing_trace``.

cattrs is installed with the language server and is not in the embedded model's training data. A patient typist awaits
each answer; ``--impatient`` types in real time, as fast as people do, so it takes minutes and needs an idle machine.

A model that people use has read cattrs, so it is given packages that are younger, in five languages:
``python -m scripts.typing_trace --model FILE --packages FOLDER --functions 6 --answers FOLDER/answers.jsonl``.
The model's answers are kept there, so that the same keys at other settings cost nothing.
"""

import argparse
import asyncio
import importlib.util
import json
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import msgspec

from scripts.context_quality import packages
from scripts.judge_actions.recorded import RecordedEngine
from scripts.typing_trace import impatient, patient
from scripts.typing_trace.functions import Function, functions_of
from scripts.typing_trace.watched import WatchedEngine
from spark_lsp.app import open_engine, open_workspace
from spark_lsp.cli.oneshot import settings_of
from spark_lsp.completion.recording import Recording
from spark_lsp.config import CompletionSettings
from spark_lsp.workspace import Workspace

PACKAGE = "cattrs"
PATIENCE_MS = 60_000
PROMPT_TOKENS = 768
"""Of a request whose answer is kept: otherwise the speed of the machine decides, and no prompt comes twice."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", type=int, default=20, help="Of each package.")
    parser.add_argument("--packages", type=Path, help="Type the packages of context_quality, unpacked to this folder.")
    parser.add_argument("--use", choices=("tune", "report"), default="tune", help="Which of these packages.")
    parser.add_argument("--languages", default="", help="Of these packages only those in one of these, with commas.")
    parser.add_argument("--answers", type=Path, help="Keep the model's answers in this file, and take them from it.")
    parser.add_argument("--model", default="")
    parser.add_argument("--confidence", type=float, help="Instead of the setting's default.")
    parser.add_argument(
        "--thresholds", action="store_true", help="Judge the patient typist's answers by other ones too."
    )
    parser.add_argument("--keep", type=Path, help="Write each request of the patient typist that was answered there.")
    parser.add_argument("--impatient", action="store_true", help="Keys that do not wait, in real time.")
    parser.add_argument("--standard", action="store_true", help="Ask at each key, as a client without our streams.")
    parser.add_argument("--seed", type=int, default=0, help="Of the impatient typist's pauses.")
    return parser.parse_args()


@dataclass(frozen=True, slots=True)
class _Source:
    """A package, and its functions to type."""

    root: Path
    language: str
    functions: Sequence[Function]


@asynccontextmanager
async def _workspace(root: Path, options: argparse.Namespace) -> AsyncIterator[tuple[Workspace, WatchedEngine]]:
    """Open a workspace for typing."""
    settings = settings_of(root, options.model)
    completion: CompletionSettings = settings.completion
    if not options.impatient:
        completion = msgspec.structs.replace(completion, debounce=0, deadline_ms=PATIENCE_MS)
    if options.confidence is not None:
        completion = msgspec.structs.replace(completion, min_confidence=options.confidence)
    quiet = msgspec.structs.replace(settings.telemetry, local=False)
    model = open_engine(settings, root)
    engine = WatchedEngine(RecordedEngine(model, options.answers) if options.answers else model)
    workspace = open_workspace(
        root, msgspec.structs.replace(settings, completion=completion, telemetry=quiet), engine=engine
    )
    if options.answers:
        workspace.context.model.fix_size(PROMPT_TOKENS)
    try:
        await workspace.refresh_index(lambda _done, _of: None)
        await workspace.engine.start()
        reading = await workspace.rebuild_cached_prefix([], lambda _done, _of: None)
        if reading and options.impatient:
            await asyncio.wait([reading])
        yield workspace, engine
    finally:
        await workspace.close()


async def _patient(sources: Sequence[_Source], options: argparse.Namespace) -> Mapping[str, object]:
    reports: dict[str, list[patient.Report]] = {}
    recordings: dict[str, list[tuple[Recording, str]]] = {}
    for source in sources:
        async with _workspace(source.root, options) as (workspace, _):
            typist = patient.Typist(workspace)
            for function in source.functions:
                await typist.type(function)
                sys.stderr.write(f"{typist.report.keys} keys, {function.path.relative_to(source.root)}\n")
        reports.setdefault(source.language, []).append(typist.report)
        recordings.setdefault(source.language, []).extend(typist.recordings)
        if options.keep:
            _keep(typist.recordings, options.keep / source.root.name)
    by_language = {language: _summary(reports[language], recordings[language], options) for language in reports}
    if len(by_language) == 1:
        return next(iter(by_language.values()))
    return by_language | {"all": _summary(chain(*reports.values()), list(chain(*recordings.values())), options)}


def _summary(
    reports: Iterable[patient.Report], recordings: Sequence[tuple[Recording, str]], options: argparse.Namespace
) -> dict[str, object]:
    summary = patient.total(reports).summary()
    return summary | {"thresholds": patient.thresholds(recordings)} if options.thresholds else summary


def _keep(recordings: Sequence[tuple[Recording, str]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, (recording, coming) in enumerate(recordings):
        data = {"coming": coming, "recording": msgspec.to_builtins(recording)}
        (folder / f"{number:04}.json").write_text(json.dumps(data), "utf-8")


async def _impatient(sources: Sequence[_Source], options: argparse.Namespace) -> Mapping[str, object]:
    accounts: dict[str, Mapping[str, object]] = {}
    for source in sources:
        async with _workspace(source.root, options) as (workspace, engine):
            typist = impatient.Typist(workspace.completer, engine, seed=options.seed, streams=not options.standard)
            for function in source.functions:
                await typist.type(function)
        accounts[source.root.name] = typist.account.summary(engine)
    return accounts if len(accounts) > 1 else next(iter(accounts.values()))


@contextmanager
def _sources(options: argparse.Namespace) -> Iterator[list[_Source]]:
    """Return the younger packages, or else a copy of cattrs."""
    if options.packages:
        languages = set(options.languages.split(",")) - {""}
        rows = [row for row in packages.load() if row.use == options.use]
        rows = [row for row in rows if not languages or row.language in languages]
        yield [_source(packages.unpack(row, options.packages), row.language, options) for row in rows]
        return
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{PACKAGE} is not installed.")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / PACKAGE
        shutil.copytree(Path(spec.origin).parent, root / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
        yield [_source(root, "python", options)]


def _source(root: Path, language: str, options: argparse.Namespace) -> _Source:
    return _Source(root, language, functions_of(root, options.functions, language))


def main() -> None:
    """Print JSON."""
    options = _options()
    began = time.perf_counter()
    with _sources(options) as sources:
        report = asyncio.run((_impatient if options.impatient else _patient)(sources, options))
    sys.stdout.write(json.dumps(dict(report) | {"seconds": round(time.perf_counter() - began)}, indent=2) + "\n")


if __name__ == "__main__":
    main()
