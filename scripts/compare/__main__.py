"""Run both sides over the trace and print the table: ``python -m scripts.compare``, or ``make compare``."""

import argparse
import asyncio
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psutil

from scripts.compare import build_server
from scripts.compare.measure import KeyTime
from scripts.compare.our_side import OurSide, our_side
from scripts.compare.table import Comparison, as_text, is_uneven, side
from scripts.compare.their_side import MIN_CONTEXT_TOKENS, ServerFailed, TheirSide
from scripts.compare.trace import Trace, Visit, record, source_files
from spark_lsp.bench.beyond import long_enough
from spark_lsp.catalog.model_names import EMBEDDED_NAME, resolve_model
from spark_lsp.engine.local.process import describe_model

ROOT = Path(__file__).resolve().parents[2]
REST_LIMIT_S = 120.0
OURS = "Spark LSP"
THEIRS = {0: "llama.cpp", 256: "with --cache-reuse"}
"""Variants of their side by the value of the server's option; TheirSide describes them."""


@dataclass(slots=True)
class Account:
    """The measurements of one side so far."""

    name: str
    keys: list[KeyTime] = field(default_factory=list)
    ready_s: float = 0.0
    """Seconds from the last start until everything was prefilled."""


def _options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.compare", description=__doc__)
    parser.add_argument("--context-tokens", type=int, nargs="+", default=[8192, 32768], metavar="TOKENS")
    parser.add_argument("--repeats", type=int, default=1, help="how often each size is run, both sides started again")
    parser.add_argument("--pause", type=float, default=3.0, metavar="SECONDS", help="looking around after a switch")
    parser.add_argument("--visits", type=int, default=None, help="how many of the trace's visits; default: all")
    parser.add_argument("--model", default="", metavar="NAME_OR_PATH", help="default: the embedded model")
    parser.add_argument("--threads", type=int, default=psutil.cpu_count(logical=False) or 1)
    parser.add_argument("--server", type=Path, default=None, help="a finished llama-server instead of building one")
    parser.add_argument("--build-folder", type=Path, default=build_server.default_folder(), metavar="FOLDER")
    parser.add_argument("--ours-only", action="store_true", help="leave llama.cpp's server out")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write every key's times there")
    options = parser.parse_args(words)
    if min(options.context_tokens) < MIN_CONTEXT_TOKENS:
        parser.error(f"the context must have at least {MIN_CONTEXT_TOKENS} tokens")
    return options


def main(words: list[str]) -> int:
    """Return 0, or 1 if their server was requested and its build or the server failed."""
    options = _options(words)
    # Ended from outside, this script ends the processes that it started, as it does on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    code = 0
    server: Path | None = None
    if not options.ours_only:
        try:
            server = _server(options)
        except build_server.BuildFailed as error:
            _say(f"llama.cpp's server could not be built, so only Spark LSP is measured. {error}")
            code = 1
    trace = record(source_files(ROOT))
    trace = Trace(trace.visits[: options.visits], trace.files)
    comparisons: list[Comparison] = []
    keys: list[dict[str, Any]] = []
    for context_tokens in options.context_tokens:
        try:
            comparison, measured = asyncio.run(_compare(options, trace, server, context_tokens))
        except ServerFailed as error:
            _say(str(error))
            return 1
        comparisons.append(comparison)
        keys += measured
        _say("\n" + as_text(comparison))
        if is_uneven(comparison):
            _say("The model reads a shorter prompt here than there, so the shares say less than they seem to.")
    if options.json:
        report = {**_circumstances(options, trace), "comparisons": msgspec.to_builtins(comparisons), "keys": keys}
        options.json.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return code


def _model(options: argparse.Namespace) -> Path:
    return resolve_model(options.model or EMBEDDED_NAME)


def _server(options: argparse.Namespace) -> Path | None:
    """Return their server; None, with a message, if there is no compiler to build it with."""
    if options.server:
        return Path(options.server)
    if build_server.finished(options.build_folder) is None and not build_server.has_compiler():
        _say(build_server.NO_COMPILER)
        return None
    return build_server.build(options.build_folder, _say)


