"""Type 20 functions of cattrs key by key and print what a user would have seen: ``python -m scripts.typing_trace``.

cattrs is installed with the language server and is not in the embedded model's training data. A patient typist awaits
each answer; ``--impatient`` types in real time, as fast as people do, so it takes minutes and needs an idle machine.
"""

import argparse
import asyncio
import importlib.util
import json
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from scripts.typing_trace import impatient, patient
from scripts.typing_trace.functions import functions_of
from scripts.typing_trace.watched import WatchedEngine
from spark_lsp.app import open_engine, open_workspace
from spark_lsp.cli.oneshot import settings_of
from spark_lsp.config import CompletionSettings
from spark_lsp.workspace import Workspace

PACKAGE = "cattrs"
PATIENCE_MS = 20_000


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", type=int, default=20)
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


@asynccontextmanager
async def _rooms(root: Path, options: argparse.Namespace) -> AsyncIterator[tuple[Workspace, WatchedEngine]]:
    """Open a workspace for typing."""
    settings = settings_of(root, options.model)
    completion: CompletionSettings = settings.completion
    if not options.impatient:
        completion = msgspec.structs.replace(completion, debounce=0, deadline_ms=PATIENCE_MS)
    if options.confidence is not None:
        completion = msgspec.structs.replace(completion, min_confidence=options.confidence)
    quiet = msgspec.structs.replace(settings.telemetry, local=False)
    engine = WatchedEngine(open_engine(settings, root))
    workspace = open_workspace(
        root, msgspec.structs.replace(settings, completion=completion, telemetry=quiet), engine=engine
    )
    try:
        await workspace.refresh_index(lambda _done, _of: None)
        await workspace.engine.start()
        reading = await workspace.rebuild_cached_prefix([], lambda _done, _of: None)
        if reading and options.impatient:
            await asyncio.wait([reading])
        yield workspace, engine
    finally:
        await workspace.close()


async def _patient(root: Path, options: argparse.Namespace) -> dict[str, object]:
    async with _rooms(root, options) as (workspace, _):
        typist = patient.Typist(workspace)
        for function in functions_of(root, options.functions):
            await typist.type(function)
    report = typist.report.summary()
    if options.thresholds:
        report["thresholds"] = patient.thresholds(typist.recordings)
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        for number, (recording, coming) in enumerate(typist.recordings):
            data = {"coming": coming, "recording": msgspec.to_builtins(recording)}
            (options.keep / f"{number:04}.json").write_text(json.dumps(data), "utf-8")
    return report


async def _impatient(root: Path, options: argparse.Namespace) -> dict[str, object]:
    async with _rooms(root, options) as (workspace, engine):
        typist = impatient.Typist(workspace.completer, engine, seed=options.seed, streams=not options.standard)
        for function in functions_of(root, options.functions):
            await typist.type(function)
    return typist.account.summary(engine)


def main() -> None:
    """Print JSON."""
    options = _options()
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{PACKAGE} is not installed.")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / PACKAGE
        shutil.copytree(Path(spec.origin).parent, root / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
        report = asyncio.run((_impatient if options.impatient else _patient)(root, options))
    sys.stdout.write(json.dumps(report | {"seconds": round(time.perf_counter() - began)}, indent=2) + "\n")


if __name__ == "__main__":
    main()
