"""``spark-lsp remote``: shows remote endpoints, and gives or revokes consent to send code to them."""

import asyncio
from typing import Annotated, Any

import typer

from spark_lsp.app import open_engine
from spark_lsp.cli.oneshot import settings_of
from spark_lsp.cli.terminal import out, out_json
from spark_lsp.engine.remote.consent import allow, allowed_origins, consent_path, forget
from spark_lsp.engine.remote.hosts import address_of
from spark_lsp.errors import SettingsError, SparkError

app = typer.Typer(help="Remote endpoints: which hosts may receive code, and whether they answer.", no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
_Urls = Annotated[list[str], typer.Argument(help="Addresses, such as https://models.example.com.", show_default=False)]


@app.command("status", epilog="Example: spark-lsp remote status")
def status(*, json: _Json = False) -> None:
    """Show the endpoints in the settings, the allowed hosts, and whether a model answers."""
    settings = settings_of(None, "")
    state: dict[str, Any] = {
        "urls": list(settings.backend.urls),
        "allowed": sorted(allowed_origins()),
        "consent_file": str(consent_path()),
        "model": None,
        "notes": [],
        "problem": None,
    }
    if settings.backend.urls:
        state |= asyncio.run(_asked(settings.backend.urls))
    if json:
        out_json(state)
        return
    for url in state["urls"] or ["none; spark.backend.urls is empty, so the model runs on this machine"]:
        out(f"endpoint  {url}\n")
    for origin in state["allowed"] or ["none"]:
        out(f"allowed   {origin}\n")
    if state["model"]:
        out(f"model     {state['model']['name']}, family {state['model']['family'] or 'unknown'}\n")
    for note in [*state["notes"], *([state["problem"]] if state["problem"] else [])]:
        out(f"note      {note}\n")


@app.command("allow", epilog="Example: spark-lsp remote allow https://models.example.com")
def allow_hosts(urls: _Urls, *, json: _Json = False) -> None:
    """Allow sending code to these hosts: text around your cursor and snippets of your workspace."""
    origins = [address_of(url).origin for url in urls]
    allow(origins)
    _told("allowed", origins, json=json)


@app.command("forget", epilog="Example: spark-lsp remote forget https://models.example.com")
def forget_hosts(urls: _Urls, *, json: _Json = False) -> None:
    """Revoke the consent: nothing is sent to these hosts until you allow them again."""
    origins = [address_of(url).origin for url in urls]
    unknown = [origin for origin in origins if origin not in allowed_origins()]
    if unknown:
        raise SettingsError(f"{', '.join(unknown)} was not allowed.", fix="See spark-lsp remote status.")
    forget(origins)
    _told("forgotten", origins, json=json)


async def _asked(urls: tuple[str, ...]) -> dict[str, Any]:
    engine = open_engine(settings_of(None, ""))
    try:
        model = await engine.start()
    except SparkError as error:
        return {"problem": f"{error} {error.fix}".strip()}
    finally:
        await engine.close()
    kept = ("name", "family", "fim_order", "context_tokens")
    return {
        "model": {name: getattr(model, name) for name in kept},
        "notes": [*model.notes, *model.warnings],
        "urls": list(urls),
    }


def _told(what: str, origins: list[str], *, json: bool) -> None:
    if json:
        out_json({what: origins, "file": str(consent_path())})
    else:
        out(f"{what.capitalize()}: {', '.join(origins)} (stored in {consent_path()}).\n")