async def _compare(
    options: argparse.Namespace, trace: Trace, server: Path | None, context_tokens: int
) -> tuple[Comparison, list[dict[str, Any]]]:
    """Run the trace on all sides, visit by visit, as often as requested."""
    accounts = [Account(OURS), *(Account(name) for name in (THEIRS.values() if server else ()))]
    for number in range(options.repeats):
        _say(f"{context_tokens} tokens, run {number + 1} of {options.repeats} …")
        with tempfile.TemporaryDirectory(prefix="spark-compare-") as name:
            await _run(options, trace, server, context_tokens, Path(name), accounts)
    ours, *theirs = (side(account.name, account.keys, account.ready_s) for account in accounts)
    measured = [
        {"context_tokens": context_tokens, "side": account.name, **msgspec.to_builtins(key)}
        for account in accounts
        for key in account.keys
    ]
    return Comparison(context_tokens, ours, tuple(theirs)), measured


async def _run(
    options: argparse.Namespace,
    trace: Trace,
    server: Path | None,
    context_tokens: int,
    folder: Path,
    accounts: list[Account],
) -> None:
    """Start all sides again and let them take turns, so that other work on the machine affects them alike."""
    # A copy under another name: facts of the catalogue about the embedded model must not apply to a user's file.
    with long_enough(str(_model(options)), context_tokens, _warn) as path:
        model = Path(shutil.copy(path, folder / "compared.gguf"))
    is_suffix_first = describe_model(model).fim_order == "spm"
    with ExitStack() as stack:
        theirs: list[TheirSide] = []
        for cache_reuse, account in zip(THEIRS, accounts[1:], strict=False):
            assert server
            began = time.monotonic()
            their_side = TheirSide(
                server,
                model,
                context_tokens,
                options.threads,
                folder,
                cache_reuse=cache_reuse,
                is_suffix_first=is_suffix_first,
            )
            theirs.append(stack.enter_context(their_side))
            await asyncio.to_thread(their_side.prepare, trace)
            account.ready_s = time.monotonic() - began
        began = time.monotonic()
        async with our_side(folder, trace, model, context_tokens, options.threads) as ours:
            await ours.prepare(trace)
            accounts[0].ready_s = time.monotonic() - began
            _say(f"  all is read; {ours.resident_tokens} tokens of the workspace are resident here")
            old: Visit | None = None
            for number, visit in enumerate(trace.visits):
                turns = [partial(_ours, ours, old, visit, number, options.pause, accounts[0])]
                turns += [
                    partial(_theirs, their_side, old, visit, number, options.pause, account)
                    for their_side, account in zip(theirs, accounts[1:], strict=True)
                ]
                first = number % len(turns)
                for turn in (*turns[first:], *turns[:first]):
                    await turn()
                    await ours.rest(REST_LIMIT_S)  # and with it all processes that this one has started
                old = visit


async def _ours(ours: OurSide, old: Visit | None, visit: Visit, number: int, pause_s: float, account: Account) -> None:
    await ours.arrive(old, visit, pause_s)
    account.keys += [key async for key in ours.type(visit, number)]


async def _theirs(
    theirs: TheirSide, old: Visit | None, visit: Visit, number: int, pause_s: float, account: Account
) -> None:
    await asyncio.to_thread(theirs.arrive, old, visit, pause_s)
    account.keys += await asyncio.to_thread(lambda: list(theirs.type(visit, number)))


def _circumstances(options: argparse.Namespace, trace: Trace) -> dict[str, Any]:
    """Return what the figures depend on: the state of the code, the trace, the machine."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    result = subprocess.run(command, capture_output=True, text=True, check=False) if shutil.which("git") else None
    return {
        "commit": result.stdout.strip() if result and result.returncode == 0 else "",
        "trace": trace.digest,
        "keys_of_the_trace": trace.keys,
        "model": _model(options).name,
        "threads": options.threads,
        "cores": psutil.cpu_count(),
        "load_before": psutil.getloadavg()[0],
        "repeats": options.repeats,
        "pause_s": options.pause,
    }


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _warn(message: str) -> None:
    sys.stderr.write(f"{message}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
