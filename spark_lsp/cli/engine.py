"""``spark-lsp engine``: the shared engine processes, seen and stopped from the command line.

The hidden commands are what the engine's own processes start as; nobody types them. Never loads a model here.
"""

import asyncio
import sys
from typing import Annotated, Any

import msgspec
import typer

from spark_lsp.cli.terminal import out, out_json
from spark_lsp.engine.base import EngineStatus
from spark_lsp.engine.local.address import runtime_folder
from spark_lsp.engine.local.local_engine import list_engines, stop_engines
from spark_lsp.engine.wire import frames
from spark_lsp.errors import EngineFailed, SparkError
from spark_lsp.openai_api.running import running_endpoint

app = typer.Typer(help="Show or stop the engine processes that run models.", no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


@app.command("run", hidden=True)
def run(order: str) -> None:
    """Be an engine process; the order is JSON."""
    from spark_lsp.llama.host import run_host  # noqa: PLC0415  loads llama.cpp, which no other command may

    raise typer.Exit(run_host(msgspec.json.decode(order, type=frames.HostOrder)))


@app.command("probe", hidden=True)
def probe(path: str) -> None:
    """Describe a model file as JSON, in a process that a damaged file may end."""
    from spark_lsp.llama.loading.describe import probe as examine  # noqa: PLC0415  loads llama.cpp, which no other command may

    try:
        answer = frames.ProbeAnswer(model=examine(path))
    except SparkError as error:
        answer = frames.ProbeAnswer(error=frames.failed(0, error))
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")


@app.command("compute-check", hidden=True)
def compute_check(path: str) -> None:
    """Compute with and without llama.cpp's fast kernels; a build that gets them wrong ends this process."""
    from spark_lsp.llama.compute_check import MIN_AGREEMENT, agreement  # noqa: PLC0415  loads llama.cpp

    raise typer.Exit(int(not agreement(path) >= MIN_AGREEMENT))


@app.command("requantize", hidden=True)
def requantize() -> None:
    """Write a model's weights in faster types; the order comes on standard input, steps and result go out as JSON."""
    from spark_lsp.llama.requantize import requantize as work  # noqa: PLC0415  loads llama.cpp

    def tell(answer: frames.RequantizeAnswer) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()

    order = msgspec.json.decode(sys.stdin.buffer.read(), type=frames.RequantizeOrder)
    try:
        tell(frames.RequantizeAnswer(result=work(order, lambda step: tell(frames.RequantizeAnswer(step=step)))))
    except SparkError as error:
        tell(frames.RequantizeAnswer(error=frames.failed(0, error)))


@app.command("bare", hidden=True)
def bare(launch: str) -> None:
    """Be the baseline of ``bench``: orders come and answers go line by line, as JSON."""
    from spark_lsp.bench.baseline import serve  # noqa: PLC0415  what no engine process needs

    serve(msgspec.json.decode(launch, type=frames.EngineLaunch), sys.stdin.buffer, sys.stdout.buffer)


@app.command("status", epilog="Example: spark-lsp engine status")
def status(*, json: _Json = False) -> None:
    """Show running engines: models, clients, memory and speed."""
    engines = asyncio.run(list_engines())
    endpoint = running_endpoint(runtime_folder())
    if json:
        out_json({**_summary(engines), "endpoint": endpoint.url if endpoint else None}, indent=2)
        return
    if endpoint:
        out(f"endpoint {endpoint.url}, process {endpoint.pid}\n")
    if not engines:
        out("No engine is running; the next completion starts one.\n")
    for engine in engines:
        for line in _lines(engine):
            out(f"{line}\n")


@app.command("stop", epilog="Example: spark-lsp engine stop")
def stop(*, json: _Json = False) -> None:
    """Stop all your engines; the next completion starts one again."""
    pids = asyncio.run(stop_engines())
    if json:
        out_json({"stopped": pids})
    elif pids:
        out(f"Stopped {', '.join(str(pid) for pid in pids)}.\n")
    else:
        out("No engine was running.\n")


@app.command("serve-openai", epilog="Example: spark-lsp engine serve-openai --port 8012")
def serve_openai(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on; beyond this machine only with --expose.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8012,
    expose: Annotated[bool, typer.Option("--expose", help="Allow an address that other machines can reach.")] = False,
    model: Annotated[str, typer.Option(help="Model name or path of a GGUF file.")] = "",
) -> None:
    """Serve the engine's models to other programs, by OpenAI's HTTP API, until you press Ctrl-C."""
    from spark_lsp.cli.serve_openai import run_endpoint  # noqa: PLC0415  an HTTP server, which no other command needs

    run_endpoint(host, port, model, is_exposed=expose)


@app.command("purge", epilog="Example: spark-lsp engine purge")
def purge(*, json: _Json = False) -> None:
    """Delete the KV cache files, which hold your code as tokens. A running engine may write new ones."""
    from spark_lsp.app import kv_cache_folder  # noqa: PLC0415  the whole composition, which an engine process needs not
    from spark_lsp.llama.kv import block_store  # noqa: PLC0415  brings numpy, which no other command here needs

    folder = kv_cache_folder()
    files, size_bytes = block_store.purge(folder)
    left = block_store.count_files(folder)
    if left:
        raise EngineFailed(f"{left} KV cache files in {folder} could not be deleted; {files} were.")
    if json:
        cleared = {"files": files, "bytes": size_bytes, "folder": str(folder)}
        out_json(cleared)
    elif files:
        out(f"Deleted {files} KV cache files, {size_bytes / 1e6:,.1f} MB, from {folder}.\n")
    else:
        out(f"There are no KV cache files in {folder}.\n")


def _summary(engines: list[EngineStatus]) -> dict[str, Any]:
    """Return the contract's ``engine status``: the first engine's process, and the models of all."""
    first = engines[0] if engines else EngineStatus(running=False)
    return {
        "running": first.running,
        "pid": first.pid,
        "socket": first.socket,
        "models": [_model(engine) for engine in engines if engine.model is not None],
        "clients": sum(engine.clients for engine in engines),
        "prefill_tokens_per_s": first.prefill_tokens_per_s,
        "decode_tokens_per_s": first.decode_tokens_per_s,
        "engines": [{"pid": engine.pid, "socket": engine.socket, "clients": engine.clients} for engine in engines],
    }


def _model(engine: EngineStatus) -> dict[str, Any]:
    assert engine.model is not None, "asked of engines with a model"
    return {
        "path": engine.model.path,
        "family": engine.model.family,
        "context_tokens": engine.model.context_tokens,
        "resident_tokens": engine.resident_tokens,
        "vram_bytes": engine.vram_bytes,
        "ram_bytes": engine.ram_bytes,
        "notes": list(engine.model.notes),
    }


def _lines(engine: EngineStatus) -> list[str]:
    model = engine.model
    lines = [f"process {engine.pid}, {engine.clients} clients, {engine.ram_bytes / 1e6:,.0f} MB"]
    if model is None:
        return [*lines, "  no model is loaded"]
    lines.append(f"  model    {model.name} ({model.path})")
    lines.append(f"  context  {engine.resident_tokens:,} of {model.context_tokens:,} tokens in use")
    speeds = f"{engine.prefill_tokens_per_s:,.0f} tokens/s prefill, {engine.decode_tokens_per_s:,.0f} tokens/s decode"
    lines.append(f"  speed    {speeds}")
    return lines + [f"  note     {note}" for note in model.notes]
